"""Logging in by password: who may, who is locked, what is told and logged."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from exporters.console.people import login, sessions
from exporters.console.people.door import Buckets, Door
from exporters.console.people.policy import PeopleSettings
from exporters.console.settings import ConsoleSettings
from exporters.console.web.refusals import TooMany, Unknown
from tests.consolelab import PASSWORD, Console
from tests.peoplelab import NOW, holder, logged, row_of, set_user, stranger

WRONG = "Wrong-Horse-9"


def _enters(console: Console, name: str, password: str, now: datetime = NOW) -> bool:
    try:
        login.by_password(stranger(console, now), name, password)
    except Unknown:
        return False
    return True


def test_five_failures_lock_for_ten_minutes(each_console: Console) -> None:
    each_console.person("zhang", "viewer")
    set_user(each_console, "zhang", password_changed=NOW)
    for _ in range(4):
        assert not _enters(each_console, "zhang", WRONG)
    assert _enters(each_console, "zhang", PASSWORD), "a success begins again"
    for _ in range(5):
        assert not _enters(each_console, "zhang", WRONG)
    assert not _enters(each_console, "zhang", PASSWORD, NOW + timedelta(seconds=599))
    assert not _enters(each_console, "zhang", WRONG, NOW + timedelta(seconds=599))
    assert _enters(each_console, "zhang", PASSWORD, NOW + timedelta(seconds=600))
    assert row_of(each_console, "zhang").failures == 0
    whys = [json.loads(row.detail) for row in logged(each_console, "login.failed")]
    assert whys.count({"why": "password"}) == 8
    assert whys.count({"why": "password", "locked": True}) == 1
    assert whys.count({"why": "locked"}) == 2


def test_the_first_failure_after_a_lock_is_the_first(console: Console) -> None:
    console.person("zhang", "viewer")
    for _ in range(5):
        _enters(console, "zhang", WRONG)
    later = NOW + timedelta(seconds=700)
    assert not _enters(console, "zhang", WRONG, later)
    assert row_of(console, "zhang").failures == 1
    assert _enters(console, "zhang", PASSWORD, later)


def test_failures_at_once_all_count(each_console: Console) -> None:
    each_console.person("zhang", "viewer")

    def fail() -> None:
        for _ in range(2):
            _enters(each_console, "zhang", WRONG)

    threads = [threading.Thread(target=fail) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert row_of(each_console, "zhang").failures == 4
    assert len(logged(each_console, "login.failed")) == 4


def test_nobody_learns_who_exists(console: Console) -> None:
    console.person("zhang", "viewer")
    console.person("gone", "viewer")
    console.person("locked", "viewer")
    set_user(console, "gone", disabled=True)
    set_user(console, "locked", locked_until=datetime.now(UTC) + timedelta(days=1))
    client = console.client(None)
    said = set()
    for name in ("zhang", "gone", "locked", "nobody", "x" * 300):
        for password in (WRONG, PASSWORD) if name in ("gone", "locked") else (WRONG,):
            answer = client.post("/login", data={"name": name, "password": password})
            assert answer.status_code == 401
            assert password not in answer.text
            said.add(answer.text.replace(name[:256], ""))
    assert len(said) == 1
    for name in ("%00", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        assert client.post("/login", data={"name": name, "password": WRONG}).status_code == 401


def test_the_log_has_no_password(console: Console) -> None:
    client = console.client(None)
    for name in ("Secret-Typed-1", "Secret-Typed-1", "other"):
        client.post("/login", data={"name": name, "password": "Secret-Typed-2"})
    rows = logged(console, "login.failed")
    assert "Secret" not in str(rows)
    marks = [json.loads(row.detail)["mark"] for row in rows]
    assert marks[0] == marks[1] != marks[2]
    assert {row.subject for row in rows} == {""}


def test_the_form_keeps_the_name_and_where_to(console: Console) -> None:
    client = console.client(None)
    answer = client.post("/login", data={"name": "zhang", "password": WRONG, "next": "/hits?a=1"})
    assert answer.status_code == 401
    assert 'value="zhang"' in answer.text
    assert 'value="/hits?a=1"' in answer.text
    assert 'role="alert"' in answer.text
    assert 'autocomplete="current-password"' in answer.text


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_login_leads_nowhere_else(console: Console, where: str) -> None:
    console.person("zhang", "viewer")
    data = {"name": "zhang", "password": PASSWORD, "next": where}
    assert console.client(None).post("/login", data=data).headers["location"] == "/"


def test_a_password_longer_than_bcrypt_takes_is_no_match() -> None:
    door = Door(PeopleSettings(rounds=4))
    exact = "x" * 72
    made = door.hashed(exact)
    assert door.matches(exact, made)
    assert not door.matches(exact + "y", made)
    assert not door.matches("", "")
    assert not door.matches("x", "", "")
    assert door.matches(exact, "", made)


def test_more_checks_at_once_than_there_is_room_for_are_told_to_come_again() -> None:
    door = Door(PeopleSettings(rounds=8))
    made = door.hashed("Tr0ub-dour")
    told: list[int] = []
    gate = threading.Barrier(12)

    def knock() -> None:
        gate.wait()
        try:
            for _ in range(3):
                door.matches("Tr0ub-dour", made)
        except TooMany as refused:
            told.append(refused.seconds)

    threads = [threading.Thread(target=knock) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told
    assert door.matches("Tr0ub-dour", made)


def test_an_address_that_tries_too_often_waits(tmp_path: Path) -> None:
    people = PeopleSettings(rounds=4, tries=3, pause=100.0)
    console = Console(f"sqlite:///{tmp_path}/c.db", ConsoleSettings(people=people))
    console.person("zhang", "viewer")
    client = console.client(None)
    for _ in range(5):  # who gets in does not count
        assert client.post("/login", data={"name": "zhang", "password": PASSWORD}).status_code in (303, 403)  # fmt: skip
        client.cookies.clear()
    for _ in range(3):
        assert client.post("/login", data={"name": "a", "password": "b"}).status_code == 401
    answer = client.post("/login", data={"name": "zhang", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 101
    assert 'role="alert"' in answer.text
    console.close()


def test_buckets_fill_again_and_are_bounded() -> None:
    buckets = Buckets(2, 10.0, 3)
    buckets.take("10.0.0.1", 0)
    buckets.take("10.0.0.1", 0)
    with pytest.raises(TooMany):
        buckets.take("10.0.0.1", 5)
    buckets.take("10.0.0.1", 10)
    # the hosts of one IPv6 network are one
    buckets.take("2001:db8::1", 0)
    buckets.take("2001:db8::2", 0)
    with pytest.raises(TooMany):
        buckets.take("2001:db8::3", 0)
    for last in range(50):
        buckets.take(f"10.1.0.{last}", 0)
    assert len(buckets) == 3


def test_a_proxy_that_is_trusted_is_believed_and_nobody_else(tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    people = PeopleSettings(rounds=4)
    for number, (proxies, seen) in enumerate(
        {("127.0.0.0/8",): "203.0.113.9", ("192.0.2.1",): "127.0.0.1", (): "127.0.0.1"}.items()
    ):
        settings = ConsoleSettings(people=people, proxies=proxies)
        console = Console(f"sqlite:///{tmp_path}/{number}.db", settings)
        console.person("zhang", "viewer")
        with console.served() as url:
            given = {"name": "zhang", "password": PASSWORD}
            answer = httpx.post(url + "/login", data=given, headers=forwarded, trust_env=False)
        assert logged(console, "login.done")[0].address == seen
        secure = seen != "127.0.0.1"
        cookie = answer.headers["set-cookie"]
        assert ("__Host-jianwei_session" in cookie) is secure
        assert ("; Secure" in cookie) is secure
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        console.close()


def test_what_is_no_address_is_no_proxy() -> None:
    with pytest.raises(ValueError, match=r"proxy\.example"):
        ConsoleSettings(proxies=("proxy.example",))


def test_a_session_planted_before_is_not_the_one_after(each_console: Console) -> None:
    client = each_console.client("viewer")
    planted = client.cookies[sessions.COOKIE]
    data = {"name": "viewer", "password": PASSWORD}
    assert client.post("/login", data=data).status_code == 303
    assert client.cookies[sessions.COOKIE] != planted
    assert holder(each_console, planted, datetime.now(UTC)).person is None


def test_sessions_end_when_idle_and_after_a_day(console: Console) -> None:
    console.person("zhang", "viewer")
    set_user(console, "zhang", password_changed=NOW)
    token = login.by_password(stranger(console), "zhang", PASSWORD).token
    at = NOW
    for _ in range(33):  # 7 h 50 min, never idle for long
        at += timedelta(seconds=850)
        assert holder(console, token, at).name == "zhang"
    assert holder(console, token, NOW + timedelta(hours=8)).person is None
    token = login.by_password(stranger(console), "zhang", PASSWORD).token
    assert holder(console, token, NOW + timedelta(seconds=899)).name == "zhang"
    token = login.by_password(stranger(console), "zhang", PASSWORD).token
    assert holder(console, token, NOW + timedelta(seconds=900)).person is None


@pytest.mark.parametrize("change", [{"must_change": True}, {"password_changed": NOW - timedelta(days=90)}])  # fmt: skip
def test_a_password_that_is_due_is_changed_before_anything_else(
    console: Console, change: dict[str, object]
) -> None:
    console.person("zhang", "viewer")
    set_user(console, "zhang", **{"password_changed": NOW, **change})
    now = datetime.now(UTC)
    if "password_changed" in change:
        set_user(console, "zhang", password_changed=now - timedelta(days=90))
    client = console.client(None)
    answer = client.post("/login", data={"name": "zhang", "password": PASSWORD, "next": "/hits"})
    assert answer.headers["location"] == "/profile/password"
    assert client.get("/").headers["location"] == "/profile/password"
    assert client.get("/api/v1/profile").status_code == 401
    page = client.get("/profile/password")
    assert page.status_code == 200
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    before = client.cookies[sessions.COOKIE]
    data = {"current": PASSWORD, "password": "Tr0ub-dour-9", "again": "Tr0ub-dour-9", "csrf": token}
    assert client.post("/profile/password", data=data).headers["location"] == "/"
    assert client.cookies[sessions.COOKIE] != before
    assert client.get("/").status_code == 200
    assert holder(console, before, now).person is None


def test_who_is_warned_that_a_password_will_expire(console: Console) -> None:
    console.person("zhang", "viewer")
    for days, warned in ((81, False), (84, True)):
        set_user(console, "zhang", password_changed=datetime.now(UTC) - timedelta(days=days))
        client = console.client("viewer", name="zhang")
        assert ("到期" in client.get("/", headers={"Accept-Language": "zh"}).text) is warned
