"""Sketches of days, which are kept when their rollups are gone; they merge into those of months.

Bins are logarithmic (as in DDSketch, Masson et al., VLDB 2019): a quantile is within RELATIVE_ERROR of
the exact one, and of any interpolation between two. Values below SMALLEST count as zero. Beside them:
count, sum, sum of squares, minimum, the maximum of any moment with its slot, and sums and counts by hour
of the day, which tell working hours from others.

On disk a sketch is a `_HEAD`, then pairs of bytes: the distance from the bin before, and how many values
are in the bin; a wide gap is bridged by empty pairs, a full bin continued by pairs of distance 0. All here
works on many sketches at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.blocks import Floats

RELATIVE_ERROR: Final = 0.01
SMALLEST: Final = 1e-9
HOURS: Final = 24
VERSION: Final = 1

_LOG: Final = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_ZERO, _MISSING = -(1 << 15), (1 << 15) - 1  # as bins; those of values are within ±4000
_MOST: Final = 255  # in a byte
_SUMS: Final = "hour_sums"  # in float32, which one beyond its range is the end of
_LARGEST: Final = float(np.finfo(np.float32).max)
_HEAD: Final = np.dtype(
    [
        ("version", "u1"),
        ("hour_counts", "u1", HOURS),
        ("count", "<u2"),
        ("zeros", "<u2"),
        ("pairs", "<u2"),
        ("first", "<i2"),
        ("at", "<u4"),
        ("minimum", "<f4"),
        ("maximum", "<f4"),
        ("total", "<f8"),
        ("squares", "<f8"),
        ("hour_sums", "<f4", HOURS),
    ]
)
HEAD_BYTES: Final = _HEAD.itemsize
HEAD: Final = np.dtype(
    [
        ("count", "i8"),
        ("zeros", "i8"),
        ("at", "i8"),  # the slot of the maximum
        ("minimum", "f4"),
        ("maximum", "f4"),
        ("total", "f8"),
        ("squares", "f8"),
        ("hour_counts", "i8", HOURS),
        ("hour_sums", "f8", HOURS),
    ]
)


class SketchError(ValueError):
    """The bytes are no sketch, or a sketch is of more than a day."""


class Sketches(NamedTuple):
    """Sketches, one a head; bin `bins[i]` of sketch `rows[i]` holds `counts[i]` values. In order of both."""

    heads: NDArray[Any]
    rows: NDArray[np.int64]
    bins: NDArray[np.int64]
    counts: NDArray[np.int64]


def sketch(averages: Floats, maxima: Floats, first: int, hours: NDArray[np.int64]) -> Sketches:
    """Of a matrix, a series a row, from slot `first` on; `hours` is the hour of the day of each slot."""
    count, slots = averages.shape
    known = ~np.isnan(averages)
    values = np.where(known, averages, np.float32(0)).astype(np.float64)
    heads = np.zeros(count, HEAD)
    heads["count"] = known.sum(axis=1)
    heads["total"] = values.sum(axis=1)
    heads["squares"] = np.einsum("ij,ij->i", values, values)
    heads["minimum"] = np.where(known, averages, np.float32(np.inf)).min(axis=1, initial=np.inf)
    tops = np.where(known, maxima, np.float32(-np.inf))
    heads["at"] = first + tops.argmax(axis=1)
    heads["maximum"] = tops.max(axis=1, initial=-np.inf)
    order = np.argsort(hours, kind="stable")
    there, begins = np.unique(hours[order], return_index=True)
    for name, of in (("hour_counts", known.astype(np.int64)), ("hour_sums", values)):
        heads[name][:, there] = np.add.reduceat(of[:, order], begins, axis=1)
    places = _bins(known, values)
    heads["zeros"] = (places == _ZERO).sum(axis=1)
    places.sort(axis=1)
    new = np.ones_like(places, np.bool_)
    np.not_equal(places[:, 1:], places[:, :-1], out=new[:, 1:])
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=places.size)
    bins = places.ravel()[starts].astype(np.int64)
    real = (bins != _ZERO) & (bins != _MISSING)
    return Sketches(heads, starts[real] // slots, bins[real], counts[real])


def _bins(known: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.int16]:
    zero = values < SMALLEST
    places = np.ceil(np.log(np.where(zero, 1.0, values)) / _LOG).astype(np.int16)
    places[zero] = _ZERO
    places[~known] = _MISSING
    return places


def merge(parts: Sketches, into: NDArray[np.int64], count: int) -> Sketches:
    """`count` sketches; part i goes into number `into[i]`. The order of parts makes no difference."""
    theirs, heads = parts.heads, np.zeros(count, HEAD)
    heads["minimum"], heads["maximum"] = np.inf, -np.inf
    for name in ("count", "zeros", "total", "squares", "hour_counts", "hour_sums"):
        np.add.at(heads[name], into, theirs[name])
    np.minimum.at(heads["minimum"], into, theirs["minimum"])
    # the first moment of the highest maximum
    order = np.lexsort((theirs["at"], -theirs["maximum"].astype(np.float64), into))
    leading, at = np.unique(into[order], return_index=True)
    for name in ("maximum", "at"):
        heads[name][leading] = theirs[name][order[at]]
    width = 1 << 16
    keys, inverse = np.unique(into[parts.rows] * width + (parts.bins - _ZERO), return_inverse=True)
    counts = np.bincount(inverse, parts.counts, len(keys)).astype(np.int64)
    return Sketches(heads, keys // width, keys % width + _ZERO, counts)


def join(parts: Sequence[Sketches]) -> Sketches:
    """All of them, one after the other."""
    offsets = np.cumsum([0, *(len(part.heads) for part in parts)])
    return Sketches(
        np.concatenate([part.heads for part in parts]),
        np.concatenate([part.rows + at for part, at in zip(parts, offsets, strict=False)]),
        np.concatenate([part.bins for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


def quantiles(sketches: Sketches, wanted: Sequence[float]) -> NDArray[np.float64]:
    """A row a sketch, a column a quantile; interpolated between two values as numpy does. NaN of none."""
    heads, size = sketches.heads, len(sketches.heads)
    rows = np.concatenate([np.arange(size), sketches.rows])
    order = np.argsort(rows, kind="stable")  # zeros come first in each
    rows = rows[order]
    estimates = np.exp(sketches.bins * _LOG) * 2 / (math.exp(_LOG) + 1)
    values = np.concatenate([np.zeros(size), estimates])[order]
    values = np.clip(values, heads["minimum"][rows], heads["maximum"][rows])
    ends = np.cumsum(np.concatenate([heads["zeros"], sketches.counts])[order])
    some = heads["count"] > 0
    begins = (np.cumsum(heads["count"]) - heads["count"])[some]
    found = np.full((size, len(wanted)), np.nan)
    for column, quantile in enumerate(wanted):
        rank = quantile * (heads["count"][some] - 1)
        low = np.floor(rank).astype(np.int64)
        high = np.minimum(low + 1, heads["count"][some] - 1)
        one, other = (
            values[np.searchsorted(ends, begins + it, side="right")] for it in (low, high)
        )
        found[some, column] = one + (rank - low) * (other - one)
    return found


def encode(sketches: Sketches) -> list[bytes]:
    """The bytes of each. Raises SketchError where one has more values than a day."""
    heads, size = sketches.heads, len(sketches.heads)
    if size and (heads["count"].max() >= 1 << 9 or heads["hour_counts"].max() > _MOST):
        raise SketchError("a sketch on disk is of one day")
    rows, bins, counts = sketches.rows, sketches.bins, sketches.counts
    gaps = np.diff(bins, prepend=0)
    leads = np.flatnonzero(np.diff(rows, prepend=-1))
    gaps[leads] = 0
    bridges, more = np.maximum(gaps - 1, 0) // _MOST, np.maximum(counts - 1, 0) // _MOST
    times = bridges + 1 + more
    own = np.repeat(np.arange(len(rows)), times)
    nth = np.arange(len(own)) - np.repeat(np.cumsum(times) - times, times)
    bridge, last = nth < bridges[own], nth == times[own] - 1
    pairs = np.zeros((len(own), 2), np.uint8)
    pairs[:, 0] = np.where(
        bridge, _MOST, np.where(nth == bridges[own], (gaps - bridges * _MOST)[own], 0)
    )
    pairs[:, 1] = np.where(bridge, 0, np.where(last, (counts - more * _MOST)[own], _MOST))
    stored = np.zeros(size, _HEAD)
    stored["version"] = VERSION
    for name in HEAD.names or ():
        stored[name] = np.clip(heads[name], -_LARGEST, _LARGEST) if name == _SUMS else heads[name]
    stored["pairs"] = lengths = np.bincount(rows[own], minlength=size)
    stored["first"][rows[leads]] = bins[leads]
    top, body = stored.tobytes(), pairs.tobytes()
    ends = (2 * np.cumsum(lengths)).tolist()
    begins = [0, *ends][:size]
    width = _HEAD.itemsize
    return [
        top[row * width : (row + 1) * width] + body[begin:end]
        for row, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def decode(stored: Sequence[bytes]) -> Sketches:
    """Raises SketchError."""
    width = HEAD_BYTES
    heads, raw = _heads([one[:width] for one in stored], list(map(len, stored)))
    lengths = raw["pairs"].astype(np.int64)
    pairs = np.frombuffer(b"".join([one[width:] for one in stored]), np.uint8).reshape(-1, 2)
    gaps, counts = (pairs[:, column].astype(np.int64) for column in (0, 1))
    rows = np.repeat(np.arange(len(stored)), lengths)
    run = np.cumsum(gaps)
    starts = np.cumsum(lengths) - lengths
    before = np.concatenate([[0], run])[starts]
    bins = run - before[rows] + raw["first"].astype(np.int64)[rows]
    found = Sketches(heads, rows, bins, counts)
    return _compacted(found)


def decode_heads(tops: Sequence[bytes], sizes: Sequence[int]) -> Sketches:
    """Of the first HEAD_BYTES of sketches, which have so many bytes each: without bins, for who wants sums alone.
    Raises SketchError."""
    none = np.empty(0, np.int64)
    return Sketches(_heads(tops, sizes)[0], none, none, none)


def _heads(tops: Sequence[bytes], sizes: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """As HEAD, and as they are on disk."""
    joined = b"".join(tops)
    if len(joined) != len(tops) * HEAD_BYTES:
        raise SketchError("a sketch is cut off")
    raw = np.frombuffer(joined, _HEAD)
    long = HEAD_BYTES + 2 * raw["pairs"].astype(np.int64)
    if (raw["version"] != VERSION).any() or (np.array(sizes, np.int64) != long).any():
        raise SketchError("bytes are no sketch of this version")
    heads = np.zeros(len(tops), HEAD)
    for name in HEAD.names or ():
        heads[name] = raw[name]
    return heads, raw


def _compacted(found: Sketches) -> Sketches:
    """Without empty bins, each bin once."""
    if (
        np.bincount(found.rows, found.counts, len(found.heads)) + found.heads["zeros"]
        != found.heads["count"]
    ).any():
        raise SketchError("the bins of a sketch have not as many values as it says")
    real = found.counts > 0
    rows, bins, counts = found.rows[real], found.bins[real], found.counts[real]
    if not len(rows):
        return Sketches(found.heads, rows, bins, counts)
    starts = np.flatnonzero(
        (np.diff(rows, prepend=-1) != 0) | (np.diff(bins, prepend=1 << 20) != 0)
    )
    return Sketches(found.heads, rows[starts], bins[starts], np.add.reduceat(counts, starts))
