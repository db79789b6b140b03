"""The first administrator, and what the command line does for one who is locked out; `verify-log`."""

from __future__ import annotations

import threading
from typing import Any

from click.testing import CliRunner
from sqlalchemy import update

from agents.cli.console import command
from exporters.console.people import first
from exporters.console.people.door import Door
from exporters.console.people.policy import PeopleSettings, Policy
from exporters.console.schema import log, user
from tests.consolelab import Console
from tests.peoplelab import NOW, filled, logged, row_of, unguarded, url_of


def test_of_consoles_that_start_at_once_one_makes_the_administrator(each_console: Console) -> None:
    door, gate, made = Door(PeopleSettings(rounds=4)), threading.Barrier(2), []

    def start() -> None:
        gate.wait()
        made.append(first.first_administrator(each_console.database, door, Policy(), NOW))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, made)) == [False, True]
    row = row_of(each_console, "admin")
    assert row.must_change
    assert door.matches(max(made), row.password_hash)
    assert first.first_administrator(each_console.database, door, Policy(), NOW) == ""
    assert len(logged(each_console, "users.first")) == 1


def _run(console: Console, *argv: str, stdin: str = "") -> Any:
    return CliRunner().invoke(command, ["--db", url_of(console), *argv], input=stdin)


def test_users_by_the_command_line(each_console: Console) -> None:
    done = _run(each_console, "user", "add", "zhang", "--role", "auditor", stdin="Tr0ub-dour-1\n")
    assert done.exit_code == 0, done.output
    assert "Tr0ub" not in done.output
    row = row_of(each_console, "zhang")
    assert (row.role, row.must_change) == ("auditor", True)
    for argv, stdin, problem in (
        (("user", "add", "zhang"), "Tr0ub-dour-1\n", "there is a user"),
        (("user", "add", "Zhang"), "Tr0ub-dour-1\n", "small letters"),
        (("user", "add", "li"), "short\n", "at least 8"),
        (("user", "reset-password", "nobody"), "Tr0ub-dour-1\n", "no local user"),
        (("user", "unlock", "nobody"), "", "no user"),
    ):
        done = _run(each_console, *argv, stdin=stdin)
        assert problem in str(done.exception)
    with each_console.database.writing() as connection:
        connection.execute(user.update().values(failures=5, locked_until=NOW, totp_secret="X"))
    assert _run(each_console, "user", "unlock", "zhang").exit_code == 0
    assert row_of(each_console, "zhang").locked_until is None
    done = _run(each_console, "user", "reset-password", "zhang", "--without-totp", stdin="Tr0ub-dour-2\n")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert row_of(each_console, "zhang").totp_secret == ""
    assert [row.action for row in logged(each_console)] == ["users.create", "users.unlock", "users.reset_password"]  # fmt: skip


def test_verify_log_says_where_it_is_broken(each_console: Console) -> None:
    assert "0 rows" in _run(each_console, "verify-log").output
    filled(each_console)
    done = _run(each_console, "verify-log")
    assert done.exit_code == 0
    assert "8 rows from 2027-03-01T17:00:00+08:00" in done.output
    noted = done.output.split("last ")[1].split()[0]
    assert noted.startswith("8:")
    assert _run(each_console, "verify-log", "--after", noted).exit_code == 0
    for bad in ("8", "x:" + "0" * 64, "8:abc"):
        assert "NUMBER:HASH" in str(_run(each_console, "verify-log", "--after", bad).exception)
    with each_console.database.writing() as connection:
        unguarded(connection)
        connection.execute(update(log).where(log.c.number == 4).values(actor="nobody"))
    done = _run(each_console, "verify-log")
    assert done.exit_code == 1
    assert "broken at row 4" in done.output


def test_verify_log_of_what_cannot_be_read(tmp_path: Any) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "postgresql://nobody@127.0.0.1:1/none", "mysql://x/y"):  # fmt: skip
        done = CliRunner().invoke(command, ["--db", url, "verify-log"])
        assert type(done.exception).__name__ == "UserError", url
    assert not list(tmp_path.iterdir()), "nothing is made"
    (tmp_path / "empty.db").touch()
    done = CliRunner().invoke(command, ["--db", f"sqlite:///{tmp_path}/empty.db", "verify-log"])
    assert type(done.exception).__name__ == "UserError"
