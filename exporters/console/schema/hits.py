"""Hits: narrow rows with small integers for words (codes.py), since there may be a million; what became of each."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    literal_column,
)

from exporters.console.codes import Moment
from exporters.console.schema.base import BigId, metadata

hit = Table(
    "hit",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),
    Column("host_id", Integer, ForeignKey("host.id"), nullable=False),
    Column("rule_id", Integer, ForeignKey("rule.id"), nullable=False),
    Column("department_id", Integer, ForeignKey("department.id"), nullable=False),  # the host's
    Column("severity", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("unseen_since", Moment),
    Column("instance", Text, nullable=False, default=""),
    Column("packs", Text, nullable=False, default="[]"),  # JSON
    Column("actual", Text, nullable=False, default="null"),  # JSON
    Column("expected", Text, nullable=False, default="null"),  # JSON
    Column("source", Text, nullable=False, default=""),
    Column("evidence", Text, nullable=False, default=""),
    Column("waiver", Text, nullable=False, default=""),
    Column("waived_for", Text, nullable=False, default="{}"),  # JSON
    Column("by", Text, nullable=False, default=""),
    Column("note", Text, nullable=False, default=""),
    Column("owner_id", Integer, ForeignKey("user.id")),
    Column("ticket", Text, nullable=False, default=""),
    Column("version", Integer, nullable=False, default=1),  # grows with every change by a person
)

hit_event = Table(
    "hit_event",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("hit_id", BigId, ForeignKey("hit.id"), nullable=False, index=True),
    Column("time", Moment, nullable=False),
    Column("kind", Text, nullable=False),  # state, evidence, comment, assign, ticket
    Column("actor", Text, nullable=False, default=""),  # a user's name; empty: an audit
    Column("before", Text, nullable=False, default=""),
    Column("after", Text, nullable=False, default=""),
    Column("text", Text, nullable=False, default=""),
)

Index("ix_hit_department_oldest", hit.c.department_id, hit.c.state, hit.c.first_seen, hit.c.id)
Index("ix_hit_host_id", hit.c.host_id, hit.c.state)  # an audit reads its host's
# A list is read along one of these in its order, and its filters are answered from the same entries (review/walks.py)
_FILTERED = (
    hit.c.id,
    hit.c.state,
    hit.c.severity,
    hit.c.rule_id,
    hit.c.department_id,
    hit.c.host_id,
)
Index("ix_hit_age", hit.c.first_seen, *_FILTERED)
# Every audit moves the entries of this one, and on PostgreSQL then those of all others with them: an audit that
# repeats itself costs the server a third of it without this one and with half-full pages (fillfactor 50)
Index("ix_hit_last_seen", hit.c.last_seen, *_FILTERED)
Index("ix_hit_changed", hit.c.changed, *_FILTERED)
Index(
    "ix_hit_severity",
    *(hit.c[name] for name in ("severity", "first_seen", "id", "state", "rule_id")),
    *(hit.c[name] for name in ("department_id", "host_id")),
)
Index(  # waivers go by it too
    "ix_hit_rule",
    *(hit.c[name] for name in ("rule_id", "state", "first_seen", "id", "severity")),
    *(hit.c[name] for name in ("department_id", "host_id")),
)
# of few hits each: they cost intake nothing
for _name, _column, _few in (
    ("ix_hit_owner", hit.c.owner_id, hit.c.owner_id.is_not(None)),
    ("ix_hit_ticket", hit.c.ticket, hit.c.ticket != literal_column("''")),
    ("ix_hit_unseen", hit.c.unseen_since, hit.c.unseen_since.is_not(None)),
):
    Index(_name, _column, sqlite_where=_few, postgresql_where=_few)
