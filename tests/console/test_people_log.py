"""The audit log: whole whatever happens at once, refusing changes, and telling of those made behind its back."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError as DriverError

from exporters.console import auditlog
from exporters.console.people import logbook
from exporters.console.schema import log
from exporters.console.web.asker import Asker, Person
from tests.consolelab import Console
from tests.peoplelab import NOW, filled, logged, stranger, unguarded, url_of

WRITER = """
import sys
from datetime import UTC, datetime
from exporters.console import auditlog
from exporters.console.database import Database
database = Database(sys.argv[1])
for number in range(15):
    with database.writing() as connection:
        auditlog.record(connection, sys.argv[2], "test.done", str(number), now=datetime.now(UTC))
"""


def _verified(console: Console, after: tuple[int, str] | None = None) -> auditlog.Verified:
    with console.database.reading() as connection:
        return auditlog.verify(connection, after)


def test_processes_and_threads_append_to_one_chain(each_console: Console) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, url_of(each_console), name])
        for name in ("one", "two")
    ]

    def write() -> None:
        for number in range(15):
            with each_console.database.writing() as connection:
                auditlog.record(connection, "thread", "test.done", str(number), now=NOW)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(60) for child in children] == [0, 0]
    found = _verified(each_console)
    assert (found.rows, found.number, found.problem) == (60, 60, "")


def test_what_is_rolled_back_leaves_no_gap(each_console: Console) -> None:
    filled(each_console, 2)
    with each_console.database.engine.connect() as connection:
        auditlog.record(connection, "x", "test.done", now=NOW)
        connection.rollback()
    filled(each_console, 2)
    assert _verified(each_console)[:3] == (4, 0, "")


@pytest.mark.parametrize(
    "statement",
    [
        update(log).values(actor="x"),
        update(log).where(log.c.number == 2).values(hash="0" * 64),
        delete(log),
        delete(log).where(log.c.number == 3),
    ],
    ids=["update", "update-hash", "delete", "delete-one"],
)
def test_the_database_refuses_changes(each_console: Console, statement: Any) -> None:
    filled(each_console, 3)
    with pytest.raises(DriverError, match="only grows"), each_console.database.writing() as connection:  # fmt: skip
        connection.execute(statement)
    assert _verified(each_console).rows == 3


def test_other_ways_to_change_a_row_are_refused(each_console: Console) -> None:
    filled(each_console, 3)
    if each_console.database.sqlite:
        other = "INSERT OR REPLACE INTO log SELECT number, time, 'x', address, action, subject, detail, hash FROM log"  # fmt: skip
    else:
        other = "TRUNCATE log"
    with pytest.raises(DriverError, match="only grows"), each_console.database.writing() as connection:  # fmt: skip
        connection.execute(text(other))
    assert _verified(each_console).problem == ""


def _rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(log).order_by(log.c.number))]


def _change(connection: Connection) -> None:
    connection.execute(update(log).where(log.c.number == 4).values(actor="nobody"))


def _change_time(connection: Connection) -> None:
    connection.execute(update(log).where(log.c.number == 4).values(time=NOW))


def _change_and_hash(connection: Connection) -> None:
    """As somebody who knows how the hash is made, and not that the next one hangs on it."""
    rows = _rows(connection)
    row = {**rows[3], "actor": "nobody"}
    mark = auditlog.chained(rows[2]["hash"], row)
    connection.execute(update(log).where(log.c.number == 4).values(actor="nobody", hash=mark))


def _remove(connection: Connection) -> None:
    connection.execute(delete(log).where(log.c.number == 4))


def _remove_and_renumber(connection: Connection) -> None:
    connection.execute(delete(log).where(log.c.number == 4))
    for number in range(5, 9):
        moved = update(log).where(log.c.number == number)
        connection.execute(moved.values(number=number - 1))


def _insert(connection: Connection) -> None:
    for number in range(8, 3, -1):
        moved = update(log).where(log.c.number == number)
        connection.execute(moved.values(number=number + 1))
    row = {**_rows(connection)[2], "number": 4, "actor": "nobody"}
    connection.execute(insert(log).values(**row))


def _insert_in_front(connection: Connection) -> None:
    connection.execute(insert(log).values(**{**_rows(connection)[0], "number": 0}))


def _reorder(connection: Connection) -> None:
    for old, new in ((4, 99), (5, 4), (99, 5)):
        connection.execute(update(log).where(log.c.number == old).values(number=new))


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (_change, 4),
        (_change_time, 4),
        (_change_and_hash, 5),
        (_remove, 5),
        (_remove_and_renumber, 4),
        (_insert, 4),
        (_insert_in_front, 0),
        (_reorder, 4),
    ],
)
def test_a_row_that_was_tampered_with_is_found(
    each_console: Console, tamper: Callable[[Connection], None], first_bad: int
) -> None:
    filled(each_console)
    with each_console.database.writing() as connection:
        unguarded(connection)
        tamper(connection)
    found = _verified(each_console)
    assert found.problem
    assert found.first_bad == first_bad


def test_a_cut_end_is_found_by_who_noted_it(each_console: Console) -> None:
    filled(each_console)
    noted = _verified(each_console)
    end = (noted.number, noted.hash)
    filled(each_console, 1)
    assert _verified(each_console, end).problem == "", "it has grown since"
    with each_console.database.writing() as connection:
        unguarded(connection)
        connection.execute(delete(log).where(log.c.number >= 7))
    assert _verified(each_console).problem == "", "the rest is whole"
    assert _verified(each_console, end).first_bad == 7
    filled(each_console, 3)  # cut and grown again
    assert _verified(each_console, end)[:3] == (7, 8, "its hash is not the one that was noted")


def test_names_of_attackers_are_one_harmless_line(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        auditlog.record(
            connection,
            "a\0b\n\u202e\ud800",
            "test.done",
            "s" * 5000,
            {"x\0\ud800": "\ud800\0"},
            now=NOW,
        )
    row = logged(each_console)[0]
    assert row.actor.isprintable()
    assert len(row.subject) == 500
    assert _verified(each_console).problem == ""


# --- as auditors read it


def test_filters_and_pages(each_console: Console) -> None:
    filled(each_console, 230)
    asker = _auditor(each_console)
    seen: list[int] = []
    before: int | None = None
    while True:
        found = logbook.listed(asker, logbook.Filter(before=before))
        seen += [entry.number for entry in found.entries]
        if (before := found.next) is None:
            break
    assert seen == list(range(231, 0, -1))
    day = NOW.date() + timedelta(days=1)
    for filters, numbers in (
        (logbook.Filter(actor="u1", subject="4"), [5]),
        (logbook.Filter(action="users.first"), [231]),
        (logbook.Filter(action="users."), [231]),
        (logbook.Filter(action="users_"), []),
        # by the site's clock: 9:00 UTC is 17:00, so that the day has 7 hours left
        (logbook.Filter(until=NOW.date()), list(range(7, 0, -1))),
        (logbook.Filter(since=day, until=day), list(range(31, 7, -1))),
    ):
        assert [entry.number for entry in logbook.listed(asker, filters).entries] == numbers


def _auditor(console: Console) -> Any:
    """The auditor; made by a row of the log."""
    with console.database.writing() as connection:
        auditlog.record(connection, "", "users.first", "eve", now=NOW + timedelta(days=30))
    base = stranger(console)
    return Asker(base.database, base.services, NOW + timedelta(days=40), base.zone, "zh", Person(1, "eve", "", "auditor"), stage="full")  # fmt: skip


def test_the_export_has_all_and_no_formula(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        auditlog.record(connection, "=cmd|' /C calc'!A0", "test.done", "@SUM(1)", {}, now=NOW)
    filled(each_console, 30)
    reply = logbook.exported(_auditor(each_console), logbook.Filter())
    content = b"".join(reply.content)  # type: ignore[arg-type]
    assert content.count(b"\xef\xbb\xbf") == 1
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) == 1 + 33, "with its own row"
    assert rows[1][4] == "log.export"
    assert rows[-1][2].startswith("'=")
    assert rows[-1][5].startswith("'@")
    assert len({len(row) for row in rows}) == 1


def test_who_may_read_it(console: Console) -> None:
    for role in ("viewer", "analyst", "approver", "administrator"):
        client = console.client(role)
        for path in ("/log", "/log/export.csv", "/api/v1/log", "/api/v1/log/export"):
            assert client.get(path).status_code == 403
    client = console.client("auditor")
    page = client.get("/log?actor=&action=login.&since=&until=2027-01-01")
    assert "login.done" in page.text
    assert client.get("/log?since=x").status_code == 422
    limited = console.client("auditor", ("教育局",), name="limited")
    assert limited.get("/log").status_code == 403
