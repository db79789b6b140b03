"""Messages from what happens in the database to real receivers: once each, in order, again where it fails."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from collectors.strictyaml import Secret
from exporters.console import leases
from exporters.console.notify import outbox
from exporters.console.notify.notifier import Notifier
from exporters.console.notify.settings import NotifyRule, NotifySettings, QuietHours, Receiver
from exporters.console.schema import host, lease, message, waiver, window
from exporters.console.services import Services
from exporters.report.delivery.settings import Mailbox, SmtpServer
from tests.console.notifysample import NOW, add_hits, became, regress
from tests.consolelab import Console
from tests.exporters import hookserver, smtpserver

STEP = timedelta(seconds=130)


@pytest.fixture
def hook() -> Iterator[hookserver.HookServer]:
    with hookserver.serving(None) as server:
        yield server


def services(console: Console, settings: NotifySettings) -> Services:
    changed = msgspec.structs.replace(
        console.services.settings, notify=settings, public_url="https://console.example"
    )
    return dataclasses.replace(console.services, settings=changed)


def to(hook: hookserver.HookServer, **rest: Any) -> NotifySettings:
    receiver = Receiver(format="generic", url=Secret(hook.url + "?key=SECRETKEY"))
    rules = rest.pop("rules", (NotifyRule(("ops",)),))
    return NotifySettings(receivers={"ops": receiver}, rules=rules, **rest)


def told(hook: hookserver.HookServer) -> list[dict[str, Any]]:
    return [msgspec.json.decode(one.body) for one in hook.hooks]


def rows(console: Console) -> list[Any]:
    with console.database.reading() as connection:
        return list(connection.execute(select(message).order_by(message.c.id)))


def test_new_hits_and_regressions_are_told_once(
    each_console: Console, hook: hookserver.HookServer
) -> None:
    console = each_console
    notifier = Notifier(console.database, services(console, to(hook)))
    add_hits(console, 3)
    notifier.run_once(NOW)  # what was there before is not news
    ids = add_hits(console, 12, "critical") + add_hits(console, 2, "low")
    notifier.run_once(NOW + STEP)
    notifier.run_once(NOW + 2 * STEP)
    [body] = told(hook)
    assert (body["event"], body["count"], body["severities"]) == ("new", 12, {"critical": 12})
    assert [it["url"] for it in body["items"]] == [
        f"https://console.example/hits/{one}" for one in ids[:10]
    ]
    regress(console, ids[-1])
    for n in range(3, 6):
        notifier.run_once(NOW + n * STEP)
    assert [it["event"] for it in told(hook)] == ["new", "regressed"]
    assert {row.state for row in rows(console)} == {"delivered"}


def test_what_is_waived_before_it_is_told_is_not_told(
    console: Console, hook: hookserver.HookServer
) -> None:
    notifier = Notifier(console.database, services(console, to(hook)))
    notifier.run_once(NOW)
    [one] = add_hits(console, 1)
    became(console, one, "waived")
    notifier.run_once(NOW + STEP)
    notifier.run_once(NOW + 2 * STEP)
    assert not hook.hooks


def test_departments_and_severities_of_rules(console: Console, hook: hookserver.HookServer) -> None:
    rules = (NotifyRule(("ops",), ("new",), "high", ("市财政局",)),)
    notifier = Notifier(console.database, services(console, to(hook, rules=rules)))
    notifier.run_once(NOW)
    add_hits(console, 1, "high", "市财政局")
    add_hits(console, 1, "critical", "市公安局")
    add_hits(console, 1, "medium", "市财政局")
    notifier.run_once(NOW + STEP)
    notifier.run_once(NOW + 2 * STEP)
    [body] = told(hook)
    assert [it["department"] for it in body["items"]] == ["市财政局"]


def test_hosts_that_go_silent_and_come_back(
    each_console: Console, hook: hookserver.HookServer
) -> None:
    console = each_console
    add_hits(console, 1)
    notifier = Notifier(console.database, services(console, to(hook)))
    notifier.run_once(NOW)
    for since in (NOW, NOW, None, None, NOW + STEP):
        with console.database.writing() as connection:
            connection.execute(host.update().values(silent_since=since))
            connection.execute(lease.delete())  # another console from now on
        Notifier(console.database, services(console, to(hook))).run_once(NOW + STEP)
    assert [it["event"] for it in told(hook)] == ["agent_silent", "agent_back", "agent_silent"]


def test_a_waiver_is_told_of_at_30_7_and_1_days(
    console: Console, hook: hookserver.HookServer
) -> None:
    with console.database.writing() as connection:
        for number, state in enumerate(("approved", "requested")):
            connection.execute(
                waiver.insert().values(
                    code=f"W-{number}",
                    rule="r",
                    hosts=["*"],
                    reason="x",
                    owner="x",
                    requester="x",
                    state=state,
                    expires=date(2026, 4, 30),
                    created=NOW,
                )
            )
    notifier = Notifier(console.database, services(console, to(hook)))
    for day in range(70):
        notifier.run_once(datetime(2026, 3, 1, 4, tzinfo=UTC) + timedelta(days=day))
    days = [datetime.fromisoformat(it["time"]).date() for it in told(hook)]
    assert days == [date(2026, 3, 31), date(2026, 4, 23), date(2026, 4, 29)]
    assert {it["count"] for it in told(hook)} == {1}


@pytest.mark.parametrize("leased", [True, False])
def test_two_consoles_on_one_database_tell_each_event_once(
    postgres: Any, hook: hookserver.HookServer, leased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not leased:  # as when their clocks are apart
        monkeypatch.setattr(leases, "held", lambda *_: True)
    url = postgres.url()
    consoles = [Console(url), Console(url)]
    notifiers = [Notifier(it.database, services(it, to(hook))) for it in consoles]
    notifiers[0].run_once(NOW)
    add_hits(consoles[0], 5)
    for turn in range(1, 4):
        threads = [
            threading.Thread(target=it.run_once, args=(NOW + turn * STEP,)) for it in notifiers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [(it["event"], it["count"]) for it in told(hook)] == [("new", 5)]
    for it in consoles:
        it.close()


def test_what_a_window_covers_is_kept_and_not_sent(
    each_console: Console, hook: hookserver.HookServer
) -> None:
    console = each_console
    notifier = Notifier(console.database, services(console, to(hook)))
    notifier.run_once(NOW)
    ends = NOW + 10 * STEP
    with console.database.writing() as connection:
        connection.execute(
            window.insert().values(
                kind="maintenance",
                reason="升级",
                begins=NOW,
                ends=ends,
                last=ends,
                scope={"departments": ["市财政局"]},
                created_by="x",
                created=NOW,
            )
        )
    add_hits(console, 3, of="市财政局")
    add_hits(console, 2, of="市公安局")
    with console.database.writing() as connection:
        connection.execute(host.update().values(silent_since=NOW))
    for turn in range(1, 9):
        notifier.run_once(NOW + turn * STEP)
    found = sorted((row.kind, row.state, row.content.get("count", 1)) for row in rows(console))
    assert found == [
        ("agent_silent", "delivered", 1),
        ("agent_silent", "suppressed", 1),
        ("new", "delivered", 2),
        ("new", "suppressed", 3),
    ]
    page = console.client("administrator").get("/notifications?state=suppressed").text
    assert page.count("维护或静默期间，未发送") >= 3
    # who is silent still when the window is over is told of then
    for turn in range(9, 15):
        notifier.run_once(NOW + turn * STEP)
    assert sorted(it["event"] for it in told(hook)) == ["agent_silent", "agent_silent", "new"]


class Killed(BaseException):
    """What a kill -9 is to a test: nothing after it runs."""


def test_a_kill_between_delivery_and_commit_delivers_again_with_the_same_key(
    console: Console, hook: hookserver.HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = Notifier(console.database, services(console, to(hook)))
    notifier.run_once(NOW)
    add_hits(console, 1)
    notifier.run_once(NOW + STEP)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "delivered", killed)
        with pytest.raises(Killed):
            notifier.run_once(NOW + 2 * STEP)
    again = Notifier(console.database, services(console, to(hook)))
    again.run_once(NOW + 2 * STEP)  # the lease of the dead one has not run out
    again.deliver(NOW + 2 * STEP)  # nor has its claim
    assert len(hook.hooks) == 1
    again.run_once(NOW + 3 * STEP)
    first, second = hook.hooks
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    again.run_once(NOW + 4 * STEP)
    assert len(hook.hooks) == 2


def test_back_off_order_and_giving_up(
    console: Console, hook: hookserver.HookServer, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [(503, {})] * 100
    notifier = Notifier(console.database, services(console, to(hook)))
    notifier.run_once(NOW)
    for number in range(2):
        with console.database.writing() as connection:
            outbox.put(
                connection,
                console.database,
                key=f"test:{number}",
                receiver="ops",
                content={"kind": "test", "time": NOW},
                now=NOW,
                due=NOW,
            )
    tried = []
    for minute in (*range(17), 30, 31, 62, 63, 126, 127, 254, 255, 510, 511, 870, 871):
        before = len(hook.hooks)
        notifier.deliver(NOW + timedelta(minutes=minute))
        if len(hook.hooks) > before:
            tried.append(minute)
        if minute == 8:
            assert {row.attempts for row in rows(console)} == {4, 0}  # in order
    assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 871]
    row = rows(console)[0]
    assert row.problem == "it answered 503 Service Unavailable"
    with caplog.at_level(logging.ERROR):
        notifier.deliver(NOW + timedelta(days=3))
    first = rows(console)[0]
    assert (first.state, first.due) == ("given_up", None)
    assert "was given up: it answered 503" in caplog.text
    assert "SECRETKEY" not in caplog.text
    hook.answers = []
    notifier.deliver(NOW + timedelta(days=3))
    assert rows(console)[1].state == "delivered"


def test_what_the_receiver_refuses_is_given_up_soon(
    console: Console, hook: hookserver.HookServer
) -> None:
    hook.answers = [(400, {})] * 5
    notifier = Notifier(console.database, services(console, to(hook)))
    with console.database.writing() as connection:
        outbox.put(
            connection,
            console.database,
            key="k",
            receiver="ops",
            content={"kind": "test", "time": NOW},
            now=NOW,
            due=NOW,
        )
    for hours in range(10):
        notifier.deliver(NOW + timedelta(hours=hours))
    [row] = rows(console)
    assert (row.state, row.attempts) == ("given_up", 5)


def test_no_redirect_is_followed_and_no_secret_is_told(
    console: Console, hook: hookserver.HookServer
) -> None:
    hook.answers = [(302, {"Location": hook.url + "?again=SECRETKEY"})]
    notifier = Notifier(console.database, services(console, to(hook)))
    with console.database.writing() as connection:
        outbox.put(
            connection,
            console.database,
            key="k",
            receiver="ops",
            content={"kind": "test", "time": NOW},
            now=NOW,
            due=NOW,
        )
    notifier.deliver(NOW)
    [row] = rows(console)
    assert len(hook.hooks) == 1
    assert "points elsewhere" in row.problem
    assert "SECRETKEY" not in row.problem


def test_quiet_hours_hold_back_what_is_not_critical(
    console: Console, hook: hookserver.HookServer
) -> None:
    quiet = msgspec.convert({"begins": "22:00", "ends": "08:00"}, QuietHours, dec_hook=_clock)
    rules = (NotifyRule(("ops",), severity="high"),)
    settings = to(hook, quiet=quiet, rules=rules)
    notifier = Notifier(console.database, services(console, settings))
    night = datetime(2026, 3, 5, 15, 0, tzinfo=UTC)  # 23:00 there
    notifier.run_once(night)
    add_hits(console, 1, "high")
    notifier.run_once(night + STEP)
    notifier.run_once(night + 2 * STEP)
    assert not hook.hooks
    assert rows(console)[0].due == datetime(2026, 3, 6, 0, 0, tzinfo=UTC)
    add_hits(console, 1, "critical")
    notifier.deliver(datetime(2026, 3, 6, 0, 0, tzinfo=UTC))
    assert [it["count"] for it in told(hook)] == [1]


def _clock(kind: type, value: object) -> Any:
    return kind.parse(value)  # type: ignore[attr-defined]


def test_mail_to_two_and_one_of_them_again(console: Console) -> None:
    with smtpserver.serving(None) as server:
        server.refuse = {"b@example.org"}
        smtp = SmtpServer(
            host="127.0.0.1", port=server.port, tls="none", sender=Mailbox("jianwei@example.org")
        )
        boxes = (Mailbox("a@example.org"), Mailbox("b@example.org"))
        settings = NotifySettings(
            smtp=smtp,
            receivers={"people": Receiver(format="mail", to=boxes, language="en")},
            rules=(NotifyRule(("people",)),),
        )
        notifier = Notifier(console.database, services(console, settings))
        notifier.run_once(NOW)
        add_hits(console, 2)
        notifier.run_once(NOW + STEP)
        notifier.run_once(NOW + 2 * STEP)
        assert "no such user" in rows(console)[0].problem
        server.refuse = set()
        notifier.run_once(NOW + 3 * STEP)
        assert [one.to for one in server.mails] == [("a@example.org",), ("b@example.org",)]
        mail = server.mails[0].message
        assert mail["Subject"] == "[Jianwei] 2 new hits"
        assert mail["Message-ID"] == server.mails[1].message["Message-ID"]
        assert "https://console.example/hits/" in mail.get_content()
