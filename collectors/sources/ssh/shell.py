"""The shell code that runs on a host, and what it tells.

The output is a stream of records: a newline, a nonce, a space, a head line, a payload of any
bytes. The nonce is not known before the session, so no content can hold it. Heads:

    begin            the script runs
    r I              what follows is about reading I
    z I              what was told about reading I counts no longer
    c                payload: content
    x STATUS WORDS   how the content before ended: exit status, last words of the error message
    m                payload: a path that matches a pattern, what follows is about it
    n                payload: a name under it, likewise
    l STATUS WORDS   a folder that a pattern has to list could not be listed
    s                payload: stat lines of the paths before, one each
    t                payload: where the link before leads
    d STATUS         the reading ended; 137: it was ended
    q                the mount tables are told, the host waits for the mounts to ask
    more             all readings were told of; the host waits for those that are to be asked again
    end              the whole script ran

Of many readings at once (M) contents and stat lines come together, each path once:

    f, w, y          payload: a path whose content, stat line, reduced content come with the others
    j                as w, of a link: where it leads comes as well
    b                payload: a tar archive of contents, then x STATUS
    v                payload: stat lines with their paths, each ended by NUL, then x STATUS
    k                then m and c for each file that an awk program reduces, then x STATUS
    p                likewise for files of /proc/sys and /sys, which tar finds empty
    i                payload: where the links lead, in the order of their bytes, each ended by NUL; x STATUS
"""

from collectors.sources.bounds import MATCHES, TOO_MANY

# T: run with a deadline in seconds. G: run one of our functions in a shell of its own with one. M: many of
# them in one shell with one deadline; should it pass, those that are not done each by G. R: one of these.
# W: what of them is told together, of regular files below 4 MiB (S).
# e: how it ended. q: is it there, or hidden. f: a file. l: a folder to list. g: a pattern. k: a match of it.
# h: a pattern of whose files only what an awk program prints leaves the host; p: such a file. H: of what
# is read only what is left when secrets are masked; among many such a path begins with //.
# O: too many matches of a pattern.
# s: stat lines. c: a command, x: if it is there. u: usage of a mount. a: shadow. b, B: keys that let
# accounts in. o: names and states of processes.
# t: tables of sockets. i: sockets with their processes. v: uname. r: one reading.
FUNCTIONS = r"""
e() { printf '\n%s %s %s %s\n' "$N" "$1" "$2" "${3##*: }"; }
f() {
    if { [ -p "$1" ] || [ -c "$1" ] || [ -S "$1" ] || [ -b "$1" ]; } && [ -r "$1" ]; then
        printf '\n%s c\n' "$N"
        e x 1 ': is not a regular file'  # it might be waited for
        return
    fi
    case $K$1 in
    1/proc/sys/* | 1/sys/*) w=8 ;;
    *) w=5 ;;
    esac
    if [ "$w" = 8 ] && [ -f "$1" ] && [ -r "$1" ]; then
        printf '%s\0' "$1" >&8
        printf '\n%s f\n%s' "$N" "$1"
        return
    fi
    if [ "$K" ] && [ -f "$1" ] && [ -r "$1" ] && [ -s "$1" ]; then
        printf '%s\0' "$1" >&5
        printf '\n%s f\n%s' "$N" "$1"
        return
    fi
    printf '\n%s c\n' "$N"
    if [ -d "$1" ] && [ -r "$1" ]
    then e x 1 ': Is a directory'; return
    else w=$(head -c "$2" -- "$1" 2>&1 >&3); x=$?
    fi
    e x "$x" "$w"
}
q() {
    [ -e "$1" ] || [ -L "$1" ] && return
    w=${1%/*}
    while [ "$w" ] && ! [ -e "$w" ]; do w=${w%/*}; done
    [ -d "$w/" ] && [ -x "$w/" ] && return 1
    case $(ls -d "$1" 2>&1) in
    *': No such file or directory' | *': Not a directory') return 1 ;;
    esac
}
l() {
    [ -d "$1" ] && [ -r "$1" ] && return
    q "$1" || return 0
    w=$(ls "$1/" 2>&1 >/dev/null) || e l "$?" "$w"
}
k() {
    z=$1 m=$2; shift 2
    q "$m" || return 0
    printf '\n%s m\n%s' "$N" "$m"
    [ $# -gt 0 ] || if [ "$A" ]; then p "$m" "$z"; else f "$m" "$z"; fi
    for n; do
        if q "$m/$n"; then
            printf '\n%s n\n%s' "$N" "$n"
            if [ "$A" ]; then p "$m/$n" "$z"; else f "$m/$n" "$z"; fi
        fi
    done
}
p() {
    if [ "$K" ] && [ -f "$1" ] && [ -r "$1" ] && [ -s "$1" ]; then
        printf '%s\0' "$O$1" >&7
        printf '\n%s y\n%s' "$N" "$O$1"
        return
    fi
    if [ -f "$1" ] && [ "$(stat -L -c %s -- "$1")" -lt "$2" ] && head -c 0 -- "$1"
    then
        printf '\n%s c\n' "$N"
        w=$(awk "$A" <"$1" 2>&1 >&3); e x "$?" "$w"
    elif [ -f "$1" ] && head -c 0 -- "$1"
    then printf '\n%s c\n' "$N"; e x 1 ": longer than $(($2 - 1)) bytes"
    elif [ -f "$1" ] || [ ! -e "$1" ] || [ -d "$1" ]
    then f "$1" 0
    else printf '\n%s c\n' "$N"; e x 1 ': is not a regular file'
    fi
}
h() { A=$1; shift; "$@"; A=; }
H() { A=$E O=/; "$@"; A= O=; }
g() {
    p=$1 b=$2 y=$3 o=$4
    eval "for d in $b; do l \"\$d\"; done; set -- $p"
    O "$#" || return 0
    for j; do eval "k \"\$y\" \"\$j\" $o"; done
}
O() {
    [ "$1" -le @MATCHES@ ] && return
    e l 1 ': @TOO_MANY@'
    return 1
}
s() {
    eval "for d in $2; do l \"\$d\"; done; set -- $1"
    O "$#" || return 0
    if [ "$K" ]; then
        for m; do
            shift
            if [ -L "$m" ]; then
                printf '%s\0' "$m" >&6
                printf '%s\0' "$m" >&9
                printf '\n%s j\n%s' "$N" "$m"
            elif [ -e "$m" ]; then
                printf '%s\0' "$m" >&6
                printf '\n%s w\n%s' "$N" "$m"
            else
                set -- "$@" "$m"
            fi
        done
        [ $# -gt 0 ] || return 0
    fi
    [ $# -gt 1 ] || q "$1" || return 0
    v='%f %u %g %s %Y %y'
    if w=$(stat -c "$v" -- "$@"); then
        printf "\n$N m\n%s" "$@"
        printf '\n%s s\n%s' "$N" "$w"
    else
        for m; do
            w=$(stat -c "$v" -- "$m" 2>&1) || { e x "$?" "$w"; continue; }
            printf '\n%s m\n%s\n%s s\n%s' "$N" "$m" "$N" "$w"
        done
    fi
    for m; do
        if [ -L "$m" ]; then
            printf '\n%s m\n%s\n%s t\n' "$N" "$m" "$N"
            readlink -m -- "$m" || { [ -e "$m" ] && readlink -f -- "$m"; } || readlink -- "$m"
        fi
    done
}
c() {
    t=$1 z=$2 w=; shift 2
    [ "$U" ] && sudo -n -l "$@" >/dev/null && set -- sudo -n "$@"
    printf '\n%s c\n' "$N"
    x=$( { { T "$t" env -i LC_ALL=C PATH="$PATH" "$@" </dev/null 2>/dev/null 3>&- 4>&-; echo $? >&4; } |
        head -c "$z" >&3 4>&-; } 4>&1)
    [ "$x" = 127 ] && command -v "$1" >/dev/null && w=found
    e x "$x" "$w"
}
x() {
    y=$1; shift
    # bash finds by a path only what may be run
    if command -v "$3" >/dev/null || [ -e "$3" ]; then G "$y" c "$@"; else printf '\n%s c\n' "$N"; e x 127; fi
}
u() {
    printf '\n%s m\n%s\n%s c\n' "$N" "$2" "$N"
    w=$(${1:+T "$1"} stat -f -c '%S %s %b %f %a %c %d' "$2" 2>&1 >&3); e x "$?" "$w"
}
a() {
    f /etc/shadow 0
    printf '\n%s c\n' "$N"
    w=$(awk "$1" /etc/shadow 2>&1 >&3); e x "$?" "$w"
}
b() {
    f /etc/passwd 0
    q /etc/ssh/authorized_keys && y=1 || y=
    while IFS=: read -r n p p p p h p || [ "$n" ]; do
        case $n:$h in
        [#+-]* | :* | */*:*) continue ;;
        *:/*) h=${h%/} ;;
        *) continue ;;
        esac
        if q "$h/.ssh"; then
            B "$n" "$h/.ssh/authorized_keys" "$@"
            B "$n" "$h/.ssh/authorized_keys2" "$@"
        fi
        [ -z "$y" ] || B "$n" "/etc/ssh/authorized_keys/$n" "$@"
    done </etc/passwd
}
B() {
    q "$2" || return 0
    printf '\n%s m\n%s' "$N" "$1:$2"
    if [ -e "$2" ] && [ ! -f "$2" ]; then
        printf '\n%s c\n' "$N"
        e x 1 ': is not a regular file'
        return
    fi
    f "$2" 0
    if [ -r "$2" ]; then
        printf '\n%s m\n%s\n%s c\n' "$N" "$1:$2" "$N"
        w=$(head -c "$4" -- "$2" | LC_ALL=C awk -v known="$5" -v limit="$(($4 - 1))" "$3" 2>&1 >&3); e x "$?" "$w"
    fi
}
o() {
    printf '\n%s c\n' "$N"
    grep -H '' $1; e x "$?"
    y=
    for m in /proc/[0-9]*; do
        { IFS= read -r w <"$m/comm"; } 2>/dev/null || continue
        [ ${#w} -lt 15 ] || y="$y $m/cmdline"
    done
    [ "$y" ] || return 0
    printf '\n%s m\nnames\n%s c\n' "$N" "$N"
    # of a command line the program alone: what follows may be secret
    grep -zsHm 1 '' $y | head -c 4194304; e x 0
}
t() {
    for m in tcp tcp6 udp udp6; do printf '\n%s m\n%s' "$N" "$m"; f "/proc/net/$m" 16777216; done
}
v() { c 5 4096 uname -snrvm; f /proc/sys/kernel/domainname 256; }
i() {
    t
    if ls -q / >/dev/null 2>&1; then w=-lq; else w=-l; fi
    printf '\n%s m\nfd\n%s c\n' "$N" "$N"
    ls $w /proc/[0-9]*/fd 2>/dev/null | sed -n -e 's,^/proc/\([0-9]*\)/fd:$,\1,p' \
        -e 's,^l[^>]* -> socket:\[\([0-9]*\)\]$,s \1,p'
    e x 0
    printf '\n%s m\nstat' "$N"
    o '/proc/[0-9]*/stat'
}
S() { sort -zu | xargs -0r sh -c 'find -L "$@" -maxdepth 0 -size -8193 -print0' sh; }
W() {
    {
        {
            {
                {
                    { eval "$1"; printf '\n%s b\n' "$N"; } 5>&1 1>&3 | S |
                        tar -c -P -h --hard-dereference --format=gnu -b 1 --null --no-recursion -T - -f - >&3
                    Y v "$?"
                } 6>&1 | sort -zu | xargs -0r stat --printf '%f %u %g %s %Y %y %n\0' -- >&3
                Y k "$?"
            } 7>&1 | S | xargs -0r awk "$C" >&3
            Y p "$?"
        } 8>&1 | sort -zu | xargs -0r awk "$V" >&3
        Y i "$?"
    } 9>&1 | LC_ALL=C sort -zu | xargs -0r readlink -z -m -- >&3
    printf '\n%s x %s\n' "$N" "$?" >&3
}
Y() { printf '\n%s x %s\n\n%s %s\n' "$N" "$2" "$N" "$1" >&3; }
r() { printf '\n%s r %s\n' "$N" "$1"; shift; "$@" </dev/null; printf '\n%s d %s\n' "$N" "$?"; }
""".replace("@MATCHES@", str(MATCHES)).replace("@TOO_MANY@", TOO_MANY)

# Where there is no timeout(1), what a killed shell leaves behind could still write: end it there.
SET_UP = r"""
cd /
exec 3>&1
printf '\n%s begin\n' "$N"
exec 2>/dev/null
command -v renice >/dev/null && renice -n 10 -p $$ >/dev/null
if timeout -s KILL 9 true; then
    D='T() { timeout -s KILL "$@"; }'
else
    D='T() {
        v=$1; shift
        "$@" & set -- $!
        (sleep "$v"; kill -9 "$1") >/dev/null 2>&1 3>&- 4>&- & set -- "$1" $!
        wait "$1"; v=$?
        kill "$2"
        return $v
    }
    Z=exit'
fi
L="$D
$L"
eval "$L"
G() {
    y=$1; shift
    T "$y" sh -c "$L
\"\$@\"" sh "$@"
    y=$?
    if [ $y = 137 ] && [ "$Z" ]; then printf '\n%s d 137\n' "$N"; exit; fi
    return $y
}
M() {
    n=$( { T 10 sh -c "$L
R() { i=\$1; shift 2; r \"\$i\" \"\$@\"; echo \"\$i\" >&4; }
K=1
trap '' PIPE  # where there is no tar, nobody takes the paths
W \"\$1\"" sh "$1" 4>&1 1>&3; } )
    y=$?
    [ $y != 0 ] || return 0
    if [ $y = 137 ] && [ "$Z" ]; then exit; fi
    n=${n##*
}
    eval "$1"
}
R() {
    if [ "$n" ]; then
        [ "$1" != "$n" ] || n=
        return
    fi
    i=$1 j=$2; shift 2
    printf '\n%s z %s\n' "$N" "$i"
    r "$i" G "$j" "$@"
}
export N U C V E
"""
