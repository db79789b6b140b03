"""Times and names of an import as numbers: resources, metrics with their units, and series, in order of appearance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collectors.cloud.model import ResourceKind
from exporters.findings.text import neutral
from exporters.history.badlines import ImportRefused
from exporters.history.csvvalues import BadField, name, seconds
from exporters.history.units import ALL_METRICS, LINE, UNITS

MAX_RESOURCES: Final = 2_000_000
MAX_METRICS: Final = 1000
BAD: Final = -1
KINDS: Final = ("", *get_args(ResourceKind), LINE)
_CACHED: Final = 4_000_000
_REMEMBERED: Final = 1_000_000  # times
_SPELLINGS: Final = 100_000


class Times(dict[bytes, int]):
    """Spelling → Unix seconds; BAD where it is no time."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, raw: bytes) -> int:
        try:
            found = seconds(raw.decode("ascii", "replace"), self._zone)
        except BadField:
            return BAD
        if len(self) >= _REMEMBERED:
            self.clear()
        self[raw] = found
        return found


class Spelled(dict[bytes, int]):
    """Spelling → place in `spellings`."""

    def __init__(self) -> None:
        super().__init__()
        self.spellings: list[bytes] = []

    def __missing__(self, raw: bytes) -> int:
        if len(self.spellings) >= _SPELLINGS:
            raise ImportRefused(f"there are more than {_SPELLINGS} metrics; is this the column?")
        self[raw] = len(self.spellings)
        self.spellings.append(raw)
        return self[raw]


class Resources(dict[bytes, int]):
    """Spelling → number; BAD where it is no name."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self.kinds: dict[int, str] = {}  # of those that have one told

    def __missing__(self, raw: bytes) -> int:
        try:
            text = name(raw, "resource")
        except BadField:
            return BAD
        number = self.numbers.setdefault(text, len(self.numbers))
        if number >= MAX_RESOURCES:
            raise ImportRefused(
                f"there are more than {MAX_RESOURCES} resources; is this the column?"
            )
        if len(self) < _CACHED:
            self[raw] = number
        return number


class Kinds(dict[bytes, int]):
    """Spelling → place in KINDS; BAD where it is none. An empty one is that of all that do not say theirs."""

    def __missing__(self, raw: bytes) -> int:
        text = raw.decode("utf-8", "replace").strip()
        return KINDS.index(text) if text in KINDS else BAD


def check_kind(raw: bytes) -> None:
    """Raises BadField."""
    if Kinds()[raw] == BAD:
        told = neutral(raw.decode("utf-8", "replace"))
        raise BadField(f"the kind {told!r} is none of: {', '.join(KINDS[1:])}")


class Metric:
    """A metric as one unit tells it. `factor` makes a value one of `unit`, which the file keeps."""

    def __init__(self, number: int, name: str, told: str, unit: str, factor: float) -> None:
        self.number, self.name, self.told = number, name, told
        self.unit, self.factor = unit, factor
        self.highest = 0.0  # as told


class Metrics(dict[tuple[bytes, bytes], int]):
    """(metric, unit) as spelled → a number in `told`; BAD where it is none or contradicts.

    `kept` are the units of the file; `unit` is of all that do not say theirs."""

    def __init__(self, kept: Mapping[str, str], unit: str) -> None:
        super().__init__()
        self._kept, self._unit = {**ALL_METRICS, **kept}, unit
        self.told: list[Metric] = []
        self.numbers: dict[str, int] = {}

    def __missing__(self, spelled: tuple[bytes, bytes]) -> int:
        try:
            found = self.metric(*spelled)
        except BadField:
            return BAD
        if len(self) < _CACHED:
            self[spelled] = found
        return found

    def metric(self, raw: bytes, unit: bytes = b"") -> int:
        """As `[]`, but raises BadField with the reason."""
        text = name(raw, "metric")
        told = unit.decode("ascii", "replace").strip() or self._unit or self._kept.get(text, "")
        if not told:
            raise BadField(f"the metric {text!r} is new and has no unit; say it by --unit")
        if told not in UNITS:
            raise BadField(f"the unit {neutral(told)!r} is none of: {', '.join(UNITS)}")
        its, factor = UNITS[told]
        if (kept := self._kept.setdefault(text, its)) != its:
            raise BadField(f"{text} is kept in {kept}, which {told} contradicts")
        for place, one in enumerate(self.told):
            if (one.name, one.told) == (text, told):
                return place
        number = self.numbers.setdefault(text, len(self.numbers))
        if number >= MAX_METRICS:
            raise ImportRefused(f"there are more than {MAX_METRICS} metrics; is this the column?")
        self.told.append(Metric(number, text, told, its, factor))
        return len(self.told) - 1


class SeriesTable:
    """Series: (metric, resource) as numbers ↔ a number."""

    def __init__(self) -> None:
        self._tables: dict[int, NDArray[np.int64]] = {}
        self.metrics: list[int] = []
        self.resources: list[int] = []

    def of(self, metric: int, resources: NDArray[np.int64]) -> NDArray[np.int64]:
        """The series of one metric and each of the resources."""
        top = int(resources.max(initial=0))
        table = self._tables.get(metric, np.empty(0, np.int64))
        if top >= len(table):
            table = np.concatenate([table, np.full(top + 1, BAD)])
            self._tables[metric] = table
        found = table[resources]
        if (new := found == BAD).any():
            fresh = np.unique(resources[new])
            table[fresh] = np.arange(len(self.metrics), len(self.metrics) + len(fresh))
            self.metrics += [metric] * len(fresh)
            self.resources += fresh.tolist()
            found = table[resources]
        return found

    def __len__(self) -> int:
        return len(self.metrics)
