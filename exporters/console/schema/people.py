"""People: accounts, sessions, tokens and the views that they saved."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from exporters.console.codes import Moment
from exporters.console.schema.base import metadata

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
