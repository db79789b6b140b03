"""`jianwei usage` and `jianwei history events`, and what the agent's audits get of the last month."""

from __future__ import annotations

import csv
import io
import json
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agents import children
from agents import config as configuration
from agents.cli import main
from agents.lastmonth import AGAIN, LastMonth
from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Aspect, Identity, Value, encoded
from collectors.sources.commands import Ended
from exporters.history.store import HistoryWriter, Known, Span

ZONE = ZoneInfo("Asia/Shanghai")
GIB = 1 << 30


def day(month: int, number: int) -> float:
    return datetime(2026, month, number, tzinfo=ZONE).timestamp()


def jianwei(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def write_csv(path: Path, rows: dict[str, float], start: float, days: int) -> None:
    """A wide file: every resource with one value all the time, and a little of noise."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 288 * days)
    with path.open("w") as file:
        for name, level in rows.items():
            file.write(",".join([name, *(f"{v:.2f}" for v in np.maximum(level + noise, 0))]) + "\n")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months of four servers of two departments: idle, busy, right-sized, and one without an owner."""
    folder = tmp_path_factory.mktemp("city")
    file = folder / "city.db"
    start = day(8, 1)
    for metric, unit, levels in (
        ("cpu", "percent", {"idle": 1.0, "busy": 92.0, "fine": 50.0, "nobodys": 50.0}),
        ("net_rx", "bytes_per_second", {"idle": 900.0, "busy": 1e6, "fine": 1e6, "nobodys": 1e6}),
        ("net_tx", "bytes_per_second", {"idle": 900.0, "busy": 1e6, "fine": 1e6, "nobodys": 1e6}),
    ):
        table = folder / f"{metric}.csv"
        write_csv(table, levels, start, 92)
        told = jianwei(
            *("history", "import", "--wide", "--metric", metric, "--unit", unit),
            *("--start", "2026-08-01T00:00", "--step", "5m", "--history", file, table),
        )
        assert told.exit_code == 0, told.output
    owners = {"idle": "市财政局", "busy": "市教育局", "fine": "市教育局"}
    with closing(HistoryWriter(file)) as writer:
        for name in ("idle", "busy", "fine", "nobodys"):
            values: list[tuple[Aspect, float, float | None, Value]] = [
                ("identity", start, None, Identity("server", name, "city", "openstack")),
                ("state", start, None, "active"),
                ("size", start, None, Size(8, 16 * GIB, 0)),
            ]
            if name in owners:
                values.append(("owner", start, None, Attribution(Owner(owners[name]), "metadata")))
            if name == "fine":
                values[2:3] = [
                    ("size", start, day(8, 10), Size(4, 16 * GIB, 0)),
                    ("size", day(8, 10), None, Size(8, 16 * GIB, 0)),
                ]
            spans = [
                Span(name, aspect, since, until, encoded(v)) for aspect, since, until, v in values
            ]
            known = Known(name, "server", name, "city", start, day(11, 1))
            writer.add(0, (), [known], spans)
    return file


def test_each_resource_has_its_state_and_the_reason_in_words(city: Path) -> None:
    told = jianwei("usage", "--history", city, "--month", "2026-10", "--format", "json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    states = {one["resource"]: (one["state"], one["advice"]) for one in found["resources"]}
    assert states == {
        "idle": ("idle", "reclaim"),  # the third month in a row
        "busy": ("busy", "grow"),
        "fine": ("right-sized", "none"),
        "nobodys": ("right-sized", "none"),
    }
    shown = jianwei("usage", "--history", city, "--month", "2026-10", "--lang", "zh")
    assert "已连续 3 个月" in shown.stdout
    assert "未归属" in shown.stdout
    first = jianwei("usage", "--history", city, "--month", "2026-08", "--format", "json")
    [idle] = [one for one in json.loads(first.stdout)["resources"] if one["resource"] == "idle"]
    assert (idle["state"], idle["advice"]) == ("idle", "watch")


def test_thresholds_departments_and_states_choose(city: Path) -> None:
    common = ("usage", "--history", city, "--month", "2026-10", "--format", "json")
    changed = jianwei(*common, "--param", "idle_cpu=1", "--department", "市财政局")
    [one] = json.loads(changed.stdout)["resources"]
    assert (one["resource"], one["state"]) == ("idle", "low")
    busy = jianwei(*common, "--state", "busy")
    assert [one["resource"] for one in json.loads(busy.stdout)["resources"]] == ["busy"]
    assert jianwei(*common, "--state", "detached").exit_code == 1


def test_departments_have_their_core_hours(city: Path) -> None:
    told = jianwei(
        "usage", "--history", city, "--month", "2026-10", "--by", "department", "--format", "json"
    )
    shares = {one["department"]: one for one in json.loads(told.stdout)}
    assert shares["市教育局"]["granted_core_hours"] == pytest.approx(2 * 8 * 24 * 31)
    assert shares["市教育局"]["used_ratio"] == pytest.approx(0.71, abs=0.01)
    assert shares[""]["resources"] == 1
    shown = jianwei("usage", "--history", city, "--month", "2026-10", "--by", "department")
    assert shown.stdout.splitlines()[-1].startswith("未归属")


def test_a_month_that_has_just_begun_counts_as_none(
    city: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: day(11, 1) + 600)
    told = jianwei("usage", "--history", city, "--month", "2026-11", "--format", "json")
    found = json.loads(told.stdout)
    assert found["under_way"]
    assert {one["state"] for one in found["resources"]} == {"insufficient"}
    shown = jianwei("usage", "--history", city, "--lang", "en")
    assert shown.stdout.splitlines()[0] == "2026-10"
    assert shown.stderr == ""
    assert jianwei("usage", "--history", city, "--format", "csv").stderr == "2026-10\n"
    monkeypatch.setattr(time, "time", lambda: day(10, 25))
    shown = jianwei("usage", "--history", city, "--month", "2026-10", "--lang", "en")
    assert shown.stdout.splitlines()[0] == "2026-10 (not over: to be watched, no more)"
    told = jianwei("usage", "--history", city, "--month", "2026-10", "--format", "json")
    assert {one["advice"] for one in json.loads(told.stdout)["resources"]} == {"none", "watch"}


def test_the_dated_table_of_owners_is_held_against_each_day(city: Path, tmp_path: Path) -> None:
    table = tmp_path / "owners.csv"
    table.write_text(
        "资源,部门,系统,生效日期,失效日期\nnobodys,市财政局,预算,,2026-09-14\n"
        "nobodys,市审计局,审计,2026-09-15,\n",
        encoding="utf-8",
    )
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"attribution: {{overrides_file: {table}}}\n")
    common = ("usage", "--config", config, "--history", city, "--format", "json")
    low = ("--param", "low_cpu=60", "--param", "shrink_months=3")  # so that months count

    def told(month: str) -> dict[str, Any]:
        found = json.loads(jianwei(*common, "--month", month, *low).stdout)["resources"]
        return next(one for one in found if one["resource"] == "nobodys")

    august, september, october = told("2026-08"), told("2026-09"), told("2026-10")
    assert [one["department"] for one in (august, september, october)] == [
        "市财政局",
        "市审计局",
        "市审计局",
    ]
    assert [one["months"] for one in (august, september, october)] == [1, 1, 1]
    assert "moved" in [reason["code"] for reason in september["reasons"]]
    shown = jianwei(*common, "--month", "2026-09", "--by", "department")
    shares = {one["department"]: one for one in json.loads(shown.stdout)}
    assert shares["市财政局"]["granted_core_hours"] == pytest.approx(8 * 24 * (30 + 14))
    assert shares["市审计局"]["granted_core_hours"] == pytest.approx(8 * 24 * 16)
    assert shares["市审计局"]["used_ratio"] == pytest.approx(0.5, abs=0.01)


def test_all_that_was_measured_is_told(city: Path, tmp_path: Path) -> None:
    common = ("usage", "--history", city, "--month", "2026-10")
    found = json.loads(jianwei(*common, "--format", "json").stdout)["resources"]
    cpu = next(one for one in found if one["resource"] == "busy")["measured"]["cpu"]
    assert cpu["average"] == pytest.approx(92, abs=0.1)
    assert cpu["p50"] < cpu["p95"] < cpu["peak"] <= 92.5
    assert cpu["work"] == pytest.approx(92, abs=0.1)
    assert cpu["off"] == pytest.approx(92, abs=0.1)
    assert cpu["work"] != cpu["off"]
    assert cpu["coverage"] == 100
    assert datetime.fromisoformat(cpu["peak_at"]).month == 10
    assert found[0]["measured"]["memory"] is None
    told = jianwei(*common, "--format", "csv", "--lang", "en")
    head, *rows = csv.reader(io.StringIO(told.stdout.removeprefix("\ufeff")))
    row = next(dict(zip(head, one, strict=True)) for one in rows if one[0] == "busy")
    assert float(row["CPU % average"]) == pytest.approx(cpu["average"], abs=0.01)
    assert row["CPU % peak at"] == cpu["peak_at"]
    assert float(row["Network in kB/s average"]) == pytest.approx(1000, rel=0.01)
    assert row["Memory % average"] == ""
    shown = jianwei(*common, "--lang", "en").stdout
    assert "/".join(f"{cpu[part]:.1f}" for part in ("average", "p50", "p95", "peak")) in shown
    calendar = tmp_path / "calendar.yaml"  # all October off
    days = ", ".join(f"2026-10-{number:02}" for number in range(1, 32))
    calendar.write_text(f"years: {{'2026': {{source: us, holidays: [{days}]}}}}\n")
    found = json.loads(jianwei(*common, "--format", "json", "--calendar", calendar).stdout)
    assert {one["measured"]["cpu"]["work"] for one in found["resources"]} == {None}


def test_an_exemption_for_nothing_is_told(city: Path, tmp_path: Path) -> None:
    file = tmp_path / "exemptions.yaml"
    row = "reason: 灾备, owner: 张伟, approver: 李敏, expires: 2026-12-31"
    file.write_text(
        f"exemptions:\n  - {{id: E-1, resources: [idel], {row}}}\n"
        f"  - {{id: E-2, resources: [idle], {row}}}\n",
        encoding="utf-8",
    )
    common = ("usage", "--history", city, "--month", "2026-10", "--exemptions", file)
    told = jianwei(*common, "--department", "市教育局", "--lang", "en")
    assert told.exit_code == 0
    assert told.stderr == "exemption E-1 is for no resource of 2026-10; is it mistyped?\n"


@pytest.mark.parametrize("name", ["未归属", "unassigned", ""])
def test_nobodys_can_be_asked_for(city: Path, name: str) -> None:
    common = ("usage", "--history", city, "--month", "2026-10", "--format", "json")
    found = json.loads(jianwei(*common, "--department", name).stdout)["resources"]
    assert [one["resource"] for one in found] == ["nobodys"]
    shares = json.loads(jianwei(*common, "--by", "department", "--department", name).stdout)
    assert [one["department"] for one in shares] == [""]


def test_csv_is_for_spreadsheets(city: Path) -> None:
    told = jianwei("usage", "--history", city, "--month", "2026-10", "--format", "csv")
    rows = list(csv.reader(io.StringIO(told.stdout.removeprefix("\ufeff"))))
    assert len(rows) == 5
    assert {len(row) for row in rows} == {len(rows[0])}


def test_exemptions_are_in_force_until_their_day(city: Path, tmp_path: Path) -> None:
    file = tmp_path / "exemptions.yaml"
    file.write_text(
        "exemptions:\n  - {id: E-1, resources: [idle], reason: 灾备, owner: 张伟, approver: 李敏,"
        " expires: 2026-12-31}\n",
        encoding="utf-8",
    )
    common = (
        "usage",
        "--history",
        city,
        "--month",
        "2026-10",
        "--format",
        "json",
        "--department",
        "市财政局",
    )
    [one] = json.loads(jianwei(*common, "--exemptions", file).stdout)["resources"]
    assert (one["state"], one["found"], one["advice"]) == ("exempt", "idle", "none")
    file.write_text(file.read_text().replace("2026-12-31", "2026-09-30"))
    [one] = json.loads(jianwei(*common, "--exemptions", file).stdout)["resources"]
    assert one["state"] == "idle"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--month", "2026-13"), "is no month; write for example 2026-10"),
        (("--month", "last"), "is no month"),
        (("--month", "2199-01"), "has not begun yet"),
        (("--month", "2026-10", "--param", "idle_cpus=3"), "no such parameter"),
        (("--month", "2026-10", "--param", "idle_cpu=-1"), "idle_cpu"),
        (("--month", "2026-10", "--exemptions", "/nowhere.yaml"), "/nowhere.yaml"),
        (("--month", "2026-10", "--calendar", "/nowhere.yaml"), "/nowhere.yaml"),
        (("--month", "2026-10", "--by", "department", "--format", "csv"), "there are: table, json"),
    ],
)
def test_bad_input_is_told_in_a_line(city: Path, arguments: tuple[str, ...], words: str) -> None:
    told = jianwei("usage", "--history", city, *arguments)
    assert told.exit_code == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_month_of_which_nothing_is_known_is_no_success(city: Path) -> None:
    told = jianwei("usage", "--history", city, "--month", "2025-01", "--lang", "en")
    assert told.exit_code == 1
    assert "no resources" in told.stdout


def test_facts_are_judged_by_the_pack(city: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(
        jianwei("usage", "--history", city, "--month", "2026-10", "--format", "facts").stdout
    )
    told = jianwei("audit", "--pack", "utilisation", "--facts", facts, "--format", "json")
    found = [
        (one["rule"], one["verdict"], one["instance"])
        for one in json.loads(told.stdout)["packs"][0]["verdicts"]
    ]
    assert [one for one in found if one[0] == "usage.not-idle"] == [
        ("usage.not-idle", "fail", "idle")
    ]
    assert [one for one in found if one[0] == "usage.not-busy"] == [
        ("usage.not-busy", "fail", "busy")
    ]


def test_the_agent_judges_the_last_whole_month_once(city: Path, tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text(f"history: {{file: {city}}}\naudit: {{packs: [utilisation]}}\n")
    now = datetime(2026, 11, 26, tzinfo=ZONE)
    months = LastMonth(str(path), configuration.load(str(path)), lambda: now)
    rows = months.rows()
    assert rows is not None
    assert {row["resource"]: row["state"] for row in rows}["idle"] == "idle"
    assert {row["month"] for row in rows} == {"2026-10"}
    assert months.rows() is rows
    path.write_text(f"history: {{file: {city}}}\n")
    assert LastMonth(str(path), configuration.load(str(path)), lambda: now).rows() is None


def test_a_history_that_is_not_there_makes_the_rules_unknown(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text("state_dir: state\naudit: {packs: [utilisation]}\n")
    assert LastMonth(str(path), configuration.load(str(path))).rows() is None


def test_the_agent_starts_no_child_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audits may be every minute: none before there is a history, one an hour where it cannot be read."""
    started: list[tuple[str, ...]] = []
    run = children.run

    def counted(arguments: tuple[str, ...], seconds: float, **more: Any) -> Ended:
        started.append(arguments)
        return run(arguments, seconds, **more)

    monkeypatch.setattr(children, "run", counted)
    file, path, steady = tmp_path / "history.db", tmp_path / "jianwei.yaml", [0.0]
    path.write_text(f"history: {{file: {file}}}\naudit: {{packs: [utilisation]}}\n")
    months = LastMonth(str(path), configuration.load(str(path)), steady=lambda: steady[0])
    for _ in range(3):
        assert months.rows() is None
    assert not started
    file.write_bytes(b"damaged" * 1000)
    for _ in range(3):
        assert months.rows() is None
    assert len(started) == 1
    steady[0] += AGAIN
    assert months.rows() is None
    assert len(started) == 2


def test_events_are_told_in_order(city: Path) -> None:
    told = jianwei("history", "events", "--history", city, "--json")
    assert told.exit_code == 0, told.output
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(one["what"], one["name"]) for one in found if one["resource"] == "fine"] == [
        ("granted", "fine"),
        ("resized", "fine"),
    ]
    assert found[-1]["after"]["vcpus"] == 8
    shown = jianwei("history", "events", "--history", city, "--since", "2026-08-05")
    assert [line.split()[4] for line in shown.stdout.splitlines()[1:]] == ["变更规格"]
    assert jianwei("history", "events", "--history", city, "--since", "2026-09-01").exit_code == 1
