# Uninstall.

gone() {
    for what in "$@"; do
        if [ -e "$what" ] || [ -L "$what" ]; then
            if rm -rf "$what" 2>/dev/null; then
                tell removed "$what"
            elif grep -q " $what " /proc/self/mounts && [ -z "$(ls -A "$what")" ]; then
                tell removed "what was in $what, which is a file system of its own"
            else
                fail "$what cannot be removed"
            fi
        fi
    done
}

# Other units that start what is in $PREFIX (console, report, targets), as far as systemd is to start them.
others() {
    for file in "$UNITS"/*.service; do
        name=${file##*/}
        if [ "$name" = "$UNIT" ] || ! grep -q "^Exec[A-Za-z]*=[^/]*$PREFIX/" "$file" 2>/dev/null; then continue; fi
        for name in "$name" "${name%.service}.timer"; do
            case $(systemctl is-enabled "$name" 2>/dev/null) in
            enabled*) printf '%s ' "$name" ;;
            *) ! systemctl is-active --quiet "$name" 2>/dev/null || printf '%s ' "$name" ;;
            esac
        done
    done
}

at_uninstall() {
    keep=${1:-}
    case $keep in '' | --keep-state) ;; *) fail "host.sh: uninstall knows --keep-state only" ;; esac
    alone
    not_of_dpkg
    names=$(others)
    [ -z "$names" ] || fail "$PREFIX is also what others run from here: systemctl disable --now ${names% }"
    systemctl disable --now --quiet "$UNIT" 2>/dev/null
    systemctl stop "$UNIT" 2>/dev/null
    leftovers
    gone "$UNITS/$UNIT" "$UNITS/$UNIT.d" "$ROTATE"
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null
    gone "$ETC" "$ETC_NEW"
    if [ -z "$keep" ]; then
        gone "$STATE" /var/cache/jianwei /var/log/jianwei
        forget_account
    fi
    [ "$(readlink "$COMMAND" 2>/dev/null)" != "$PREFIX/current/bin/jianwei" ] || gone "$COMMAND"
    gone "$PREFIX"
    tell end uninstall
}

forget_account() {
    [ -f "$ACCOUNT" ] || return 0
    group=$(entry group)
    if grep -q user "$ACCOUNT" && entry passwd >/dev/null; then
        if command -v userdel >/dev/null; then userdel jianwei; else deluser jianwei; fi >&2
        tell removed "user jianwei"
    fi
    # a user takes the group of its name along
    if grep -q group "$ACCOUNT"; then
        if ! entry group >/dev/null; then :
        elif command -v groupdel >/dev/null; then groupdel jianwei
        else delgroup jianwei; fi >&2
        tell removed "group jianwei"
    elif [ -n "$group" ] && ! entry group >/dev/null; then
        group=$(printf %s "$group" | cut -d : -f 3)
        if command -v groupadd >/dev/null; then groupadd -g "$group" jianwei
        else addgroup -g "$group" jianwei; fi >&2
    fi
    rm -f "$ACCOUNT"
}
