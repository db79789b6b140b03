"""Hosts, rules and lines: lists that end, figures that are those of the rows, nobody sees other departments."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from sqlalchemy import insert, select, update

from exporters.console.codes import OPEN_STATES
from exporters.console.hosts import hostlist, rulelist
from exporters.console.schema import department, hit, host, host_pack, rule, unjudged
from rules.model import OUTCOMES
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import WAIVED

NOW = datetime.now(UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('hosts')}/console.db"
    else:
        url = request.getfixturevalue("postgres").url()
    made = Console(url)
    consolesample.fill(made, 7)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "console.db"
    made = Console(f"sqlite:///{path}")
    consolesample.fill(made, 7)
    made.close()
    return path


@pytest.fixture
def own(sample: Path, tmp_path: Path) -> Iterator[Console]:
    """On SQLite, to be changed."""
    shutil.copy(sample, tmp_path / "console.db")
    made = Console(f"sqlite:///{tmp_path}/console.db")
    yield made
    made.close()


def rows(console: Console, statement: Any) -> list[Any]:
    with console.database.reading() as connection:
        return list(connection.execute(statement).all())


def get(
    console: Console, path: str, departments: tuple[str, ...] | None = None, status: int = 200
) -> Any:
    client = console.client("viewer", departments, name=f"viewer {departments}")
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def walked(console: Console, path: str, what: str) -> list[Any]:
    """All pages of a list, one after the other."""
    client = console.client("viewer")
    found: list[Any] = []
    cursor = ""
    mark = "&" if "?" in path else "?"
    for _ in range(50):
        answer = client.get(f"/api/v1{path}{mark}{urlencode({'cursor': cursor})}").json()
        found += answer[what]
        cursor = answer["cursor"]
        if not cursor:
            return found
    raise AssertionError("a list without an end")


@pytest.mark.parametrize("sort", ["hits", "score", "audit", "name"])
def test_pages_of_hosts_are_the_whole_list_in_order(
    filled: Console, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostlist, "SIZE", 2)
    found = walked(filled, f"/hosts?sort={sort}", "hosts")
    assert len(found) == len({one["id"] for one in found}) == 7
    keys = {
        "hits": [-one["hits"] for one in found],
        "score": [9 if one["score"] is None else one["score"] for one in found],
        "audit": [one["last_audit"] for one in found],
        "name": [one["name"] for one in found],
    }[sort]
    assert keys == sorted(keys)


def test_hosts_are_filtered_and_scoped(filled: Console) -> None:
    hosts = rows(filled, select(host, department.c.name.label("dept")).join(department))
    for query, wanted in (
        ("department=市公安局", lambda one: one.dept == "市公安局"),
        ("department=-", lambda one: one.dept == ""),
        ("level=二级", lambda one: one.level == "二级"),
        ("region=东城区&level=三级", lambda one: (one.region, one.level) == ("东城区", "三级")),
        ("text=VM-0003", lambda one: one.name == "vm-0003"),
        ("text=%25", lambda one: False),  # no wildcard
        ("silent=yes", lambda one: True),  # audits of months ago
        ("silent=no", lambda one: False),
    ):
        found = get(filled, f"/hosts?{query}")
        assert {one["id"] for one in found["hosts"]} == {one.id for one in hosts if wanted(one)}
        assert found["count"] == len(found["hosts"])
    scoped = get(filled, "/hosts", ("市公安局",))["hosts"]
    assert {one["department"] for one in scoped} == {"市公安局"}
    assert get(filled, "/hosts?department=市财政局", ("市公安局",))["hosts"] == []


def test_a_host_tells_what_its_rows_say(filled: Console) -> None:
    for row in rows(filled, select(host)):
        found = get(filled, f"/hosts/{row.id}?outcome=all")
        packs = rows(filled, select(host_pack).where(host_pack.c.host_id == row.id))
        hits = rows(
            filled,
            select(rule.c.name)
            .join_from(hit, rule, rule.c.id == hit.c.rule_id)
            .where(hit.c.host_id == row.id, hit.c.state.in_(OPEN_STATES)),
        )
        assert {one["rule"]: one["open"] for one in found["hits"]} == Counter(
            one.name for one in hits
        )
        assert found["open"] == len(hits)
        told = Counter((one["pack"], one["outcome"]) for one in found["rules"])
        for pack in packs:
            outcomes = msgspec.json.decode(pack.outcomes, type=dict[int, int]).values()
            for word, number in Counter(OUTCOMES[code] for code in outcomes).items():
                assert told[pack.pack, word] == number
        unknown = rows(filled, select(unjudged).where(unjudged.c.host_id == row.id))
        assert len(found["unjudged"]) == len(unknown) > 0
        assert all(one["reason"] for one in found["unjudged"])
    only = get(filled, f"/hosts/{row.id}?outcome=unknown&pack=mlps-l3")["rules"]
    assert {(one["pack"], one["outcome"]) for one in only} == {("mlps-l3", "unknown")}


def test_a_host_of_another_department_is_not_there(filled: Console) -> None:
    other = rows(filled, select(host.c.id).join(department).where(department.c.name == "市财政局"))[
        0
    ]
    get(filled, f"/hosts/{other.id}", ("市公安局",), 404)
    get(filled, "/hosts/999999", None, 404)


def test_what_silence_means_is_said_on_the_page(own: Console) -> None:
    client = own.client("viewer")
    assert "最近两天没有新的核查结果" in client.get("/hosts/1").text
    with own.database.writing() as connection:
        connection.execute(update(host).values(silent_since=NOW, problem="<b>connection refused"))
    page = client.get("/hosts/1").text
    assert "它的问题保持未关闭，不视为已整改" in page
    assert "&lt;b&gt;connection refused" in page
    with own.database.writing() as connection:
        connection.execute(
            insert(host).values(
                key="new", name="new", department_id=1, source="push", first_seen=NOW
            )
        )
    number = rows(own, select(host.c.id).where(host.c.key == "new"))[0].id
    page = client.get(f"/hosts/{number}").text
    assert "尚无核查结果" in page
    assert "没有未关闭的问题" not in page
    whole = client.get("/hosts?sort=name").text
    row = re.search(f'<tr><td data-label="主机"><a href="/hosts/{number}">.*?</tr>', whole, re.S)
    assert row is not None
    assert "未知" in row[0]
    assert ">0<" not in row[0]


def test_pages_of_rules_are_the_whole_list_with_its_counts(
    filled: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulelist, "PAGE", 60)
    found = walked(filled, "/rules", "rules")
    assert len({(one["pack"], one["rule"]) for one in found}) == len(found) > 500
    counts: Counter[tuple[str, str, str]] = Counter()
    names = {row.id: row.name for row in rows(filled, select(rule))}
    for row in rows(filled, select(host_pack)):
        for number, code in msgspec.json.decode(row.outcomes, type=dict[int, int]).items():
            counts[row.pack, names[number], OUTCOMES[code]] += 1
    for one in found:
        assert one["hosts"] == {word: counts[one["pack"], one["rule"], word] for word in OUTCOMES}
    failing = walked(filled, "/rules?outcome=fail&clause=8.1.4", "rules")
    assert failing
    for one in failing:
        assert one["hosts"]["fail"]
        assert any(clause.startswith("8.1.4.") for clause in one["clauses"])
    assert walked(filled, "/rules?outcome=none&pack=ipv6-readiness", "rules")


def test_a_rule_tells_why_how_and_where(filled: Console) -> None:
    name = consolesample.WAIVED
    for scope in (None, ("市财政局",)):
        found = get(filled, f"/rules/{name}", scope)
        assert found["why"]["zh"]
        assert found["fix"]["en"]
        assert [one["clause"] for one in found["clauses"]]
        statement = (
            select(host.c.id)
            .join_from(hit, host, host.c.id == hit.c.host_id)
            .join(rule, rule.c.id == hit.c.rule_id)
            .join(department, department.c.id == host.c.department_id)
            .where(rule.c.name == name, hit.c.state.in_(OPEN_STATES))
        )
        if scope:
            statement = statement.where(department.c.name.in_(scope))
        assert {one["id"] for one in found["failing"]} == {
            row.id for row in rows(filled, statement)
        }
    get(filled, "/rules/no.such.rule", None, 404)
    parameters = get(filled, "/rules/linux.accounts.password-max-age", None)["parameters"]
    assert {one["name"] for one in parameters} == {"max_days"}


def test_a_cursor_that_is_none_of_ours_is_refused(filled: Console) -> None:
    for path in ("/hosts", "/rules", "/lines"):
        for cursor in ("x", "[1]", '["a", "b", "c"]', "{}", '[1, "\\u0000"]', "[[[", "[1e400, 2]"):
            client = filled.client("viewer")
            assert client.get(f"/api/v1{path}", params={"cursor": cursor}).status_code == 422


def test_hits_of_a_rule_are_not_told_of_a_pack_that_no_host_has(filled: Console) -> None:
    found = {
        (one["pack"], one["rule"]): one for one in walked(filled, "/rules?text=" + WAIVED, "rules")
    }
    with_hosts = [one for one in found.values() if any(one["hosts"].values())]
    without = [one for one in found.values() if not any(one["hosts"].values())]
    assert with_hosts
    assert without
    assert all(one["open"] is not None for one in with_hosts)
    assert all(one["open"] is None for one in without)


def test_readiness_that_nobody_told_is_null(filled: Console) -> None:
    departments = get(filled, "/ipv6")["departments"]
    assert departments
    assert {(one["scored"], one["mean"], one["unknown"]) for one in departments} == {
        (0, None, None)
    }
