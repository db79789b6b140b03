"""Families written as a page: Prometheus text format 0.0.4 and OpenMetrics 1.0.0.

Equal byte for byte to prometheus_client's `generate_latest` (a property test proves it) except for
a counter whose name lacks `_total`: its series keep their names, as in Go's exporters, and
OpenMetrics, which has no such counter, is told that the type is unknown.

Writing `name{label="value"} ` is most of the work and hardly changes from scrape to scrape, hence
it is kept. A series that is gone from its family is forgotten at once, a family that was not
asked for (`?collect[]=`) now and then, so that churning labels cannot grow memory.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

import msgspec

from collectors.model import Family, Labels

KEEP = 64  # pages after which families that are not in the page are forgotten

_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_EXPONENTS = {digits: f"e+{digits - 1:02d}" for digits in range(7, 17)}
# Of 0 and between 0.0001 and 1e16 it writes what repr() does, several times faster.
_shortest = msgspec.json.Encoder().encode
_Key = Labels | tuple[str, Labels]


class _Known:
    """What is known of one family: headers of both formats, prefixes of series, the last text."""

    __slots__ = ("family", "headers", "openmetrics", "prefixes", "text")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.headers = (_header(family, False), _header(family, True))
        self.prefixes: dict[_Key, bytes] = {}
        self.openmetrics: bool | None = None
        self.text = b""


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
        families = list(families)
        with self._lock:
            texts: list[bytes] = []
            for family in families:
                known = self._families.get(family.name)
                if (
                    known is None
                    or known.family is not family
                    or known.openmetrics is not openmetrics
                ):
                    known = self._write(known, family, openmetrics)
                texts.append(known.text)
            self._page += 1
            if self._page % KEEP == 0:
                self._forget_others({family.name for family in families})
        if openmetrics:
            texts.append(b"\n# EOF")
        # every text begins with the end of the line before it
        return b"".join(texts)[1:] + b"\n" if texts else b""

    def _write(self, known: _Known | None, family: Family, openmetrics: bool) -> _Known:
        if known is None or (known.family.kind, known.family.help) != (family.kind, family.help):
            if known:
                self._kept -= len(known.prefixes)
            known = self._families[family.name] = _Known(family)
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
        return known

    def _forget_others(self, names: set[str]) -> None:
        self._families = {n: known for n, known in self._families.items() if n in names}
        self._kept = sum(len(known.prefixes) for known in self._families.values())


def number(value: float) -> bytes:
    """A value as prometheus_client writes it: `1.0`, `1e+06`, `+Inf`, `NaN`."""
    value = float(value)
    if 1e-4 <= value < 1e6 or not value:
        return _shortest(value)
    if 1e6 <= value < 1e16:  # Go changes to an exponent earlier than Python
        whole = str(int(value))
        digits = whole if value.is_integer() else repr(value).replace(".", "")
        fraction = f".{digits[1:]}".rstrip("0.")
        return f"{digits[0]}{fraction}{_EXPONENTS[len(whole)]}".encode()
    text = repr(value)
    return _SPECIAL.get(text, text).encode()


def _prefix(name: str, labels: Labels) -> bytes:
    pairs = ",".join(f'{_valid(label, "")}="{_escape(value)}"' for label, value in sorted(labels))
    line = f"\n{_valid(name, ':')}{{{pairs}}} " if pairs else f"\n{_valid(name, ':')} "
    return line.encode("utf-8", "replace")


def _header(family: Family, openmetrics: bool) -> bytes:
    name, kind = _valid(family.name, ":"), str(family.kind)
    help = family.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        help = help.replace('"', r"\"")
        if kind == "counter" and name.endswith("_total"):
            name = name.removesuffix("_total")
        elif kind in ("counter", "untyped"):
            kind = "unknown"
    return f"\n# HELP {name} {help}\n# TYPE {name} {kind}".encode("utf-8", "replace")


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _valid(name: str, also: str) -> str:
    """The name with `_` for what is not allowed in it: one bad name would cost the whole page."""
    if name.isascii() and name.isidentifier():
        return name
    return re.sub(rf"^[0-9]|[^a-zA-Z0-9_{also}]", "_", name)
