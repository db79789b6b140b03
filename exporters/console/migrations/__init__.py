"""Alembic's migrations of the console's tables; versions/ has one file a step."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def upgrade(engine: Engine, revision: str = "head") -> None:
    """To a revision; in one transaction, and one console at a time where several share a database."""
    with resources.as_file(resources.files(__name__)) as folder, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(748150)")
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        # a bundle has compiled files only
        config.set_main_option("sourceless", str(not (folder / "env.py").exists()).lower())
        command.upgrade(config, revision)
