"""Families written as a page: Prometheus text format 0.0.4 and OpenMetrics 1.0.0.

Equal byte for byte to prometheus_client's `generate_latest` (a property test proves it) except for
a counter whose name lacks `_total`: its series keep their names, as in Go's exporters, and
OpenMetrics, which has no such counter, is told that the type is unknown.

Writing `name{label="value"} ` is most of the work and hardly changes from scrape to scrape, hence
it is kept. A series that is gone from its family is forgotten at once, a family that was not
asked for (`?collect[]=`) now and then, so that churning labels cannot grow memory. Columns
(collectors/columns.py) are written by the column, and what is kept of them are their labels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from collectors.columns import Columns, Joined
from collectors.model import Family, Labels
from exporters.prometheus.columntext import column_texts
from exporters.prometheus.format import escaped, number, valid

KEEP = 64  # pages after which families that are not in the page are forgotten
PART = (
    1 << 15
)  # bytes of a page that are taken at once, at least: to compress a few costs a thousand's time

_PLAIN, _COLUMNS = (tuple, list), (Columns, Joined)  # a class of an ABC is slow to ask of others

_Key = Labels | tuple[str, Labels]


class _Known:
    """What is known of one family: headers of both formats, prefixes of series, the last text; `lead` is that
    text without the value where there is but one."""

    __slots__ = ("family", "headers", "lead", "openmetrics", "prefixes", "text")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.headers = (_header(family, False), _header(family, True))
        self.prefixes: dict[_Key, bytes] = {}
        self.openmetrics: bool | None = None
        self.text = self.lead = b""


class Encoder:
    """Writes pages. `limit` is how many series are kept at most; further ones are only slower.

    One encoder serves concurrent scrapes: a lock lets one page be written at a time, which costs
    nothing, since writing does no I/O and holds the interpreter anyway. Families are frozen: the
    same object as on the last page is not written again.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._families: dict[str, _Known] = {}
        self._kept = 0
        self._page = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many series are kept."""
        return self._kept

    def encode(self, families: Iterable[Family], openmetrics: bool = False) -> bytes:
        """The page of these families, in UTF-8; what UTF-8 cannot express becomes `?`."""
        texts: list[bytes] = []
        self.write(families, texts.append, openmetrics)
        return b"".join(texts)

    def write(
        self,
        families: Iterable[Family],
        take: Callable[[bytes], object],
        openmetrics: bool = False,
    ) -> None:
        """The same page, part by part as it is made: `take` must not block."""
        families = list(families)
        waiting: list[bytes] = []
        size, begin = 0, 1  # every text begins with the end of the line before it
        with self._lock:
            for text in self._texts(families, openmetrics):
                waiting.append(text)
                size += len(text)
                if size >= PART:
                    take(b"".join(waiting)[begin:])
                    waiting.clear()
                    size = begin = 0
            self._page += 1
            if self._page % KEEP == 0:
                self._forget_others({family.name for family in families})
        if openmetrics:
            waiting.append(b"\n# EOF")
        if waiting or not begin:
            take(b"".join((*waiting, b"\n"))[begin:])

    def _texts(self, families: list[Family], openmetrics: bool) -> Iterator[bytes]:
        for family in families:
            known = self._families.get(family.name)
            if known and known.family is family and known.openmetrics is openmetrics:
                yield known.text
            elif isinstance(family.samples, _PLAIN) or not isinstance(family.samples, _COLUMNS):
                yield self._write(known, family, openmetrics)
            else:
                yield _header(family, openmetrics)
                samples = family.samples
                for part in samples.parts if isinstance(samples, Joined) else [samples]:
                    yield from column_texts(family.name, part)

    def _write(self, known: _Known | None, family: Family, openmetrics: bool) -> bytes:
        if known is None or (known.family.kind, known.family.help) != (family.kind, family.help):
            if known:
                self._kept -= len(known.prefixes)
            known = self._families[family.name] = _Known(family)
        elif known.lead and known.openmetrics is openmetrics and len(family.samples) == 1:
            [before], [now] = known.family.samples, family.samples
            if now.labels == before.labels and now.suffix == before.suffix:
                known.family, known.text = family, known.lead + number(now.value)
                return known.text
        prefixes = known.prefixes
        parts = [known.headers[openmetrics]]
        for sample in family.samples:
            labels, suffix = sample.labels, sample.suffix
            key = (suffix, labels) if suffix else labels
            prefix = prefixes.get(key)
            if prefix is None:
                prefix = _prefix(family.name + suffix, labels)
                if self._kept < self._limit:
                    prefixes[key] = prefix
                    self._kept += 1
            parts += (prefix, number(sample.value))
        if len(prefixes) > len(family.samples):
            current = {(s.suffix, s.labels) if s.suffix else s.labels for s in family.samples}
            self._kept -= len(prefixes)
            known.prefixes = {k: p for k, p in prefixes.items() if k in current}
            self._kept += len(known.prefixes)
        known.family, known.openmetrics, known.text = family, openmetrics, b"".join(parts)
        known.lead = b"".join(parts[:2]) if len(parts) == 3 else b""
        return known.text

    def _forget_others(self, names: set[str]) -> None:
        self._families = {n: known for n, known in self._families.items() if n in names}
        self._kept = sum(len(known.prefixes) for known in self._families.values())


def _prefix(name: str, labels: Labels) -> bytes:
    pairs = ",".join(f'{valid(label, "")}="{escaped(value)}"' for label, value in sorted(labels))
    line = f"\n{valid(name, ':')}{{{pairs}}} " if pairs else f"\n{valid(name, ':')} "
    return line.encode("utf-8", "replace")


def _header(family: Family, openmetrics: bool) -> bytes:
    name, kind = valid(family.name, ":"), str(family.kind)
    help = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        help = help.replace('"', r"\"")
        if kind == "counter" and name.endswith("_total"):
            name = name.removesuffix("_total")
        elif kind in ("counter", "untyped"):
            kind = "unknown"
    return f"\n# HELP {name} {help}\n# TYPE {name} {kind}".encode("utf-8", "replace")
