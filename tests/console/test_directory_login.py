"""Logging in to the console as a user of a real LDAP directory, and ceasing to be one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from exporters.console.people.directory import ldap
from exporters.console.people.directory.identity import Identity
from exporters.console.people.directory.ldapsettings import LdapSettings
from exporters.console.people.directory.recheck import Recheck
from exporters.console.people.policy import PeopleSettings
from exporters.console.schema import api_token, log, user
from exporters.console.settings import ConsoleSettings
from tests.console.test_directory_ldap import dn, settings
from tests.consolelab import PASSWORD as LOCAL
from tests.consolelab import Console
from tests.ldaplab import BASE, PASSWORD, Slapd, person

CHEAP = PeopleSettings(rounds=4)
WRONG = "用户名或密码不正确"


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    if why := Slapd.unavailable():
        pytest.skip(why)
    with Slapd() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def console(
    request: pytest.FixtureRequest, slapd: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('console')}/console.db"
    else:
        url = request.getfixturevalue("postgres").url()
    made = Console(url, ConsoleSettings(people=CHEAP, ldap=settings(slapd)))
    yield made
    made.close()


def enter(console: Console, name: str, password: str = PASSWORD) -> tuple[TestClient, int, str]:
    client = console.client(None)
    answer = client.post("/login", data={"name": name, "password": password})
    return client, answer.status_code, answer.text


def row(console: Console, name: str) -> dict[str, object]:
    with console.database.reading() as connection:
        found = connection.execute(select(user).where(user.c.name == name)).one()
    return dict(found._mapping)


def actions(console: Console) -> list[str]:
    with console.database.reading() as connection:
        return [*connection.execute(select(log.c.action).order_by(log.c.number)).scalars()]


def test_a_directory_user_comes_in_and_is_refreshed(console: Console) -> None:
    client, status, _ = enter(console, "zhang")
    assert status == 303
    assert client.get("/").status_code == 200
    made = row(console, "zhang")
    assert made["origin"] == "ldap"
    assert made["subject"] == dn("zhang")
    assert made["role"] == "analyst"
    assert made["departments"] == ["市财政局"]
    assert made["full_name"] == "Zhang San"
    assert made["password_hash"] == ""
    assert [one for one in actions(console) if one in ("users.provisioned", "login.done")] == [
        "users.provisioned",
        "login.done",
    ]
    with console.database.writing() as connection:
        connection.execute(update(user).values(role="viewer", full_name="old"))
    assert enter(console, "zhang")[1] == 303
    assert row(console, "zhang")["role"] == "analyst"
    assert row(console, "zhang")["id"] == made["id"]
    # what they could do before is another thing than what they can do now
    assert client.get("/").status_code == 303


def test_wrong_passwords_lock_and_local_users_stay_local(console: Console) -> None:
    for name, password in (("zhang", ""), ("zhao", PASSWORD), ("*)(uid=*", PASSWORD)):
        _, status, text = enter(console, name, password)
        assert status == 401
        assert WRONG in text
    console.person("li", "viewer")  # a local one, of a name that the directory has too
    assert enter(console, "li", PASSWORD)[1] == 401
    assert enter(console, "li", LOCAL)[1] == 303
    assert row(console, "li")["origin"] == "local"
    assert enter(console, "wang")[1] == 303
    limit = console.settings.people.password.failures
    with console.database.writing() as connection:
        until = datetime.now(UTC) + timedelta(minutes=5)
        connection.execute(
            update(user).where(user.c.name == "wang").values(failures=limit, locked_until=until)
        )
    _, status, text = enter(console, "wang")
    assert (status, WRONG in text) == (401, True)
    with console.database.writing() as connection:
        connection.execute(
            update(user)
            .where(user.c.name == "wang")
            .values(failures=0, locked_until=None, disabled=True)
        )
    assert enter(console, "wang")[1] == 401


def test_failures_of_a_directory_user_are_counted(console: Console) -> None:
    assert enter(console, "wang")[1] == 303
    assert enter(console, "wang", "wrong")[1] == 401
    assert row(console, "wang")["failures"] == 1
    assert enter(console, "wang")[1] == 303
    assert row(console, "wang")["failures"] == 0


def test_nobody_who_is_another_here_is_taken_over(console: Console) -> None:
    assert enter(console, "zhang")[1] == 303
    with console.database.writing() as connection:
        connection.execute(update(user).values(subject=f"uid=zhang,ou=others,{BASE}"))
    _, status, text = enter(console, "zhang")
    assert status == 409
    assert "已有名为 zhang 的其他账户" in text


def test_a_directory_that_is_down(console: Console, slapd: Slapd) -> None:
    console.person("local", "viewer")
    slapd.kill()
    try:
        _, status, text = enter(console, "zhang")
        assert status == 503
        assert "目录暂时无法访问" in text
        assert enter(console, "local", LOCAL)[1] == 303
    finally:
        slapd.start()
    assert enter(console, "zhang")[1] == 303


def test_whoever_was_taken_out_is_logged_out(console: Console, slapd: Slapd) -> None:
    slapd.change(
        person("chen").replace("objectClass:", "changetype: add\nobjectClass:", 1)
        + f"departmentNumber: 0317\n\ndn: uid=liu,ou=people,{BASE}\nchangetype: add\n"
        + person("liu").partition("\n")[2]
        + "departmentNumber: 0317\n"
    )
    recheck = Recheck(console.database, settings(slapd))
    chen, liu = enter(console, "chen")[0], enter(console, "liu")[0]
    now = datetime.now(UTC)
    with console.database.writing() as connection:
        connection.execute(
            api_token.insert().values(
                user_id=row(console, "chen")["id"],
                token_hash="x",
                name="script",
                created=now,
                expires=now + timedelta(days=1),
            )
        )
    recheck.run_once(now)
    assert chen.get("/").status_code == liu.get("/").status_code == 200
    slapd.change(f"dn: {dn('chen')}\nchangetype: delete\n")
    recheck.run_once(now)
    assert chen.get("/").status_code == 303
    assert liu.get("/").status_code == 200
    with console.database.reading() as connection:
        assert connection.execute(select(api_token)).first() is None
    slapd.change(f"dn: {dn('liu')}\nchangetype: modify\ndelete: departmentNumber\n")
    recheck.run_once(now)
    assert liu.get("/").status_code == 303
    slapd.change(f"dn: {dn('liu')}\nchangetype: delete\n")
    assert actions(console).count("users.directory_gone") == 2


def test_nobody_stays_in_by_a_directory_that_is_down(console: Console, slapd: Slapd) -> None:
    recheck = Recheck(console.database, settings(slapd))
    console.person("local", "viewer")
    client, local = enter(console, "zhang")[0], enter(console, "local", LOCAL)[0]
    now = datetime.now(UTC)
    slapd.kill()
    try:
        recheck.run_once(now + timedelta(minutes=5))
        assert client.get("/").status_code == 200
        recheck.run_once(now + timedelta(minutes=10, seconds=1))
    finally:
        slapd.start()
    assert client.get("/").status_code == 303
    assert local.get("/").status_code == 200


def test_one_user_who_cannot_be_asked_about_keeps_nobody_in(
    console: Console, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    zhang, wang = enter(console, "zhang")[0], enter(console, "wang")[0]
    now = datetime.now(UTC)
    with console.database.writing() as connection:
        others = dn("zhang").replace("uid=", "UID = ").upper()
        connection.execute(update(user).where(user.c.name == "zhang").values(subject=others))
    recheck = Recheck(console.database, settings(slapd))
    recheck.run_once(now + timedelta(minutes=5))
    assert zhang.get("/").status_code == wang.get("/").status_code == 200
    assert enter(console, "zhang")[1] == 303, "the DN is the same, however it is written"
    still = ldap.still

    def fails(of: LdapSettings, subject: str, name: str) -> Identity | None:
        if name == "zhang":
            raise ValueError(name)
        return still(of, subject, name)

    monkeypatch.setattr(ldap, "still", fails)
    recheck.run_once(now + timedelta(minutes=16))
    assert zhang.get("/").status_code == 303, "nobody vouches for them"
    assert wang.get("/").status_code == 200
    assert row(console, "wang")["vouched"] == now + timedelta(minutes=16)
