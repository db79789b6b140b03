"""Where usage is read from: a history file, or a time-series database that speaks the Prometheus API.

A value at a slot is of the five minutes that begin with it. Both tell the same of the same data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collectors.cloud.model import Size
from exporters.history.reader import Span
from exporters.history.workcalendar import WorkCalendar
from exporters.usage.lives import Life
from rules.usagemodel import Measured


class SourceError(Exception):
    """It cannot be read; says what, why, and what to do."""


class Segment(NamedTuple):
    """A stretch of a server's life in which it was one department's and one system's, and had one size."""

    resource: str
    since: float
    until: float
    department: str
    system: str
    size: Size


Key = tuple[str, str]  # department, system


class Used(NamedTuple):
    """What servers together used, slot by slot of a period: virtual CPUs used, and of how many that is known (0: of none)."""

    first: int  # slot
    cores: NDArray[np.float64]
    known: NDArray[np.float64]


class CapacityTold(NamedTuple):
    """What all clouds have, and can grant; bytes. None is not told. `untold` are, by vcpus, memory and disk, the clouds that
    hold some of it and did not tell what they have, while others did: what there is in all is then not known."""

    physical: Size
    usable: Size
    untold: Mapping[str, tuple[str, ...]] = {}


class UsageSource(Protocol):
    """Everything raises SourceError. `kind` and `name` are what people are told; `error` is the relative error that its
    estimated quantiles have."""

    name: str
    zone: ZoneInfo

    @property
    def kind(self) -> Literal["history", "prometheus"]: ...

    @property
    def error(self) -> float: ...

    def extent(self) -> tuple[float, float] | None:
        """From when until when it has anything, in Unix time; None where it has nothing."""
        ...

    def lives(self, since: float, until: float) -> list[Life]:
        """Resources that were there at some time of [since, until), with their dated facts."""
        ...

    def measured(
        self, metric: str, period: Span, calendar: WorkCalendar, begins: Mapping[str, float]
    ) -> dict[str, Measured]:
        """By resource; no key where nothing is known. Of those in `begins` nothing counts before."""
        ...

    def sums(
        self, metric: str, period: Span, stretches: Mapping[str, Sequence[Span]]
    ) -> dict[str, list[tuple[float, float]]]:
        """By resource, for each of its stretches: the sum of its values, and how many are known."""
        ...

    def used(self, period: Span, segments: Sequence[Segment]) -> dict[Key, Used]:
        """Of servers together, by department and system. No key where nothing is known slot by slot."""
        ...

    def capacity(self, until: float) -> CapacityTold | None:
        """What was told last, before a moment; None where nobody told."""
        ...

    def digest(self, since: float, until: float) -> str:
        """SHA-256 (hex) of what it has told so far of resources and their use in the period."""
        ...
