"""The summary in words: what a director has to know, on one page; what is not known is said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from exporters.report.content.figures import known
from exporters.report.content.numbers import (
    UNKNOWN,
    count,
    gib,
    moment,
    month,
    percent,
    quantity,
    signed,
    tib,
    unknown_of,
)
from exporters.report.content.summarywords import WORDS
from exporters.report.content.words import fill, listed
from exporters.report.document import Department, Document, LinesPart, Load, Scope, Showback
from rules.model import Text

NOTHING: Final = Text("", "")
GIB: Final = Text("GiB", "GiB")
TIB: Final = Text("TiB", "TiB")
EACH: Final = Text("个", "")
SOON: Final = 30  # days
MOST: Final = 3  # departments
_MISSED: Final = timedelta(days=1)
_SAID: Final = 0.05  # percent or points that are not 0.0


def summary(document: Document, unassigned: int, lost: int, least_days: float) -> tuple[Text, ...]:
    """Paragraphs. Of a document that is whole but for them; `lost` are not seen in the end."""
    return tuple(_paragraphs(document, unassigned, lost, least_days))


def _paragraphs(
    document: Document, unassigned: int, lost: int, least_days: float
) -> Iterator[Text]:
    scope = document.scope
    if scope.under_way:
        yield _say("under_way", until=moment(scope.until))
    if scope.days < least_days:
        yield _say("few_days", days=scope.days, whole=scope.days_in_month)
    since, until = seen(scope)
    if since - scope.since > _MISSED or scope.until - until > _MISSED:
        yield _say("part_of_month", since=moment(since), until=moment(until))
    yield _scale(document, lost)
    yield _use(document)
    if ranked := [it for it in document.departments if it.rank and it.waste]:
        yield _joined([_waste(ranked), *_risen(document.departments)])
    yield _advice(document)
    if held := [*_held(document), *_exempt(document)]:
        yield _joined(held)
    yield _say(
        "unjudged",
        insufficient=count(document.estate.states.get("insufficient", 0)),
        unassigned=count(unassigned),
    )
    if parts := list(_parts(document)):
        yield _joined(parts)
    yield _say("note")


def seen(scope: Scope) -> tuple[datetime, datetime]:
    """Of which time of the month (so far) the source can have anything."""
    since, until = scope.source.since or scope.since, scope.source.until or scope.until
    return max(since, scope.since), min(until, scope.until)


def _when(scope: Scope) -> Text:
    """Of when it is known what was held: when the month ended, or else the last that is known."""
    until = seen(scope)[1]
    if scope.under_way or scope.until - until > _MISSED:
        return _say("when_seen", until=moment(until))
    return _say("when")


def _scale(document: Document, lost: int) -> Text:
    granted, kinds = document.estate.granted, document.estate.kinds
    unknown = unknown_of(granted)
    vcpus = document.estate.capacity[0]
    share = next((it.value for it in document.figures if it.key == "granted"), None)
    capacity = _say("capacity_unknown")
    if vcpus.untold:
        capacity = _say("capacity_partly", n=count(len(vcpus.untold)))
    if vcpus.usable is not None:
        capacity = _say("capacity", usable=count(vcpus.usable), share=percent(share))
    city = document.scope.city
    systems = {(d.name, s.name) for d in document.departments for s in d.systems if s.name}
    return _say(
        "scale",
        month=month(document.scope.month),
        when=_when(document.scope),
        city=Text(city, f" in {city}" if city else ""),
        departments=count(sum(1 for it in document.departments if it.name)),
        systems=count(len(systems)),
        servers=count(kinds.get("server", 0)),
        volumes=count(kinds.get("volume", 0)),
        vcpus=quantity(count(known(granted.vcpus)), EACH),
        memory=quantity(gib(known(granted.memory)), GIB),
        disk=quantity(tib(known(granted.disk)), TIB),
        unsized=_say("unsized", n=count(unknown)) if unknown else NOTHING,
        lost=_say("lost", n=count(lost)) if lost else NOTHING,
        capacity=capacity,
    )


def _use(document: Document) -> Text:
    load = document.estate.load
    if load.average is None:
        return _say("use_unknown")
    before = next((it.before for it in document.figures if it.key == "cpu"), None)
    granted = sum(it.granted_core_hours for it in document.departments)
    missing = granted - sum(it.known_core_hours for it in document.departments)
    share = 100 * missing / granted if granted else 0.0
    unknown = NOTHING
    if share >= _SAID:
        unknown = _say("not_counted", hours=count(round(missing)), share=percent(share))
    change = _say("no_change")
    if before is not None:
        change = _say("change", points=signed(load.average - before))
    return _say(
        "use",
        average=percent(load.average),
        change=change,
        quantiles=_quantiles(load),
        hours=_hours(load),
        coverage=percent(document.scope.coverage),
        unknown=unknown,
    )


def _quantiles(load: Load) -> Text:
    if load.p95 is None:
        return NOTHING
    return _say(
        "quantiles",
        p50=percent(load.p50),
        p95=percent(load.p95),
        peak=percent(load.peak),
        at=moment(load.peak_at),
    )


def _hours(load: Load) -> Text:
    if load.work is None and load.off is None:
        return NOTHING
    return _say("hours", work=percent(load.work), off=percent(load.off))


def _waste(ranked: Sequence[Department]) -> Text:
    told = [
        _say(
            "waste_one",
            name=it.name,
            hours=count(round(it.waste or 0)),
            percent=percent(it.load.average),
        )
        for it in ranked[:MOST]
    ]
    return _say("waste", departments=listed(told))


def _risen(departments: Sequence[Department]) -> Iterator[Text]:
    changes = [(it.change, it.name) for it in departments if it.name and it.change is not None]
    if changes:
        points, name = max(changes, key=lambda it: abs(it[0]))
        if abs(points) >= _SAID:
            yield _say("risen", name=name, points=signed(points))


def _advice(document: Document) -> Text:
    due = document.estate.due
    advice = {
        name: sum(it.advice.get(name, 0) for it in document.departments)
        + sum(it.advice == name for it in document.estate.hosts)
        for name in ("reclaim", "shrink", "watch", "grow")
    }
    unknown = unknown_of(due)
    return _say(
        "advice",
        **{name: count(number) for name, number in advice.items()},
        vcpus=quantity(count(known(due.vcpus)), EACH),
        memory=quantity(gib(known(due.memory)), GIB),
        disk=quantity(tib(known(due.disk)), TIB),
        unknown=_say("due_unknown", n=count(unknown)) if unknown else NOTHING,
    )


def _held(document: Document) -> Iterator[Text]:
    if document.held:
        yield _say(
            "held",
            servers=count(sum(it.kind == "server" for it in document.held)),
            volumes=count(sum(it.kind == "volume" for it in document.held)),
            due=count(sum(it.due for it in document.held)),
        )


def _exempt(document: Document) -> Iterator[Text]:
    if document.exemptions:
        left = [it.days_left for it in document.exemptions]
        yield _say(
            "exempt",
            n=count(len(left)),
            soon=count(sum(0 <= days <= SOON for days in left)),
            expired=count(sum(days < 0 for days in left)),
        )


def _parts(document: Document) -> Iterator[Text]:
    if found := document.follow_ups:
        yield _say(
            "saved",
            rows=count(len(found.rows)),
            now=count(found.realised.vcpus),
            ever=count(found.realised_total.vcpus),
        )
    if cost := document.showback:
        yield _say(
            "cost",
            granted=_money(cost.granted_cost),
            use=_cost_of_use(cost),
            currency=cost.currency,
            unpriced=NOTHING if cost.complete else _say("unpriced"),
            days=_days_of(cost),
        )
    if document.lines:
        yield _lines(document.lines)
    if ipv6 := document.ipv6:
        change = NOTHING
        if ipv6.score is not None and ipv6.before is not None:
            change = _say("change", points=signed(ipv6.score - ipv6.before))
        yield _say("ipv6", score="?" if ipv6.score is None else f"{ipv6.score:.1f}", change=change)
    if baseline := document.baseline:
        hits = [it.open_hits for it in baseline.departments if it.open_hits is not None]
        blind = len(baseline.departments) - len(hits)
        yield _say(
            "baseline",
            audited=count(sum(it.audited for it in baseline.departments)),
            hosts=count(sum(it.hosts for it in baseline.departments)),
            hits=quantity(count(sum(hits) if hits else None), EACH),
            blind=_say("blind", n=count(blind)) if hits and blind else NOTHING,
        )


def _lines(part: LinesPart) -> Text:
    """A line that nobody judged has not passed."""
    every, measured, met, missed = (
        sum(getattr(it, key) for it in part.levels)
        for key in ("lines", "measured", "met", "missed")
    )
    judged, left = met + missed, every - met - missed
    told = NOTHING
    if judged:
        told = _say("lines_judged", judged=count(judged), met=count(met), missed=count(missed))
    if left:
        more = _say("lines_left" if judged else "lines_none", left=count(left))
        told = listed([told, more], "", "")
    return _say("lines", lines=count(every), measured=count(measured), judged=told)


def _cost_of_use(cost: Showback) -> Text:
    """What was used is a part of what has known use, and of that alone."""
    if not cost.known_cost and cost.granted_cost != 0:
        return _say("cost_use_unknown")
    return _say(
        "cost_use",
        known=_money(cost.known_cost),
        used=_money(cost.used_cost),
        currency=cost.currency,
        rest=NOTHING if cost.known_cost == cost.granted_cost else _say("cost_rest_unknown"),
    )


def _days_of(cost: Showback) -> Text:
    if cost.days is None or cost.days_in_month is None:
        return NOTHING
    days, whole = round(cost.days, 1), round(cost.days_in_month, 1)
    return _say("cost_days", days=f"{days:g}", whole=f"{whole:g}") if days < whole else NOTHING


def _money(value: float | None) -> str:
    return "?" if value is None else f"{value:,.2f}"


def _joined(parts: Sequence[Text]) -> Text:
    return listed(list(parts), "", " ")


def _say(key: str, **values: object) -> Text:
    """What is not known is said in words."""
    told = {k: _say("unknown") if value == UNKNOWN else value for k, value in values.items()}
    return fill(WORDS[key], **told)
