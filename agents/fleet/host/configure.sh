# Configure.

at_configure() {
    version=${1:-$(releases | tail -n 1)} sum=$2
    present "$version"
    whole_and_alone
    account
    stage "$ETC"
    rm -rf "$ETC_NEW/.tar"
    cat >"$ETC_NEW/.tar" || spoilt "$ETC_NEW" "$ETC_NEW cannot be written"
    [ "$(sum_of "$ETC_NEW/.tar")" = "$sum" ] || spoilt "$ETC_NEW" "the files did not arrive whole"
    # what was deployed and is no more goes; what others put there stays
    [ ! -e "$ETC_NEW/.deployed" ] ||
        deployed "$ETC_NEW" | while IFS= read -r name; do linked "$name" || rm -f "$ETC_NEW/$name"; done
    tar -tf "$ETC_NEW/.tar" | while IFS= read -r name; do ! linked "$name" || rm -f "$linked"; done
    tar -xmof "$ETC_NEW/.tar" -C "$ETC_NEW" || spoilt "$ETC_NEW" "the files cannot be unpacked"
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

# Whether a file's name in $ETC_NEW leads through a link of somebody, to where nothing may be changed; the
# first one is then in `linked`.
linked() {
    linked=$ETC_NEW rest=$1/
    while [ -n "$rest" ]; do
        linked=$linked/${rest%%/*} rest=${rest#*/}
        [ ! -L "$linked" ] || return 0
    done
    return 1
}

# A file as jianwei.yaml in $ETC_NEW.
with_config() {
    rm -f "$ETC_NEW/jianwei.yaml"
    cp "$1" "$ETC_NEW/jianwei.yaml" || spoilt "$ETC_NEW" "$1 cannot be copied to /etc"
}

# What was deployed to the folder $1 takes the place of what is deployed in $ETC_NEW; what others put there stays.
deployed_of() {
    { deployed "$ETC_NEW" && deployed "$1"; } | sort -u | while IFS= read -r name; do
        if [ ! -f "$1/$name" ]; then
            linked "$name" || rm -f "$ETC_NEW/$name"
            continue
        fi
        ! linked "$name" || rm -f "$linked"
        case $name in */*) mkdir -p "$ETC_NEW/${name%/*}" ;; esac
        cp "$1/$name" "$ETC_NEW/$name" || exit 1
    done || spoilt "$ETC_NEW" "no room on /etc"
    rm -f "$ETC_NEW/.deployed"
    copy "$1/.deployed" "$ETC_NEW/.deployed" || spoilt "$ETC_NEW" "no room on /etc"
}

# Owners and modes of what is deployed in $ETC_NEW.
owned() {
    deployed "$ETC_NEW" | while IFS= read -r name; do
        ! linked "$name" || continue
        chown root:jianwei "$ETC_NEW/$name" && chmod 0640 "$ETC_NEW/$name" || exit 1
        while name=$(dirname "$name") && [ "$name" != . ]; do
            chown root:jianwei "$ETC_NEW/$name" && chmod 0750 "$ETC_NEW/$name"
        done
    done || spoilt "$ETC_NEW" "the files cannot be given to root and the group jianwei"
}

# Owners and modes of $ETC_NEW, then what the release says of it. It names files as they will be, so it sees
# them there: in a mount namespace of its own, where that can be had.
checked() {
    owned
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
    *) spoilt "$ETC_NEW" "release $1 does not run here: $(printf '%s\n' "$said" | tail -n 1)" ;; # of a traceback
    esac
}
