"""What people decide: waivers, answers to manual items, maintenance windows and silences."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Date, ForeignKey, Index, Integer, LargeBinary, Table, Text

from exporters.console.codes import Moment
from exporters.console.schema.base import metadata

waiver = Table(
    "waiver",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),  # W-2026-0017: its name in hits
    Column("rule", Text, nullable=False),
    Column("hosts", JSON, nullable=False),  # patterns, as of rules.waivers.Waiver
    Column("instance", Text, nullable=False, default="*"),
    Column("departments", JSON),  # names: it covers hosts of these alone; null: of all
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("approver", Text, nullable=False, default=""),
    Column("state", Text, nullable=False),  # requested, approved, refused, withdrawn
    Column("note", Text, nullable=False, default=""),  # of who decided
    Column("expires", Date, nullable=False),  # its last day
    Column("evidence", Text, nullable=False, default=""),
    Column("created", Moment, nullable=False),
    Column("decided", Moment),
    Column("version", Integer, nullable=False, default=1),
)

waiver_department = Table(  # the same as `departments`, to be asked for; no row: all
    "waiver_department",
    metadata,
    Column("waiver_id", Integer, ForeignKey("waiver.id"), primary_key=True),
    Column("department_id", Integer, ForeignKey("department.id"), primary_key=True),
)

waiver_host = Table(  # the same as `hosts`, as patterns of this database (attest/reach.py)
    "waiver_host",
    metadata,
    Column("waiver_id", Integer, ForeignKey("waiver.id"), primary_key=True),
    Column("pattern", Text, primary_key=True),
)

attestation = Table(  # an answer to the question of a manual rule
    "attestation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule_id", Integer, ForeignKey("rule.id"), nullable=False, index=True),
    Column("department_id", Integer, ForeignKey("department.id"), nullable=False),
    Column("host_id", Integer, ForeignKey("host.id")),  # null: all hosts of the department
    Column("answer", Text, nullable=False),  # pass, fail, not_applicable
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Date, nullable=False),
    Column("withdrawn", Moment),
    Column("version", Integer, nullable=False, default=1),
)

attachment = Table(
    "attachment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attestation_id", Integer, ForeignKey("attestation.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

# at most one answer that was not taken back for a department, and for a host of it
Index(
    "uq_attestation_department",
    attestation.c.rule_id,
    attestation.c.department_id,
    unique=True,
    sqlite_where=attestation.c.withdrawn.is_(None) & attestation.c.host_id.is_(None),
    postgresql_where=attestation.c.withdrawn.is_(None) & attestation.c.host_id.is_(None),
)

Index(
    "uq_attestation_host",
    attestation.c.rule_id,
    attestation.c.host_id,
    unique=True,
    sqlite_where=attestation.c.withdrawn.is_(None) & attestation.c.host_id.is_not(None),
    postgresql_where=attestation.c.withdrawn.is_(None) & attestation.c.host_id.is_not(None),
)

window = Table(  # maintenance windows and silences
    "window",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),  # maintenance, silence
    Column("reason", Text, nullable=False),
    Column("begins", Moment, nullable=False),
    Column("ends", Moment, nullable=False),  # of the first one where it recurs
    Column("recurs", JSON),  # null: once
    Column("scope", JSON, nullable=False),  # {hosts, departments, lines, rules}: patterns
    Column("created_by", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("last", Moment),  # the end of the last one; null: it recurs without end
    Column("cancelled", Moment),
    Column("version", Integer, nullable=False, default=1),
)

window_department = Table(  # the same as in `scope`, to be asked for; no row: all
    "window_department",
    metadata,
    Column("window_id", Integer, ForeignKey("window.id"), primary_key=True),
    Column("department_id", Integer, ForeignKey("department.id"), primary_key=True),
)

window_host = Table(
    "window_host",
    metadata,
    Column("window_id", Integer, ForeignKey("window.id"), primary_key=True),
    Column("pattern", Text, primary_key=True),
)
