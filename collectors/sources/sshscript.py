"""Readings as one POSIX sh script that a host's `sh -s` runs with nothing of ours installed.

Needs of the host: sh (dash, bash, busybox ash), head, stat, and for what they serve grep, ls, sed,
awk, date, uname; python3 for adjtimex(2) only. Nothing is written there. A path is data, never
shell: it stands in single quotes, and of a pattern only `*`, `?` and `[…]` stand outside.

The output is a stream of records: a newline, a nonce, a space, a head line, a payload of any
bytes. The nonce is not known before the session, so no content can hold it. Heads:

    begin            the script runs
    r I              what follows is about reading I
    c                payload: content
    x STATUS WORDS   how the content before ended: exit status, last words of the error message
    m                payload: a path that matches a pattern, what follows is about it
    n                payload: a name under it, likewise
    l STATUS WORDS   a folder that a pattern has to list could not be listed
    s                payload: stat lines of the paths before, one each
    t                payload: the real path of the link before
    d STATUS         the reading ended; 137: it was ended
    q                the mount tables are told, the host waits for the mounts to ask
    end              the whole script ran
"""

from __future__ import annotations

import errno
import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence

from collectors.model import Command, File, Glob, Inventory, Mount, MountUsage, Reading, Stat
from collectors.sources import sshinventories
from collectors.sources.commands import ENVIRONMENT
from collectors.sources.mounts import LOCAL_TYPES, PATIENCE

FILE_PATIENCE = 3  # seconds for one file outside /proc and /sys; a FIFO among many has one
READING_PATIENCE = 20  # seconds for any other reading
CMDLINE = 4096  # bytes of a command line that the name of a process is taken from

# Standard input is the script itself, so no child may read from it.
START = "exec env -i " + " ".join(f"{k}={v}" for k, v in ENVIRONMENT.items()) + " /bin/sh -s"

# A hash never crosses the wire: only its scheme, or a word for what stands in its place.
SHADOW = r"""
BEGIN { FS = OFS = ":" }
/^[ \t\r]*$/ { print ""; next }
NF < 2 { print "malformed"; next }
{
    if ($2 ~ /^!/) $2 = "!"
    else if ($2 ~ /^\*/) $2 = "*"
    else if (match($2, /^\$[A-Za-z0-9-]+[$,]/) && RLENGTH < 19) $2 = substr($2, 1, RLENGTH - 1) "$"
    else if ($2 != "") $2 = length($2) == 13 ? "0000000000000" : "other"
    for (i = 3; i <= NF; i++) if ($i !~ /^-?[0-9]*$/) $i = "malformed"
    print
}
"""

# T: run with a deadline in seconds. G: run one of our functions in a shell of its own with one.
# e: how it ended. q: is it there, or hidden. f: a file. l: a folder to list. g: a pattern. k: a match of it.
# s: stat lines. c: a command. u: usage of a mount. a: shadow. o: names and states of processes.
# t: tables of sockets. i: sockets with their processes. v: uname. r: one reading.
FUNCTIONS = r"""
e() { printf '\n%s %s %s %s\n' "$N" "$1" "$2" "${3##*: }"; }
f() {
    printf '\n%s c\n' "$N"
    if [ -p "$1" ] || [ -c "$1" ] || [ -S "$1" ] || [ -b "$1" ]
    then w=$(T 1 head -c "$2" -- "$1" 2>&1 >&3); x=$?
    else w=$(head -c "$2" -- "$1" 2>&1 >&3); x=$?
    fi
    e x "$x" "$w"
}
q() {
    [ -e "$1" ] || [ -L "$1" ] && return
    [ -d "${1%/*}/" ] && [ -x "${1%/*}/" ] && return 1
    case $(ls -d "$1" 2>&1) in
    *': No such file or directory' | *': Not a directory') return 1 ;;
    esac
}
l() {
    [ -d "$1" ] && [ -r "$1" ] && return
    w=$(ls "$1/" 2>&1 >/dev/null) || e l "$?" "$w"
}
k() {
    z=$1 m=$2; shift 2
    q "$m" || return 0
    printf '\n%s m\n%s' "$N" "$m"
    [ $# -gt 0 ] || f "$m" "$z"
    for n; do
        if q "$m/$n"; then printf '\n%s n\n%s' "$N" "$n"; f "$m/$n" "$z"; fi
    done
}
g() {
    p=$1 b=$2 y=$3; shift 3
    eval "for d in $b; do l \"\$d\"; done; for j in $p; do k \"\$y\" \"\$j\" \"\$@\"; done"
}
s() {
    eval "for d in $2; do l \"\$d\"; done; set -- $1"
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
            readlink -m -- "$m" || readlink -f -- "$m"
        fi
    done
}
c() {
    t=$1 z=$2 w=; shift 2
    printf '\n%s c\n' "$N"
    x=$( { { unset N L; T "$t" "$@" </dev/null 2>/dev/null 3>&- 4>&-; echo $? >&4; } |
        head -c "$z" >&3 4>&-; } 4>&1)
    [ "$x" = 127 ] && command -v "$1" >/dev/null && w=found
    e x "$x" "$w"
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
o() {
    printf '\n%s c\n' "$N"
    grep -H '' $1; e x "$?"
    for m in /proc/[0-9]*; do
        { IFS= read -r w <"$m/comm"; } 2>/dev/null || continue
        [ ${#w} -lt 15 ] || { printf '\n%s m\n%s' "$N" "$m"; f "$m/cmdline" 4096; }
    done
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
r() { printf '\n%s r %s\n' "$N" "$1"; shift; "$@" </dev/null; printf '\n%s d %s\n' "$N" "$?"; }
"""

# Where there is no timeout(1), what a killed shell leaves behind could still write: end it there.
SET_UP = r"""
cd /
exec 3>&1
printf '\n%s begin\n' "$N"
exec 2>/dev/null
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
export N
"""


def opening(nonce: str) -> bytes:
    """The beginning of the script."""
    return f"N={nonce}\nL={shlex.quote(FUNCTIONS)}\n{SET_UP}".encode()


def ask(readings: Sequence[Reading]) -> Iterator[bytes]:
    """One line a reading, mount tables first; they are followed by a `q` record."""
    numbered = list(enumerate(readings))
    mounts = [(i, r) for i, r in numbered if isinstance(r, MountUsage)]
    for number, _ in mounts:
        yield _line(number, "f", "/proc/1/mountinfo", str(16 << 20))
        yield _line(number, "f", "/proc/self/mountinfo", str(16 << 20))
    if mounts:
        yield b"printf '\\n%s q\\n' \"$N\"\n"
    for number, reading in numbered:
        if not isinstance(reading, MountUsage):
            yield _line(number, *_words(reading))


def ask_mounts(number: int, mounts: Sequence[Mount]) -> Iterator[bytes]:
    """Lines for the usage of mounts; those that can hang come last."""
    limit = str(math.ceil(PATIENCE))
    for mount in sorted(mounts, key=lambda mount: mount.fstype not in LOCAL_TYPES):
        patience = "" if mount.fstype in LOCAL_TYPES else limit
        yield _line(number, "u", patience, mount.mountpoint)


CLOSING = b"printf '\\n%s end\\n' \"$N\"\nexit\n"


def encode(text: str) -> bytes:
    """A path as bytes; those that are not UTF-8 are lone surrogates, as in os.fsencode."""
    return text.encode("utf-8", "surrogateescape")


def _line(number: int, *words: str) -> bytes:
    if any("\0" in word for word in words):
        words = ("e", "x", "1", os.strerror(errno.EINVAL))  # as open(2) has it, near enough
    return encode(f"r {number} {shlex.join(words)}\n")


def _words(reading: Reading) -> list[str]:
    """The function call that answers a reading, with a deadline where it might hang."""
    match reading:
        case File(path=path, limit=limit):
            return _guarded(FILE_PATIENCE, path, ["f", path, str(limit + 1)])
        case Glob(pattern=pattern, names=names, limit=limit):
            words = ["g", shell_pattern(pattern), listed(pattern), str(limit + 1), *names]
            return _guarded(READING_PATIENCE, pattern, words)
        case Stat(pattern=pattern):
            return _guarded(
                READING_PATIENCE, pattern, ["s", shell_pattern(pattern), listed(pattern)]
            )
        case Command(argv=argv, timeout=timeout, limit=limit):
            seconds = math.ceil(timeout)
            words = ["c", str(seconds), str(limit + 1), *argv]
            return ["G", str(seconds + 1), *words]
        case Inventory(kind="shadow"):
            return _guarded(READING_PATIENCE, "", ["a", SHADOW])
        case Inventory(kind="processes"):
            return _guarded(READING_PATIENCE, "", ["o", "/proc/[0-9]*/task/[0-9]*/stat"])
        case Inventory(kind="sockets"):
            return _guarded(READING_PATIENCE, "", ["i"])
        case Inventory(kind="listeners"):
            return ["t"]
        case Inventory(kind="uname"):
            return _guarded(READING_PATIENCE, "", ["v"])
        case Inventory(kind=kind):
            return _words(sshinventories.COMMANDS[kind])
        case MountUsage():
            return []  # asked by its mount table, then mount by mount


def _guarded(seconds: int, path: str, words: list[str]) -> list[str]:
    # the kernel answers these two itself, so they are spared the price of another shell
    return words if path.startswith(("/proc/", "/sys/")) else ["G", str(seconds), *words]


def shell_pattern(pattern: str) -> str:
    """A pattern as shell code that expands as LocalSource does: all but the wildcards is quoted."""
    return "".join(f"/{_component(part)}" for part in pattern.strip("/").split("/"))


def listed(pattern: str) -> str:
    """The folders that have to be listed for a pattern, as shell code."""
    parts = [_component(part) for part in pattern.strip("/").split("/")]
    wild = [i for i, part in enumerate(pattern.strip("/").split("/")) if re.search(r"[*?\[]", part)]
    return " ".join("".join(f"/{part}" for part in parts[:i]) or "/" for i in wild)


def _component(part: str) -> str:
    pieces = re.split(r"([*?]|\[!?\]?[^\]]*\])", part)
    return "".join(
        (_bracket(piece) if piece[0] == "[" else piece) if odd else shlex.quote(piece)
        for odd, piece in ((i % 2, piece) for i, piece in enumerate(pieces))
        if piece
    )


def _bracket(piece: str) -> str:
    """`[!a-z]`: only `!` at the front and `-` are special, in a shell as in fnmatch."""
    inner = piece[1:-1]
    sign = "!" if inner.startswith("!") else ""
    quoted = (
        c if c.isascii() and (c.isalnum() or c == "-") else shlex.quote(c)
        for c in inner[len(sign) :]
    )
    return f"[{sign}{''.join(quoted)}]"
