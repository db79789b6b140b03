# Activate, rollback.

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
