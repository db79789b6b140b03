# Install, at the console.

# One line in Chinese and English; the former only where a terminal can show it.
both() {
    case $LOCALE in
    *[Uu][Tt][Ff]*) printf '%s / %s\n' "$1" "$2" ;;
    *) printf '%s\n' "$2" ;;
    esac
}

# For who is at the console.
usage() {
    echo "install.sh [CONFIG]
    put this release and the configuration (a file; else the one that is there, else the default) in force
host.sh rollback SECONDS
    go back to the release before; the agent has so many seconds to be ready
host.sh uninstall [--keep-state]
    leave nothing, at once and without a question; --keep-state leaves $STATE
host.sh look
    tell what is there; nothing is changed"
}

at_install() {
    case ${1:-} in -h | --help) usage && return ;; esac
    tree=$(cd "$(dirname "$0")/../.." && pwd -P) || fail "host.sh: install is for an unpacked bundle"
    config=${1:-} seconds=60
    [ -x "$tree/bin/jianwei" ] || fail "$tree is no unpacked bundle of jianwei"
    [ -z "$config" ] || [ -r "$config" ] || fail "$config cannot be read"
    version=$(sed -n 1p "$tree/share/jianwei/VERSION")
    version_ok "$version"
    whole_and_alone
    if [ "$tree" != "$PREFIX/$version" ]; then
        both "正在复制 $version 到 $PREFIX" "Copying $version to $PREFIX"
        mkdir -p "$PREFIX"
        tidy
        enough $(($(du -sk "$tree" | cut -f 1) * 1024))
        new=$PREFIX/.new.$version
        (mkdir "$new" && cp -R "$tree" "$new/release" && chown -hR root:root "$new") ||
            spoilt "$new" "$tree cannot be copied to $PREFIX"
        whole "$new/release" || spoilt "$new" "files of $tree are not as MANIFEST.sha256 has them"
        adopt "$new" "$version"
        (echo console && boot) >"$PREFIX/.bundle.$version"
        rm -rf "$new"
    fi
    account
    if [ -n "$config" ]; then
        stage "$ETC"
        with_config "$config"
        checked "$version"
    fi
    both "正在启动代理，最多等待 $seconds 秒" "Starting the agent, at most $seconds s"
    into_force >/dev/null
    both "安装完成：$version 正在运行；配置文件 $ETC/jianwei.yaml" \
        "Installed: $version runs; its configuration is $ETC/jianwei.yaml"
    away="$PREFIX/current/share/jianwei/host.sh uninstall"
    [ ! -e "$PREFIX/.deb" ] || away="apt purge jianwei-agent"
    both "卸载：$away" "To remove it: $away"
}

main() {
    verb=${1:-}
    [ $# -eq 0 ] || shift
    case $verb in
    -h | --help) usage ;;
    '') usage >&2 && exit 1 ;;
    look | unpack | configure | activate | rollback | uninstall | install) "at_$verb" "$@" ;;
    *) fail "host.sh: there is no verb '$verb'; see --help" ;;
    esac
}

# one line: the file may be gone by then
main "$@"; exit
