"""How Alembic runs a migration: on the connection that `upgrade` gives it."""

from __future__ import annotations

from alembic import context

from exporters.console.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
