"""Answers of the Prometheus API, decoded: https://prometheus.io/docs/prometheus/latest/querying/api/.

Numbers come as strings (`"NaN"`, `"+Inf"`). VictoriaMetrics says `isPartial` where nodes of its cluster are missing;
Thanos, and Prometheus with remote storage, say `warnings` then. Warnings of PromQL itself are about the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.findings.text import cut, neutral

T = TypeVar("T")
_OF_THE_QUERY: Final = ("PromQL warning", "PromQL info")
MAX_TOLD: Final = 300  # columns of a server's own words


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Series(NamedTuple):
    """Unix times, ascending, and a value at each."""

    labels: Mapping[str, str]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


class Wrong(Exception):
    """The answer is none of this API; `cut_off`: it ends too early."""

    def __init__(self, problem: str, cut_off: bool = False) -> None:
        super().__init__(problem)
        self.cut_off = cut_off


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error_type: str = ""
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None
    is_partial: bool = False

    @property
    def missing(self) -> str:
        """What the server says of data that it could not get; empty where it had all."""
        said = [one for one in self.warnings or () if not one.startswith(_OF_THE_QUERY)]
        return told(said[0]) if said else "isPartial" if self.is_partial else ""

    @property
    def remarks(self) -> list[str]:
        return [told(one) for one in (*(self.warnings or ()), *(self.infos or ()))]


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _One(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: msgspec.Raw


class _Many(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: msgspec.Raw


Pair = tuple[float, float]
# Not strict: the numbers are strings.
_PAIR: Final[msgspec.json.Decoder[Pair]] = msgspec.json.Decoder(Pair, strict=False)
_PAIRS: Final = msgspec.json.Decoder(list[Pair], strict=False)


def envelope(body: bytes) -> Envelope:
    return decoded(body, Envelope)


def vector(data: bytes) -> list[Sample]:
    """Of an instant query; a scalar is a sample without labels."""
    answer = decoded(data, _Result)
    if answer.result_type == "scalar":
        return [Sample({}, _pair(answer.result)[1])]
    if answer.result_type != "vector":
        raise Wrong(f"it gave a {told(answer.result_type)}, not a vector")
    return [Sample(one.metric, _pair(one.value)[1]) for one in decoded(answer.result, list[_One])]


def matrix(data: bytes) -> list[Series]:
    answer = decoded(data, _Result)
    if answer.result_type != "matrix":
        raise Wrong(f"it gave a {told(answer.result_type)}, not a matrix")
    return [_series(one) for one in decoded(answer.result, list[_Many])]


def decoded(body: bytes | msgspec.Raw, as_type: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=as_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(error) from error


def told(text: Any) -> str:
    """A server's own words, in one harmless line."""
    return cut(" ".join(neutral(str(text)[: 4 * MAX_TOLD]).split()), MAX_TOLD)


def _series(one: _Many) -> Series:
    try:
        pairs = _PAIRS.decode(_plain(one.values))
    except (msgspec.DecodeError, RecursionError) as error:
        raise _wrong(error) from error
    both = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    times, values = both[:, 0].copy(), both[:, 1].copy()
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise Wrong("times of a series do not ascend")
    return Series(one.metric, times, values)


def _pair(raw: msgspec.Raw) -> Pair:
    try:
        return _PAIR.decode(_plain(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        raise _wrong(error) from error


def _plain(raw: msgspec.Raw) -> bytes:
    """msgspec reads `Inf`, not `+Inf`; there is nothing but numbers in it."""
    return bytes(raw).replace(b'"+Inf"', b'"Inf"')


def _wrong(error: Exception) -> Wrong:
    if isinstance(error, msgspec.ValidationError):
        return Wrong(f"its JSON is not that of the API: {told(error)}")
    if isinstance(error, msgspec.DecodeError):
        cut_off = "truncated" in str(error)
        return Wrong("its JSON ends too early" if cut_off else f"no JSON: {told(error)}", cut_off)
    return Wrong("no JSON: it is nested too deeply or no UTF-8")
