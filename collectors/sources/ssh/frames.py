"""The stream that a host tells while it runs the script: records, and the contents in them; pure.

The format is in ssh/shell.py. Any bytes at all give records or FrameError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class FrameError(Exception):
    """The host did not run the script at all."""


class Record(NamedTuple):
    """`kind`, a number or -1, and words from the head line; the payload."""

    kind: str
    status: int
    words: str
    payload: bytes


class Part(NamedTuple):
    """One content and how it ended, with the match and the name it is of."""

    match: str
    name: str
    content: bytes
    end: Record


Stream = Mapping[int, Sequence[Record]]
MAX_RECORDS = 200_000  # of one exchange: each costs us a multiple of what a host told of it
# These stand for numbers of readings: what is told of many together, and of it what is about links.
TOGETHER, LINKS = -1, -2


def parse_stream(data: bytes, nonce: str) -> tuple[Stream, bool]:
    """The records of each reading by number, MAX_RECORDS at most, and whether they are all; raises
    FrameError."""
    pieces = data.split(b"\n" + nonce.encode() + b" ", MAX_RECORDS + 2)
    if len(pieces) > MAX_RECORDS + 2:
        pieces.pop()
    if len(pieces) < 2 or not pieces[1].startswith(b"begin\n"):
        said = data[:200].decode("utf-8", "replace").strip()
        raise FrameError(f"the host did not run the script; it said {said!r}")
    by_reading: dict[int, list[Record]] = {}
    current: list[Record] = []
    for piece in pieces[2:]:
        line, _, payload = piece.partition(b"\n")
        kind, status, words = (*line.decode("utf-8", "replace").split(" ", 2), "", "")[:3]
        record = Record(
            kind, int(status) if re.fullmatch("[0-9]{1,9}", status) else -1, words, payload
        )
        if kind == "end":
            return by_reading, True
        if kind == "z":
            by_reading.pop(record.status, None)
        if kind in ("z", "more"):
            current = []
        if kind in ("j", "i"):
            by_reading.setdefault(LINKS, []).append(record)
        if kind == "b":
            current = by_reading.setdefault(TOGETHER, [])
        if kind == "r":
            current = by_reading.setdefault(record.status, [])
        current.append(record)
    return by_reading, False


def parts(records: Sequence[Record]) -> Iterator[Part]:
    """The contents in records, each with what it is of."""
    match = name = ""
    content = b""
    for record in records:
        if record.kind == "f":
            yield Part(match, name, record.payload, record)
        if record.kind == "m":
            match, name = decode(record.payload), ""
        elif record.kind == "n":
            name = decode(record.payload)
        elif record.kind == "c":
            content = record.payload
        elif record.kind == "x":
            yield Part(match, name, content, record)


def decode(path: bytes) -> str:
    """Bytes of a host; those that are not UTF-8 become lone surrogates, as in os.fsdecode."""
    return path.decode("utf-8", "surrogateescape")
