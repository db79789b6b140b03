# What every change needs.

# Root runs what is there: nobody else may put it there, in no folder above either.
root_only() {
    for top in "${PREFIX%/*}" "$PREFIX"; do
        above=$(cd -P "$top" 2>/dev/null && pwd) || continue
        while [ -n "$above" ]; do
            # shellcheck disable=SC2012
            ls -ldn "$above" | awk '$3 || $1 ~ /^........w/ || $1 ~ /^.....w/ && $4 { exit 1 }' ||
                fail "$above is not root's alone: give it to root, and let nobody else write there"
            above=${above%/*}
        done
    done
}

# Alone on this host, and root. Another one ends by itself: it is waited for.
alone() {
    [ "$(id -u)" -eq 0 ] || fail "not root: log in as root, or set sudo for this host"
    command -v systemctl >/dev/null || fail "there is no systemd here"
    command -v flock >/dev/null || fail "there is no flock here (util-linux)"
    root_only
    (umask 077 && : >>"$LOCK") || fail "$LOCK cannot be written"
    exec 9>>"$LOCK"
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
    if [ -s "$PENDING/to" ]; then
        go_back
        [ $? -ne 2 ] || fail "an activation was cut off, and cannot be gone back from: is there room on /etc?"
        tell mended "$(cat "$PREFIX/.done/to" 2>/dev/null)"
    fi
    leftovers
}

# What a kill may leave of an activation that did not begin or is over; a record without content is none.
leftovers() {
    rm -rf "$PENDING.new" "$PENDING"
    for place in "$ETC" "$UNITS/$UNIT" "$ROTATE"; do rm -rf "$place$WAS" "$place.new"; done
}

# All that was written is on the disk.
flush() { sync -f "$PREFIX" "${ETC%/*}" 2>/dev/null || sync; }

# A tree that dpkg keeps account of is its own.
not_of_dpkg() {
    [ ! -e "$PREFIX/.deb" ] ||
        fail "the Debian package jianwei-agent is here: upgrade it by apt, or apt purge it first"
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

# $1 in the place $2; what was there stays beside it. A folder's place is empty for an instant.
swap() {
    if [ -d "$2" ]; then
        mv "$2" "$2$WAS" || return 1
    elif [ -e "$2" ] || [ -L "$2" ]; then
        ln "$2" "$2$WAS" || return 1
    fi
    mv -f "$1" "$2"
}

# What was in the place $2 is there again; $1 is the record's copy of it, if there was something.
swap_back() {
    if [ ! -e "$1" ]; then
        rm -rf "$2"
    elif [ -e "$2$WAS" ] || [ -L "$2$WAS" ]; then
        rm -rf "$2" && mv "$2$WAS" "$2"
    fi
}

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

# A line of passwd(5) or group(5).
entry() { getent "$1" jianwei 2>/dev/null || grep '^jianwei:' "/etc/$1"; }

# The user and the group of the agent. What is made is noted: it is ours to take away.
account() {
    if user=$(entry passwd); then
        first=$(awk '$1 == "UID_MIN" { print $2 }' /etc/login.defs 2>/dev/null)
        case $(printf %s "$user" | cut -d : -f 7) in */nologin | */false) ;; *) first=0 ;; esac
        [ "$(id -u jianwei)" -lt "${first:-1000}" ] ||
            fail "there is a user jianwei who is somebody, and would own the agent: give that one another name"
        entry group >/dev/null || fail "the user jianwei has no group jianwei: make it"
        return
    fi
    shell=/usr/sbin/nologin
    [ -x "$shell" ] || shell=/bin/false
    {
        mkdir -p "${ACCOUNT%/*}"
        entry group >/dev/null || {
            echo group >>"$ACCOUNT"
            if command -v groupadd >/dev/null; then groupadd --system jianwei; else addgroup -S jianwei; fi
        }
        echo user >>"$ACCOUNT"
        if command -v useradd >/dev/null; then
            useradd --system --gid jianwei --home-dir "$STATE" --no-create-home --shell "$shell" jianwei
        else
            adduser -S -D -H -h "$STATE" -s "$shell" -G jianwei jianwei
        fi
    } >&2 || fail "the user jianwei cannot be made"
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
    rm -rf "$PREFIX"/.gone.* "$PREFIX"/.new.* "$PREFIX/.done"
}
