"""The example city: its figures, its story as the console tells it (of a few of its machines), and that every page and file
says that it is made up.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from sqlalchemy import select
from starlette.testclient import TestClient

from agents import reportprofile
from agents.demo import city, files, loading, people, sites, usage
from agents.demo.audits import BACK, Auditors
from collectors.ipv6.estate import file as estates
from collectors.link import linesfile
from exporters.console.people.policy import PeopleSettings
from exporters.console.routes import PAGES
from exporters.console.schema import hit, host
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import ALLOWED, ROLES
from exporters.history.units import LINE_UP
from exporters.report.sections import maintenancefile
from rules import waivers
from tests.consolelab import Console

MARK = "示例数据"
MORE = (48, 54)  # machines of the story: the one whose hit came back, and one that a waiver is of
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def auditors() -> Auditors:
    return Auditors()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, auditors: Auditors) -> Iterator[Console]:
    """The city with few of its machines: one of each department, and MORE."""
    folder = tmp_path_factory.mktemp("town")
    settings = ConsoleSettings(example=True, people=PeopleSettings(rounds=4))
    console = Console(f"sqlite:///{folder}/console.db", settings)
    few = [it for n, it in enumerate(city.machines()) if n < len(city.DEPARTMENTS) or n in MORE]
    loading.load(console.database, console.services, auditors, few, NOW, lambda _: None)
    people.write(console.database, console.services)
    for role in ROLES:
        console.person(role, role)
    yield console
    console.close()


# --- what it is


def test_the_city_has_its_size() -> None:
    levels = Counter(it.level for it in city.sites())
    assert levels == {"county": 7, "town": 67, "village": 1086}
    assert [it for it in city.AREAS if it.endswith("县")] == [city.COUNTY]
    machines = list(city.machines())
    assert len({it.department for it in machines}) == 23
    assert len({(it.department, it.system) for it in machines}) == 46
    assert len({it.name for it in machines}) == len({it.id for it in machines}) == 1200
    assert len({it.name for it in city.sites()}) == 7 + 67 + 1086
    assert len({it.name for it in usage.lines()}) == 7 * 2 + 67 + 1086
    assert len({it.url for it in sites.sites()}) == 46


def test_the_same_is_found_every_time(auditors: Auditors) -> None:
    machine = next(city.machines())
    encoded = [
        msgspec.json.encode(made.audit(machine, NOW, 2).packs) for made in (auditors, auditors)
    ]
    assert encoded[0] == encoded[1]


def test_what_is_looked_after_is_mended(auditors: Auditors) -> None:
    """Weeks go by, and fewer rules fail; more of them do where nobody cares."""
    machines = [it for it in city.machines() if it.number < 4 * len(city.DEPARTMENTS)]
    failing = [
        sum(auditors.audit(it, NOW, week).packs[0].counts["fail"] for it in machines)
        for week in (0, 3)
    ]
    assert failing[1] < failing[0]
    of = {
        name: sum(
            auditors.audit(it, NOW, 3).packs[0].counts["fail"]
            for it in machines
            if it.department == name
        )
        for name in (city.IDLE, "市大数据管理局")
    }
    assert of[city.IDLE] > of["市大数据管理局"]


def test_one_department_is_idle_and_one_starves() -> None:
    machines = list(city.machines())
    used = usage.used("cpu", machines, 3, 24)
    mean = {
        name: float(np.nanmean(used[[it.department == name for it in machines]]))
        for name in (city.IDLE, city.STARVING, "市财政局")
    }
    assert mean[city.IDLE] < 4 < 15 < mean["市财政局"] < 50 < 60 < mean[city.STARVING]


def test_a_backup_line_dies_and_nobody_notices() -> None:
    lines = list(usage.lines())
    (dead,) = (n for n, it in enumerate(lines) if it.name == city.DEAD)
    main = next(n for n, it in enumerate(lines) if it.name == lines[dead].peer)
    for day, up in ((7, True), (8, False), (29, False)):
        found = usage.line_values(lines, day, 24)[LINE_UP]
        assert bool(found[dead].all()) == up
        assert found[main].any()


def test_its_files_are_read_by_what_reads_a_city_s(tmp_path: Path) -> None:
    profile = reportprofile.load(str(files.write(tmp_path, "2026-10", NOW)))
    assert profile.example
    assert profile.city == city.CITY
    assert len(linesfile.load(str(tmp_path / "lines.yaml")).lines) == 7 * 2 + 67 + 1086
    assert len(estates.load(str(tmp_path / "sites.yaml")).rows) == 46
    assert len(estates.load(str(tmp_path / "hosts.yaml")).rows) == 1200


# --- what the console tells of it


def test_there_is_somebody_of_every_role() -> None:
    assert {role for _, _, role, _ in people.USERS} == {*ROLES}


def test_the_story_is_on_the_pages(town: Console) -> None:
    client = town.client("viewer", name="viewer")
    worst = client.get("/api/v1/lines?state=dead").json()["lines"]
    assert [it["name"] for it in worst] == [city.DEAD]
    assert "备线已失效" in client.get("/lines?state=dead").text
    back = client.get(f"/api/v1/hits?rule={BACK}&state=regressed").json()["hits"]
    assert {it["department"] for it in back} == {city.REGRESSED}
    page = client.get(f"/hits/{back[0]['id']}").text
    assert "复发" in page
    assert "镜像" in page
    assert client.get("/api/v1/waivers?state=requested").json()["waivers"]
    assert client.get("/api/v1/waivers?state=approved").json()["waivers"]
    assert len(client.get("/api/v1/windows").json()["windows"]) == 2
    with town.database.reading() as connection:
        silent = connection.execute(select(host.c.name).where(host.c.silent_since.is_not(None)))
        assert len(silent.all()) == 1  # of so few machines
        owned = select(hit.c.id).where(hit.c.owner_id.is_not(None))
        assert connection.execute(owned).first()


def test_every_page_says_that_it_is_made_up(town: Console) -> None:
    clients = {role: town.client(role, name=role) for role in ROLES}
    seen = 0
    for page in PAGES:
        if page.method != "GET" or "{" in page.path or page.path.startswith("/login/oidc"):
            continue
        role = next((role for role in ROLES if page.permission in ALLOWED[role]), ROLES[0])
        answer = clients[role].get(page.path)
        if answer.status_code == 200 and "html" in answer.headers["content-type"]:
            assert MARK in answer.text, page.path
            seen += 1
    assert seen > 15


def test_every_file_says_that_it_is_made_up(town: Console, tmp_path: Path) -> None:
    viewer, auditor = town.client("viewer", name="viewer"), town.client("auditor", name="auditor")
    for client, path in (
        (viewer, "/hits.csv?severity=critical&state=all"),
        (viewer, "/windows.csv"),
        (auditor, "/log/export.csv"),
    ):
        rows = list(csv.DictReader(io.StringIO(client.get(path).content.decode("utf-8-sig"))))
        assert rows
        assert {row[MARK] for row in rows} == {MARK}, path
    events = viewer.get("/hits.ocsf?severity=critical&state=all").content.splitlines()
    assert events
    for event in events:
        ComplianceFinding.model_validate_json(event)
        assert MARK in json.loads(event)["metadata"]["labels"]
    assert MARK in viewer.get("/assessment/sheet").text
    # still files of their kind
    for path, read in (
        ("/waivers.yaml", waivers.load),
        ("/windows.yaml", lambda name: maintenancefile.load(name, UTC)),
    ):
        assert _kept(viewer, path, tmp_path).startswith(f"# {MARK}")
        assert read(str(tmp_path / path[1:]))


def test_what_is_real_does_not_say_so(console: Console) -> None:
    client = console.client("auditor")
    for path in ("/", "/hits.csv", "/windows.csv", "/log/export.csv", "/waivers.yaml"):
        assert MARK not in client.get(path).text


def _kept(client: TestClient, path: str, folder: Path) -> str:
    text: str = client.get(path).text
    (folder / path[1:]).write_text(text)
    return text
