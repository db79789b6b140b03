"""The bodies of remote write 1.0 and 2.0: prometheus.WriteRequest and io.prometheus.write.v2.Request as protobuf.

Written by hand, since it is the hot path: what depends on a series alone is made once, of a sample only its eight bytes
change. A test decodes it with the protobuf library. Blocks of several moments are joined: each series stands once, with
its samples in order. https://prometheus.io/docs/specs/prw/remote_write_spec/ and …/remote_write_spec_2_0/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Final, NamedTuple, Protocol

from exporters.prometheus.remotewrite.series import Series

KINDS: Final = {"counter": 1, "gauge": 2, "histogram": 3, "summary": 5}  # Metadata.MetricType
KEEP: Final = 20_000  # series whose labels are kept as bytes


class Values(Protocol):
    """Values of series at one moment: `values` are doubles, little-endian, one a series."""

    @property
    def time(self) -> int: ...
    @property
    def series(self) -> Sequence[Series]: ...
    @property
    def values(self) -> bytes: ...


class Format(Protocol):
    """One version of the protocol."""

    headers: dict[str, str]

    def encode(self, blocks: Sequence[Values]) -> bytes: ...


def varint(number: int) -> bytes:
    """A base-128 number; a negative one as 64 bits in two's complement."""
    number &= 0xFFFFFFFFFFFFFFFF
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: int, content: bytes) -> bytes:
    """A field of a length and bytes."""
    return varint(tag << 3 | 2) + varint(len(content)) + content


class Version1:
    """prometheus.WriteRequest. It has no place for types, helps and beginnings that every receiver reads."""

    def __init__(self) -> None:
        self.headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        self._labels: dict[Series, bytes] = {}
        self._heads: dict[int, bytes] = {}

    def encode(self, blocks: Sequence[Values]) -> bytes:
        parts: list[bytes] = []
        known, heads = self._labels, self._heads
        if len(known) > KEEP:
            known.clear()
        for series, samples in _grouped(blocks):
            labels = known.get(series)
            if labels is None:
                labels = known[series] = _labels(series)
            size = len(labels) + len(samples)
            head = heads.get(size)
            if head is None:
                if len(heads) > KEEP:
                    heads.clear()
                head = heads[size] = b"\x0a" + varint(size)
            parts += (head, labels, samples)
        return b"".join(parts)


class _Plan(NamedTuple):
    """Of a list of series: the table of strings, and what stands before and behind the samples of each."""

    series: Sequence[Series]
    symbols: bytes
    sides: list[tuple[bytes, bytes]]


class Version2:
    """io.prometheus.write.v2.Request, 2.0-rc.4: `start_timestamp` is of a sample."""

    def __init__(self) -> None:
        self.headers = {
            "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "2.0.0",
        }
        self._plan = _Plan((), b"", [])

    def encode(self, blocks: Sequence[Values]) -> bytes:
        if len({id(block.series) for block in blocks}) == 1:
            pairs: Iterable[tuple[Series, bytes]] = _grouped(blocks)
            if self._plan.series is not blocks[0].series:
                self._plan = _planned(blocks[0].series)
            plan = self._plan
        else:
            found = dict(_grouped(blocks))
            plan, pairs = _planned(tuple(found)), found.items()
        parts = [plan.symbols]
        for (series, samples), (before, behind) in zip(pairs, plan.sides, strict=True):
            content = _with_start(samples, series.created) if series.created else samples
            size = len(before) + len(content) + len(behind)
            parts += (b"\x2a", varint(size), before, content, behind)
        return b"".join(parts)


def _grouped(blocks: Sequence[Values]) -> Iterator[tuple[Series, bytes]]:
    """Each series with its samples, field 2 of both versions' TimeSeries, in the order of the blocks."""
    runs = [list(run) for _, run in groupby(blocks, lambda block: id(block.series))]
    if len(runs) == 1:
        return zip(runs[0][0].series, _samples(runs[0]), strict=True)
    found: dict[Series, bytes] = {}
    for run in runs:
        for series, samples in zip(run[0].series, _samples(run), strict=True):
            found[series] = found.get(series, b"") + samples
    return iter(found.items())


def _samples(blocks: Sequence[Values]) -> list[bytes]:
    """The samples of blocks of the same series, one text a series."""
    template = b"".join(_sample(block.time) for block in blocks)
    cells = [chain.from_iterable(struct.iter_unpack("8s", block.values)) for block in blocks]
    return [template % row for row in zip(*cells, strict=True)]


def _sample(time: int) -> bytes:
    """A sample at this time, with a place for its value."""
    when = varint(time)
    return b"\x12%c\x09%%b\x10%b" % (10 + len(when), when.replace(b"%", b"%%"))


def _with_start(samples: bytes, created: int) -> bytes:
    """The samples with field 3, when the series began to count."""
    start, at = b"\x18" + varint(created), 0
    out: list[bytes] = []
    while at < len(samples):
        size = samples[at + 1]  # far below 128
        out += (b"\x12", varint(size + len(start)), samples[at + 2 : at + 2 + size], start)
        at += 2 + size
    return b"".join(out)


def _labels(series: Series) -> bytes:
    return b"".join(
        field(1, field(1, name.encode()) + field(2, value.encode()))
        for name, value in series.labels
    )


def _planned(series: Sequence[Series]) -> _Plan:
    numbers: dict[str, int] = {"": 0}
    refs: dict[str, bytes] = {}

    def ref(text: str) -> bytes:
        found = refs.get(text)
        if found is None:
            found = refs[text] = varint(numbers.setdefault(text, len(numbers)))
        return found

    sides = []
    for one in series:
        labels = field(1, b"".join(ref(text) for pair in one.labels for text in pair))
        kind, help = KINDS.get(one.kind, 0), one.help
        metadata = (b"\x08" + varint(kind) if kind else b"") + (
            b"\x18" + ref(help) if help else b""
        )
        sides.append((labels, field(5, metadata)))
    symbols = b"".join(field(4, text.encode()) for text in numbers)
    return _Plan(series, symbols, sides)
