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
# An activation first writes all that it needs room for, and has it on the disk; then it only renames, as going
# back does. Until it is over there is $PREFIX/.pending, what was before: who finds it goes back first.
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
STATE=/var/lib/jianwei
ACCOUNT=/var/lib/.jianwei.account # `user`, `group`: those that were made here
UNITS=/etc/systemd/system
UNIT=jianwei-agent.service
ROTATE=/etc/logrotate.d/jianwei
COMMAND=/usr/local/bin/jianwei # leads to $PREFIX/current/bin/jianwei, where nothing else has the name
PENDING=$PREFIX/.pending
LOCK=/run/jianwei-host.lock # root's: what others can open, they can lock
WAS=.before~ # beside a place: what was there before the activation that is not over
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

# --- what every change needs ---

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

# --- unpack ---

at_unpack() {
    file=$1 sum=$2 version=$3 here=''
    version_ok "$version"
    whole_and_alone
    not_of_dpkg
    noted=$PREFIX/.bundle.$version
    if [ -x "$PREFIX/$version/bin/jianwei" ] && whole "$PREFIX/$version"; then
        if [ "$(record "$version")" = "$sum" ]; then
            rm -f "$file" "$file.boot"
            tell unpacked same
            return
        fi
        case $version in "$(link current)" | "$(link previous)") here=$PREFIX/$version ;; esac
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
    if [ -z "$here" ]; then
        rm -f "$noted" # until there is one of what comes
        adopt "$new" "$version"
    elif [ "$(sum_of "$new"/*/MANIFEST.sha256)" != "$(sum_of "$here/MANIFEST.sha256")" ]; then
        spoilt "$new" "release $version is here with other content: give the new one another version"
    fi
    (printf '%s\n' "$sum" && boot) >"$noted"
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
    rm -rf "$ETC_NEW/.tar"
    cat >"$ETC_NEW/.tar" || spoilt "$ETC_NEW" "$ETC_NEW cannot be written"
    [ "$(sum_of "$ETC_NEW/.tar")" = "$sum" ] || spoilt "$ETC_NEW" "the files did not arrive whole"
    # what was deployed and is no more goes; what others put there stays
    [ ! -e "$ETC_NEW/.deployed" ] ||
        deployed "$ETC_NEW" | while IFS= read -r name; do linked "$name" || rm -f "$ETC_NEW/$name"; done
    tar -tf "$ETC_NEW/.tar" | while IFS= read -r name; do ! linked "$name" || rm -f "$linked"; done
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
        stage "$ETC"
        deployed_of "$PREFIX/.kept/etc"
        owned
        chown root:jianwei "$ETC_NEW" && chmod 0750 "$ETC_NEW"
    fi
    into_force
}

# All that there is now, to go back to, and beside them the files that come; on the disk.
remember() {
    now=$PENDING.new files=$release/share/jianwei
    (
        umask 077
        mkdir "$now" && link current >"$now/from" && link previous >"$now/previous" &&
            printf %s "$version" >"$now/to" && is active >"$now/active" && is enabled >"$now/enabled" &&
            copy "$ETC" "$now/etc" && copy "$UNITS/$UNIT" "$now/unit" && copy "$ROTATE" "$now/rotate" &&
            beside "$files/systemd/$UNIT" "$UNITS/$UNIT" &&
            if [ -d "${ROTATE%/*}" ]; then beside "$files/logrotate" "$ROTATE"; fi &&
            flush && mv "$now" "$PENDING" && flush
    ) && return
    leftovers
    fail "what is in force cannot be kept: is there room on /etc and $PREFIX?"
}

# What is to come in the place $2, if there is something.
beside() { [ ! -e "$1" ] || { cp "$1" "$2.new" && chmod 0644 "$2.new"; }; }

# What is not there needs no copy.
copy() { [ ! -e "$1" ] || cp -a "$1" "$2"; }

into_force() {
    release=$PREFIX/$version
    # one that a power cut followed may have files without content
    if [ "$(sed -n 2p "$PREFIX/.bundle.$version" 2>/dev/null)" != "$(boot)" ] && ! whole "$release"; then
        echo damaged >"$PREFIX/.bundle.$version"
        fail "files of release $version are damaged: deploy it again"
    fi
    from=$(link current) began=$(date +%s)
    if [ ! -d "$ETC_NEW" ] && [ ! -f "$ETC/jianwei.yaml" ]; then
        stage "$ETC"
        with_config "$release/share/jianwei/jianwei.yaml"
        checked "$version"
    fi
    chmod 0755 "$PREFIX"
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
    go_back
    case $? in
    2) problem="$problem; and it cannot be gone back from: is there room on /etc? The next command tries again" ;;
    1) problem="$problem; $from is back and not ready either" ;;
    *) if [ -n "$from" ]; then problem="$problem; $from is back"; else
        problem="$problem; there was none before, and none is left running"; fi ;;
    esac
    trap - EXIT
    fail "$problem"
}

put() {
    problem="files cannot be put in their places on /etc and $PREFIX"
    [ ! -d "$ETC_NEW" ] || swap "$ETC_NEW" "$ETC" || return 1
    for place in "$UNITS/$UNIT" "$ROTATE"; do
        [ ! -e "$place.new" ] || swap "$place.new" "$place" || return 1
    done
    systemctl stop "$UNIT" 2>/dev/null # never the old one that answers
    relink current "$version" || return 1
    if [ -n "$from" ] && [ "$from" != "$version" ]; then relink previous "$from" || return 1; fi
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
    { exec 9<&- && asked "$release" "$seconds"; } >"$PENDING/said" 2>&1 &
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

# It is over: the release before, its configuration and unit are kept; where only the configuration is another, the
# one before is, for people. One is forgotten only when the disk has the other.
settle() {
    kept=$PREFIX/.done
    if [ -n "$from" ] && [ "$from" != "$version" ]; then
        kept=$PREFIX/.kept
    elif [ -d "$PENDING/etc" ] && [ "$(digest "$PENDING/etc")" != "$(digest "$ETC")" ]; then
        kept=$PREFIX/.kept-config
    fi
    flush
    rm -rf "$kept"
    mv "$PENDING" "$kept" || fail "$kept cannot be made"
    flush
    trap - TERM INT EXIT
    [ -e "$COMMAND" ] || [ -L "$COMMAND" ] || ln -s "$PREFIX/current/bin/jianwei" "$COMMAND" 2>/dev/null
    leftovers
    tidy
}

# As $PENDING has it; 1: what was before is not ready, 2: not all could be put back. It can be done again.
go_back() {
    now=$PENDING
    before=$(cat "$now/from")
    systemctl stop "$UNIT" 2>/dev/null
    if [ "$(cat "$now/enabled")" = no ]; then systemctl disable --quiet "$UNIT" 2>/dev/null; fi
    swap_back "$now/etc" "$ETC" && swap_back "$now/unit" "$UNITS/$UNIT" && swap_back "$now/rotate" "$ROTATE" &&
        relink current "$before" && relink previous "$(cat "$now/previous")" || return 2
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null
    back=0
    if [ "$(cat "$now/active")" = yes ]; then
        systemctl start --no-block "$UNIT"
        # what ran before is given time, however little the new one had
        asked "$PREFIX/${before:-$(cat "$now/to")}" "$((seconds > 60 ? seconds : 60))" >/dev/null 2>&1 || back=1
    fi
    flush
    rm -rf "$PREFIX/.done"
    mv "$now" "$PREFIX/.done" || return 2
    leftovers
    return "$back"
} >&2

# --- uninstall ---

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

# --- install, at the console ---

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
