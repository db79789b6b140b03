"""Readings as one POSIX sh script that a host's `sh -s` runs with nothing of ours installed.

Needs of the host: sh (dash, bash, busybox ash), head, stat, and for what they serve grep, ls, sed,
awk, date, uname; python3 for adjtimex(2) only. Nothing is written there. A path is data, never
shell: it stands in single quotes, and of a pattern only `*`, `?` and `[…]` stand outside, where
`?` is one byte.

The script and the records that it tells are in ssh/shell.py.
"""

from __future__ import annotations

import errno
import functools
import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from collectors.model import (
    Command,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    Reading,
    Stat,
    Walk,
)
from collectors.pemblocks import AWK
from collectors.rows import Mount
from collectors.sources import authorizedkeys
from collectors.sources.commands import ENVIRONMENT
from collectors.sources.mounts import LOCAL_TYPES, PATIENCE
from collectors.sources.ssh import awkprograms, inventories, shell, walks

FILE_PATIENCE = 5  # seconds for one file outside /proc and /sys
READING_PATIENCE = 20  # seconds for any other reading
TOGETHER = 90_000  # bytes of readings in one argument of a shell, which Linux limits to 128 KiB

# Standard input is the script itself, so no child may read from it.
START = "exec env -i " + " ".join(f"{k}={v}" for k, v in ENVIRONMENT.items()) + " /bin/sh -s"


def opening(nonce: str, sudo: bool = False) -> bytes:
    """The beginning of the script. With `sudo`, commands that sudo allows run through it."""
    variables = f"N={nonce}\nU={'sudo' if sudo else ''}\nL={shlex.quote(shell.FUNCTIONS)}\n"
    variables += f"C={shlex.quote(awkprograms.REDUCED)}\nV={shlex.quote(awkprograms.LINES)}\n"
    variables += f"E={shlex.quote(awkprograms.MASKED)}\n"
    return f"{variables}{shell.SET_UP}".encode()


@functools.lru_cache(16)
def questions(readings: tuple[Reading, ...]) -> bytes:
    """The lines of `ask`, which are the same for many hosts."""
    return b"".join(ask(readings))


def ask(readings: Sequence[Reading]) -> Iterator[bytes]:
    """One line a reading, mount tables first; they are followed by a `q` record. Then come files, many
    in a line, and the rest, followed by a `more` record."""
    numbered = list(enumerate(readings))
    mounts = [(i, r) for i, r in numbered if isinstance(r, MountUsage)]
    for number, _ in mounts:
        yield _line(number, "f", "/proc/1/mountinfo", str(16 << 20))
        yield _line(number, "f", "/proc/self/mountinfo", str(16 << 20))
    if mounts:
        yield b"printf '\\n%s q\\n' \"$N\"\n"
    together = asked_together(readings)
    yield from _together(_line(n, *_apart(_words(readings[n])), call="R") for n in together)
    for number, reading in numbered:
        if number not in together and not isinstance(reading, MountUsage):
            yield _line(number, *_words(reading))
    yield b"printf '\\n%s more\\n' \"$N\"\n"


def asked_together(readings: Sequence[Reading]) -> dict[int, None]:
    """The numbers of those readings that are, in their order."""
    files = (n for n, reading in enumerate(readings) if isinstance(reading, (File, Glob, Stat)))
    return dict.fromkeys(files)


def ask_again(numbers: Iterable[int], readings: Sequence[Reading]) -> Iterator[bytes]:
    """Lines for readings that were asked together and are now asked each on its own."""
    yield b"n=\n"
    for number in numbers:
        yield _line(number, *_apart(_words(readings[number])), call="R")


def _apart(words: list[str]) -> list[str]:
    """The deadline of a reading should it be asked on its own, and its call."""
    return words[1:] if words[0] == "G" else [str(READING_PATIENCE), *words]


def _together(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Calls of M with as many lines as one argument has room for."""
    group = b""
    for line in lines:
        if group and len(group) + len(line) > TOGETHER:
            yield b"M " + _quoted(group)
            group = b""
        group += line
    if group:
        yield b"M " + _quoted(group)


def _quoted(text: bytes) -> bytes:
    return b"'%b'\n" % text.replace(b"'", b"'\"'\"'")


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


def _line(number: int, *words: str, call: str = "r") -> bytes:
    if any("\0" in word for word in words):
        # as open(2) has it, near enough
        words = (*words[: call == "R"], "e", "x", "1", os.strerror(errno.EINVAL))
    return encode(f"{call} {number} {shlex.join(words)}\n")


def _words(reading: Reading) -> list[str]:
    """The function call that answers a reading, with a deadline where it might hang."""
    match reading:
        case File(path=path, limit=limit, masked=True):
            return _guarded(FILE_PATIENCE, path, ["H", "p", path, str(limit + 1)])
        case File(path=path, limit=limit):
            return _guarded(FILE_PATIENCE, path, ["f", path, str(limit + 1)])
        case Glob(pattern=pattern, names=names, limit=limit):
            below = shlex.join(names)  # evaluated once more for each match
            words = ["g", shell_pattern(pattern), listed(pattern), str(limit + 1), below]
            if reading.certificates:
                words = ["h", AWK, *words]
            if reading.masked:
                words = ["H", *words]
            return _guarded(READING_PATIENCE, pattern, words)
        case Stat(pattern=pattern):
            return _guarded(
                READING_PATIENCE, pattern, ["s", shell_pattern(pattern), listed(pattern)]
            )
        case Command(errors=True):
            return ["e", "x", "126"]  # may not be run
        case Command(argv=argv, timeout=timeout, limit=limit):
            seconds = math.ceil(timeout)
            words = ["c", str(seconds), str(limit + 1), *argv]
            return ["x", str(seconds + 2), *words[1:]]
        case Inventory(kind="shadow"):
            return _guarded(READING_PATIENCE, "", ["a", awkprograms.SHADOW])
        case Inventory(kind="authorized_keys"):
            known = f" {' '.join(sorted(authorizedkeys.OPTIONS))} "
            words = ["b", awkprograms.AUTHORIZED_KEYS, str(authorizedkeys.LIMIT + 1), known]
            return _guarded(READING_PATIENCE, "", words)
        case Inventory(kind="processes"):
            return _guarded(READING_PATIENCE, "", ["o", "/proc/[0-9]*/task/[0-9]*/stat"])
        case Inventory(kind="sockets"):
            return _guarded(READING_PATIENCE, "", ["i"])
        case Inventory(kind="listeners"):
            return ["t"]
        case Inventory(kind="uname"):
            return _guarded(READING_PATIENCE, "", ["v"])
        case Inventory(kind=kind):
            return _words(inventories.COMMANDS[kind])
        case Walk():
            return _words(walks.command(reading))
        case Handshakes():
            return ["e", "x", "1", "only listeners of this machine are asked, not those of others"]
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
