"""The console's database: SQLite in WAL mode by default, PostgreSQL by URL; SQLAlchemy Core, migrated by Alembic.

URLs are SQLAlchemy's: `sqlite:////var/lib/jianwei/console.db`, `postgresql://user@host/name`.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

POOL: Final = 8  # connections of one console
IMMEDIATE: Final = (
    "jianwei_immediate"  # an execution option: seconds that a writer waits for another
)
BUSY: Final = 30.0
CONNECT: Final = 5  # seconds in which PostgreSQL must answer


class DatabaseError(Exception):
    """A database that cannot be used: `str()` says which and why, and never has its password."""


class Database:
    """`reading` and `writing` give connections in a transaction; `writing` commits at the end.

    On SQLite one writer at a time holds the whole database; on PostgreSQL rows that are read to be changed are
    locked with `with_for_update()`, which SQLite leaves out.
    """

    def __init__(self, url: str, *, make: bool = True) -> None:
        """Raises DatabaseError; without `make` for a SQLite file that is not there, too."""
        self.url = _url(url)
        self.engine = _engine(self.url, make)
        self.sqlite: Final = self.url.get_backend_name() == "sqlite"
        self._patience = BUSY
        self.rules: Final[
            dict[tuple[str, str], Any]
        ] = {}  # intake/names.py: committed, and lasting

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    def waiting(self, seconds: float) -> Database:
        """The same database, whose writers wait no longer than this for another one."""
        hurried = copy.copy(self)
        hurried._patience = seconds
        return hurried

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        with (
            self.engine.connect().execution_options(**{IMMEDIATE: self._patience}) as connection,
            connection.begin(),
        ):
            if not self.sqlite and self._patience < BUSY:
                wait = f"{self._patience * 1000:.0f}"
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
            yield connection

    def upsert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert with `on_conflict_do_update` and `on_conflict_do_nothing`, which both databases write alike."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def migrate(self) -> None:
        """Bring the tables up to date; raises DatabaseError."""
        from alembic.util.exc import CommandError

        from exporters.console.migrations import upgrade

        try:
            upgrade(self.engine)
        except SQLAlchemyError as error:
            raise DatabaseError(f"{self.shown}: {_short(error)}") from error
        except CommandError as error:  # a revision that this version does not have
            raise DatabaseError(
                f"{self.shown}: its tables are of a newer version ({error}); install that one, or restore a back-up"
            ) from error

    @property
    def shown(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        self.engine.dispose()


def unavailable(error: Exception) -> bool:
    """Whether the database may be well in a while: another one writes, or the database cannot be reached."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    # of PostgreSQL every such error is of the server and not of the statement
    return code is None or code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            "the database's URL is not understood; write sqlite:////path/console.db or "
            "postgresql://user@host/name"
        ) from error
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise DatabaseError(f"{backend} is not served; sqlite and postgresql are")
    return url


def _engine(url: URL, make: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        url = url.update_query_dict({"connect_timeout": str(CONNECT), **url.query})
        engine = create_engine(url, pool_size=POOL, max_overflow=POOL, pool_pre_ping=True)

        @event.listens_for(engine, "connect")
        def plain(connection: Any, _: Any) -> None:
            # pages ask short questions: to compile one takes the server a second, and seldom spares it any
            connection.execute("SET jit = off")
            connection.commit()

        return engine
    if url.database and url.database != ":memory:":
        folder = os.path.dirname(os.path.abspath(url.database))
        try:
            if make:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            # nobody else reads it; SQLite gives the files beside it the same mode
            flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0)
            os.close(os.open(url.database, flags, 0o600))
        except OSError as error:
            raise DatabaseError(f"{url.database}: {error.strerror}") from error
    engine = create_engine(
        url,
        pool_size=POOL,
        max_overflow=POOL,
        pool_use_lifo=True,  # whose cache is warm
        connect_args={"timeout": BUSY},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us alone
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # what was acknowledged outlives a power cut
            "foreign_keys=ON",
            # of each connection, and there may be 16: the system's own cache of the file is behind it, and not
            # mapped, which would count as the process's as often as there are connections
            "cache_size=-4096",
            "mmap_size=0",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a transaction that read first could not write when another one has written meanwhile
        patience = connection.get_execution_options().get(IMMEDIATE)
        if patience is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={patience * 1000:.0f}")
        connection.exec_driver_sql("BEGIN" if patience is None else "BEGIN IMMEDIATE")

    return engine


def _short(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]
