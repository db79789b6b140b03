"""Columns of the table of resources: what each is, how it was judged, and all that was measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporters.report.amountcolumns import amounts, named
from exporters.report.columns import Column, Table, Value, parsed
from exporters.report.document import Document
from exporters.usage.holdingwords import ENVIRONMENT, HOW, KIND, of
from exporters.usage.words import ADVICE, STATE
from rules.model import Text
from rules.usagejudgement import Amount, Figures, Judgement
from rules.usagereasons import words

DUE: Final = ("reclaim", "shrink")


def counted(one: Judgement) -> bool:
    """Whether it is in the sums of what is granted: machines themselves and what was released are not."""
    return one.kind != "host" and not any(it.code == "released" for it in one.reasons)


def due(one: Judgement) -> Amount:
    """What is to come free: nothing, known to be so, where nothing is advised."""
    return one.free if one.advice in DUE else Amount(0.0, 0, 0)


def _measured(metric: str) -> tuple[Column[Judgement], ...]:
    def part(key: str) -> Column[Judgement]:
        name = "coverage" if (metric, key) == ("cpu", "coverage") else f"{metric}_{key}"
        return Column(name, "percent", lambda it, _: _figure(it.measured.get(metric), key))

    at: Column[Judgement] = Column(
        f"{metric}_peak_at",
        "moment",
        lambda it, _: parsed(it.measured[metric].peak_at) if metric in it.measured else None,
    )
    return (
        *map(part, ("average", "p50", "p95", "peak")),
        at,
        *map(part, ("work", "off", "coverage")),
    )


def _figure(one: Figures | None, part: str) -> float | None:
    found: float | None = None if one is None else getattr(one, part)
    return found


def _kilo(metric: str, part: str) -> Column[Judgement]:
    def value(it: Judgement, _: str) -> Value:
        found = _figure(it.measured.get(metric), part)
        return None if found is None else found / 1000

    return Column(f"{metric}_{part}", "amount", value)


def _network(one: Judgement) -> float | None:
    found = one.figures.get("network")
    return None if found is None else found / 1000


def _estimated(one: Judgement) -> bool:
    return any(it.estimated for it in one.measured.values())


_RESOURCE: Final[tuple[Column[Judgement], ...]] = (
    Column("resource", "text", lambda it, _: it.resource, width=24),
    Column("name", "text", lambda it, _: it.name),
    Column("kind", "text", lambda it, language: of(KIND, it.kind, language), width=9),
    named(lambda it: it.department),
    Column("system", "text", lambda it, _: it.system),
    Column("region", "text", lambda it, _: it.region, width=10),
    Column("environment", "text", lambda it, lang: of(ENVIRONMENT, it.environment, lang), width=9),
    Column("project", "text", lambda it, _: it.project, width=12),
    Column("attribution", "text", lambda it, language: of(HOW, it.attribution, language), width=12),
    Column("state", "text", lambda it, _: STATE[it.state], width=10),
    Column("found", "text", lambda it, _: STATE[it.found], width=12),
    Column("advice", "text", lambda it, _: ADVICE[it.advice], width=8),
    Column("months", "count", lambda it, _: it.months),
    Column("reason", "long", lambda it, language: words(it.reasons, language)),
)
RESOURCES: Final[Table[Judgement]] = Table(
    "resources",
    Text("资源明细", "Resources"),
    "a resource; sums of departments are of those that are `counted`",
    (
        *_RESOURCE,
        Column("counted", "text", lambda it, _: counted(it), width=9),
        *amounts("granted", lambda it: it.granted),
        *amounts("target", lambda it: it.target, disk=False),
        *amounts("free", lambda it: it.free),
        *amounts("due", due),
        *_measured("cpu"),
        *_measured("memory"),
        Column("steal_p95", "percent", lambda it, _: it.figures.get("steal")),
        Column("network", "amount", lambda it, _: _network(it)),
        *(_kilo("net_rx", part) for part in ("average", "p95", "peak")),
        *(_kilo("net_tx", part) for part in ("average", "p95", "peak")),
        Column("estimated", "text", lambda it, _: _estimated(it), width=9),
        Column("exemption", "text", lambda it, _: _exempted(it, "id"), width=10),
        Column("exemption_reason", "text", lambda it, _: _exempted(it, "reason")),
        Column("owner", "text", lambda it, _: _exempted(it, "owner"), width=10),
        Column("approver", "text", lambda it, _: _exempted(it, "approver"), width=10),
        Column("expires", "date", lambda it, _: _exempted(it, "expires")),
        Column("seen", "text", lambda it, _: it.seen, width=9),
    ),
    lambda document: every(document),
)


def _exempted(one: Judgement, part: str) -> Value:
    found: Value = None if one.exemption is None else getattr(one.exemption, part)
    return found


def every(document: Document) -> Iterator[Judgement]:
    for one in document.departments:
        yield from one.resources
    yield from document.estate.hosts
