"""The agents that are asked, and those that call by themselves."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, Table, Text

from exporters.console.codes import Moment
from exporters.console.schema.base import metadata

target = Table(  # those of the targets files, as the console that holds the lease last read them
    "target",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", Text, nullable=False, unique=True),  # https://host:port
    Column("labels", JSON, nullable=False),
    Column("department", Text, nullable=False, default=""),  # of the labels
    Column("host_id", Integer, ForeignKey("host.id"), index=True),  # whose audit it last gave
    Column("etag", Text, nullable=False, default=""),  # of the audit that was taken in
    Column("due", Moment, nullable=False),
    Column("asked", Moment),
    Column("heard", Moment),  # when it last answered well
    Column("failures", Integer, nullable=False, default=0),  # one after the other
    Column("problem", Text, nullable=False, default=""),
    # counted since it has been a target
    Column("audits", BigInteger, nullable=False, default=0),
    Column("unchanged", BigInteger, nullable=False, default=0),
    Column("failed", BigInteger, nullable=False, default=0),
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("labels", JSON, nullable=False),
    Column("replaces", Text, nullable=False, default=""),  # the key of a host that is known already
    Column("created_by", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
    Column("host_key", Text, nullable=False, default=""),  # who used it
    Column("host_id", Integer, ForeignKey("host.id")),  # as soon as it has arrived
)

agent_token = Table(
    "agent_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("host_key", Text, nullable=False, index=True),  # the one host that it may tell of
    Column("labels", JSON, nullable=False),
    Column("digest", Text, nullable=False, default=""),  # SHA-256 of the last audit it pushed
    Column("paced", Moment),  # what it has pushed is paid for until then: pull/pushing.py
    Column("created", Moment, nullable=False),
    Column("used", Moment),
    Column("revoked", Moment),
)
