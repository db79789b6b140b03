"""The API of the fleet: agents and targets, enrolment, and what agents call."""

from __future__ import annotations

from typing import Final

from exporters.console.intake import decode
from exporters.console.intake.arrived import Taken
from exporters.console.pull import enrolling, fleet, pushing, targetlist, tokens
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Nothing, Operation


def _summary(asker: Asker, _: Nothing) -> fleet.Summary:
    return fleet.summary(asker)


OPERATIONS: Final = (
    Operation("fleet.list", "GET", "/fleet", "view", fleet.agents, fleet.AgentsQuery, fleet.Agents),
    Operation("fleet.summary", "GET", "/fleet/summary", "view", _summary, gives=fleet.Summary),
    Operation(
        *("fleet.targets", "GET", "/fleet/targets", "view", targetlist.targets),
        takes=targetlist.TargetsQuery,
        gives=targetlist.Targets,
    ),
    Operation(
        *("fleet.get", "GET", "/fleet/{id}", "view", fleet.agent),
        takes=fleet.Which,
        gives=fleet.AgentView,
    ),
    Operation(
        *("fleet.revoke", "POST", "/fleet/tokens/{id}/revoke", "administer", fleet.revoke),
        takes=fleet.Which,
        gives=fleet.Revoked,
    ),
    Operation(
        *("enrolments.create", "POST", "/enrolments", "administer", enrolling.create),
        takes=enrolling.Enrol,
        gives=enrolling.Line,
    ),
    Operation(
        *("enrolments.get", "GET", "/enrolments/{id}", "administer", enrolling.state),
        takes=enrolling.Which,
        gives=enrolling.State,
    ),
    Operation(
        *("agents.enrol", "POST", "/enrol", "agent", enrolling.enrol),
        takes=enrolling.Enrolling,
        gives=enrolling.Enrolled,
        body_limit=1 << 14,
    ),
    Operation(
        *("agents.authority", "GET", "/authority", "open", enrolling.authority),
        gives=enrolling.Authority,
    ),
    Operation(
        *("agents.push", "POST", "/findings", "agent", pushing.push),
        takes=pushing.Pushed,
        gives=Taken,
        body_limit=decode.MAX_BYTES,
        admits=tokens.known,
        raw="content",
    ),
    Operation(
        *("agents.alive", "POST", "/alive", "agent", pushing.alive),
        takes=pushing.Alive,
        gives=pushing.Wanted,
        body_limit=1 << 14,
    ),
)
