"""What a host told of many files together: a tar archive, stat lines, certificates; pure.

The archive is in the GNU format that tar(5) describes. A host may be hostile: of it only regular files
with plain headers are taken, and no size is believed beyond what was told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from collectors.model import ParseError
from collectors.sources.ssh.frames import LINKS, TOGETHER, Record, Stream

_BLOCK = 512
_OCTAL = re.compile(rb"[ 0]*([0-7]{0,11})[ \0]*")
_STAT = re.compile(rb"((?:[^ ]+ ){7}[^ ]+) (.*)", re.DOTALL)

REFERRING = frozenset("fywj")  # kinds of records that stand for what was told elsewhere
UNSETTLED = "it changed while it was read"


class Together(NamedTuple):
    """By path: contents of files, stat lines, certificates of files, where links lead."""

    contents: dict[bytes, bytes]
    stats: dict[bytes, bytes]
    certificates: dict[bytes, bytes]
    targets: dict[bytes, bytes]

    def has(self, record: Record) -> bool:
        """Whether what a record refers to is here; true for one that refers to nothing."""
        if record.kind == "j" and record.payload not in self.targets:
            return False
        kinds = {"f": self.contents, "w": self.stats, "j": self.stats, "y": self.certificates}
        known = kinds.get(record.kind)
        return known is None or record.payload in known


def together(stream: Stream) -> Together:
    """All that was told; what did not end well is left out."""
    found = Together({}, {}, {}, {})
    kind, payload, match = "", b"", b""
    matched: dict[bytes, bytes] = {}
    for record in stream.get(TOGETHER, ()):
        if record.kind in ("b", "v", "k", "p"):
            kind, payload = record.kind, record.payload
            matched = {}
        elif record.kind == "m":
            match = record.payload
        elif record.kind == "c":
            matched[match] = record.payload
        elif record.kind == "x" and record.status == 0:
            if kind == "b":
                found.contents.update(_files(payload))
            elif kind == "v":
                found.stats.update(_stats(payload))
            elif kind == "k":
                found.certificates.update(matched)
            elif kind == "p":
                found.contents.update(matched)
    links: set[bytes] = set()
    for record in stream.get(LINKS, ()):
        if record.kind == "j":
            links.add(record.payload)
            continue
        targets = record.payload.split(b"\0")[:-1]
        if len(targets) == len(links):
            found.targets.update(zip(sorted(links), targets, strict=True))
        links = set()
    return found


def unresolved(stream: Stream, numbers: Iterable[int]) -> list[int]:
    """Of these readings those that did not end, or of which something was to come with others and did
    not."""
    known = together(stream)
    return [n for n in numbers if not _settled(stream.get(n, ()), known)]


def _settled(records: Sequence[Record], known: Together) -> bool:
    return bool(records) and records[-1].kind == "d" and all(map(known.has, records))


def _stats(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in payload.split(b"\0"):
        if match := _STAT.fullmatch(line):
            yield match[2], match[1]


def _files(archive: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Regular files by name, as far as the archive can be understood."""
    at, long = 0, b""
    while at + _BLOCK <= len(archive):
        head = archive[at : at + _BLOCK]
        size = _OCTAL.fullmatch(head[124:136])
        if size is None or not head.strip(b"\0"):
            return
        start = at + _BLOCK
        end = start + int(size[1] or b"0", 8)
        content, kind = archive[start:end], head[156:157]
        if len(content) < end - start:
            return
        if kind == b"L":
            long = content.rstrip(b"\0")
        elif kind in (b"0", b"\0"):
            yield long or head[:100].rstrip(b"\0"), content
        if kind != b"L":
            long = b""
        at = start + -(-(end - start) // _BLOCK) * _BLOCK


def complete(records: Sequence[Record], others: Together) -> Iterator[Record]:
    """The records of a reading with what was told together with others. A path is told of once: else a
    few bytes each would make of one file as many as a host likes. Raises ParseError."""
    told: set[tuple[str, bytes]] = set()
    for record in records:
        if record.kind in REFERRING:
            if (record.kind, record.payload) in told:
                raise ParseError("the host told of one path twice")
            told.add((record.kind, record.payload))
        yield _filled(record, others)


def _filled(record: Record, others: Together) -> Record:
    """A record with what was told together with others in the place of its path: of a file a part
    (`f`), of a path a stat line (`w`)."""
    if not others.has(record):
        return Record("x", 1, UNSETTLED, b"")
    match record.kind:
        case "f":
            return Record("f", 0, "", others.contents[record.payload])
        case "y":
            return Record("f", 0, "", others.certificates[record.payload])
        case "w" | "j":
            line = others.stats[record.payload].decode("ascii", "replace")
            target = others.targets.get(record.payload, b"") if record.kind == "j" else b""
            return Record("w", 0, line, record.payload + b"\0" + target)
    return record
