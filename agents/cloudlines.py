"""What the child that looks at clouds prints: JSON, one object a line, each as soon as it is known.

Of every cloud, whenever it answers: `Used` pieces, `Shown` pieces, and `Looked`, which ends them. When all have
answered or were given up: of every cloud `Kept` pieces, then `Shown` pieces of the whole estate, and `Ended`. A
piece is small (`PIECE`), however large a city is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final, TypeVar

import msgspec

from collectors.cloud.model import CloudView, Problem, Use
from collectors.cloud.settings import CloudSource
from collectors.model import Family
from exporters.history.store import Known, Span

PIECE: Final = 1000  # resources, series or uses on one line
PROBLEMS: Final = 20  # told of one cloud in words
ESTATE: Final = ""  # stands for no cloud's name

T = TypeVar("T")


class Used(msgspec.Struct, frozen=True, tag=True):
    """Real use of resources of a cloud, by a look that began at a Unix time; `more` of it follows."""

    cloud: str
    began: float
    uses: tuple[Use, ...]
    more: bool = False


class Shown(msgspec.Struct, frozen=True, tag=True):
    """Families of a cloud, or of the `ESTATE`; a name may come in several pieces."""

    cloud: str
    families: tuple[Family, ...]


class Looked(msgspec.Struct, frozen=True, tag=True):
    """A look at one cloud; `success` unless nothing of it could be seen. `problems` are the first of those
    that `counts` has by part."""

    cloud: str
    success: bool
    began: float
    seconds: float = 0.0
    requests: int = 0
    problems: tuple[Problem, ...] = ()
    counts: Mapping[str, int] = {}


class Kept(msgspec.Struct, frozen=True, tag=True):
    """Resources for the history, each with all of its spans."""

    cloud: str
    began: float
    resources: tuple[Known, ...]
    spans: tuple[Span, ...]


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The round is whole. `problem` is why nobody knows whose everything is, or empty."""

    began: float
    problem: str = ""


Line = Used | Shown | Looked | Kept | Ended


class Printer:
    """Prints what is known, for one thread at a time."""

    def __init__(self, out: BinaryIO, sources: Iterable[CloudSource]) -> None:
        self._out = out
        self._hypervisors = {source.name for source in sources if source.kind == "libvirt"}
        self._told: set[str] = set()  # resources of which use was told
        self._waiting: list[CloudView] = []

    def came(self, view: CloudView, families: Iterable[Family]) -> None:
        """A cloud answered, or was given up. A hypervisor tells more of a server's use than Nova's diagnostics
        do, so these wait for it."""
        self._hypervisors.discard(view.cloud)
        self._waiting.append(view)
        for one in sorted(self._waiting, key=lambda it: it.kind != "libvirt"):
            if one.kind == "libvirt" or not self._hypervisors:
                self._waiting.remove(one)
                self._use(one)
        self._show(view.cloud, families)
        self._print(
            Looked(
                view.cloud,
                view.whole("all"),
                view.began,
                view.seconds,
                view.requests,
                view.problems[:PROBLEMS],
                Counter(problem.part for problem in view.problems),
            )
        )

    def keep(
        self, cloud: str, began: float, resources: Sequence[Known], spans: Iterable[Span]
    ) -> None:
        """For the history."""
        known = {one.id: one for one in resources}
        of: dict[str, list[Span]] = {id: [] for id in known}
        for span in spans:
            of.setdefault(span.resource, []).append(span)
        for ids in _pieces(tuple(of)):
            self._print(
                Kept(
                    cloud,
                    began,
                    tuple(known[id] for id in ids if id in known),
                    tuple(span for id in ids for span in of[id]),
                )
            )

    def end(self, began: float, families: Iterable[Family], problem: str) -> None:
        """Whose everything is, by a round that began at a Unix time; or why that is not known."""
        self._show(ESTATE, families)
        self._print(Ended(began, problem))

    def _use(self, view: CloudView) -> None:
        new = tuple(use for use in view.uses if use.resource not in self._told)
        self._told.update(use.resource for use in new)
        for place, uses in enumerate(_pieces(new), 1):
            self._print(Used(view.cloud, view.began, uses, place * PIECE < len(new)))

    def _show(self, cloud: str, families: Iterable[Family]) -> None:
        for one in families:
            for samples in _pieces(tuple(one.samples)) if one.samples else ((),):
                self._print(Shown(cloud, (Family(one.name, one.kind, one.help, samples),)))

    def _print(self, line: Line) -> None:
        self._out.write(msgspec.json.encode(line) + b"\n")
        if isinstance(line, Looked | Ended):
            self._out.flush()


def _pieces(all: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(all), PIECE):
        yield all[start : start + PIECE]
