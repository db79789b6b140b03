#!/bin/sh
# The agent on one host: what is there, a release put there, configured, put in force, gone back from, taken
# away. For any POSIX sh; needs systemd, flock, tar, gzip, sha256sum. Layout: docs/fleet.md.
#
#   look                            tells what is there and changes nothing
#   unpack FILE SHA256 VERSION      puts the release of a bundle beside the others
#   configure VERSION SHA256        checks a tar of files on standard input with that release; sets it ready
#   activate VERSION SECONDS        puts release and configuration in force, or goes back by itself
#   rollback SECONDS                goes back to the release before, with the configuration it had
#   uninstall [--keep-state]        leaves nothing
#   install [CONFIG]                for the console: puts the tree this file is in in force
#
# Tells key=value lines; 0 done, 1 said why on standard error. What is written is written aside and renamed.
# Until an activation is over, $PREFIX/.pending has all that was before: who finds it goes back first.
# Standard output may be gone with the connection: nothing depends on it, and what was begun is ended.

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
LOCK=/run/jianwei-host.lock

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
    for name in $(ls -1tr "$PREFIX" 2>/dev/null); do
        case $name in current | previous) continue ;; esac
        [ ! -x "$PREFIX/$name/bin/jianwei" ] || printf '%s\n' "$name"
    done
}

sum_of() { sha256sum <"$1" 2>/dev/null | cut -d ' ' -f 1; }

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

look() {
    tell arch "$(uname -m)"
    tell system "$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}")"
    tell libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | sed -n 1p)"
    tell systemd "$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
    tell free "$(($(room "$PREFIX") << 20))"
    tell versions "$(releases | tr '\n' ' ')"
    current=$(link current)
    tell current "$current"
    tell previous "$(link previous)"
    tell config "$(digest "$ETC")"
    tell unit "$(if [ -f "$UNITS/$UNIT" ]; then sum_of "$UNITS/$UNIT"; fi)"
    active=$(is active)
    tell active "$active"
    tell enabled "$(is enabled)"
    # what was cut off is not ready, whatever answers
    if [ -d "$PREFIX/.pending" ]; then
        tell ready no
    elif [ "$active" = yes ] && asked "$PREFIX/$current" 2 >/dev/null 2>&1; then
        tell ready yes
    else
        tell ready no
    fi
    for file in "$PREFIX"/.staged/*.tar.gz; do
        file=${file##*/}
        [ ! -f "$PREFIX/.staged/$file" ] || tell staged "${file%.tar.gz}"
    done
    tell end look
}

asked() { "$1/bin/jianwei" ready --config "$ETC/jianwei.yaml" --timeout "$2s"; }

main() {
    verb=${1:-}
    [ $# -eq 0 ] || shift
    case $verb in
    look) look ;;
    *) fail "host.sh: there is no verb '$verb'" ;;
    esac
}

main "$@"
