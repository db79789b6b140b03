"""Judgements of use as a table for a terminal, as JSON, and as CSV for spreadsheets.

JSON is an object a resource with all keys of `document`, null where something is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral
from exporters.report import sheet
from exporters.usage.amounts import department, gib, plain, short, tib
from exporters.usage.holdingwords import ENVIRONMENT, KIND, of
from exporters.usage.words import ADVICE, STATE, say
from rules.usagejudgement import Advice, Amount, Figures, Judgement, State
from rules.usagereasons import words

METRICS: Final = ("cpu", "memory", "steal", "disk", "net_rx", "net_tx")
MAX_CELL: Final = 30  # columns
MAX_REASON: Final = 120
URGENT: Final[tuple[Advice, ...]] = ("reclaim", "grow", "shrink", "watch", "none")
_FIGURES: Final = ("cpu", "memory", "steal", "network", "coverage")
_MEASURED: Final = tuple(
    (metric, part)
    for metric in ("cpu", "memory")
    for part in ("average", "p50", "peak", "peak_at", "work", "off")
) + tuple((metric, part) for metric in ("net_rx", "net_tx") for part in ("average", "p95", "peak"))
_STATES: Final[dict[State, int]] = {state: n for n, state in enumerate(STATE)}
_COLUMNS: Final = (
    *("name", "department", "system", "state", "advice", "months"),
    *("granted", "target", "cpu_use", "cpu_hours", "memory_use", "reason"),
)
_HEADS: Final = (
    *("resource", "name", "kind", "department", "system", "region", "environment", "month"),
    *("state", "found", "advice", "months", "reason"),
    *("granted_vcpus", "granted_memory", "granted_disk", "target_vcpus", "target_memory"),
    *("free_vcpus", "free_memory", "free_disk", *_FIGURES),
    *("exemption", "exemption_reason", "exemption_owner", "exemption_expires"),
)


def ordered(judgements: Iterable[Judgement]) -> list[Judgement]:
    """What there is to do first, then by state, department and name."""
    return sorted(
        judgements,
        key=lambda it: (
            *(URGENT.index(it.advice), _STATES[it.state], not it.department),
            *(it.department, it.name, it.resource),
        ),
    )


def table(judgements: Iterable[Judgement], language: str) -> str:
    """One line a resource."""
    rows = [_line(one, language) for one in ordered(judgements)]
    if not rows:
        return say("nothing", language)
    return "\n".join(aligned([[say(head, language) for head in _COLUMNS], *rows]))


def documents(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """For JSON, in the order given."""
    return [document(one) for one in judgements]


def document(one: Judgement) -> dict[str, Any]:
    """Bytes, percent, bytes/s; `reasons` as data (code, value, limit, text, estimated), and in words."""
    return {
        "resource": one.resource,
        "name": one.name,
        "kind": one.kind,
        "month": one.month,
        "department": one.department or None,
        "system": one.system or None,
        "region": one.region or None,
        "environment": one.environment or None,
        "attribution": one.attribution,
        "project": one.project or None,
        "state": one.state,
        "found": one.found,
        "advice": one.advice,
        "months": one.months,
        "reason_zh": words(one.reasons, "zh"),
        "reason_en": words(one.reasons, "en"),
        "reasons": msgspec.to_builtins(one.reasons),
        "granted": _amount(one.granted),
        "target": {"vcpus": one.target.vcpus, "memory": one.target.memory},
        "reclaimable": _amount(one.free),
        "p95": {name: one.figures.get(name) for name in ("cpu", "memory", "steal", "network")},
        "coverage": one.figures.get("coverage"),
        "measured": {name: _measured(one.measured.get(name)) for name in METRICS},
        "exemption": msgspec.to_builtins(one.exemption) if one.exemption else None,
        "seen": one.seen,
    }


def table_csv(judgements: Iterable[Judgement], language: str) -> bytes:
    """One row a resource; cells of what is not known are empty."""
    heads = [say(head, language) for head in _HEADS]
    heads += [
        f"{say(f'of_{metric}', language)} {say(part, language)}" for metric, part in _MEASURED
    ]
    return sheet.table(heads, (_cells(one, language) for one in ordered(judgements)))


def _line(one: Judgement, language: str) -> Sequence[str]:
    return (
        cut(neutral(one.name or one.resource), MAX_CELL),
        cut(neutral(department(one.department, language)), MAX_CELL),
        cut(neutral(one.system), MAX_CELL),
        STATE[one.state].of(language),
        ADVICE[one.advice].of(language),
        str(one.months) if one.months else "",
        short(one.granted),
        short(one.target),
        _use(one.measured.get("cpu"), at=True),
        _hours(one.measured.get("cpu")),
        _use(one.measured.get("memory")),
        cut(neutral(words(one.reasons, language)), MAX_REASON),
    )


def _cells(one: Judgement, language: str) -> list[sheet.Cell]:
    exemption, network = one.exemption, one.figures.get("network")
    figures = {**one.figures, "network": None if network is None else network / 1000}
    expired = "" if exemption is None or exemption.in_force else say("expired", language)
    return [
        one.resource,
        one.name,
        of(KIND, one.kind, language),
        department(one.department, language),
        one.system,
        one.region,
        of(ENVIRONMENT, one.environment, language),
        one.month,
        STATE[one.state].of(language),
        STATE[one.found].of(language) if one.found != one.state else "",
        ADVICE[one.advice].of(language),
        one.months,
        words(one.reasons, language),
        *(plain(one.granted.vcpus), plain(gib(one.granted.memory)), plain(tib(one.granted.disk))),
        *(plain(one.target.vcpus), plain(gib(one.target.memory))),
        *(plain(one.free.vcpus), plain(gib(one.free.memory)), plain(tib(one.free.disk))),
        *(figures.get(name) for name in _FIGURES),
        *((exemption.id, exemption.reason, exemption.owner) if exemption else ("", "", "")),
        f"{exemption.expires.isoformat()}{expired}" if exemption else "",
        *(_cell(one.measured.get(metric), metric, part) for metric, part in _MEASURED),
    ]


def _cell(one: Figures | None, metric: str, part: str) -> sheet.Cell:
    value = getattr(one, part) if one else None
    if isinstance(value, float) and metric in ("net_rx", "net_tx"):
        return value / 1000
    return "" if value is None else value


def _measured(one: Figures | None) -> dict[str, Any] | None:
    return {**msgspec.to_builtins(one), "peak_at": one.peak_at or None} if one else None


def _use(one: Figures | None, at: bool = False) -> str:
    """Average, P50, P95 and peak, and when that was; empty where nothing was measured."""
    if one is None:
        return ""
    text = "/".join(map(_percent, (one.average, one.p50, one.p95, one.peak)))
    return f"{text} {one.peak_at[5:16].replace('T', ' ')}" if at and one.peak_at else text


def _hours(one: Figures | None) -> str:
    return f"{_percent(one.work)}/{_percent(one.off)}" if one else ""


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _amount(amount: Amount) -> dict[str, float | int | None]:
    return {"vcpus": amount.vcpus, "memory": amount.memory, "disk": amount.disk}
