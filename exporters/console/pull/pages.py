"""Pages of the fleet: agents, one agent, targets, enrolment."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from exporters.console.pull import enrolling, fleet, targetlist
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Nothing, Page, Redirect, Shown

_PARTS: Final = {
    "waiting": "fleet.enrol.waiting",
    "enrolled": "fleet.enrol.enrolled",
    "arrived": "fleet.enrol.arrived",
    "expired": "fleet.enrol.expired",
}


class _Revoke(msgspec.Struct, frozen=True):
    """`token` is the number of the token, `id` of the host whose page it is on."""

    id: fleet.Id
    token: fleet.Id


def _agents(asker: Asker, given: fleet.AgentsQuery) -> Answer:
    found = fleet.agents(asker, given)
    return Shown(
        "fleet/agents.html.j2",
        {
            "found": found,
            "given": given,
            "summary": fleet.summary(asker),
            "departments": fleet.departments(asker),
            "next": _next("/fleet", given, found.next),
        },
    )


def _agent(asker: Asker, given: fleet.Which) -> Answer:
    return Shown("fleet/agent.html.j2", {"it": fleet.agent(asker, given)})


def _targets(asker: Asker, given: targetlist.TargetsQuery) -> Answer:
    found = targetlist.targets(asker, given)
    return Shown(
        "fleet/targets.html.j2",
        {
            "found": found,
            "given": given,
            "summary": fleet.summary(asker),
            "next": _next("/fleet/targets", given, found.next),
        },
    )


def _revoke(asker: Asker, given: _Revoke) -> Answer:
    fleet.revoke(asker, fleet.Which(given.token))
    return Redirect(f"/fleet/{given.id}", "fleet.revoked")


def _form(asker: Asker, _: Nothing) -> Answer:
    return Shown("fleet/enrol.html.j2", {"departments": fleet.departments(asker)})


def _enrol(asker: Asker, given: enrolling.Enrol) -> Answer:
    """The line is shown once, by this answer alone: it is not kept anywhere."""
    made = enrolling.create(asker, given)
    state = enrolling.state(asker, enrolling.Which(made.id))
    return Shown("fleet/enrolment.html.j2", {"made": made, "state": state, "parts": _PARTS})


def _waiting(asker: Asker, given: enrolling.Which) -> Answer:
    state = enrolling.state(asker, given)
    return Shown("fleet/enrolment.html.j2", {"made": None, "state": state, "parts": _PARTS})


def _part(asker: Asker, given: enrolling.Which) -> Answer:
    state = enrolling.state(asker, given)
    return Shown("fleet/enrolment_state.html.j2", {"state": state, "parts": _PARTS})


def _next(path: str, given: msgspec.Struct, after: int | str | None) -> str:
    """The address of the next page; empty where there is none."""
    if after in (None, ""):
        return ""
    values = {**msgspec.structs.asdict(given), "after": after}
    kept = {name: value for name, value in values.items() if value not in (None, "")}
    if kept.get("limit") == targetlist.PAGE:
        del kept["limit"]
    return f"{path}?{urlencode(kept)}"


PAGES: Final = (
    Page("/fleet", "view", _agents, fleet.AgentsQuery),
    Page("/fleet/targets", "view", _targets, targetlist.TargetsQuery),
    Page("/fleet/enrol", "administer", _form),
    Page("/fleet/enrol", "administer", _enrol, enrolling.Enrol, "POST"),
    Page("/fleet/enrol/{id}", "administer", _waiting, enrolling.Which),
    Page("/fleet/enrol/{id}/state", "administer", _part, enrolling.Which, polled=True),
    Page("/fleet/{id}", "view", _agent, fleet.Which),
    Page("/fleet/{id}/revoke", "administer", _revoke, _Revoke, "POST"),
)
