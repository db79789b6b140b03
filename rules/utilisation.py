"""Judges how a resource is used, by its months: idle, low, busy, and what to do about it. Pure.

Thresholds are parameters of the pack `utilisation`; docs/usage.md says what is claimed and what never is.
Months count in a row while one follows the other, each shows the same, and one department held it throughout:
a month that was exempt, or of which too little is known, ends the row. A month that is not over is in no row,
and nothing but to watch is advised by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta, timezone, tzinfo
from typing import Final

from rules import usagesize
from rules.exemptions import Exemption, Exemptions
from rules.usagefigures import figures
from rules.usagejudgement import NOTHING, Advice, Amount, Exempted, Judgement, Reason, State
from rules.usagemodel import ResourceUse
from rules.usagemonth import DAY, Month, Value, day, days, look
from rules.usagethresholds import Thresholds

CHINA: Final = timezone(timedelta(hours=8))
NOBODY: Final = Exemptions()
FIGURES: Final = ("cpu", "memory", "steal", "network")


def judge(
    history: Sequence[ResourceUse],
    thresholds: Thresholds,
    exemptions: Exemptions,
    on: date,
    zone: tzinfo = CHINA,
) -> Judgement:
    """One resource: its months, oldest first; the last is judged. `on` is the day that exemptions are held
    against, and `zone` that of days in reasons."""
    use = history[-1]
    month = look(use, thresholds, zone)
    scope = exemptions.of(use) if month.state not in ("insufficient", "right-sized") else ()
    exemption = _exemption(scope, month.state, on)
    row = _row(history, month, thresholds, exemptions, zone)
    size = _size(use)
    target = _target(use, size, month, row, thresholds)
    advice = _advice(use, size, target, month, len(row), thresholds)
    free = _free(use, size, target, month)
    reasons = [*month.reasons, *_notes(use, month, size, target, len(row), zone)]
    exempt = exemption is not None and exemption.in_force
    if exemption is not None:
        code = "exempt" if exempt else "exemption_expired"
        reasons.append(Reason(code, text=_told(exemption)))
    used = {n: month.values[n].value for n in FIGURES if n in month.values}
    if month.coverage is not None:
        used["coverage"] = month.coverage
    return Judgement(
        resource=use.resource,
        name=use.name,
        kind=use.kind,
        month=use.month,
        state="exempt" if exempt else month.state,
        found=month.state,
        advice="none" if exempt else advice,
        months=len(row),
        reasons=tuple(reasons),
        department=use.department,
        system=use.system,
        region=use.region,
        environment=use.environment,
        attribution=use.attribution,
        project=use.project,
        granted=size,
        target=Amount() if exempt else target,
        free=NOTHING if exempt else free,
        figures=used,
        measured=figures(use, zone),
        exemption=exemption,
        seen=month.seen,
    )


def _size(use: ResourceUse) -> Amount:
    """What is held: a volume has neither CPUs nor memory, and what was released nothing."""
    if use.state == "released":
        return NOTHING
    size = usagesize.granted(use.vcpus, use.memory, use.disk)
    return Amount(0.0, 0, size.disk) if use.kind == "volume" else size


def _exemption(scope: Sequence[Exemption], state: State, on: date) -> Exempted | None:
    """The one in force that ends last, else the one that expired last."""
    fitting = [one for one in scope if state in one.states]
    if not fitting:
        return None
    one = max(fitting, key=lambda it: it.expires)
    left = (one.expires - on).days
    return Exempted(one.id, one.reason, one.owner, one.approver, one.expires, left, left >= 0)


def _told(one: Exempted) -> str:
    return f"{one.id}: {one.reason}; {one.owner}, {one.expires.isoformat()}"


def _row(
    history: Sequence[ResourceUse],
    last: Month,
    limits: Thresholds,
    exemptions: Exemptions,
    zone: tzinfo,
) -> list[Month]:
    """The months in a row that show what the last one does, the last first."""
    if last.state == "insufficient":
        return []
    row, use = [last], history[-1]
    if use.under_way:
        return row
    for before in reversed(history[:-1]):
        apart = abs(use.since - before.until)
        # who has it since the month began has it throughout
        moved = use.moved or any(at > before.since for at in before.moved)
        if moved or before.department != use.department or not apart <= DAY:
            break
        month = look(before, limits, zone)
        if last.state not in month.claims:
            break
        if _was_exempt(before, last.state, exemptions, zone):
            break
        row.append(month)
        use = before
    return row


def _was_exempt(use: ResourceUse, state: State, exemptions: Exemptions, zone: tzinfo) -> bool:
    """Whether it was exempt on the last day of a month."""
    ends = [it.expires for it in exemptions.of(use) if state in it.states]
    return bool(ends) and max(ends).isoformat() >= day(use.until - 1, zone)


def _target(
    use: ResourceUse, size: Amount, month: Month, row: Sequence[Month], limits: Thresholds
) -> Amount:
    """By the highest use of the months in the row. Only servers come in sizes of flavours."""
    if use.kind != "server":
        return Amount()
    if month.state == "low":
        cpu = max(one.values["cpu"].high for one in row)
        seen = [one.values.get("memory") for one in row]
        known: list[Value] = [value for value in seen if value]
        if len(known) < len(seen):
            known = []  # of some month nobody knows
        memory = max((value.high for value in known), default=None)
        peak = max((value.maximum for value in known), default=None)
        return usagesize.smaller(size, cpu, memory, peak, limits)
    if month.state == "busy" and month.busy_by != {"steal"}:
        wanted = {n: month.values[n].high for n in ("cpu", "memory") if n in month.busy_by}
        return usagesize.larger(size, wanted.get("cpu"), wanted.get("memory"), limits)
    return Amount()


def _advice(
    use: ResourceUse,
    size: Amount,
    target: Amount,
    month: Month,
    months: int,
    limits: Thresholds,
) -> Advice:
    """What to do. A machine itself is nothing that was granted: somebody looks at it, no more."""
    state = month.state
    if state not in ("idle", "low", "busy", "stopped", "detached"):
        return "none"
    if use.kind == "host" or use.under_way:
        return "watch"
    if state in ("stopped", "detached"):
        # it is known by days how long; who has just got it is asked first
        return "watch" if use.moved else "reclaim"
    if state == "idle":
        return "reclaim" if months >= limits.reclaim_months and not use.moved else "watch"
    if state == "low":
        free = usagesize.between(size, target)
        if target == Amount() or use.kind != "server":
            return "watch"
        if not free.vcpus and not free.memory:
            return "none"
        return "shrink" if months >= limits.shrink_months and not use.moved else "watch"
    grown = target != Amount() and use.stopped_since is None
    return "grow" if grown and months >= limits.grow_months else "watch"


def _free(use: ResourceUse, size: Amount, target: Amount, month: Month) -> Amount:
    """What would come free. Of what could not be judged that is not known, and of a machine itself nothing."""
    if use.kind == "host" or use.state == "released":
        return NOTHING
    if month.state == "insufficient":
        return Amount()
    if use.kind == "volume":
        return size if month.state == "detached" else NOTHING
    if month.state in ("idle", "stopped"):
        return size
    return usagesize.between(size, target) if month.state == "low" else NOTHING


def _notes(
    use: ResourceUse, month: Month, size: Amount, target: Amount, months: int, zone: tzinfo
) -> list[Reason]:
    """What people should know beside the figures."""
    notes: list[Reason] = []
    if month.state == "busy" and month.busy_by == {"steal"}:
        notes.append(Reason("host_contended"))
    if month.state in ("low", "busy") and use.kind == "server" and size.vcpus is None:
        notes.append(Reason("size_unknown"))
    if month.state == "low" and target != Amount():
        free = usagesize.between(size, target)
        if target.memory is None and size.memory is not None and "memory" in month.values:
            notes.append(Reason("memory_gap"))
        elif not free.vcpus and not free.memory:
            notes.append(Reason("smallest"))
    if use.kind == "host" and month.state in ("idle", "low", "busy"):
        notes.append(Reason("machine"))
    if use.under_way:
        if month.state != "insufficient":
            notes.append(Reason("under_way", days(use.since, use.until)))
    elif months and month.state not in ("right-sized", "in-use"):
        notes.append(Reason("months", months))
    if use.moved:
        notes.append(Reason("moved", text=day(use.moved[-1], zone)))
    return notes
