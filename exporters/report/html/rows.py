"""Resources of a department as rows of its lists: what to give back first, complete up to a cap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from exporters.report import plain
from exporters.report.document import Department
from exporters.report.html import chartsbars
from exporters.report.html.figures import NONE, gib, number, short, size, slot, tib
from exporters.report.html.words import say
from exporters.usage import holdingwords
from exporters.usage.words import ADVICE, STATE
from rules.usagejudgement import Amount, Figures, Judgement
from rules.usagereasons import words

MAX_LIST: Final = 200  # of one list of one department
MAX_ALL: Final = 300  # of the table of all resources of one department
Order = tuple[float | str, ...]
_UNMEASURED: Final = Figures()
LISTS: Final = (("idle", "low", "stopped", "detached"), ("busy",), ("insufficient",), ("exempt",))
CAPS: Final = (MAX_LIST, 100, 60, 40, 30, 20, 15, 10, 8, 5)  # of a list in print
PAPER_ROWS: Final = 450  # of all lists of all departments
FEW: Final = 3
_ADVICE_ORDER: Final = {"reclaim": 0, "shrink": 1, "watch": 2, "grow": 3, "none": 4}


class Row(NamedTuple):
    """One resource in words and numbers, not escaped yet; `strip` is SVG."""

    it: Judgement
    name: str
    id: str
    system: str
    kind: str
    state: str
    advice: str
    size: str
    target: str
    free: str
    cpu: Figures
    memory: Figures
    peak_at: str
    strip: str
    reason: str


class Cut(NamedTuple):
    """The first rows of a list, and how many more there are."""

    rows: Sequence[Row]
    more: int
    total: int


class Lists(NamedTuple):
    due: Cut
    busy: Cut
    insufficient: Cut
    exempt: Cut
    all: Cut


def shared(resources: Iterable[Judgement]) -> frozenset[str]:
    """Names that more than one has: these are shown with their id."""
    counts = Counter(it.name for it in resources)
    return frozenset(name for name, count in counts.items() if count > 1)


def lists(resources: Sequence[Judgement], twice: frozenset[str], language: str) -> Lists:
    """Each resource is in the one list of its state, and in `all`."""

    def those(*states: str) -> list[Judgement]:
        return [it for it in resources if it.state in states]

    def cut(found: list[Judgement], most: int, key: Callable[[Judgement], Order]) -> Cut:
        rows = [row(it, twice, language) for it in sorted(found, key=key)[:most]]
        return Cut(rows, len(found) - len(rows), len(found))

    return Lists(
        cut(those(*LISTS[0]), MAX_LIST, _by_due),
        cut(those(*LISTS[1]), MAX_LIST, _by_use),
        cut(those(*LISTS[2]), MAX_LIST, _by_size),
        cut(those(*LISTS[3]), MAX_LIST, _by_size),
        cut(list(resources), MAX_ALL, _by_size),
    )


def cut(those: Sequence[Judgement], twice: frozenset[str], language: str) -> Cut:
    """Those with the highest use first."""
    rows = [row(it, twice, language) for it in sorted(those, key=_by_use)[:MAX_LIST]]
    return Cut(rows, len(those) - len(rows), len(those))


def on_paper(departments: Sequence[Department]) -> int:
    """How many rows of each list are printed, so that a report on paper has no more than people read. A department alone
    has all of its own."""
    listed = [
        sum(state in states for state in found)
        for one in departments
        for found in [[it.state for it in one.resources]]
        for states in LISTS
    ]
    return next((cap for cap in CAPS if sum(min(it, cap) for it in listed) <= PAPER_ROWS), CAPS[-1])


def few(printed: int) -> int:
    """Of a list that asks for nothing to be done, where lists are cut."""
    return printed if printed == MAX_LIST else min(printed, FEW)


def row(it: Judgement, twice: frozenset[str], language: str) -> Row:
    cpu = it.measured.get("cpu", _UNMEASURED)
    return Row(
        it=it,
        name=plain.name(it.name or it.resource),
        id=plain.name(it.resource) if it.name in twice and it.name != it.resource else "",
        system=plain.name(it.system),
        kind=plain.name(holdingwords.of(holdingwords.KIND, it.kind, language)),
        state=STATE[it.state].of(language),
        advice=ADVICE[it.advice].of(language) if it.advice != "none" else "",
        size=amount(it.granted, language),
        target=amount(it.target, language),
        free=amount(it.free, language),
        cpu=cpu,
        memory=it.measured.get("memory", _UNMEASURED),
        peak_at=slot(cpu.peak_at),
        strip=chartsbars.strip(cpu.p50, cpu.p95, cpu.peak),
        reason=plain.prose(words(it.reasons, language)),
    )


def amount(it: Amount, language: str, disk: bool = True) -> str:
    """`8 vCPU · 16 GiB · 存储 100 GiB`, of what is known; what is not known of a server is `—`."""
    if it == Amount():
        return NONE
    parts: list[str] = []
    if (it.vcpus, it.memory, it.disk) == (0, 0, 0):
        return say("nothing", language)
    if (it.vcpus, it.memory, it.disk) == (0, 0, None):  # a volume
        return f"{say('disk', language)} {NONE}"
    if (it.vcpus, it.memory) not in ((None, None), (0, 0)) or not it.disk:
        parts.append(f"{short(it.vcpus)}\N{NO-BREAK SPACE}vCPU")
        parts.append(NONE if it.memory is None else size(it.memory))
    if disk and it.disk:
        parts.append(f"{say('disk', language)}\N{NO-BREAK SPACE}{size(it.disk)}")
    return " · ".join(parts)


def columns(it: Amount) -> tuple[str, str, str]:
    """vCPU, GiB and TiB, each a number."""
    return short(it.vcpus), gib(it.memory, 1), tib(it.disk, 2)


def four(it: Figures) -> str:
    """Average, P50, P95 and peak."""
    return " / ".join(number(v, 1) for v in (it.average, it.p50, it.p95, it.peak))


def _by_due(it: Judgement) -> Order:
    free = it.free
    return _ADVICE_ORDER[it.advice], -(free.vcpus or 0.0), -(free.disk or 0.0), it.resource


def _by_use(it: Judgement) -> Order:
    cpu = it.measured.get("cpu", _UNMEASURED)
    return -(cpu.p95 or 0.0), it.resource


def _by_size(it: Judgement) -> Order:
    return -(it.granted.vcpus or 0.0), -(it.granted.disk or 0.0), it.resource
