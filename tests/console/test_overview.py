"""The first page: its figures are those of the rows, nobody sees more than their departments, what is not known is no
zero and no pass."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select, update

from exporters.console.codes import OPEN_STATES
from exporters.console.intake.days import count_day
from exporters.console.schema import (
    attestation,
    day_tally,
    department,
    hit,
    host,
    host_pack,
    rule,
    waiver,
)
from rules.model import OUTCOMES, SEVERITIES
from tests import consolesample
from tests.consolelab import Console

ZONE = ZoneInfo("Asia/Shanghai")
SCOPES: tuple[tuple[str, ...] | None, ...] = (None, ("市财政局", ""), ("市公安局",))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    """On either database; of all tests that change nothing that another one looks at."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('overview')}/console.db"
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


def seen(console: Console, departments: tuple[str, ...] | None) -> dict[int, str]:
    with console.database.reading() as connection:
        rows = connection.execute(select(department)).all()
    return {row.id: row.name for row in rows if departments is None or row.name in departments}


def rows(console: Console, statement: Any) -> list[Any]:
    with console.database.reading() as connection:
        return list(connection.execute(statement).all())


def get(console: Console, path: str, departments: tuple[str, ...] | None = None) -> Any:
    client = console.client("viewer", departments, name=f"viewer {departments}")
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_figures_are_those_of_the_rows_of_whom_one_sees(filled: Console) -> None:
    hits = rows(filled, select(hit, host.c.name).join(host, host.c.id == hit.c.host_id))
    hosts = rows(filled, select(host))
    for scope in SCOPES:
        found, visible = get(filled, "/overview", scope), seen(filled, scope)
        own = [one for one in hits if one.department_id in visible and one.state in OPEN_STATES]
        assert own
        by_severity = Counter(SEVERITIES[one.severity] for one in own)
        assert {one["severity"]: one["open"] for one in found["open"]} == {
            severity: by_severity[severity] for severity in SEVERITIES
        }
        assert found["hosts"] == sum(one.department_id in visible for one in hosts)
        assert {one["name"] for one in found["departments"]} == set(visible.values())
        for one in found["departments"]:
            assert sum(one["open"].values()) == sum(h.department_id == one["id"] for h in own)
        oldest = sorted((one.first_seen, one.id) for one in own)[:8]
        assert [one["id"] for one in found["oldest"]] == [number for _, number in oldest]


def test_scores_have_their_mean_spread_and_what_was_not_seen(filled: Console) -> None:
    packs = rows(
        filled, select(host_pack, host.c.department_id).join(host, host.c.id == host_pack.c.host_id)
    )
    for scope in SCOPES:
        found, visible = get(filled, "/overview", scope), seen(filled, scope)
        assert [one["pack"] for one in found["packs"]] == sorted({one.pack for one in packs})
        for one in found["packs"]:
            own = [p for p in packs if p.pack == one["pack"] and p.department_id in visible]
            scores = [p.score for p in own if p.score is not None]
            assert (one["hosts"], one["scored"]) == (len(own), len(scores))
            assert one["mean"] == pytest.approx(sum(scores) / len(scores))
            assert sum(one["bands"]) == len(scores)
            outcomes = Counter(
                OUTCOMES[code]
                for p in own
                for code in msgspec.json.decode(p.outcomes, type=dict[int, int]).values()
            )
            assert one["outcomes"] == {word: outcomes[word] for word in OUTCOMES}
            assert one["outcomes"]["unknown"]
            assert one["outcomes"]["manual"]


def test_a_pack_in_which_nothing_counts_has_no_score(own: Console) -> None:
    with own.database.writing() as connection:
        connection.execute(update(host_pack).values(score=None))
    found = get(own, "/overview")
    assert {(one["mean"], one["scored"]) for one in found["packs"]} == {(None, 0)}
    assert {one["score"] for one in found["departments"]} == {None}
    page = own.client("viewer").get("/").text
    assert "未知" in page
    assert ">0.0<" not in page


def test_a_clause_is_as_bad_as_its_worst_result(filled: Console) -> None:
    names = {row.id: row.name for row in rows(filled, select(rule))}
    packs = rows(
        filled, select(host_pack, host.c.department_id).join(host, host.c.id == host_pack.c.host_id)
    )
    for scope in SCOPES:
        visible = seen(filled, scope)
        results: dict[str, Counter[str]] = {}
        for row in packs:
            if row.department_id not in visible:
                continue
            for number, code in msgspec.json.decode(row.outcomes, type=dict[int, int]).items():
                known = {one.id: one for one in filled.services.packs[row.pack].rules}
                one = known.get(names[number], filled.services.rules[names[number]])
                for clause in one.maps.get("gb22239", ()):
                    results.setdefault(clause, Counter())[OUTCOMES[code]] += 1
        for matrix in get(filled, "/clauses", scope):
            assert sum(matrix["counts"].values()) == len(matrix["cells"])
            for cell in matrix["cells"]:
                told = results.get(cell["clause"], Counter())
                assert cell["results"] == {word: told[word] for word in OUTCOMES}, cell
                worst = ("fail", "unknown", "manual", "pass", "not_applicable")
                expected = next((word for word in worst if told[word]), None)
                if expected is None:
                    assert cell["verdict"] in ("no_result", "not_covered")
                else:
                    assert cell["verdict"] == expected


def test_an_answer_of_a_person_is_told_beside_the_verdict_until_it_expires(
    own: Console,
) -> None:
    today = datetime.now(UTC).astimezone(ZONE).date()
    manual = next(
        cell
        for cell in get(own, "/clauses")[0]["cells"]
        if cell["verdict"] == "manual" and len(cell["rules"]) == 1
    )
    asked = manual["results"]["manual"]
    assert manual["answered"]["open"] == asked
    number = rows(own, select(rule.c.id).where(rule.c.name == manual["rules"][0]))[0].id
    where = rows(own, select(host.c.department_id, host.c.id).order_by(host.c.id))
    of_one = [row for row in where if row.department_id == where[0].department_id]

    def answer(text: str, expires: date, host_id: int | None = None) -> Any:
        with own.database.writing() as connection:
            if host_id is None:  # one answer stands at a time
                connection.execute(
                    update(attestation)
                    .where(attestation.c.host_id.is_(None))
                    .values(withdrawn=datetime.now(UTC))
                )
            connection.execute(
                attestation.insert().values(
                    rule_id=number,
                    department_id=where[0].department_id,
                    host_id=host_id,
                    answer=text,
                    text="看过",
                    by="王芳",
                    created=datetime.now(UTC),
                    expires=expires,
                )
            )
        cells = get(own, "/clauses")[0]["cells"]
        found = next(cell for cell in cells if cell["clause"] == manual["clause"])
        # who answers that it is not met makes it a failure, on the sheet as here
        assert found["verdict"] == ("fail" if found["answered"]["failed"] else "manual")
        return found["answered"]

    told = answer("pass", today)
    assert (told["passed"], told["open"]) == (len(of_one), asked - len(of_one))
    told = answer("fail", today, of_one[0].id)
    assert (told["failed"], told["passed"]) == (1, len(of_one) - 1)
    told = answer("pass", today - timedelta(days=1))
    assert (told["failed"], told["passed"], told["expired"]) == (1, 0, len(of_one) - 1)


def test_days_that_nobody_counted_are_gaps(filled: Console) -> None:
    today = datetime.now(UTC).astimezone(ZONE).date()
    with filled.database.writing() as connection:
        count_day(filled.database, connection, today)
        count_day(filled.database, connection, today)  # again: the same rows
        count_day(filled.database, connection, today - timedelta(days=3))
    days = get(filled, "/overview")["trend"]
    assert len(days) == 30
    assert [number for number, day in enumerate(days) if day["open"] is not None] == [26, 29]
    own = rows(filled, select(hit.c.severity).where(hit.c.state.in_(OPEN_STATES)))
    assert sum(days[-1]["open"].values()) == len(own)
    scoped = get(filled, "/overview", ("市公安局",))["trend"]
    assert 0 < sum(scoped[-1]["open"].values()) < len(own)
    page = filled.client("viewer").get("/").text
    assert page.count('class="gap"') == 28 + 1  # and the one of the legend
    assert page.count("无数据") >= 28
    with filled.database.writing() as connection:
        connection.execute(update(day_tally).values(open=0))
    assert get(filled, "/overview")["trend"][-1]["open"] == dict.fromkeys(SEVERITIES, 0)


def test_a_silent_host_is_told_and_its_hits_stay_open(own: Console) -> None:
    before = get(own, "/overview")
    with own.database.writing() as connection:
        connection.execute(
            update(host).where(host.c.name == "vm-0003").values(silent_since=datetime.now(UTC))
        )
    found = get(own, "/overview")
    assert found["unheard"] == before["unheard"] + 1
    assert found["open"] == before["open"]
    assert "失联主机的问题保持未关闭" in own.client("viewer").get("/").text


def test_waivers_that_end_soon_are_those_of_whom_one_sees(own: Console) -> None:
    today = datetime.now(UTC).astimezone(ZONE).date()
    assert get(own, "/overview")["ending"] == 0
    with own.database.writing() as connection:
        connection.execute(update(waiver).values(expires=today + timedelta(days=5)))
    found = get(own, "/overview")
    assert (found["ending"], found["waivers"][0]["days"]) == (1, 5)
    assert get(own, "/overview", ("市公安局",))["ending"] == 1
    assert get(own, "/overview", ("市财政局",))["ending"] == 0


def test_an_empty_console_says_how_to_add_a_host(each_console: Console) -> None:
    page = each_console.client("viewer").get("/").text
    assert "还没有任何主机" in page
    assert "/fleet/enrol" in page
    assert get(each_console, "/overview")["packs"] == []
    for matrix in get(each_console, "/clauses"):
        assert {cell["verdict"] for cell in matrix["cells"]} <= {"no_result", "not_covered"}
        assert matrix["counts"]["pass"] == 0


def test_a_user_without_departments_sees_nothing(filled: Console) -> None:
    found = get(filled, "/overview", ())
    assert (found["hosts"], found["packs"], found["oldest"]) == (0, [], [])
    assert {one["open"] for one in found["open"]} == {0}


def test_text_of_attackers_is_escaped(own: Console) -> None:
    with own.database.writing() as connection:
        connection.execute(update(hit).values(instance="<script>alert(1)</script>"))
        connection.execute(update(host).values(name='"><img src=x onerror=alert(1)>'))
        connection.execute(update(rule).values(title_zh="<b>x</b>", title_en="<b>x</b>"))
    page = own.client("viewer").get("/").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_list_has_every_clause_of_both_levels(filled: Console) -> None:
    page = filled.client("viewer").get("/clauses").text
    for matrix in get(filled, "/clauses"):
        for cell in matrix["cells"]:
            assert f'id="c-{cell["clause"]}"' in page
            assert cell["unit"] in page
