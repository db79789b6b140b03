"""Paging with any filter in any order: every hit that matches comes once, in order, whichever way it is found."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporters.console.review import ways
from exporters.console.review.filters import NATURAL, HitFilter, Sort, query
from tests.consolelab import Console
from tests.reviewlab import DEPARTMENTS, NOW, fill, places, told

_WAYS = {"gathered": (6000, 40_000), "walked": (0, 40_000), "in steps": (0, 23)}


@pytest.fixture(params=sorted(_WAYS))
def found_so(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    gathered, walked = _WAYS[request.param]
    monkeypatch.setattr(ways, "GATHERED", gathered)
    monkeypatch.setattr(ways, "WALKED", walked)
    monkeypatch.setattr(ways, "READ", walked)
    return str(request.param)


@st.composite
def filters(draw: st.DrawFn) -> HitFilter:
    sort: Sort = draw(st.sampled_from(get_args(Sort)))
    some = draw(st.sets(st.sampled_from(_NARROWINGS), max_size=2))
    parts = dict(some)
    return HitFilter(
        sort=sort,
        direction=draw(st.sampled_from(("", "asc", "desc"))),
        size=draw(st.integers(15, 60)),
        **parts,  # type: ignore[arg-type]
    )


_NARROWINGS = (
    ("state", ("all",)),
    ("state", ("regressed", "fixed")),
    ("severity", ("critical", "low")),
    ("department", (DEPARTMENTS[1], DEPARTMENTS[2])),
    ("pack", "pack-1"),
    ("clause", "8.1.4.2"),
    ("system", "system-1"),
    ("host", "服务器-2"),
    ("owner", "none"),
    ("verdict", "unknown"),
    ("verdict", "fail"),
    ("min_age", 3),
    ("max_age", 5),
    ("text", "用户1"),
    ("ticket", "T-1"),
)


def test_every_hit_once_and_in_order(each_console: Console, found_so: str) -> None:
    places(each_console.database, hosts=12, rules=9)
    chance = random.Random(7)  # noqa: S311 - not a secret
    rows = [
        told(
            host,
            rule,
            instance=f"用户{n}",
            severity=chance.randrange(5),
            state=chance.randrange(5),
            days=chance.randrange(8) + 0.5,  # many are equal
            last_seen=NOW - timedelta(days=chance.randrange(3)),
            ticket=chance.choice(("", "", "T-1")),
            unseen_since=chance.choice((None, None, NOW)),
        )
        for host in range(1, 13)
        for rule in range(1, 10)
        for n in range(chance.randrange(3))
    ]
    fill(each_console.database, rows)
    client = each_console.client("viewer", ("审计局", "医保局", ""), name="some")

    def page(asked: HitFilter, cursor: str) -> dict[str, object]:
        answer = client.get(f"/api/v1/hits{query(asked, cursor=cursor)}")
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def walked(asked: HitFilter, onward: str, cursor: str = "") -> list[dict[str, object]]:
        hits: list[dict[str, object]] = []
        for _ in range(500):
            found = page(asked, cursor)
            batch = found["hits"]
            assert isinstance(batch, list)
            hits = hits + batch if onward == "next" else batch + hits
            cursor = str(found[onward])
            if not cursor:
                return hits
        raise AssertionError("it does not end")

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(filters())
    def check(asked: HitFilter) -> None:
        forwards = walked(asked, "next")
        ids = [one["id"] for one in forwards]
        assert len(ids) == len(set(ids))
        assert sorted(map(int, map(str, ids))) == _expected(each_console, asked)
        assert forwards == sorted(forwards, key=_key(asked))
        if len(forwards) > 2 * asked.size and found_so != "in steps":
            second = page(asked, str(page(asked, "")["next"]))
            third = page(asked, str(second["next"]))
            assert page(asked, str(third["previous"]))["hits"] == second["hits"]
        if found_so == "in steps" and forwards:
            end = page(asked, "")
            while end["next"]:
                end = page(asked, str(end["next"]))
            if end["previous"]:
                back = walked(asked, "previous", str(end["previous"]))
                assert back + list(end["hits"]) == forwards  # type: ignore[call-overload]

    check()


def _expected(console: Console, asked: HitFilter) -> list[int]:
    """By the conditions alone, without a way."""
    from dataclasses import replace

    from sqlalchemy import select

    from exporters.console.review.narrowing import narrowed
    from exporters.console.schema import department, hit
    from exporters.console.web.asker import Asker, Person

    with console.database.reading() as connection:
        seen = select(department.c.id).where(department.c.name.in_(["审计局", "医保局", ""]))
        scope = frozenset(connection.execute(seen).scalars())
        asker = Asker(
            database=console.database,
            services=console.services,
            now=NOW,
            zone=__import__("zoneinfo").ZoneInfo("UTC"),
            language="zh",
            person=Person(1, "some", "", "viewer"),
            scope=scope,
        )
        asked_of = replace(narrowed(connection, asker, asked))
        if asked_of.nothing:
            return []
        found = connection.execute(select(hit.c.id).where(*asked_of.conditions(hit.c)))
        return sorted(found.scalars())


def _key(asked: HitFilter):  # type: ignore[no-untyped-def]
    severities = ["info", "low", "medium", "high", "critical"]
    states = ["new", "acknowledged", "waived", "fixed", "regressed"]
    against = bool(asked.direction) and asked.direction != NATURAL[asked.sort]
    sign = -1 if against else 1

    class Name(str):
        def __lt__(self, other: str) -> bool:
            return str.__gt__(self, other) if against else str.__lt__(self, other)

    def number(one: dict[str, object], name: str) -> float:
        from datetime import datetime

        return sign * datetime.fromisoformat(str(one[name])).timestamp()

    def key(one: dict[str, object]) -> tuple[object, ...]:
        identity = sign * int(str(one["id"]))
        if asked.sort == "severity":
            rank = -sign * severities.index(str(one["severity"]))
            return rank, number(one, "first_seen"), identity
        if asked.sort == "age":
            return number(one, "first_seen"), identity
        if asked.sort in ("last_seen", "changed"):
            return -number(one, asked.sort), -identity
        if asked.sort == "host":
            host = sign * int(str(one["host_id"]))
            return Name(one["host_name"]), host, number(one, "first_seen"), identity
        state = sign * states.index(str(one["state"]))
        rule = sign * int(str(one["rule_id"]))
        return Name(one["rule"]), rule, state, number(one, "first_seen"), identity

    return key
