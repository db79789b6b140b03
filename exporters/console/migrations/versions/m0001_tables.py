"""The tables of the first release, as they were then: what changes later has a migration of its own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from exporters.console.codes import Moment
from exporters.console.schema.logged import ONLY_GROWS

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _few(condition: sa.TextClause) -> dict[str, Any]:
    """Of an index that has some of the rows alone."""
    return {"sqlite_where": condition, "postgresql_where": condition}


def upgrade() -> None:
    op.create_table(
        "agent_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("host_key", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("paced", Moment(), nullable=True),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("used", Moment(), nullable=True),
        sa.Column("revoked", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_agent_token"),
        sa.UniqueConstraint("token_hash", name="uq_agent_token_token_hash"),
    )
    op.create_index("ix_agent_token_host_key", "agent_token", ["host_key"], unique=False)
    op.create_table(
        "day_tally",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "department_id", "severity", name="pk_day_tally"),
    )
    op.create_table(
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_department"),
        sa.UniqueConstraint("name", name="uq_department_name"),
    )
    op.create_table(
        "hit_tally",
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "department_id", "rule_id", "severity", "state", name="pk_hit_tally"
        ),
    )
    op.create_table(
        "host_tally",
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", "severity", "state", name="pk_host_tally"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "log",
        sa.Column("number", _ID, autoincrement=False, nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_log"),
    )
    op.create_index("ix_log_action", "log", ["action", "time", "number"], unique=False)
    op.create_index("ix_log_actor", "log", ["actor", "time", "number"], unique=False)
    op.create_index("ix_log_subject", "log", ["subject", "time", "number"], unique=False)
    op.create_index("ix_log_time", "log", ["time", "number"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", _ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", Moment(), nullable=True),
        sa.Column("delivered", Moment(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
        sa.UniqueConstraint("key", name="uq_message_key"),
    )
    op.create_index("ix_message_due", "message", ["due"], unique=False)
    op.create_index("ix_message_state", "message", ["state", "id"], unique=False)
    op.create_table(
        "outcome_tally",
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("hosts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "department_id", "pack", "rule_id", "outcome", name="pk_outcome_tally"
        ),
    )
    op.create_index(
        "ix_outcome_tally_manual",
        "outcome_tally",
        ["rule_id", "department_id"],
        unique=False,
        **_few(sa.text("outcome = 4")),
    )
    op.create_table(
        "rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("question_zh", sa.Text(), nullable=False),
        sa.Column("question_en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule"),
        sa.UniqueConstraint("name", name="uq_rule_name"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("mail", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("departments", sa.JSON(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("vouched", Moment(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_changed", Moment(), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp_secret", sa.Text(), nullable=False),
        sa.Column("totp_last", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("last_login", Moment(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("name", name="uq_user_name"),
    )
    op.create_index(
        "uq_user_subject",
        "user",
        ["origin", "subject"],
        unique=True,
        **_few(sa.text("subject != ''")),
    )
    op.create_table(
        "waiver",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("hosts", sa.JSON(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("departments", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("decided", Moment(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_waiver"),
        sa.UniqueConstraint("code", name="uq_waiver_code"),
    )
    op.create_table(
        "window",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begins", Moment(), nullable=False),
        sa.Column("ends", Moment(), nullable=False),
        sa.Column("recurs", sa.JSON(), nullable=True),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("last", Moment(), nullable=True),
        sa.Column("cancelled", Moment(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_window"),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("expires", Moment(), nullable=False),
        sa.Column("used", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_api_token_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )
    op.create_index("ix_api_token_user_id", "api_token", ["user_id"], unique=False)
    op.create_table(
        "host",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_seen", Moment(), nullable=False),
        sa.Column("last_audit", Moment(), nullable=True),
        sa.Column("received", Moment(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("heard", Moment(), nullable=True),
        sa.Column("silent_since", Moment(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name="fk_host_department_id"),
        sa.PrimaryKeyConstraint("id", name="pk_host"),
        sa.UniqueConstraint("key", name="uq_host_key"),
    )
    op.create_index("ix_host_department_id", "host", ["department_id"], unique=False)
    op.create_index("ix_host_name", "host", ["name"], unique=False)
    op.create_table(
        "password_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_password_history_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_password_history"),
    )
    op.create_index("ix_password_history_user_id", "password_history", ["user_id"], unique=False)
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_recovery_code_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
    )
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"], unique=False)
    op.create_table(
        "rule_clause",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("standard", sa.Text(), nullable=False),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_rule_clause_rule_id"),
        sa.PrimaryKeyConstraint("rule_id", "standard", "clause", name="pk_rule_clause"),
    )
    op.create_index("ix_rule_clause_clause", "rule_clause", ["clause"], unique=False)
    op.create_table(
        "rule_pack",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_rule_pack_rule_id"),
        sa.PrimaryKeyConstraint("rule_id", "pack", name="pk_rule_pack"),
    )
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_saved_view_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_view"),
        sa.UniqueConstraint("user_id", "name", name="uq_saved_view_user_id_name"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("seen", Moment(), nullable=False),
        sa.Column("expires", Moment(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_session_user_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_session"),
    )
    op.create_index("ix_session_user_id", "session", ["user_id"], unique=False)
    op.create_table(
        "waiver_department",
        sa.Column("waiver_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name="fk_waiver_department_department_id"
        ),
        sa.ForeignKeyConstraint(
            ["waiver_id"], ["waiver.id"], name="fk_waiver_department_waiver_id"
        ),
        sa.PrimaryKeyConstraint("waiver_id", "department_id", name="pk_waiver_department"),
    )
    op.create_table(
        "waiver_host",
        sa.Column("waiver_id", sa.Integer(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["waiver_id"], ["waiver.id"], name="fk_waiver_host_waiver_id"),
        sa.PrimaryKeyConstraint("waiver_id", "pattern", name="pk_waiver_host"),
    )
    op.create_table(
        "window_department",
        sa.Column("window_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name="fk_window_department_department_id"
        ),
        sa.ForeignKeyConstraint(
            ["window_id"], ["window.id"], name="fk_window_department_window_id"
        ),
        sa.PrimaryKeyConstraint("window_id", "department_id", name="pk_window_department"),
    )
    op.create_table(
        "window_host",
        sa.Column("window_id", sa.Integer(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["window_id"], ["window.id"], name="fk_window_host_window_id"),
        sa.PrimaryKeyConstraint("window_id", "pattern", name="pk_window_host"),
    )
    op.create_table(
        "attestation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sa.Column("withdrawn", Moment(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name="fk_attestation_department_id"
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_attestation_host_id"),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_attestation_rule_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attestation"),
    )
    op.create_index("ix_attestation_rule_id", "attestation", ["rule_id"], unique=False)
    op.create_index(
        "uq_attestation_department",
        "attestation",
        ["rule_id", "department_id"],
        unique=True,
        **_few(sa.text("withdrawn IS NULL AND host_id IS NULL")),
    )
    op.create_index(
        "uq_attestation_host",
        "attestation",
        ["rule_id", "host_id"],
        unique=True,
        **_few(sa.text("withdrawn IS NULL AND host_id IS NOT NULL")),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created", Moment(), nullable=False),
        sa.Column("expires", Moment(), nullable=False),
        sa.Column("used", Moment(), nullable=True),
        sa.Column("host_key", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_enrolment_host_id"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment"),
        sa.UniqueConstraint("token_hash", name="uq_enrolment_token_hash"),
    )
    op.create_table(
        "hit",
        sa.Column("id", _ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("first_seen", Moment(), nullable=False),
        sa.Column("last_seen", Moment(), nullable=False),
        sa.Column("changed", Moment(), nullable=False),
        sa.Column("unseen_since", Moment(), nullable=True),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("packs", sa.Text(), nullable=False),
        sa.Column("actual", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("waiver", sa.Text(), nullable=False),
        sa.Column("waived_for", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name="fk_hit_department_id"),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_hit_host_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_hit_owner_id"),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_hit_rule_id"),
        sa.PrimaryKeyConstraint("id", name="pk_hit"),
        sa.UniqueConstraint("fingerprint", name="uq_hit_fingerprint"),
    )
    op.create_index(
        "ix_hit_age",
        "hit",
        ["first_seen", "id", "state", "severity", "rule_id", "department_id", "host_id"],
        unique=False,
    )
    op.create_index(
        "ix_hit_changed",
        "hit",
        ["changed", "id", "state", "severity", "rule_id", "department_id", "host_id"],
        unique=False,
    )
    op.create_index(
        "ix_hit_department_oldest",
        "hit",
        ["department_id", "state", "first_seen", "id"],
        unique=False,
    )
    op.create_index("ix_hit_host_id", "hit", ["host_id", "state"], unique=False)
    op.create_index(
        "ix_hit_last_seen",
        "hit",
        ["last_seen", "id", "state", "severity", "rule_id", "department_id", "host_id"],
        unique=False,
    )
    op.create_index(
        "ix_hit_owner", "hit", ["owner_id"], unique=False, **_few(sa.text("owner_id IS NOT NULL"))
    )
    op.create_index(
        "ix_hit_rule",
        "hit",
        ["rule_id", "state", "first_seen", "id", "severity", "department_id", "host_id"],
        unique=False,
    )
    op.create_index(
        "ix_hit_severity",
        "hit",
        ["severity", "first_seen", "id", "state", "rule_id", "department_id", "host_id"],
        unique=False,
    )
    op.create_index(
        "ix_hit_ticket", "hit", ["ticket"], unique=False, **_few(sa.text("ticket != ''"))
    )
    op.create_index(
        "ix_hit_unseen",
        "hit",
        ["unseen_since"],
        unique=False,
        **_few(sa.text("unseen_since IS NOT NULL")),
    )
    op.create_table(
        "host_pack",
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("outcomes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_host_pack_host_id"),
        sa.PrimaryKeyConstraint("host_id", "pack", name="pk_host_pack"),
    )
    op.create_index("ix_host_pack_score", "host_pack", ["pack", "score", "host_id"], unique=False)
    op.create_table(
        "line",
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_line_host_id"),
        sa.PrimaryKeyConstraint("host_id", "name", "family", name="pk_line"),
    )
    op.create_index("ix_line_rank", "line", ["rank", "host_id", "name", "family"], unique=False)
    op.create_table(
        "target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("due", Moment(), nullable=False),
        sa.Column("asked", Moment(), nullable=True),
        sa.Column("heard", Moment(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("audits", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_target_host_id"),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
        sa.UniqueConstraint("url", name="uq_target_url"),
    )
    op.create_index("ix_target_host_id", "target", ["host_id"], unique=False)
    op.create_table(
        "unjudged",
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_unjudged_host_id"),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_unjudged_rule_id"),
        sa.PrimaryKeyConstraint("host_id", "rule_id", name="pk_unjudged"),
    )
    op.create_index("ix_unjudged_rule_id", "unjudged", ["rule_id"], unique=False)
    op.create_table(
        "attachment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attestation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attestation_id"], ["attestation.id"], name="fk_attachment_attestation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attachment"),
    )
    op.create_index("ix_attachment_attestation_id", "attachment", ["attestation_id"], unique=False)
    op.create_table(
        "hit_event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("hit_id", _ID, nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["hit_id"], ["hit.id"], name="fk_hit_event_hit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_hit_event"),
    )
    op.create_index("ix_hit_event_hit_id", "hit_event", ["hit_id"], unique=False)
    for dialect, statement in ONLY_GROWS:
        if dialect == op.get_bind().dialect.name:
            op.execute(statement)
