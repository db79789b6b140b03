"""The tables of the console, the same on SQLite and PostgreSQL; migrations/ makes them."""

from __future__ import annotations

from exporters.console.schema.agents import (
    department,
    host,
    host_pack,
    line,
    rule,
    rule_clause,
    rule_pack,
    unjudged,
)
from exporters.console.schema.asked import agent_token, enrolment, target
from exporters.console.schema.base import BigId, metadata
from exporters.console.schema.decisions import (
    attachment,
    attestation,
    waiver,
    waiver_department,
    waiver_host,
    window,
    window_department,
    window_host,
)
from exporters.console.schema.hits import hit, hit_event
from exporters.console.schema.logged import log
from exporters.console.schema.people import (
    api_token,
    password_history,
    recovery_code,
    saved_view,
    session,
    user,
)
from exporters.console.schema.tallies import day_tally, hit_tally, host_tally, outcome_tally
from exporters.console.schema.telling import lease, message, setting

__all__ = [
    "BigId",
    "agent_token",
    "api_token",
    "attachment",
    "attestation",
    "day_tally",
    "department",
    "enrolment",
    "hit",
    "hit_event",
    "hit_tally",
    "host",
    "host_pack",
    "host_tally",
    "lease",
    "line",
    "log",
    "message",
    "metadata",
    "outcome_tally",
    "password_history",
    "recovery_code",
    "rule",
    "rule_clause",
    "rule_pack",
    "saved_view",
    "session",
    "setting",
    "target",
    "unjudged",
    "user",
    "waiver",
    "waiver_department",
    "waiver_host",
    "window",
    "window_department",
    "window_host",
]
