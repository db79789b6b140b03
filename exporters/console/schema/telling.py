"""What is told to people and other systems; and what consoles of one database share."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, Table, Text

from exporters.console.codes import Moment
from exporters.console.schema.base import BigId, metadata

message = Table(  # to people and other systems, until it is delivered
    "message",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # what it is about: told once
    Column("kind", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due", Moment),  # null: nothing is to be done any more
    Column("delivered", Moment),
    Column("problem", Text, nullable=False, default=""),
    Column("state", Text, nullable=False, default="waiting"),  # delivered, given_up, suppressed
    Column("until", Moment),  # when it is given up
    Index("ix_message_due", "due"),
    Index("ix_message_state", "state", "id"),
)

lease = Table(  # which of several consoles does what only one may do
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Moment, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
