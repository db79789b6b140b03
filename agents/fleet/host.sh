#!/bin/sh
# The agent on one host: what is there, a release put there, configured, put in force, gone back from, taken
# away. For any POSIX sh; needs systemd, flock, tar, gzip, sha256sum. Layout: docs/fleet.md.
#
#   look                            tells what is there and changes nothing
#   unpack FILE SHA256 VERSION      puts the release of a bundle beside the others
#   configure VERSION SHA256        checks a tar of files on standard input with that release; sets it ready
#   activate VERSION SECONDS [CONFIGURED]  puts release and configuration in force, or goes back by itself;
#                                   CONFIGURED is what configure told: nothing else is taken
#   rollback SECONDS                goes back to the release before, with the configuration it had
#   uninstall [--keep-state]        leaves nothing
#   install [CONFIG]                for the console: puts the tree this file is in in force
#
# Tells key=value lines; 0 done, 1 said why on standard error. What is written is written aside and renamed.
# Until an activation is over, $PREFIX/.pending has all that was before: who finds it goes back first.
# Standard output may be gone with the connection: nothing depends on it, and what was begun is ended.

# shellcheck disable=SC2317 # functions are called by their verb
set -u
LOCALE=${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022
trap '' HUP PIPE

PREFIX=/opt/jianwei
ETC=/etc/jianwei
ETC_NEW=/etc/.jianwei.new # set ready by configure, put in force by activate
ETC_OLD=/etc/.jianwei.old
STATE=/var/lib/jianwei
UNITS=/etc/systemd/system
UNIT=jianwei-agent.service
ROTATE=/etc/logrotate.d/jianwei
PENDING=$PREFIX/.pending
seconds=60

tell() { printf '%s=%s\n' "$1" "$2" 2>/dev/null || :; }

fail() {
    printf '%s\n' "$1" >&2 2>/dev/null || :
    exit 1
}

# --- what is there ---

# The release a link leads to, empty if none.
link() {
    linked=$(readlink "$PREFIX/$1" 2>/dev/null) || linked=
    case $linked in '' | . | .. | *[!A-Za-z0-9._+~-]*) linked= ;; esac
    printf %s "$linked"
}

# All releases, in the order they were put there.
releases() {
    # shellcheck disable=SC2012
    ls -1tr "$PREFIX" 2>/dev/null | while IFS= read -r name; do
        case $name in current | previous | *[!A-Za-z0-9._+~-]*) continue ;; esac
        [ ! -x "$PREFIX/$name/bin/jianwei" ] || printf '%s\n' "$name"
    done
}

sum_of() { [ ! -f "$1" ] || sha256sum <"$1" | cut -d ' ' -f 1; }

# Of the files that were deployed to a folder, one for all: of the lines that sha256sum prints of them.
digest() {
    [ -f "$1/jianwei.yaml" ] || return 0
    (
        cd "$1" || exit 0
        if [ -f .deployed ]; then cat .deployed; else echo jianwei.yaml; fi |
            while IFS= read -r name; do sha256sum -- "$name"; done 2>/dev/null
    ) | sha256sum | cut -d ' ' -f 1
}

# Megabytes that are free where a folder is or will be.
room() {
    folder=$1
    until [ -d "$folder" ]; do folder=${folder%/*}/ folder=${folder%/} folder=${folder:-/}; done
    df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }'
}

is() { if systemctl "is-$1" --quiet "$UNIT" 2>/dev/null; then echo yes; else echo no; fi; }

at_look() {
    tell arch "$(uname -m)"
    # shellcheck disable=SC1091
    tell system "$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}")"
    tell libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | sed -n 1p)"
    tell systemd "$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
    tell free "$(($(room "$PREFIX") << 20))"
    tell versions "$(releases | tr '\n' ' ')"
    if [ -d "$PENDING" ]; then # what it will go back to; it is not that yet
        tell current "$(cat "$PENDING/from")"
        tell previous "$(cat "$PENDING/previous")"
        tell config "$(digest "$PENDING/etc")"
        tell unit "$(sum_of "$PENDING/unit")"
        tell active no
    else
        current=$(link current)
        tell current "$current"
        tell previous "$(link previous)"
        tell config "$(digest "$ETC")"
        tell unit "$(sum_of "$UNITS/$UNIT")"
        active=$(is active)
        tell active "$active"
        if [ "$active" = yes ] && { lives || asked "$PREFIX/$current" 2 >/dev/null 2>&1; }; then
            tell ready yes
        fi
    fi
    tell enabled "$(is enabled)"
    for file in "$PREFIX"/.staged/*.tar.gz; do
        file=${file##*/}
        [ ! -f "$PREFIX/.staged/$file" ] || tell staged "${file%.tar.gz}"
    done
    tell end look
}

# Whether systemd knows by itself that an active agent serves: it said READY=1, and says again and again that it
# lives, else it would be killed. That spares the start of an interpreter, most of what a look costs.
lives() {
    case $(systemctl show --property=Type,WatchdogUSec "$UNIT" 2>/dev/null) in
    *Type=notify*WatchdogUSec=[1-9]* | *WatchdogUSec=[1-9]*Type=notify*) return 0 ;;
    *) return 1 ;; # 0 or infinity: nobody watches
    esac
}

asked() { "$1/bin/jianwei" ready --config "$ETC/jianwei.yaml" --timeout "$2s"; }

# --- what every change needs ---

# Alone on this host, and root. Another one ends by itself: it is waited for.
alone() {
    [ "$(id -u)" -eq 0 ] || fail "not root: log in as root, or set sudo for this host"
    command -v systemctl >/dev/null || fail "there is no systemd here"
    command -v flock >/dev/null || fail "there is no flock here (util-linux)"
    [ ! -e "$PREFIX" ] || [ -O "$PREFIX" ] || fail "$PREFIX is not root's: move it away"
    exec 9<"$UNITS" || fail "there is no $UNITS"
    waited=0
    until flock -n 9; do
        [ "$waited" -lt 90 ] || fail "somebody else changes this host; try again when that is over"
        waited=$((waited + 1))
        sleep 1
    done
}

# A change begins from a whole: alone, and what was cut off is gone back from.
whole_and_alone() {
    alone
    rm -rf "$PENDING.new"
    [ -d "$PENDING" ] || return 0
    go_back
    tell mended "$(cat "$PREFIX/.done/to" 2>/dev/null)"
}

version_ok() {
    case $1 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._+~-]* | current | previous) fail "'$1' is no version" ;;
    esac
}

seconds_ok() {
    case $1 in '' | *[!0-9]* | ??????*) fail "'$1' is no number of seconds" ;; esac
}

present() {
    version_ok "$1"
    [ -x "$PREFIX/$1/bin/jianwei" ] || fail "release $1 is not on this host: deploy it"
}

# Whether all files of a release are as they were made.
whole() { (cd "$1" && sha256sum -c MANIFEST.sha256) >/dev/null 2>&1; }

# A file in the place of another, never half of it. Copies $1 to $2.
replace() { rm -f "$2.new" && cp "$1" "$2.new" && chmod 0644 "$2.new" && mv -f "$2.new" "$2"; }

# The link $1 leads to the release $2; none if that is empty.
relink() {
    if [ -z "$2" ]; then
        rm -f "$PREFIX/$1"
        return
    fi
    rm -f "$PREFIX/.$1" && ln -s "$2" "$PREFIX/.$1" || return 1
    # a mv that knows no -T would move into the release
    mv -fT "$PREFIX/.$1" "$PREFIX/$1" 2>/dev/null ||
        { rm -f "$PREFIX/$1" && mv "$PREFIX/.$1" "$PREFIX/$1"; }
}

# A folder in the place of $ETC; in between there is none, which `mend` mends.
replace_etc() {
    rm -rf "$ETC_OLD"
    [ ! -d "$ETC" ] || mv "$ETC" "$ETC_OLD" || return 1
    mv "$1" "$ETC" && rm -rf "$ETC_OLD"
}

account() {
    ! id jianwei >/dev/null 2>&1 || return 0
    shell=/usr/sbin/nologin
    [ -x "$shell" ] || shell=/bin/false
    mkdir -p "$PREFIX" && : >"$PREFIX/.account" # ours to take away
    if command -v useradd >/dev/null; then
        getent group jianwei >/dev/null || groupadd --system jianwei
        useradd --system --gid jianwei --home-dir "$STATE" --no-create-home --shell "$shell" jianwei
    else
        grep -q '^jianwei:' /etc/group || addgroup -S jianwei
        adduser -S -D -H -h "$STATE" -s "$shell" -G jianwei jianwei
    fi >&2 || fail "the user jianwei cannot be made"
}

# Remove what nobody needs: releases but those named, what a kill left.
tidy() {
    for name in $(releases); do
        case " $* $(link current) $(link previous) " in
        *" $name "*) ;;
        *)
            rm -rf "${PREFIX:?}/.gone.$name" "$PREFIX/.bundle.$name"
            mv "$PREFIX/$name" "$PREFIX/.gone.$name"
            ;;
        esac
    done
    rm -rf "$PREFIX"/.gone.* "$PREFIX"/.new.* "$PREFIX/.kept.old" "$PREFIX/.done"
}

# --- unpack ---

at_unpack() {
    file=$1 sum=$2 version=$3
    version_ok "$version"
    whole_and_alone
    record=$PREFIX/.bundle.$version
    if [ -x "$PREFIX/$version/bin/jianwei" ] && whole "$PREFIX/$version"; then
        if [ "$(sed -n 1p "$record" 2>/dev/null)" = "$sum" ]; then
            rm -f "$file" "$file.boot"
            tell unpacked same
            return
        fi
        case $version in
        "$(link current)" | "$(link previous)")
            fail "release $version is here with other content: give the new one another version"
            ;;
        esac
    fi
    [ -f "$file" ] || fail "$file is not here: upload it again"
    # who uploaded it checked it, in the boot that it noted
    if [ "$(cat "$file.boot" 2>/dev/null)" != "$(boot)" ] && [ "$(sum_of "$file")" != "$sum" ]; then
        rm -f "$file" "$file.boot"
        fail "the bundle is not as it was sent: upload it again"
    fi
    tidy "$version"
    size=$(tail -c 4 "$file" | od -An -tu4 | tr -d ' ')
    enough $((size + size / 8))
    new=$PREFIX/.new.$version
    mkdir "$new" || fail "$new cannot be made"
    # all of a bundle that has its sum is as it was made, if these two say so: its files are not summed again
    { gzip -dc "$file" || : >"$new/.bad"; } | tar -xof - -C "$new" || : >"$new/.bad"
    [ ! -e "$new/.bad" ] || spoilt "$new" "$file cannot be unpacked"
    adopt "$new" "$version"
    printf '%s\n' "$sum" >"$record"
    boot >>"$record"
    rm -rf "$new" "$file" "$file.boot"
    tell unpacked "$version"
}

boot() { cat /proc/sys/kernel/random/boot_id; }

enough() {
    needs=$((($1 >> 20) + 8)) has=$(room "$PREFIX")
    [ "$has" -ge "$needs" ] || fail "no room: needs $needs MB, has $has MB on $PREFIX"
}

spoilt() {
    rm -rf "$1"
    fail "$2"
}

# The only folder in $1 as release $2.
adopt() {
    set -- "$1" "$2" "$1"/*
    if [ $# -ne 3 ] || [ ! -x "$3/bin/jianwei" ]; then spoilt "$1" "this is no bundle of jianwei"; fi
    chmod -R go-w,u+rwX,go+rX,a-st "$3" || spoilt "$1" "permissions cannot be set"
    touch "$3"
    [ ! -d "$PREFIX/$2" ] || mv "$PREFIX/$2" "$PREFIX/.gone.$2"
    mv "$3" "$PREFIX/$2" || spoilt "$1" "$PREFIX/$2 cannot be made"
    rm -rf "$PREFIX/.gone.$2"
}

# --- configure ---

at_configure() {
    version=${1:-$(releases | tail -n 1)} sum=$2
    present "$version"
    whole_and_alone
    account
    stage "$ETC"
    cat >"$ETC_NEW/.tar" || spoilt "$ETC_NEW" "$ETC_NEW cannot be written"
    [ "$(sum_of "$ETC_NEW/.tar")" = "$sum" ] || spoilt "$ETC_NEW" "the files did not arrive whole"
    # what was deployed and is no more goes; what others put there stays
    if [ -f "$ETC_NEW/.deployed" ]; then
        while IFS= read -r name; do
            case $name in '' | /* | *..*) ;; *) rm -f "$ETC_NEW/$name" ;; esac
        done <"$ETC_NEW/.deployed"
    fi
    tar -xof "$ETC_NEW/.tar" -C "$ETC_NEW" || spoilt "$ETC_NEW" "the files cannot be unpacked"
    rm -f "$ETC_NEW/.tar"
    checked "$version"
    tell configured "$(digest "$ETC_NEW")"
}

# A copy of a folder in $ETC_NEW, to be changed.
stage() {
    rm -rf "$ETC_NEW"
    (umask 077 && mkdir "$ETC_NEW") || fail "$ETC_NEW cannot be made"
    [ ! -d "$1" ] || cp -a "$1/." "$ETC_NEW/" || spoilt "$ETC_NEW" "no room on /etc"
    chmod 0700 "$ETC_NEW"
}

# Owners and modes of $ETC_NEW, then what the release says of it. It names files as they will be, so it sees
# them there: in a mount namespace of its own, where that can be had.
checked() {
    if [ -f "$ETC_NEW/.deployed" ]; then cat "$ETC_NEW/.deployed"; else echo jianwei.yaml; fi |
        while IFS= read -r name; do
            chown root:jianwei "$ETC_NEW/$name" && chmod 0640 "$ETC_NEW/$name" || exit 1
            while name=$(dirname "$name") && [ "$name" != . ]; do
                chown root:jianwei "$ETC_NEW/$name" && chmod 0750 "$ETC_NEW/$name"
            done
        done || spoilt "$ETC_NEW" "the files cannot be given to root and the group jianwei"
    run=$PREFIX/$1/bin/jianwei made=no
    [ -d "$ETC" ] || { mkdir -m 0750 "$ETC" && made=yes; }
    # shellcheck disable=SC2016
    said=$(unshare -m sh -c 'mount --make-rprivate / && mount --bind "$1" "$2" || exit 99
        exec "$3" check-config "$2/jianwei.yaml"' sh "$ETC_NEW" "$ETC" "$run" 2>&1 >/dev/null)
    status=$?
    if [ "$status" -ne 0 ] && [ "$status" -ne 2 ]; then
        said=$("$run" check-config "$ETC_NEW/jianwei.yaml" 2>&1 >/dev/null)
        status=$?
    fi
    [ "$made" = no ] || rmdir "$ETC"
    chown root:jianwei "$ETC_NEW" && chmod 0750 "$ETC_NEW"
    case $status in
    0) ;;
    2) spoilt "$ETC_NEW" "the configuration is not right: $said" ;;
    *) spoilt "$ETC_NEW" "release $1 does not run here: $said" ;;
    esac
}

# --- activate, rollback ---

at_activate() {
    version=$1 seconds=$2 configured=${3:-}
    seconds_ok "$seconds"
    present "$version"
    whole_and_alone
    account
    if [ "$configured" != "$(digest "$ETC_NEW")" ]; then # of a deployment that was given up
        rm -rf "$ETC_NEW"
        [ -z "$configured" ] || fail "what was configured is here no more: configure it again"
    fi
    into_force
}

at_rollback() {
    seconds=$1
    seconds_ok "$seconds"
    whole_and_alone
    version=$(link previous)
    [ -n "$version" ] || fail "there is no release before to go back to"
    present "$version"
    if [ "$(cat "$PREFIX/.kept/from" 2>/dev/null)" = "$version" ] && [ -d "$PREFIX/.kept/etc" ]; then
        stage "$PREFIX/.kept/etc"
        chown root:jianwei "$ETC_NEW" && chmod 0750 "$ETC_NEW"
    fi
    into_force
}

# All that there is now, to go back to.
remember() {
    now=$PENDING.new
    (
        umask 077
        mkdir "$now" && link current >"$now/from" && link previous >"$now/previous" &&
            printf %s "$version" >"$now/to" && is active >"$now/active" && is enabled >"$now/enabled" &&
            copy "$ETC" "$now/etc" && copy "$UNITS/$UNIT" "$now/unit" && copy "$ROTATE" "$now/rotate" &&
            mv "$now" "$PENDING"
    ) || spoilt "$now" "what is in force cannot be kept: no room on $PREFIX?"
}

# What is not there needs no copy.
copy() { [ ! -e "$1" ] || cp -a "$1" "$2"; }

into_force() {
    release=$PREFIX/$version
    # one that a power cut followed may have files without content
    if [ "$(sed -n 2p "$PREFIX/.bundle.$version" 2>/dev/null)" != "$(boot)" ] && ! whole "$release"; then
        rm -f "$PREFIX/.bundle.$version"
        fail "files of release $version are damaged: deploy it again"
    fi
    from=$(link current) began=$(date +%s)
    remember
    stopped=no problem='' asking=''
    trap 'trap "" TERM INT; stopped=yes; [ -z "$asking" ] || kill "$asking" 2>/dev/null' TERM INT
    trap '[ ! -d "$PENDING" ] || go_back' EXIT
    if put && serves; then
        settle
        tell activated "$version"
        return
    fi
    [ "$stopped" = no ] || problem="it was stopped while it was put in force"
    last_words
    if ! go_back; then problem="$problem; $from is back and not ready either"
    elif [ -n "$from" ]; then problem="$problem; $from is back"
    else problem="$problem; there was none before, and none is left running"; fi
    fail "$problem"
}

put() {
    problem="files cannot be written: is there room on /etc and $PREFIX?"
    [ ! -d "$ETC_NEW" ] || replace_etc "$ETC_NEW" || return 1
    if [ ! -f "$ETC/jianwei.yaml" ]; then
        (stage "$ETC" && cp "$release/share/jianwei/jianwei.yaml" "$ETC_NEW/" && checked "$version") &&
            replace_etc "$ETC_NEW" || return 1
    fi
    replace "$release/share/jianwei/systemd/$UNIT" "$UNITS/$UNIT" || return 1
    if [ -f "$release/share/jianwei/logrotate" ] && [ -d "${ROTATE%/*}" ]; then
        replace "$release/share/jianwei/logrotate" "$ROTATE" || return 1
    fi
    systemctl stop "$UNIT" 2>/dev/null # never the old one that answers
    relink current "$version" || return 1
    problem="systemd does not take the unit of $version"
    # enabling would read all units once more by itself: a tenth of a second
    systemctl enable --quiet --no-reload "$UNIT" 2>&1 && systemctl daemon-reload || return 1
    systemctl reset-failed "$UNIT" 2>/dev/null
    systemctl start --no-block "$UNIT" || return 1
    problem=''
} >&2

# Whether it answers, and systemd says that it is it.
serves() {
    problem="$version was not ready within $seconds s"
    [ "$stopped" = no ] || return 1
    asked "$release" "$seconds" >"$PENDING/said" 2>&1 &
    asking=$!
    wait "$asking"
    answered=$?
    asking=''
    # it answers before it has told systemd
    problem="$problem: $(tail -n 1 "$PENDING/said" | cut -c 1-300)"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if [ "$stopped" != no ] || [ "$answered" -ne 0 ]; then return 1; fi
        [ "$(is active)" = no ] || return 0
        sleep 0.5
    done
    problem="something answers for $version, and systemd says that it does not run"
    return 1
}

last_words() {
    journalctl -u "$UNIT" -n 20 --no-pager -o cat --since "@$began" 2>/dev/null | cut -c 1-500 |
        while IFS= read -r line; do tell log "$line"; done
}

# It is over: the release before, its configuration and unit are kept.
settle() {
    now=$PENDING
    if [ -n "$from" ] && [ "$from" != "$version" ]; then
        relink previous "$from"
        rm -rf "$PREFIX/.kept.old"
        [ ! -d "$PREFIX/.kept" ] || mv "$PREFIX/.kept" "$PREFIX/.kept.old"
        mv "$now" "$PREFIX/.kept"
    else
        rm -rf "$PREFIX/.done"
        mv "$now" "$PREFIX/.done"
    fi
    trap - TERM INT EXIT
    tidy
}

# As $PENDING has it. Whatever ends this, it can be done again.
go_back() {
    now=$PENDING
    before=$(cat "$now/from")
    systemctl stop "$UNIT" 2>/dev/null
    if [ -d "$now/etc" ]; then
        rm -rf "$ETC.back" && cp -a "$now/etc" "$ETC.back" && replace_etc "$ETC.back"
    else
        rm -rf "$ETC" "$ETC_OLD"
    fi
    relink current "$before"
    relink previous "$(cat "$now/previous")"
    if [ -f "$now/rotate" ]; then replace "$now/rotate" "$ROTATE"; else rm -f "$ROTATE"; fi
    if [ -f "$now/unit" ]; then
        replace "$now/unit" "$UNITS/$UNIT"
    else
        systemctl disable --quiet "$UNIT" 2>/dev/null
        rm -f "$UNITS/$UNIT"
    fi
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null
    back=0
    if [ "$(cat "$now/enabled")" = no ]; then systemctl disable --quiet "$UNIT" 2>/dev/null; fi
    if [ "$(cat "$now/active")" = yes ]; then
        systemctl start --no-block "$UNIT"
        # what ran before is given time, however little the new one had
        asked "$PREFIX/${before:-$(cat "$now/to")}" "$((seconds > 60 ? seconds : 60))" >/dev/null 2>&1 || back=1
    fi
    rm -rf "$PREFIX/.done"
    mv "$now" "$PREFIX/.done"
    return "$back"
} >&2

# --- uninstall ---

gone() {
    for what in "$@"; do
        if [ -e "$what" ] || [ -L "$what" ]; then
            rm -rf "$what" || fail "$what cannot be removed"
            tell removed "$what"
        fi
    done
}

at_uninstall() {
    keep=${1:-}
    case $keep in '' | --keep-state) ;; *) fail "host.sh: uninstall knows --keep-state only" ;; esac
    alone
    systemctl disable --now --quiet "$UNIT" 2>/dev/null
    systemctl stop "$UNIT" 2>/dev/null
    gone "$UNITS/$UNIT" "$UNITS/$UNIT.new" "$UNITS/$UNIT.d" "$ROTATE" "$ROTATE.new"
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null
    gone "$ETC" "$ETC_NEW" "$ETC_OLD" "$ETC.back"
    if [ -z "$keep" ]; then
        gone "$STATE" /var/cache/jianwei /var/log/jianwei
        if [ -f "$PREFIX/.account" ]; then forget_account; fi
    fi
    gone "$PREFIX"
    tell end uninstall
}

forget_account() {
    ! id jianwei >/dev/null 2>&1 || {
        if command -v userdel >/dev/null; then userdel jianwei; else deluser jianwei; fi >&2 &&
            tell removed "user jianwei"
    }
    if grep -q '^jianwei:' /etc/group; then
        if command -v groupdel >/dev/null; then groupdel jianwei; else delgroup jianwei; fi >&2
        tell removed "group jianwei"
    fi
}

# --- install, at the console ---

# One line in Chinese and English; the former only where a terminal can show it.
both() {
    case $LOCALE in
    *[Uu][Tt][Ff]*) printf '%s / %s\n' "$1" "$2" ;;
    *) printf '%s\n' "$2" ;;
    esac
}

at_install() {
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
        cp "$config" "$ETC_NEW/jianwei.yaml" || spoilt "$ETC_NEW" "$config cannot be copied"
        checked "$version"
    fi
    both "正在启动代理，最多等待 $seconds 秒" "Starting the agent, at most $seconds s"
    into_force >/dev/null
    both "安装完成：$version 正在运行；配置文件 $ETC/jianwei.yaml" \
        "Installed: $version runs; its configuration is $ETC/jianwei.yaml"
    both "卸载：$PREFIX/current/share/jianwei/host.sh uninstall" \
        "To remove it: $PREFIX/current/share/jianwei/host.sh uninstall"
}

main() {
    verb=${1:-}
    [ $# -eq 0 ] || shift
    case $verb in
    look | unpack | configure | activate | rollback | uninstall | install) "at_$verb" "$@" ;;
    *) fail "host.sh: there is no verb '$verb'" ;;
    esac
}

# one line: the file may be gone by then
main "$@"; exit
