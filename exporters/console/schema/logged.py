"""The audit log: who did what to anything. Its rows stay as they are (auditlog.py)."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from exporters.console.codes import Moment
from exporters.console.schema.base import BigId, metadata

# the audit log's rows stay as they are, whoever asks; auditlog.verify finds who went round this
_REFUSED = "the audit log only grows"
ONLY_GROWS = (
    *(
        (
            "sqlite",
            f"CREATE TRIGGER log_{verb} BEFORE {verb} ON log {when} "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        )
        for verb, when in (
            ("update", ""),
            ("delete", ""),
            # INSERT OR REPLACE deletes without the trigger above
            ("insert", "WHEN EXISTS (SELECT 1 FROM log WHERE number = NEW.number)"),
        )
    ),
    (
        "postgresql",
        "CREATE FUNCTION log_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$",
    ),
    (
        "postgresql",
        "CREATE TRIGGER log_rows BEFORE UPDATE OR DELETE ON log "
        "FOR EACH ROW EXECUTE FUNCTION log_only_grows()",
    ),
    (
        "postgresql",
        "CREATE TRIGGER log_whole BEFORE TRUNCATE ON log "
        "FOR EACH STATEMENT EXECUTE FUNCTION log_only_grows()",
    ),
)

log = Table(
    "log",
    metadata,
    Column("number", BigId, primary_key=True, autoincrement=False),  # 1, 2, 3, without a gap
    Column("time", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False, default=""),
    Column("action", Text, nullable=False),  # hits.acknowledge, users.create, login.failed, …
    Column("subject", Text, nullable=False, default=""),
    Column("detail", Text, nullable=False, default="{}"),  # JSON
    Column("hash", Text, nullable=False),  # auditlog.py
    Index("ix_log_time", "time", "number"),
    Index("ix_log_actor", "actor", "time", "number"),
    Index("ix_log_action", "action", "time", "number"),
    Index("ix_log_subject", "subject", "time", "number"),
)
