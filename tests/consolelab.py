"""Consoles for tests: on SQLite or a real PostgreSQL, in this process or as a server, and who is logged in there."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import bcrypt
import httpx
import msgspec
import uvicorn
from sqlalchemy import inspect, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from exporters.console.app import application
from exporters.console.database import Database
from exporters.console.people.policy import PeopleSettings
from exporters.console.schema import session, user
from exporters.console.services import Services
from exporters.console.serving import configuration, services_of
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Role

PASSWORD: Final = "Correct-Horse-9"
_HASH: Final = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
_MIGRATED: Final = "migrated"  # what new databases are copies of
_BIN: Final = Path("/usr/lib/postgresql/15/bin")


@functools.cache
def _services() -> Services:
    """With the rules of our own packs, which take a second to read."""
    return services_of(ConsoleSettings())


class Console:
    """One console in this process. `client(role)` is logged in; `person` makes a user."""

    def __init__(self, url: str, settings: ConsoleSettings | None = None) -> None:
        settings = msgspec.structs.replace(
            settings or ConsoleSettings(people=PeopleSettings(rounds=4)), db=url
        )
        self.settings = settings
        self.database = Database(url)
        if not inspect(self.database.engine).has_table("alembic_version"):
            self.database.migrate()
        known = _services() if not settings.packs else services_of(settings)
        self.services = dataclasses.replace(known, settings=settings)
        self.app = application(self.database, self.services)

    def person(self, name: str, role: Role, departments: tuple[str, ...] | None = None) -> None:
        """A user with PASSWORD, unless there is one of this name."""
        with self.database.writing() as connection:
            known = connection.execute(select(user.c.id).where(user.c.name == name)).first()
            if known is None:
                now = datetime.now(UTC)
                connection.execute(
                    user.insert().values(
                        name=name,
                        role=role,
                        departments=None if departments is None else list(departments),
                        password_hash=_HASH,
                        password_changed=now,
                        created=now,
                    )
                )

    def client(
        self, role: Role | None, departments: tuple[str, ...] | None = None, name: str = ""
    ) -> TestClient:
        """Somebody of this role (None: nobody) in this process; POSTs carry the CSRF token by themselves."""
        client = TestClient(self.app, follow_redirects=False, base_url="http://localhost")
        if role is not None:
            name = name or role
            self.person(name, role, departments)
            answer = client.post("/login", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            with self.database.reading() as connection:
                token = connection.execute(
                    select(session.c.csrf).order_by(session.c.created.desc()).limit(1)
                ).scalar_one()
            client.headers["X-CSRF-Token"] = token
        return client

    def served(self) -> contextlib.AbstractContextManager[str]:
        """As a real server on a free port of loopback: its URL."""
        return served(self.app)

    def close(self) -> None:
        self.database.close()


@contextlib.contextmanager
def served(app: Starlette) -> Iterator[str]:
    """A real server on a free port of loopback: its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(app))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        _until(url + "/-/healthy")
        yield url
    finally:
        server.should_exit = True
        thread.join(10)


def _until(url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


class Postgres:
    """A PostgreSQL cluster of its own under a temporary folder, on a socket in it. `url()` is a new database, with its
    tables. `durable`: what is committed outlives a crash of the machine, too."""

    def __init__(self, durable: bool = True) -> None:
        self._durable = durable
        self._folder = Path(tempfile.mkdtemp(prefix="jianwei-pg-"))
        self._count = 0
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    @staticmethod
    def unavailable() -> str:
        return "" if (_BIN / "initdb").exists() else "PostgreSQL is not installed"

    def __enter__(self) -> Postgres:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._run(
            "initdb",
            "-D",
            f"{self._folder}/data",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        options = f"-c listen_addresses='' -k {self._folder}"
        if not self._durable:
            options += " -c fsync=off -c full_page_writes=off"
        self._run(
            "pg_ctl",
            "-D",
            f"{self._folder}/data",
            "-o",
            options,
            "-w",
            "-l",
            f"{self._folder}/log",
            "start",
        )
        self._run("createdb", "-h", str(self._folder), _MIGRATED)
        database = Database(self._url(_MIGRATED))
        database.migrate()
        database.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self) -> str:
        self._count += 1
        name = f"console{self._count}"
        self._run("createdb", "-h", str(self._folder), "-T", _MIGRATED, name)
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://{self._user}@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        argv = [str(_BIN / program), *arguments]
        if os.geteuid() == 0:
            argv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *argv]
        done = subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stdout.decode()
