"""Departments keep everything from each other: on every page, by every operation, and in every count.

One console has two departments, another the first of them alone. Whatever somebody of the first one asks both of them,
they answer alike, and no word of the second department is ever in it.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from exporters.console.people.policy import PeopleSettings
from exporters.console.routes import OPERATIONS, PAGES
from exporters.console.schema import attachment, attestation, hit, host, waiver, window
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Role
from exporters.console.web.endpoints import PREFIX
from exporters.console.web.routing import Operation, Page
from tests.console.estatelab import FAILS, client_of, estate
from tests.console.filling import fields
from tests.console.test_hostile import crawl
from tests.consolelab import Console

OWN: Final = "市财政局"
SECRET: Final = re.compile(r"zq\d+qz")
NUMBERS: Final = range(1, 9)  # of everything numbered, of both
ROLES: Final[tuple[Role, ...]] = ("viewer", "analyst")
ECHOED: Final = "zz-nothing-zz"
VARIES: Final = re.compile(  # of two consoles that are the same
    r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?|[\w-]{32,43}|own (viewer|analyst)\d*"
)


class Secrets:
    """A word of its own for every text."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def __call__(self, what: str) -> str:
        made = f"zq{len(self.of)}qz"
        self.of[made] = what
        return made


class Two:
    """`both` has the two departments, `alone` the first."""

    def __init__(self, urls: tuple[str, str], folder: Path) -> None:
        self.secrets = Secrets()
        self.foreign = self.secrets("department")
        consoles = []
        for url, name in zip(urls, ("both", "alone"), strict=True):
            (folder / name).mkdir()
            settings = ConsoleSettings(people=PeopleSettings(rounds=4), reports=str(folder / name))
            consoles.append(Console(url, settings))
            numbers = itertools.count()
            estate(consoles[-1], OWN, 1, lambda what: f"own{next(numbers)}{what}"[:60])  # noqa: B023
        self.both, self.alone = consoles
        estate(self.both, self.foreign, 2, self.secrets)
        self.files = sorted(one.name for one in (folder / "both").iterdir())

        pages = self.both.client("viewer").get(f"{PREFIX}/hits/groups?group=host&size=1").json()
        numbers = [str(NUMBERS[len(NUMBERS) // 2 - 1]), str(NUMBERS[-2])]
        self.asked = {
            **{name: [self.foreign] for name in ("department", "departments")},
            **{
                name: self.words(name)[:1]
                for name in ("system", "region", "rule", "pack", "ticket")
            },
            "host": self.words("host name")[-1:],
            "owner": self.words("analyst"),
            "text": [self.words(one)[0] for one in ("host name", "line", "evidence", "waiver")],
            "q": self.words("target")[-1:],
            "after": numbers,
            "before": numbers,
            "cursor": [pages["next"]],
        }

    def words(self, what: str) -> list[str]:
        return [word for word, of in self.secrets.of.items() if of == what]

    def close(self) -> None:
        self.both.close()
        self.alone.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("scope")
    if request.param == "sqlite":
        urls = [f"sqlite:///{shutil.copy(migrated, folder / name)}" for name in ("2.db", "1.db")]
    else:
        postgres = request.getfixturevalue("postgres")
        urls = [postgres.url(), postgres.url()]
    made = Two((urls[0], urls[1]), folder)
    yield made
    made.close()


def paths(two: Two, path: str) -> Iterator[str]:
    """With everything that may be meant, of either department."""
    parameters = re.findall(r"{(\w+)(?::\w+)?}", path)
    names = {
        "/rules/{name}": [FAILS, *two.words("rule")[:1]],
        "/reports/{name}": two.files,
    }.get(path, [str(one) for one in NUMBERS])
    if len(parameters) == 2:
        names = names[:3]
    for values in itertools.product(names, repeat=len(parameters)):
        made = path
        for value in values:
            made = re.sub(r"{\w+(:\w+)?}", quote(value), made, count=1)
        yield made


def queries(two: Two, route: Page | Operation) -> Iterator[dict[str, str]]:
    """Of a list, each filter with words of the other department."""
    yield {}
    if "{" not in route.path:
        for name in fields(route.takes):
            yield from ({name: word} for word in two.asked.get(name, ()))


@pytest.mark.parametrize(("role", "routes"), [("viewer", OPERATIONS), ("analyst", PAGES)])
def test_nothing_of_another_department_is_told(
    two: Two, role: Role, routes: tuple[Page | Operation, ...]
) -> None:
    clients = [client_of(console, role, OWN) for console in (two.both, two.alone)]
    wrong: dict[str, list[str]] = {}
    for route in routes:
        if route.method != "GET" or route.permission not in ("view", "review"):
            continue
        prefix = PREFIX if isinstance(route, Operation) else ""
        for path, query in itertools.product(paths(two, route.path), queries(two, route)):
            here, there = (told(one, prefix + path, query) for one in clients)
            asked = SECRET.findall(path + str(query))
            if here != there or set(SECRET.findall(" ".join(here))) - set(asked):
                wrong[f"{path} {query}"] = [line for line in here if line not in there] or there
    assert not wrong


def test_what_is_asked_for_is_there(two: Two) -> None:
    """NUMBERS are of both departments in every table, and rows of the second one are last."""
    for table in (attachment, attestation, hit, host, waiver, window):
        counted = []
        for console in (two.both, two.alone):
            with console.database.reading() as connection:
                counted.append(connection.execute(select(func.max(table.c.id))).scalar_one())
        assert NUMBERS[-1] >= counted[0] == 2 * counted[1]


def test_what_a_waiver_would_cover(two: Two) -> None:
    wanted = {"rule": FAILS, "hosts": ["*", *two.words("host name")]}
    both, alone = (
        client_of(console, "analyst", OWN).post(f"{PREFIX}/waivers/preview", json=wanted)
        for console in (two.both, two.alone)
    )
    assert both.status_code == 200
    assert both.json() == alone.json()


@pytest.mark.parametrize("role", ROLES)
def test_no_page_leads_to_it(two: Two, role: Role) -> None:
    def looked_at(response: httpx.Response) -> None:
        secrets = SECRET.findall(response.read().decode())
        assert response.status_code == 200, response.url
        assert not secrets, (response.url, [two.secrets.of[one] for one in secrets])

    client = client_of(two.both, role, OWN)
    client.event_hooks["response"] = [looked_at]
    assert len([*crawl(client, r"\d+|(?<=/rules/).+")]) > 50


def told(client: TestClient, path: str, query: Mapping[str, str]) -> list[str]:
    answer = client.get(path, params=query)
    assert answer.status_code < 500, (path, query)
    return [str(answer.status_code), *VARIES.sub("", answer.text).split("\n")]
