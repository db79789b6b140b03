"""What agents told of hosts, rules and lines."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)

from exporters.console.codes import Moment
from exporters.console.schema.base import metadata

department = Table(
    "department",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # "" is nobody's: 未归属
)

host = Table(
    "host",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # rules.model.Host.id
    Column("name", Text, nullable=False),
    Column("department_id", Integer, ForeignKey("department.id"), nullable=False, index=True),
    Column("system", Text, nullable=False, default=""),
    Column("region", Text, nullable=False, default=""),
    Column("level", Text, nullable=False, default=""),
    Column("labels", JSON, nullable=False, default=dict),
    Column("source", Text, nullable=False),  # pull, push
    Column("target", Text, nullable=False, default=""),  # host:port of a pulled one
    Column("version", Text, nullable=False, default=""),  # the agent's
    Column("first_seen", Moment, nullable=False),
    Column("last_audit", Moment),  # AuditResult.time of the newest one taken in
    Column("received", Moment),  # when that was
    Column("digest", Text, nullable=False, default=""),  # of that audit's bytes
    Column("heard", Moment),  # when the agent last answered or called, audit or not
    Column("silent_since", Moment),  # null while it answers
    Column("problem", Text, nullable=False, default=""),  # why the last attempt failed
    Column("left_out", Integer, nullable=False, default=0),
    Column("hits", Integer, nullable=False, default=0),  # open ones
    Index("ix_host_name", "name"),
)

rule = Table(
    "rule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("question_zh", Text, nullable=False, default=""),
    Column("question_en", Text, nullable=False, default=""),
)

rule_pack = Table(
    "rule_pack",
    metadata,
    Column("rule_id", Integer, ForeignKey("rule.id"), primary_key=True),
    Column("pack", Text, primary_key=True),
)

rule_clause = Table(
    "rule_clause",
    metadata,
    Column("rule_id", Integer, ForeignKey("rule.id"), primary_key=True),
    Column("standard", Text, primary_key=True),  # gb22239, gb28448, …
    Column("clause", Text, primary_key=True),
    Index("ix_rule_clause_clause", "clause"),
)

host_pack = Table(
    "host_pack",
    metadata,
    Column("host_id", Integer, ForeignKey("host.id"), primary_key=True),
    Column("pack", Text, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("score", Float),  # 0 to 1; null where nothing counts
    Column("counts", JSON, nullable=False),  # rules by outcome
    Column(
        "outcomes", LargeBinary, nullable=False
    ),  # JSON {rule_id: outcome code}: the worst of each
)

unjudged = Table(  # what came out unknown, with the reason
    "unjudged",
    metadata,
    Column("host_id", Integer, ForeignKey("host.id"), primary_key=True),
    Column("rule_id", Integer, ForeignKey("rule.id"), primary_key=True),
    Column("reason", Text, nullable=False, default=""),
    Index("ix_unjudged_rule_id", "rule_id"),
)

line = Table(  # the lines that an agent watches, as it last told
    "line",
    metadata,
    Column("host_id", Integer, ForeignKey("host.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("family", Text, primary_key=True),  # ipv4, ipv6
    Column("time", Moment, nullable=False),
    Column("level", Text, nullable=False, default=""),  # province, city, county, town, village
    Column("rank", SmallInteger, nullable=False, default=3),  # hosts/linestatus.py: worst first
    Column("figures", JSON, nullable=False),
    Index("ix_line_rank", "rank", "host_id", "name", "family"),
)

Index("ix_host_pack_score", host_pack.c.pack, host_pack.c.score, host_pack.c.host_id)
