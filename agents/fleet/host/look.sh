# What is there.

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

# The names of the files that were deployed to a folder.
deployed() {
    { cat "$1/.deployed" 2>/dev/null || echo jianwei.yaml; } |
        while IFS= read -r name; do
            case $name in '' | /* | *..*) ;; *) printf '%s\n' "$name" ;; esac
        done
}

# Of the files that were deployed to a folder, one for all: of the lines that sha256sum prints of them.
digest() {
    [ -f "$1/jianwei.yaml" ] || return 0
    (
        cd "$1" || exit 0
        deployed . | while IFS= read -r name; do sha256sum -- "$name"; done 2>/dev/null
    ) | sha256sum | cut -d ' ' -f 1
}

# Megabytes that are free where a folder is or will be.
room() {
    folder=$1
    until [ -d "$folder" ]; do folder=${folder%/*}/ folder=${folder%/} folder=${folder:-/}; done
    df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }'
}

# When the agent was started, as Unix time; nothing where systemd does not say.
since() {
    at=$(TZ=UTC systemctl show -p ActiveEnterTimestamp "$UNIT" | sed -n 's/^[^ ]* \(.*\) UTC$/\1/p')
    [ -z "$at" ] || date -u -d "$at" +%s 2>/dev/null
}

is() { if systemctl "is-$1" --quiet "$UNIT" 2>/dev/null; then echo yes; else echo no; fi; }

at_look() {
    root_only
    [ "$(id -u)" -eq 0 ] || tell root no
    tell arch "$(uname -m)"
    # shellcheck disable=SC1091
    tell system "$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}")"
    tell libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | sed -n 1p)"
    tell systemd "$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
    tell free "$(($(room "$PREFIX") << 20))"
    tell versions "$(releases | tr '\n' ' ')"
    tell bundles "$(for name in $(releases); do printf '%s:%s ' "$name" "$(record "$name")"; done)"
    if [ -s "$PENDING/to" ]; then # what it will go back to; it is not that yet
        tell current "$(cat "$PENDING/from")"
        tell previous "$(cat "$PENDING/previous")"
        tell bundle "$(bundle_of "$(cat "$PENDING/from")")"
        tell config "$(digest "$PENDING/etc")"
        tell unit "$(sum_of "$PENDING/unit")"
        tell active no
    else
        current=$(link current)
        tell current "$current"
        tell previous "$(link previous)"
        tell bundle "$(bundle_of "$current")"
        tell config "$(digest "$ETC")"
        tell unit "$(sum_of "$UNITS/$UNIT")"
        active=$(is active)
        tell active "$active"
        if [ "$active" = yes ]; then tell since "$(since)"; fi
        if [ -z "$current" ]; then # what others put there is not run
            if [ -e "$UNITS/$UNIT" ] || [ -e "$ETC/jianwei.yaml" ]; then tell foreign yes; fi
        elif [ "$active" = yes ] && { lives || asked "$PREFIX/$current" 2 >/dev/null 2>&1; }; then
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

# What a release came from: the SHA-256 of its bundle, `console`, or `damaged`; empty if nobody noted it.
record() { sed -n 1p "$PREFIX/.bundle.$1" 2>/dev/null; }

# What the bundle of a release calls itself: jianwei-agent, or jianwei for the full one.
bundle_of() { [ -z "$1" ] || sed -n 's/^name=//p' "$PREFIX/$1/share/jianwei/BUNDLE" 2>/dev/null; }

# Whether systemd knows by itself that an active agent serves: it said READY=1, and says again and again that it
# lives, else it would be killed. That spares the start of an interpreter, most of what a look costs.
lives() {
    case $(systemctl show --property=Type,WatchdogUSec "$UNIT" 2>/dev/null) in
    *Type=notify*WatchdogUSec=[1-9]* | *WatchdogUSec=[1-9]*Type=notify*) return 0 ;;
    *) return 1 ;; # 0 or infinity: nobody watches
    esac
}

# It must not hold the lock when this program is killed.
asked() { "$1/bin/jianwei" ready --config "$ETC/jianwei.yaml" --timeout "$2s" 9<&-; }
