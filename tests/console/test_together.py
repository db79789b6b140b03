"""Two consoles on one PostgreSQL while two people review the same hits: no update is lost, and who comes second is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import func, select

from exporters.console import auditlog
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import hit, hit_event, log
from tests.consolelab import Console, Postgres
from tests.consolesample import fill

REVIEWERS = ("chen", "li", "wang", "zhao")
HITS = 12


@pytest.fixture
def two(postgres: Postgres) -> Iterator[tuple[Console, Console]]:
    url = postgres.url()
    one, other = Console(url), Console(url)
    yield one, other
    one.close()
    other.close()


def reviewer(console: Console, url: str, name: str) -> httpx.Client:
    with console.client("analyst", name=name) as client:
        token = client.post("/api/v1/tokens", json={"name": "review"}).json()["token"]
    return httpx.Client(
        base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )


def test_no_update_is_lost_and_the_second_is_told(two: tuple[Console, Console]) -> None:
    fill(two[0])
    with two[0].served() as first, two[1].served() as second:
        people = [
            reviewer(two[n % 2], (first, second)[n % 2], name) for n, name in enumerate(REVIEWERS)
        ]
        listed = people[0].get("/hits", params={"state": "new", "size": 50}).json()["hits"]
        seen = {one["id"]: one["version"] for one in listed[:HITS]}
        assert len(seen) == HITS
        tries = [(who, number) for number in seen for who in range(len(people))]

        def change(one: tuple[int, int]) -> tuple[int, int, int]:
            who, number = one
            answer = people[who].post(
                f"/hits/{number}/acknowledge",
                json={"version": seen[number], "note": f"by {REVIEWERS[who]}"},
            )
            if answer.status_code == 409:
                assert answer.json()["error"]["code"] == "conflict"
            return number, who, answer.status_code

        with ThreadPoolExecutor(len(people) * 2) as pool:
            told = list(pool.map(change, tries))
        for one in people:
            one.close()
    assert Counter(status for _, _, status in told) == {
        200: HITS,
        409: HITS * (len(REVIEWERS) - 1),
    }
    won = {number: REVIEWERS[who] for number, who, status in told if status == 200}
    with two[0].database.reading() as connection:
        rows = connection.execute(
            select(hit.c.id, hit.c.by, hit.c.note, hit.c.version).where(hit.c.id.in_(seen))
        ).all()
        events = connection.execute(
            select(func.count())
            .select_from(hit_event)
            .where(hit_event.c.hit_id.in_(seen), hit_event.c.actor != "")
        ).scalar_one()
        logged = connection.execute(
            select(func.count()).select_from(log).where(log.c.action == "hits.acknowledge")
        ).scalar_one()
        assert {row.id: row.by for row in rows} == won
        assert {row.id: row.note for row in rows} == {n: f"by {who}" for n, who in won.items()}
        assert all(row.version == seen[row.id] + 1 for row in rows)
        assert events == logged == HITS
        assert wrong_tallies(connection) == []
        assert not auditlog.verify(connection).problem
