"""Pages of waivers. A waiver is asked for in two steps: the form says how much it would cover, and then it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import Select, select

from exporters.console.attest import coverage, texts, waiverlist
from exporters.console.attest.coverage import Group, WaiverScope
from exporters.console.attest.waivers import (
    WaiverAsked,
    WaiverDecision,
    all_requested,
    all_withdrawn,
    approved,
    refused,
    requested,
    withdrawn,
)
from exporters.console.schema import department, host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId, Id
from exporters.console.web.refusals import Invalid
from exporters.console.web.routing import Answer, Page, Redirect, Reply, Shown


class WaiverDraft(msgspec.Struct, frozen=True):
    """What the form was given so far; with `ids` it is about these hits."""

    ids: tuple[BigId, ...] = ()
    rule: str = ""
    hosts: tuple[str, ...] = ()
    instance: str = "*"
    departments: tuple[str, ...] = ()
    reason: str = ""
    owner: str = ""
    expires: str = ""
    bound: bool = True  # to the evidence that the hits show now
    evidence: str = ""


class WaivedHits(msgspec.Struct, frozen=True):
    ids: tuple[BigId, ...] = ()


class WaiverOfHits(msgspec.Struct, frozen=True):
    """One waiver for each rule and instance among the hits."""

    ids: tuple[BigId, ...]
    reason: str
    owner: str
    expires: date
    bound: bool = True


class _One(msgspec.Struct, frozen=True):
    id: Id


class WaiverWithdrawals(msgspec.Struct, frozen=True):
    """`waivers` are ids and versions: 12.3"""

    waivers: tuple[str, ...]
    note: str = ""


def request_of_hits(asker: Asker, given: WaiverOfHits) -> tuple[Any, ...]:
    """Raises Invalid where no hit is left that can be waived."""
    with asker.database.reading() as connection:
        found = coverage.groups(asker, connection, given.ids)
    if not found:
        raise Invalid("waivers.no_hit", "ids")
    return all_requested(asker, [_asked(given, one) for one in found])


def _asked(given: WaiverOfHits, one: Group) -> WaiverAsked:
    return WaiverAsked(
        rule=one.rule,
        hosts=one.hosts,
        reason=given.reason,
        owner=given.owner,
        expires=given.expires,
        instance=one.instance,
        departments=one.departments,
        evidence=one.evidence if given.bound else "",
    )


def _names(asker: Asker, hosts: Iterable[str]) -> dict[str, str]:
    """What those of the hosts that are written as ids are called, where the asker may see them."""
    statement = select(host.c.key, host.c.name).where(host.c.key.in_(sorted(set(hosts))))
    with asker.database.reading() as connection:
        rows = connection.execute(asker.scoped(statement, host.c.department_id)).all()
    return {row.key: row.name for row in rows if row.name}


def _list(asker: Asker, given: waiverlist.WaiverFilter) -> Answer:
    page = waiverlist.listed(asker, given)
    query = {
        key: value for key, value in msgspec.to_builtins(given).items() if value and key != "after"
    }
    names = _names(asker, (one for it in page.waivers for one in it.hosts[:3]))
    context = {
        "names": names,
        "page": page,
        "given": given,
        "states": waiverlist.STATES,
        "query": query,
    }
    return Shown("attest/waivers.html.j2", context)


def _one(asker: Asker, given: _One) -> Answer:
    told = waiverlist.one(asker, given.id)
    scope = WaiverScope(told.rule, told.hosts, told.instance, told.departments)
    context: dict[str, Any] = {"it": told, "covered": coverage.covered(asker, scope)}
    context["names"] = _names(asker, told.hosts)
    return Shown("attest/waiver.html.j2", context | {"rule": asker.services.rules.get(told.rule)})


def _new(asker: Asker, given: WaiverDraft) -> Answer:
    with asker.database.reading() as connection:
        found = coverage.groups(asker, connection, given.ids) if given.ids else ()
        names: Select[Any] = select(department.c.name).order_by(department.c.name)
        departments = connection.execute(asker.scoped(names, department.c.id)).scalars().all()
    covered = None
    if not found and given.rule and given.hosts:
        covered = coverage.covered(
            asker, WaiverScope(given.rule, given.hosts, given.instance, given.departments)
        )
    today = texts.today(asker)
    context: Mapping[str, Any] = {
        "given": given,
        "groups": found,
        "names": _names(asker, (its for one in found for its in one.hosts[:5])),
        "count": sum(len(one.hits) for one in found),
        "covered": covered,
        "departments": departments,
        "first": today.isoformat(),
        "last": (today + texts.LONGEST).isoformat(),
    }
    return Shown("attest/waiver_new.html.j2", context)


def _request(asker: Asker, given: WaiverAsked) -> Answer:
    made = requested(asker, given)
    return Redirect(f"/waivers/{made.id}", "waivers.requested", {"code": made.code})


def _request_of_hits(asker: Asker, given: WaiverOfHits) -> Answer:
    made = request_of_hits(asker, given)
    if len(made) == 1:
        return Redirect(f"/waivers/{made[0].id}", "waivers.requested", {"code": made[0].code})
    return Redirect("/waivers?state=requested", "waivers.requested_many", {"count": len(made)})


def _approve(asker: Asker, given: WaiverDecision) -> Answer:
    approved(asker, given)
    return Redirect(f"/waivers/{given.id}", "waivers.done_approve")


def _refuse(asker: Asker, given: WaiverDecision) -> Answer:
    refused(asker, given)
    return Redirect(f"/waivers/{given.id}", "waivers.done_refuse")


def _withdraw(asker: Asker, given: WaiverDecision) -> Answer:
    withdrawn(asker, given)
    return Redirect(f"/waivers/{given.id}", "waivers.done_withdraw")


def _choose(asker: Asker, given: WaivedHits) -> Answer:
    if len(given.ids) > coverage.MANY:
        raise Invalid("waivers.many_hits", "ids", most=coverage.MANY)
    with asker.database.reading() as connection:
        found = waiverlist.covering(asker, connection, given.ids)
    return Shown("attest/waivers_withdraw.html.j2", {"waivers": found})


def _withdraw_all(asker: Asker, given: WaiverWithdrawals) -> Answer:
    wanted = []
    for one in given.waivers:
        id, _, version = one.partition(".")
        try:
            wanted.append(
                msgspec.convert(
                    {"id": id, "version": version, "note": given.note}, WaiverDecision, strict=False
                )
            )
        except msgspec.ValidationError as error:
            raise Invalid("bad_parameter", "waivers", name="waivers", problem=one[:40]) from error
    all_withdrawn(asker, wanted)
    return Redirect("/waivers?state=withdrawn", "waivers.done_withdraw")


def file(asker: Asker, _: Any) -> Reply:
    return Reply(waiverlist.as_file(asker), "application/yaml", "waivers.yaml")


PAGES: Final = (
    Page("/waivers", "view", _list, waiverlist.WaiverFilter),
    Page("/waivers.yaml", "view", file),
    Page("/waivers/new", "review", _new, WaiverDraft),
    Page("/waivers/new", "review", _new, WaiverDraft, "POST"),
    Page("/waivers", "review", _request, WaiverAsked, "POST"),
    Page("/waivers/of-hits", "review", _request_of_hits, WaiverOfHits, "POST"),
    Page("/waivers/withdraw", "review", _choose, WaivedHits, "POST"),
    Page("/waivers/withdraw-all", "review", _withdraw_all, WaiverWithdrawals, "POST"),
    Page("/waivers/{id}", "view", _one, _One),
    Page("/waivers/{id}/approve", "approve", _approve, WaiverDecision, "POST"),
    Page("/waivers/{id}/refuse", "approve", _refuse, WaiverDecision, "POST"),
    Page("/waivers/{id}/withdraw", "review", _withdraw, WaiverDecision, "POST"),
)
