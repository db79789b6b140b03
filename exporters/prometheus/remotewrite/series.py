"""Series and what they were at one moment: families turned into what remote write sends, of either version.

A series is one object for as long as it is there, so that what is made of its labels is made once. One that goes away
gets a last value, the stale marker: a NaN whose bits the remote write specifications fix.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from collectors.model import Family, Labels, Sample
from exporters.prometheus.format import valid

STALE_BYTES: Final = (0x7FF0000000000002).to_bytes(8, "little")
STALE: Final[float] = struct.unpack("<d", STALE_BYTES)[0]
ATTIC: Final = 5000  # series that are gone and are still known, should they come back


class Series(msgspec.Struct, frozen=True, eq=False, array_like=True, gc=False):
    """`labels` are sorted and hold `__name__`. `created` is when it began to count, in Unix milliseconds; 0 where
    nobody says. Two objects are never equal, whatever is in them."""

    labels: Labels
    kind: str = "untyped"
    help: str = ""
    created: int = 0


class Snapshot(NamedTuple):
    """Values of series at one moment, in Unix milliseconds."""

    time: int
    series: list[Series]
    values: array[float]


_Key = tuple[str, Labels]


class Book:
    """Turns pages into snapshots. `external` labels are added where a series has none of that name; `wanted` is
    asked once for each name of a series."""

    def __init__(
        self, external: Mapping[str, str] | None = None, wanted: Callable[[str], bool] | None = None
    ) -> None:
        self._external = dict(external or {})
        self._wanted = wanted or (lambda name: True)
        self._known: dict[str, tuple[Family, dict[_Key, Series | None]]] = {}
        self._attic: dict[tuple[str, str, str, _Key], Series] = {}
        self._taken: dict[Labels, Series] = {}
        self._last: list[Series] = []

    def snapshot(self, families: Iterable[Family], time: int) -> Snapshot:
        """What the page says, and the end of what the last page said and this one does not. The list of series is
        the same object as long as they are the same."""
        series: list[Series] = []
        values: list[float] = []
        known: dict[str, tuple[Family, dict[_Key, Series | None]]] = {}
        changed = False
        for family in families:
            if family.name in known:
                continue  # a page has each family once
            before = self._known.get(family.name)
            told: dict[_Key, Series | None] = {}
            if before and (before[0].kind, before[0].help) == (family.kind, family.help):
                old = before[1]
            else:
                old = {}
            for sample in family.samples:
                key = sample.suffix, sample.labels
                if key in told:
                    continue
                if key in old:
                    one = old[key]
                else:
                    one = self._made(family, sample, key)
                    changed = True
                told[key] = one
                if one is not None:
                    series.append(one)
                    values.append(sample.value)
            changed = changed or len(told) != len(before[1] if before else ())
            known[family.name] = family, told
        changed = changed or len(known) != len(self._known)
        if len(set(series)) < len(series):  # two names that are one when written: the first stays
            first: dict[Series, float] = {}
            for one, value in zip(series, values, strict=True):
                first.setdefault(one, value)
            series, values = list(first), list(first.values())
        if changed:
            self._end(known, set(series), series, values)
        elif len(series) == len(self._last) and all(map(_same, series, self._last)):
            series = self._last
        self._known = known
        self._last = series
        return Snapshot(time, series, array("d", values))

    def _end(
        self,
        known: Mapping[str, tuple[Family, dict[_Key, Series | None]]],
        present: set[Series],
        series: list[Series],
        values: list[float],
    ) -> None:
        """Mark what is gone, and keep it for a while should it come back."""
        if len(self._attic) > ATTIC:
            self._attic.clear()
        for name, (family, told) in self._known.items():
            now = known.get(name)
            if now and now[1].keys() == told.keys() and now[0].kind == family.kind:
                continue
            for key, one in told.items():
                if one is None or one in present or self._taken.get(one.labels) is not one:
                    continue
                series.append(one)
                values.append(STALE)
                del self._taken[one.labels]
                self._attic[name, family.kind, family.help, key] = one

    def _made(self, family: Family, sample: Sample, key: _Key) -> Series | None:
        """None where nobody wants it; one that is there where it has the same labels."""
        name = valid(family.name + sample.suffix, ":")
        if not self._wanted(name):
            return None
        one = self._attic.pop((family.name, family.kind, family.help, key), None)
        if one is None:
            labels = {valid(label, ""): _clean(value) for label, value in sample.labels if value}
            for label, value in self._external.items():
                labels.setdefault(label, value)
            labels["__name__"] = name
            one = Series(tuple(sorted(labels.items())), family.kind, _clean(family.help))
        other = self._taken.get(one.labels)
        if other is not None and (other.kind, other.help) == (one.kind, one.help):
            return other
        self._taken[one.labels] = one
        return one


def _same(one: Series, other: Series) -> bool:
    return one is other


def _clean(text: str) -> str:
    """What UTF-8 cannot express becomes `?`, as on the page."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
