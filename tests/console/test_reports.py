"""The archive of monthly reports: what is listed, what is served to whom, and what never is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.console.people.policy import PeopleSettings
from exporters.console.reports import archive
from exporters.console.settings import ConsoleSettings
from exporters.report import files
from exporters.report.delivery.deliver import deliver
from exporters.report.delivery.plan import edition
from exporters.report.delivery.settings import DeliverySettings
from exporters.report.excerpt import excerpt
from exporters.report.rendering import Format, named, render
from tests.consolelab import Console
from tests.reportsample import sample

CHEAP = PeopleSettings(rounds=4)
JSON: tuple[Format, ...] = ("json",)
WHOLE = "report-2026-10.zh"
TITLE = "<h1>月报存档</h1>"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real files of a real report."""
    folder = tmp_path_factory.mktemp("reports")
    document = sample(departments=3, resources=30)
    files.write(str(folder), render(document, ("html", "csv"), "zh"))
    files.write(str(folder), render(document, JSON, "en"))
    for one in document.departments:
        part = excerpt(document, one.name)
        files.write(str(folder), render(part, ("json", "csv"), "zh"))
    older = sample(departments=3, resources=30, month="2026-09")
    files.write(str(folder), render(older, ("html", "xlsx"), "zh"))
    return folder


@pytest.fixture
def console(tmp_path: Path, written: Path) -> Iterator[Console]:
    made = Console(
        f"sqlite:///{tmp_path}/console.db", ConsoleSettings(people=CHEAP, reports=str(written))
    )
    yield made
    made.close()


def of(console: Console) -> str:
    """A department that has a name."""
    document = sample(departments=3, resources=30)
    return next(one.name for one in document.departments if one.name)


def test_who_sees_all_departments_sees_all_reports(console: Console) -> None:
    client = console.client("viewer")
    page = client.get("/reports")
    assert page.status_code == 200
    assert TITLE in page.text
    for part in (f"{WHOLE}.html", f"{WHOLE}.departments.csv", "report-2026-10.en.json", "2026-09"):
        assert part in page.text
    found = client.get("/api/v1/reports").json()
    assert found["months"] == ["2026-10", "2026-09"]
    assert found["month"] == "2026-10"
    subjects = {(one["subject"], one["department"]) for one in found["files"]}
    assert ("", None) in subjects
    assert ("unassigned", "") in subjects
    older = client.get("/api/v1/reports", params={"month": "2026-09"}).json()
    assert {one["format"] for one in older["files"]} == {"html", "xlsx"}
    assert client.get("/api/v1/reports", params={"month": "2020-01"}).json()["files"] == []
    assert "2020-01 没有月报" in client.get("/reports?month=2020-01").text


def test_a_file_is_what_was_written(console: Console, written: Path) -> None:
    client = console.client("viewer")
    for name in sorted(os.listdir(written)):
        for path in (f"/reports/{quote(name)}", f"/api/v1/reports/{quote(name)}"):
            answer = client.get(path)
            assert answer.status_code == 200, name
            assert answer.content == (written / name).read_bytes()
            assert int(answer.headers["content-length"]) == len(answer.content)
            kind = archive.MEDIA_TYPES[name.rpartition(".")[2]]
            assert answer.headers["content-type"] == kind
            told = answer.headers["content-disposition"]
            assert told.endswith(f"; filename*=UTF-8''{quote(name, safe='')}")
            assert told.startswith('attachment; filename="report-2026-')
            assert told.isascii()


def test_a_page_is_shown_apart_from_the_console(console: Console) -> None:
    client = console.client("viewer")
    answer = client.get(f"/reports/{WHOLE}.html?show=1")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("; sandbox")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in answer.headers
    other = client.get("/reports/report-2026-10.en.json?show=1")
    assert "attachment" in other.headers["content-disposition"]


def test_a_department_sees_its_own_excerpts_alone(console: Console, written: Path) -> None:
    own = of(console)
    client = console.client("viewer", departments=(own,))
    found = client.get("/api/v1/reports").json()
    assert found["months"] == ["2026-10"]
    assert {one["department"] for one in found["files"]} == {own}
    page = client.get("/reports").text
    assert own in page
    assert f"{WHOLE}.html" not in page
    mine = {one["name"] for one in found["files"]}
    assert mine
    for name in os.listdir(written):
        for path in (f"/reports/{quote(name)}", f"/api/v1/reports/{quote(name)}"):
            assert client.get(path).status_code == (200 if name in mine else 404), name


def test_whoever_sees_nobodys_sees_that_excerpt(console: Console) -> None:
    client = console.client("viewer", departments=("",))
    found = client.get("/api/v1/reports").json()
    assert {one["subject"] for one in found["files"]} == {"unassigned"}
    # a department that is called so is another one
    other = console.client("viewer", departments=("unassigned", "未归属"), name="other")
    assert other.get("/api/v1/reports").json()["files"] == []
    nothing = console.client("viewer", departments=(), name="nothing")
    assert nothing.get("/api/v1/reports").json()["months"] == []


NEVER = [
    "..%2Fconsole.db",
    "%2e%2e%2fconsole.db",
    "..%252fconsole.db",
    "%2Fetc%2Fpasswd",
    "report-2026-10.zh.html%00",
    "report-2026-10.zh.html%0A",
    "report-2026-10.zh.html%2F..%2Fsecret",
    "report-2026-10-..%2F..%2Fsecret.zh.html",
    "report-2026-10..%5Csecret.zh.html",
    "report-2026-13.zh.html",
    "report-2026-10.fr.html",
    "report-2026-10.zh.svg",
    "report-2026-10.zh.html.bak",
    "report-2026-10.zh..csv",
    "REPORT-2026-10.ZH.HTML",
    "secret",
    ".report-2026-10.zh.html.12345678.aside",
    "report-2026-12.zh.html",  # a link that leads out
    "report-2026-12.zh.json",  # a link within
    "report-2026-12.zh.pdf",  # a folder
    "report-2026-12.zh.xlsx",  # a pipe
    "report-2026-11.zh.html",  # not there
]


def test_what_is_never_served(console: Console, written: Path) -> None:
    hostile(written)
    client = console.client("viewer")
    for name in NEVER:
        for path in ("/reports/", "/api/v1/reports/"):
            answer = client.get(path + name)
            assert answer.status_code in (404, 307, 422), path + name
            assert "hunter2" not in answer.text
    assert "2026-12" not in client.get("/api/v1/reports").json()["months"]


def hostile(folder: Path) -> None:
    (folder / "secret").write_text("hunter2")
    (folder / ".report-2026-10.zh.html.12345678.aside").write_text("hunter2")
    outside = folder.parent / "outside"
    outside.write_text("hunter2")
    if not (folder / "report-2026-12.zh.pdf").exists():
        (folder / "report-2026-12.zh.html").symlink_to(outside)
        (folder / "report-2026-12.zh.json").symlink_to("secret")
        (folder / "report-2026-12.zh.pdf").mkdir()
        os.mkfifo(folder / "report-2026-12.zh.xlsx")


@given(st.text(max_size=80))
def test_no_name_leads_elsewhere(name: str) -> None:
    found = archive.parsed(name)
    assert found is None or ("/" not in name and "\0" not in name and name.startswith("report-"))


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_writer_names_what_this_reads(one: str, other: str) -> None:
    name = archive.parsed(f"report-2026-10-{named(one)}.zh.html")
    assert name is not None
    assert archive.sees(name, (one,))
    assert archive.sees(name, (other,)) == (one == other)


def test_what_was_delivered_is_in_folders_of_months(tmp_path: Path) -> None:
    document = sample(departments=3, resources=30)
    whole = edition(document, render(document, JSON, "zh"))
    own = next(one.name for one in document.departments if one.name)
    part = excerpt(document, own)
    settings = DeliverySettings(folder=str(tmp_path / "reports"))
    editions = [whole, edition(part, render(part, JSON, "zh"))]
    done = deliver(settings, editions, tmp_path / "state", datetime.now(UTC))
    assert [one.state for one in done] == ["delivered"]
    folder = tmp_path / "reports"
    delivered = folder / "2026-10"
    older = sample(departments=3, resources=30, month="2026-09")
    files.write(str(folder), render(older, JSON, "zh"))
    # never: a month's folder that is a link, and a file in the folder of another month
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/report-2026-08.zh.json").write_text("hunter2")
    (folder / "2026-08").symlink_to(tmp_path / "elsewhere")
    (delivered / "report-2026-07.zh.json").write_text("hunter2")
    (delivered / "report-2026-10.en.json").symlink_to("report-2026-07.zh.json")
    console = Console(
        f"sqlite:///{tmp_path}/console.db", ConsoleSettings(people=CHEAP, reports=str(folder))
    )
    client = console.client("viewer")
    found = client.get("/api/v1/reports").json()
    assert found["months"] == ["2026-10", "2026-09"]
    assert {one["name"] for one in found["files"]} == {
        file.name for one in editions for file in one.files
    }
    for one in editions:
        for file in one.files:
            assert client.get(f"/reports/{quote(file.name)}").content == file.content
    for name in ("report-2026-08.zh", "report-2026-07.zh", "report-2026-10.en"):
        assert client.get(f"/reports/{name}.json").status_code == 404
    mine = console.client("viewer", departments=(own,), name="mine")
    assert len(mine.get("/api/v1/reports").json()["files"]) == 1
    assert mine.get(f"/reports/{WHOLE}.json").status_code == 404
    console.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another group")
def test_the_group_of_the_folder_reads_what_is_written_under_the_umask_of_the_unit(
    tmp_path: Path,
) -> None:
    unit = (Path(__file__).parents[2] / "deploy/systemd/jianwei-report.service").read_text()
    found = re.search(r"^UMask=(\d+)$", unit, re.MULTILINE)
    assert found
    folder = tmp_path / "reports"
    folder.mkdir()
    os.chown(folder, -1, 65534)
    folder.chmod(0o2750)
    before = os.umask(int(found[1], 8))
    try:
        files.write(str(folder / "2026-10"), {f"{WHOLE}.json": b"{}"})
    finally:
        os.umask(before)
    month, file = (folder / "2026-10").stat(), (folder / f"2026-10/{WHOLE}.json").stat()
    assert (month.st_gid, month.st_mode & 0o777) == (65534, 0o750)
    assert (file.st_gid, file.st_mode & 0o777) == (65534, 0o640)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    for folder, told in ((str(tmp_path / "gone"), "无法读取"), ("", "没有配置月报目录")):
        console = Console(
            f"sqlite:///{tmp_path}/console.db", ConsoleSettings(people=CHEAP, reports=folder)
        )
        client = console.client("viewer")
        answer = client.get("/reports")
        assert told in answer.text
        assert client.get(f"/reports/{WHOLE}.html").status_code == (503 if folder else 404)
        api = client.get("/api/v1/reports")
        if folder:
            assert answer.status_code == 503
            assert api.json()["error"]["code"] == "reports.unreadable"
        else:
            assert msgspec.json.decode(api.content)["configured"] is False
        console.close()


def test_a_large_file_is_sent_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "report-2026-10.zh.pdf"
    with file.open("wb") as big:
        big.truncate(300 << 20)
    name = archive.parsed(file.name)
    assert name is not None
    opened = archive.opened(str(tmp_path), name)
    assert opened is not None
    parts = [len(part) for part in archive.content(*opened)]
    assert max(parts) <= 1 << 16
    assert sum(parts) == 300 << 20
