"""A walk over the file systems of a host by its find(1), GNU findutils: the command and what it tells; pure.

It cannot go on where another has ended: what it did not get round to stays unseen.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence

from collectors.model import Command, ParseError, Walk
from collectors.rows import FileKind, Noted, Walked
from collectors.sources.ssh.frames import decode
from collectors.sources.walks import MAX_NOTED, MAX_UNREAD, SUBVOLUME

PATIENCE = 45.0  # seconds, less than what one exchange may take
LIMIT = 8 << 20  # bytes
CUT = "/ /"  # for where a walk was cut off

_ROW = re.compile(rb"([xu-]) ([a-zA-Z?]) ([0-7]{1,5}) ([0-9]{1,10}) ([0-9]{1,10}) (.*)", re.DOTALL)
_SUBVOLUME = re.compile(rb"v ([0-9]{1,20}) (.*)", re.DOTALL)
_KINDS: dict[bytes, FileKind] = {b"f": "file", b"d": "directory", b"l": "link"}
_FORMAT = r" %y %m %U %G %p\0"


def command(reading: Walk) -> Command:
    """What is run for a walk. Names end with NUL, the one byte that none of them has."""
    excluded = [word for path in reading.exclude for word in ("-o", "-path", _literal(path))][1:]
    return Command(
        (
            *("find", *reading.roots, "-xdev"),
            *(("(", *excluded, ")", "-prune", "-o") if excluded else ()),
            *("-type", "d", "!", "-readable", "-prune", "-printf", f"x{_FORMAT}", "-o"),
            # of a btrfs subvolume with its device, then as anything else
            *(
                "(",
                "-type",
                "d",
                "-inum",
                str(SUBVOLUME),
                "-printf",
                r"v %D %p\0",
                "-false",
                ")",
                "-o",
            ),
            *("-type", "l", "-o"),
            *("(", "-nouser", "-o", "-nogroup", ")", "-printf", f"u{_FORMAT}", "-o"),
            *("(", "-type", "f", "-perm", "/6002", "-o"),
            *("-type", "d", "-perm", "-0002", "!", "-perm", "-1000", ")"),
            *("-printf", f"-{_FORMAT}"),
        ),
        timeout=min(reading.seconds, PATIENCE),
        limit=LIMIT,
    )


def parse(content: bytes, whole: bool, roots: Sequence[str] = ()) -> Walked:
    """What find has told; `whole`: it came to its end."""
    *lines, rest = content.split(b"\0")
    if whole and rest:
        raise ParseError("find: a name without its end")
    noted: dict[str, Noted] = {}  # a mount point is the root of another walk as well
    dropped = 0
    unread: list[str] = []
    devices: dict[str, bytes] = {}
    for line in lines:
        if top := _SUBVOLUME.fullmatch(line):
            devices[decode(top[2])] = top[1]
            continue
        found = _ROW.fullmatch(line)
        if not found:
            raise ParseError("find: not as it was told to print")
        sign, kind, mode, uid, gid, name = found.groups()
        if sign == b"x":
            unread.append(decode(name))
            continue
        path = decode(name)
        if path not in noted and len(noted) >= MAX_NOTED:
            dropped += 1
            continue
        bits = stat.S_IMODE(int(mode, 8))
        row = Noted(path, _KINDS.get(kind, "other"), bits, int(uid), int(gid), sign == b"u")
        noted[path] = row
    unread += _left_out(devices, roots)
    return Walked(
        tuple(noted.values()),
        "" if whole else CUT,
        0,
        tuple(unread[:MAX_UNREAD]),
        dropped,
    )


def _left_out(devices: Mapping[str, bytes], roots: Sequence[str]) -> Iterator[str]:
    """The subvolumes on which nothing is mounted: they lie below a root that is another subvolume, so
    that no walk comes by."""
    for path, device in devices.items():
        above = [root for root in roots if path.startswith(root.rstrip("/") + "/")]
        top = max(above, key=len, default="")
        if path not in roots and devices.get(top, device) != device:
            yield path


def _literal(path: str) -> str:
    """A path as a pattern of find that matches nothing else."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)
