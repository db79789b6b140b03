"""`jianwei report` as its users run it: out of a history file of a made-up city, in all formats, and with bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from benchmarks import reportdata
from exporters.history import workcalendar
from exporters.report.delivery import schedule
from exporters.report.rendering import stem
from tests.reportsample import sample

MONTH = "2026-10"
PROFILE = """city: 示范市
issuer: 示范市数据局
capacity: {vcpus: 500, memory_gib: 2000, disk_tib: 20}
prices: prices.csv
follow_up: followup.csv
"""
PRICES = "项目,单价,单位,部门\nvcpu,0.12,小时,\nmemory,20,月,\nvcpu,0.1,小时,部们07\n"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 servers of 23 departments, two months."""
    path = tmp_path_factory.mktemp("city") / "city.db"
    reportdata.write_history(path, 60, ["2026-09", MONTH])
    return path


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "prices.csv").write_text(PRICES, encoding="utf-8")
    path = tmp_path / "city.yaml"
    path.write_text(PROFILE, encoding="utf-8")
    return path


def report(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-m", "agents", "report", *map(str, arguments)]
    return subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )


def refused(*arguments: str | Path, **environment: str) -> str:
    """What is said of bad input: one line."""
    ended = report(*arguments, **environment)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def test_a_report_in_all_formats(history: Path, profile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ("--month", MONTH, "--history", history, "--profile", profile, "--out", out)
    ended = report(*wanted, "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert {Path(name).suffix for name in told["files"]} == {
        ".html",
        ".pdf",
        ".xlsx",
        ".csv",
        ".json",
    }
    assert sorted(map(str, out.iterdir())) == sorted(told["files"])
    made = json.loads((out / f"report-{MONTH}.zh.json").read_bytes())
    assert told["coverage"] == made["scope"]["coverage"] > 99
    assert (out / f"report-{MONTH}.zh.pdf").read_bytes().startswith(b"%PDF")
    page = (out / f"report-{MONTH}.zh.html").read_text(encoding="utf-8")
    assert "示范市" in page
    assert "部门07" in page
    assert made["showback"]["days"] == made["showback"]["days_in_month"] == 31
    [gap] = [it for it in made["gaps"] if it["code"] == "price_departments"]
    assert gap["examples"] == ["部们07"]
    followed = (tmp_path / "followup.csv").read_bytes()
    assert report(*wanted, "--format", "json").returncode == 0
    assert (tmp_path / "followup.csv").read_bytes() == followed  # the same month adds nothing
    again = json.loads((out / f"report-{MONTH}.zh.json").read_bytes())
    for one in (made, again):
        del one["scope"]["made"]
    assert again == made


def test_an_excerpt_has_nothing_of_others(history: Path, profile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = report(
        *("--month", MONTH, "--history", history, "--profile", profile, "--out", out),
        *("--department", "部门07", "--format", "html, csv,json", "--lang", "en"),
    )
    assert ended.returncode == 0, ended.stderr
    written = b"".join(path.read_bytes() for path in out.iterdir()).decode()
    assert "部门07" in written
    assert not [n for n in range(1, 24) if n != 7 and f"部门{n:02}" in written]
    assert all(path.name.startswith(f"report-{MONTH}-部门07.en.") for path in out.iterdir())
    assert not (tmp_path / "followup.csv").exists()


def test_excerpts_of_all(history: Path, tmp_path: Path) -> None:
    ended = report(
        *(
            "--month",
            MONTH,
            "--history",
            history,
            "--out",
            tmp_path,
            "--format",
            "json",
            "--excerpts",
        )
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list(tmp_path.glob("report-*.json"))) == 24


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--month", "2026-13"), "is no month; write for example 2026-10"),
        (("--month", "2099-01"), "has not begun yet"),
        (("--month", "2026-01"), "has no data of 2026-01: what it has begins on 2026-09-01"),
        (("--month", MONTH, "--format", ","), "names none of html"),
        (("--month", MONTH, "--format", "docx"), "none of html, pdf, xlsx, csv, json"),
        (("--month", MONTH, "--department", "部门7"), "部门07"),
        (("--month", MONTH, "--check"), "--prometheus URL"),
        (("--month", MONTH, "--prometheus", "http://127.0.0.1:9"), "leave one out"),
        (("--month", MONTH, "--schedule"), "leave --month and --department out"),
        (("--month", MONTH, "--deliver"), "the profile names nobody"),
        (("--month", MONTH, "--param", "idle_cpu=x"), "idle_cpu"),
        (("--month", MONTH, "--profile", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    arguments: tuple[str, ...], words: str, history: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert words in refused("--history", history, "--out", out, *arguments)
    assert not out.exists()


def test_what_is_wrong_with_a_profile_has_its_line(history: Path, tmp_path: Path) -> None:
    path = tmp_path / "city.yaml"
    for text, line, words in (
        ("city: 示范市\nprices: 5\n", 2, "prices"),
        ("city: 示范市\n\npriecs: x\n", 3, "prices"),
        ("hours: [9-12]\n", 1, "09:00-12:00"),
        ("city: 示范市\ncapacity: {vcpus: -5}\n", 2, "capacity"),
        ("capacity: {vcpus: .nan}\n", 1, "capacity"),
        ("city: 示范市\nparams: {nope: 1}\n", 2, "nope"),
        ("delivery: {smtp: {host: x, from: a}}\n", 1, "delivery"),
    ):
        path.write_text(text, encoding="utf-8")
        told = refused("--month", MONTH, "--history", history, "--profile", path, "--out", tmp_path)
        assert f"{path}:{line}" in told, told
        assert words in told


def test_a_folder_that_cannot_be_written_loses_nothing(
    history: Path, profile: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    told = refused(
        *("--month", MONTH, "--history", history, "--profile", profile, "--format", "json"),
        *("--out", tmp_path / "file" / "out"),
    )
    assert "cannot be written" in told
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "followup.csv").exists()  # nobody was told of anything


def test_all_files_or_none(history: Path, tmp_path: Path) -> None:
    (tmp_path / f"report-{MONTH}.zh.html").mkdir()
    arguments = ("--month", MONTH, "--history", history, "--format", "html,json,csv")
    assert "is a folder" in refused(*arguments, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"report-{MONTH}.zh.html"]


def test_a_follow_up_file_that_cannot_be_kept_is_told_first(history: Path, tmp_path: Path) -> None:
    profile = tmp_path / "city.yaml"
    profile.write_text("follow_up: none/followup.csv\n")
    out = tmp_path / "out"
    told = refused(
        *("--month", MONTH, "--history", history, "--profile", profile, "--format", "json"),
        *("--out", out),
    )
    assert "make it" in told
    assert not out.exists()


def test_missing_fonts_are_told_before_anything_is_made(history: Path, tmp_path: Path) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text('<?xml version="1.0"?><fontconfig></fontconfig>')
    told = refused(
        *("--month", MONTH, "--history", history, "--out", tmp_path / "out"),
        FONTCONFIG_FILE=str(fonts),
    )
    assert "fonts-noto-cjk" in told
    assert not (tmp_path / "out").exists()


def test_the_schedule_makes_the_last_month_once(profile: Path, tmp_path: Path) -> None:
    last = schedule.due(datetime.now(reportdata.ZONE_INFO), workcalendar.load(), schedule.Made())
    assert last
    history, config = tmp_path / "city.db", tmp_path / "jianwei.yaml"
    reportdata.write_history(history, 5, [last])
    config.write_text(f"state_dir: {tmp_path / 'state'}\n")
    where = ("--schedule", "--history", history, "--profile", profile, "--out", tmp_path / "out")
    wanted = (*where, "--config", config, "--format", "json")
    made = report(*wanted)
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{tmp_path / 'out' / f'report-{last}.zh.json'}\n"
    kept = schedule.file_of(tmp_path / "state", str(profile))
    assert schedule.read(kept).done.keys() == {last}
    again = report(*wanted)
    assert (again.returncode, again.stdout) == (0, "")
    assert f"nothing is due; the last report that was made: {last}" in again.stderr
    assert json.loads(report(*wanted, "--json").stdout)["done"].keys() == {last}


def test_two_departments_never_have_one_file(tmp_path: Path) -> None:
    names = [
        "财政局/一",
        "财政局?一",
        "x" * 50 + "1",
        "x" * 50 + "2",
        "",
        "unassigned",
        "..",
        "未归属",
    ]
    whole = sample(3, 10)
    stems = {
        stem(msgspec.structs.replace(whole, scope=scope), "zh")
        for name in names
        for scope in [msgspec.structs.replace(whole.scope, department=name)]
    }
    assert len(stems) == len(names)
    assert all(re.fullmatch(r"report-2026-10-[\w-]+\.zh", one) for one in stems)


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_who_is_killed_leaves_no_process_and_no_file(
    kill: signal.Signals, history: Path, profile: Path, tmp_path: Path
) -> None:
    argv = [sys.executable, "-P", "-m", "agents", "report", "--month", MONTH, "--format", "pdf"]
    argv += ["--history", str(history), "--profile", str(profile), "--out", str(tmp_path / "out")]
    with subprocess.Popen(argv) as process:
        its = psutil.Process(process.pid)
        children: list[psutil.Process] = []
        while len(children) < 2:  # one sets pages, one is Python's tracker of resources
            assert process.poll() is None
            children = its.children(recursive=True)
        process.send_signal(kill)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "followup.csv").exists()


def test_check_config_reads_the_profile(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text("report: {profile: city.yaml}\n")
    argv = [sys.executable, "-P", "-m", "agents", "check-config", str(config)]
    for text, status, words in (("citi: x\n", 2, "city.yaml:1"), ("city: x\n", 0, "first workday")):
        (tmp_path / "city.yaml").write_text(text)
        ended = subprocess.run(argv, capture_output=True, text=True)
        assert ended.returncode == status, ended.stderr
        assert words in ended.stdout + ended.stderr
