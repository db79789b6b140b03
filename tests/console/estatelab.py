"""A department with something of everything that a console keeps, in words that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.testclient import TestClient

from exporters.console.hosts import linestatus
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.take import take
from exporters.console.schema import agent_token, enrolment, host, message, target
from exporters.report.rendering import named
from rules.model import AuditResult, Host, PackResult, Text, Verdict, fingerprint
from rules.score import counts
from tests.consolelab import Console

Word = Callable[[str], str]
BEGUN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)
SOON: Final = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
FAILS: Final = "linux.sshd.no-root-login"


def estate(console: Console, department: str, number: int, word: Word) -> None:
    """Two hosts of it, their lines and targets; what people said, decided and were told; a report."""
    hosts = [Host(f"{number}{n}{word('host key')}", word("host name")) for n in range(2)]
    labels = {"department": department, "system": word("system"), "region": word("region")}
    labels |= {"level": "三级", "room": word("label")}
    for place, one in enumerate(hosts):
        own = word("rule"), word("pack")
        for day in range(2):
            result = audit(console, one, day, own, word)
            address = f"{word('address')}.example:9808"
            arrived = Arrived("pull", labels, address, "1.0.0")
            now = result.time + timedelta(minutes=1)
            taken = take(console.database, console.services, arrived, result, now)
            assert taken.host_id
        if place == 0:
            _beside(console, taken.host_id, one.id, department, labels, word)
    _people(console, department, hosts[0], taken.host_id, word)
    reports = Path(console.settings.reports)
    for kind in ("html", "hosts.csv"):
        path = reports / f"report-2026-10-{named(department)}.zh.{kind}"
        path.write_text(word("report"), encoding="utf-8")


def audit(console: Console, of: Host, day: int, own: tuple[str, str], word: Word) -> AuditResult:
    known = console.services.rules
    manual = next(one for one in known.values() if one.manual and "gb22239" in one.maps)
    unseen = next(one for one in known.values() if not one.manual and one.id != FAILS)
    rule = known[FAILS]
    verdicts = [
        Verdict(manual.id, "manual", manual.severity, manual.title, question=manual.manual),
        Verdict(unseen.id, "unknown", unseen.severity, unseen.title, reason=word("reason")),
    ]
    custom = own[0], Text(word("title"), word("title")), {}
    for name, title, maps in (custom, (rule.id, rule.title, rule.maps)):
        instance = f"instance of {of.id}"
        shown = {
            "instance": instance,
            "actual": {"value": word("actual")},
            "expected": word("expected"),
            "source": word("source"),
            "evidence": word("evidence"),
            "fingerprint": fingerprint(of.id, name, instance),
        }
        verdicts.append(Verdict(name, "fail", "critical", title, maps=maps, **shown))
    packs = PackResult(own[1], custom[1], {}, 0.4, counts(verdicts), tuple(verdicts))
    return AuditResult(of, BEGUN + timedelta(days=day), 1.0, (packs,))


def _beside(
    console: Console, id: int, key: str, department: str, labels: dict[str, str], word: Word
) -> None:
    """What agents and other systems have, of one host, which is silent."""
    info = f'line="{word("line")}",site="{word("site")}",carrier="{word("carrier")}",level="county"'
    told = f"# TYPE jianwei_line_info gauge\njianwei_line_info{{{info}}} 1\n"
    with console.database.writing() as connection:
        assert linestatus.store(connection, id, told, BEGUN) == 1
        quiet = {"silent_since": BEGUN, "problem": word("problem")}
        connection.execute(host.update().where(host.c.id == id).values(**quiet))
        asked = {"labels": labels, "department": department, "due": BEGUN}
        asked |= {"problem": word("target"), "etag": word("etag")}
        for of in (id, None):
            url = f"https://{word('target')}.example:9808"
            connection.execute(target.insert().values(url=url, host_id=of, **asked))
        hashed = {"labels": labels, "created": BEGUN}
        connection.execute(
            agent_token.insert().values(token_hash=word("hash"), host_key=key, **hashed)
        )
        by = {"created_by": word("enroller"), "expires": BEGUN, "host_key": key, "host_id": id}
        connection.execute(enrolment.insert().values(token_hash=word("hash"), **by, **hashed))
        content = {"title": word("message"), "items": [word("message")]}
        connection.execute(
            message.insert().values(
                key=word("message key"),
                kind="hit",
                receiver=word("receiver"),
                content=content,
                created=BEGUN,
                problem=word("message problem"),
            )
        )


def _people(console: Console, department: str, one: Host, last: int, word: Word) -> None:
    whole = console.client("approver", name=word("approver"))
    client = console.client("analyst", (department,), name=(me := word("analyst")))
    shown = ok(client.get("/api/v1/hits")).json()["hits"]
    for hit in [each for each in shown if each["host_id"] == last]:
        path = f"/api/v1/hits/{hit['id']}"
        ok(client.post(f"{path}/assign", json={"version": hit["version"], "to": me}))
        ok(client.post(f"{path}/comments", json={"text": word("comment")}))
        ticket = {"version": hit["version"] + 1, "ticket": word("ticket")}
        ok(client.put(f"{path}/ticket", json=ticket))
        noted = {"version": hit["version"] + 2, "note": word("note")}
        ok(client.post(f"{path}/acknowledge", json=noted))
    ask = {"rule": FAILS, "expires": SOON, "reason": "", "owner": ""}
    for asker, hosts, departments in (
        (client, ["*"], [department]),
        (whole, [one.name], []),
        (whole, [f"{one.id[:8]}*"], []),
    ):
        ask |= {"hosts": hosts, "departments": departments}
        ask |= {"reason": word("waiver"), "owner": word("waiver owner")}
        made = ok(asker.post("/api/v1/waivers", json=ask)).json()
        boss = console.client("approver", name=word("decider"))
        decided = {"version": 1, "note": word("waiver note")}
        ok(boss.post(f"/api/v1/waivers/{made['id']}/approve", json=decided))
        window = {"kind": "maintenance", "reason": word("window"), "hosts": hosts}
        window |= {"departments": departments, "lines": [word("window line")]}
        window |= {"begins": f"{SOON}T01:00", "ends": f"{SOON}T02:00"}
        ok(asker.post("/api/v1/windows", json=window))
    asked = {**ask, "departments": [department], "instance": word("waiver instance")}
    ok(client.post("/api/v1/waivers", json=asked))
    (item, *_) = ok(client.get("/api/v1/manual")).json()["items"]
    path = f"/manual/{item['rule_id']}/{item['department_id']}"
    for name in ("", one.name):
        said = {"answer": "fail", "text": word("answer"), "expires": SOON, "host": name}
        files = [("files", (f"{word('file')}.txt", word("content").encode(), "text/plain"))]
        answer = client.post(path, data=said, files=files)
        assert answer.status_code == 303, answer.text
    for asker in (client, whole):
        view = {"name": word("view"), "query": f"?host={one.name}", "shared": True}
        ok(asker.post("/api/v1/views", json=view))


def ok(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer


def client_of(console: Console, role: Any, department: str) -> TestClient:
    return console.client(role, (department,), name=f"own {role}")
