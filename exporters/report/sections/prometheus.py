"""What parts of a report ask of a time-series database (exporters/promapi/client.py answers it)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class One(Protocol):
    """A value of a series at a moment."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float: ...


class Told(Protocol):
    """A series over a time; Unix times."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def times(self) -> NDArray[np.float64] | Sequence[float]: ...
    @property
    def values(self) -> NDArray[np.float64] | Sequence[float]: ...


class Client(Protocol):
    """Whoever asks; raises what it raises."""

    def instant(self, query: str, at: float) -> Sequence[One]: ...
    def over(self, query: str, since: float, until: float, step: float) -> Sequence[Told]: ...


def any_of(label: str, values: Iterable[str]) -> str:
    """A matcher of a label for exactly these values."""
    return f"{label}=~{quoted('|'.join(re.escape(value) for value in values))}"


def quoted(text: str) -> str:
    """A string of PromQL."""
    special = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(special.get(c, c) for c in text) + '"'


def last_within(selector: str, seconds: float) -> str:
    """The last value of each series within some seconds."""
    return f"last_over_time({selector}[{max(1, round(seconds))}s])"
