"""Samples of many alike things as columns: one value a thing and field, labels shared by families.

Ten thousand lines in two families are some hundred thousand series; an object and a label tuple for
each would be most of an agent's memory. `Columns` is a sequence of samples all the same, made when
somebody looks; an exporter may write the columns themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, overload

from collectors.model import Labels, Sample


class Things:
    """What the rows of columns are: the labels of each. Kept as long as the things stay the same, so
    that an exporter can keep what it made of the labels in `kept`."""

    __slots__ = ("kept", "labels")

    def __init__(self, labels: Sequence[Labels]) -> None:
        self.labels = tuple(labels)
        self.kept: dict[str, tuple[list[str], list[str]]] = {}

    def __len__(self) -> int:
        return len(self.labels)


class Field(NamedTuple):
    """One column: a suffix of the family's name, and a label (name and value, or none) beside those
    of the thing."""

    suffix: str = ""
    label: tuple[str, str] | None = None


PLAIN = (Field(),)


class Columns(Sequence[Sample]):
    """`values` has a value for each field of the first thing, then of the second, and so on. NaN is
    no value: there is no such sample."""

    __slots__ = ("_present", "fields", "things", "values")

    def __init__(
        self, things: Things, values: array[float], fields: Sequence[Field] = PLAIN
    ) -> None:
        if len(values) != len(things) * len(fields):
            raise ValueError(f"{len(values)} values for {len(things)} things, {len(fields)} fields")
        self.things, self.values, self.fields = things, values, tuple(fields)
        self._present: Sequence[int] | None = None

    def present(self) -> Sequence[int]:
        """Where the values are that are there."""
        if self._present is None:
            values = self.values
            found = [i for i, value in enumerate(values) if value == value]
            self._present = range(len(values)) if len(found) == len(values) else found
        return self._present

    def __len__(self) -> int:
        return len(self.present())

    def __iter__(self) -> Iterator[Sample]:
        return map(self._sample, self.present())

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return [self._sample(place) for place in self.present()[index]]
        return self._sample(self.present()[index])

    def _sample(self, place: int) -> Sample:
        thing, number = divmod(place, len(self.fields))
        field = self.fields[number]
        more = (field.label,) if field.label else ()
        return Sample(self.things.labels[thing] + more, self.values[place], field.suffix)


class Joined(Sequence[Sample]):
    """Samples of several columns, one behind the other."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Columns) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Sample]:
        return chain.from_iterable(self.parts)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        return list(self)[index]
