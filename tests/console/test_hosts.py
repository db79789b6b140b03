"""Hosts, rules and lines: lists that end, figures that are those of the rows, nobody sees other departments."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from exporters.console.codes import OPEN_STATES
from exporters.console.hosts import hostlist, rulelist
from exporters.console.hosts.linestatus import FAMILIES, rows_of, store
from exporters.console.schema import department, hit, host, host_pack, line, rule, unjudged
from rules.model import OUTCOMES
from tests import consolesample
from tests.consolelab import Console

NOW = datetime.now(UTC)
LINES = """# HELP jianwei_line_info What is written of the line.
# TYPE jianwei_line_info gauge
jianwei_line_info{line="城关-主",site="城关县局",level="county",carrier="电信",role="main",peer="城关-备"} 1
jianwei_line_info{line="城关-备",site="城关县局",level="county",carrier="移动",role="backup",peer="城关-主"} 1
jianwei_line_info{line="东村#2",site="东村",level="village",carrier="",role="",peer=""} 1
jianwei_line_state{line="城关-主",state="up"} 1
jianwei_line_state{line="城关-主",state="down"} NaN
jianwei_line_state{line="城关-备",state="down"} 1
jianwei_line_reason{line="城关-备",reason="timeout"} 1
jianwei_line_backup_dead{line="城关-备"} 1
jianwei_line_active{line="城关-主"} 1
jianwei_line_availability_ratio{line="城关-主"} 0.99993
jianwei_line_availability_ratio{line="东村#2"} NaN
jianwei_line_state_seconds_total{line="城关-主",state="up"} 7200
jianwei_line_state_seconds_total{line="城关-主",state="unknown"} 600
jianwei_probe_loss_ratio{target="城关-主",family="ipv4",prober="icmp"} 0.002
jianwei_probe_loss_ratio{target="城关-主#2",family="ipv4",prober="icmp"} 0.25
jianwei_probe_rtt_seconds{target="城关-主",family="ipv4",prober="icmp",stat="median"} 0.0123
jianwei_probe_success{target="城关-主",family="ipv6",prober="icmp"} 0
jianwei_probe_success{target="城关-主#3/http_2xx",family="ipv6",prober="http"} 1
jianwei_probe_loss_ratio{target="nobody's",family="ipv4",prober="icmp"} 1
node_load1 3
"""


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


# --- lines


def test_lines_are_what_the_text_says(each_console: Console) -> None:
    consolesample.fill(each_console, 1)
    with each_console.database.writing() as connection:
        assert store(connection, 1, LINES, datetime.now(UTC)) == 3
    found = {one["name"]: one for one in get(each_console, "/lines")["lines"]}
    assert list(found) == ["城关-备", "东村#2", "城关-主"]  # the worst first
    assert found["城关-备"]["backup_dead"]
    assert found["城关-备"]["reason"] == "timeout"
    main = found["城关-主"]
    assert (main["state"], main["availability"], main["told"]) == ("up", 0.99993, 7200)
    v4, v6 = main["ways"]
    assert (v4["loss"], v4["rtt_median"], v4["answers"]) == (0.25, 0.0123, None)
    assert (v6["family"], v6["answers"], v6["loss"]) == ("ipv6", False, None)
    unknown = found["东村#2"]
    assert (unknown["state"], unknown["availability"], unknown["ways"]) == ("unknown", None, [])
    page = each_console.client("viewer").get("/lines").text
    assert "备线已失效（主线正常，无人察觉）" in page
    levels = {one["level"]: one for one in get(each_console, "/lines")["levels"]}
    assert (levels["county"]["lines"], levels["county"]["dead"], levels["county"]["up"]) == (
        2,
        1,
        1,
    )
    assert levels["village"]["unknown"] == 1
    with each_console.database.writing() as connection:
        store(connection, 1, 'jianwei_line_info{line="只剩这条"} 1\n', datetime.now(UTC))
    assert [one["name"] for one in get(each_console, "/lines")["lines"]] == ["只剩这条"]
    assert get(each_console, "/lines", ())["lines"] == []


def test_lines_of_an_agent_that_went_silent_are_as_of_then(own: Console) -> None:
    with own.database.writing() as connection:
        store(connection, 1, LINES, NOW - timedelta(hours=2))
    found = get(own, "/lines")
    assert {one["as_of"] is not None for one in found["lines"]} == {True}
    assert [(one["old"], one["up"]) for one in found["levels"]] == [(2, 0), (1, 0)]
    page = own.client("viewer").get("/lines").text
    assert "此后未知" in page
    assert 'class="line-state l-up"' not in page


def test_filters_of_lines_and_their_pages(own: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporters.console.hosts.linelist.PAGE", 2)
    with own.database.writing() as connection:
        store(connection, 1, LINES, datetime.now(UTC))
        store(connection, 2, LINES, datetime.now(UTC))
    whole = walked(own, "/lines", "lines")
    assert len({(one["host_id"], one["name"]) for one in whole}) == len(whole) == 6
    assert [one["name"] for one in get(own, "/lines?state=dead")["lines"]] == ["城关-备"] * 2
    assert {one["name"] for one in get(own, "/lines?level=village")["lines"]} == {"东村#2"}
    assert {one["host_id"] for one in get(own, "/lines?department=市公安局")["lines"]} == {2}


def test_names_of_lines_are_harmless(own: Console) -> None:
    text = 'jianwei_line_info{line="<script>x</script>\\n\u202e",level="<b>",site="\\"><i>"} 1\n'
    with own.database.writing() as connection:
        store(connection, 1, text, datetime.now(UTC))
    [row] = rows(own, select(line))
    assert "\u202e" not in row.name
    assert "\n" not in row.name
    page = own.client("viewer").get("/lines").text
    assert "<script>x" not in page
    assert "<i>" not in page
    assert "<b>" not in page


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text() | st.builds("jianwei_line_info{{{}}} {}\n".format, st.text(), st.text()))
def test_any_text_is_lines_or_refused(text: str) -> None:
    try:
        found = rows_of(text, 1, NOW)
    except ValueError:
        return
    assert all(row["name"].isprintable() or row["name"] == "" for row in found)


def test_the_families_asked_for_are_those_that_agents_tell() -> None:

    told = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert [name for name in FAMILIES if f"`{name}`" not in told] == []


def test_a_cursor_that_is_none_of_ours_is_refused(filled: Console) -> None:
    for path in ("/hosts", "/rules", "/lines"):
        for cursor in ("x", "[1]", '["a", "b", "c"]', "{}", '[1, "\\u0000"]', "[[[", "[1e400, 2]"):
            client = filled.client("viewer")
            assert client.get(f"/api/v1{path}", params={"cursor": cursor}).status_code == 422
