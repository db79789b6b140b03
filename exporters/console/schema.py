"""The tables of the console, the same on SQLite and PostgreSQL; migrations/ makes them.

Hits are narrow and numbered words are small integers (codes.py), since there may be a million. What people did to a
hit is in `hit_event`; who did what to anything is in `log`, which only grows. The tallies are kept by whoever
changes what they count, in the same transaction.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    event,
    literal_column,
)

from exporters.console.codes import OUTCOME, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite numbers rows by itself in a column that is an INTEGER only
BigId = BigInteger().with_variant(Integer, "sqlite")

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

# --- what agents told

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

hit_tally = Table(  # by department and rule
    "hit_tally",
    metadata,
    Column("department_id", Integer, primary_key=True),
    Column("rule_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("hits", Integer, nullable=False),
)

host_tally = Table(
    "host_tally",
    metadata,
    Column("host_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("hits", Integer, nullable=False),
)

outcome_tally = Table(  # how many hosts of a department a rule came out so on
    "outcome_tally",
    metadata,
    Column("department_id", Integer, primary_key=True),
    Column("pack", Text, primary_key=True),
    Column("rule_id", Integer, primary_key=True),
    Column("outcome", SmallInteger, primary_key=True),
    Column("hosts", Integer, nullable=False),
)

day_tally = Table(  # open hits at the end of each day, by the site's clock; today's row is renewed
    "day_tally",
    metadata,
    Column("day", Date, primary_key=True),
    Column("department_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("open", Integer, nullable=False),
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

# --- agents that are asked

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

# --- agents that call by themselves

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

# --- people

user = Table(
    "user",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("full_name", Text, nullable=False, default=""),
    Column("mail", Text, nullable=False, default=""),
    Column("role", Text, nullable=False),
    Column("departments", JSON),  # names; null: all of them
    Column("origin", Text, nullable=False, default="local"),  # local, ldap, oidc
    Column("subject", Text, nullable=False, default=""),  # the DN, or issuer and sub
    Column("vouched", Moment),  # when the directory last did
    Column("password_hash", Text, nullable=False, default=""),
    Column("password_changed", Moment),
    Column("must_change", Boolean, nullable=False, default=False),
    Column("totp_secret", Text, nullable=False, default=""),  # empty: none
    Column("totp_last", BigInteger, nullable=False, default=0),  # the last step used
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", Moment),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("language", Text, nullable=False, default=""),
    Column("created", Moment, nullable=False),
    Column("last_login", Moment),
    Column("version", Integer, nullable=False, default=1),
)

Index(
    "uq_user_subject",
    user.c.origin,
    user.c.subject,
    unique=True,
    sqlite_where=user.c.subject != "",
    postgresql_where=user.c.subject != "",
)

password_history = Table(
    "password_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("user.id"), nullable=False, index=True),
    Column("password_hash", Text, nullable=False),
    Column("time", Moment, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", Integer, ForeignKey("user.id"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("stage", Text, nullable=False),  # full; totp or password: before it is
    Column("created", Moment, nullable=False),
    Column("seen", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("address", Text, nullable=False, default=""),
    Column("pending", Text, nullable=False, default=""),  # a TOTP secret not yet proved
)

recovery_code = Table(  # instead of a TOTP code, each once
    "recovery_code",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("user.id"), nullable=False, index=True),
    Column("code_hash", Text, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("user.id"), nullable=False, index=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
)

saved_view = Table(
    "saved_view",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("user.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False, default=False),
    UniqueConstraint("user_id", "name"),
)

# --- what people decide

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

# --- what is told, and who did what

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
for _dialect, _statement in ONLY_GROWS:
    _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
    event.listen(log, "after_create", _ddl.execute_if(dialect=_dialect))

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

Index("ix_hit_department_oldest", hit.c.department_id, hit.c.state, hit.c.first_seen, hit.c.id)
Index("ix_host_pack_score", host_pack.c.pack, host_pack.c.score, host_pack.c.host_id)
Index("ix_hit_host_id", hit.c.host_id, hit.c.state)  # an audit reads its host's
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
Index(  # manual items are listed by it
    "ix_outcome_tally_manual",
    outcome_tally.c.rule_id,
    outcome_tally.c.department_id,
    sqlite_where=outcome_tally.c.outcome == literal_column(str(OUTCOME["manual"])),
    postgresql_where=outcome_tally.c.outcome == literal_column(str(OUTCOME["manual"])),
)
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
