"""Lines: what agents tell of them, as of when, and nothing that an attacker wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from exporters.console.hosts.linelist import WORST_LINES
from exporters.console.hosts.linestatus import FAMILIES, rows_of, store
from exporters.console.schema import line
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
    assert found["城关-备"]["told"] is None  # how long somebody looked is not known: that is not 0
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


def test_a_host_shows_the_worst_of_many_lines(own: Console) -> None:
    many = "\n".join(
        f'jianwei_line_info{{line="n{n:03}"}} 1\njianwei_line_state{{line="n{n:03}",state="{state}"}} 1'
        for n in range(WORST_LINES + 5)
        for state in ("down" if n % 2 else "up",)
    )
    with own.database.writing() as connection:
        store(connection, 1, many + "\n", NOW)
    told = own.client("viewer").get("/api/v1/hosts/1").json()
    assert [one["state"] for one in told["lines"][:3]] == ["down"] * 3
    assert (len(told["lines"]), told["more_lines"]) == (WORST_LINES, True)
    assert 'href="/lines"' in own.client("viewer").get("/hosts/1").text
