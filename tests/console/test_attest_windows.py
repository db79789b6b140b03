"""Maintenance windows and silences in the console: made, scoped, cancelled; the file that the report reads."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from exporters.console.attest import windowstore
from exporters.console.attest.maintenancefile import MaintenanceFile
from exporters.console.schema import department, host, line, log
from exporters.console.settings import ConsoleSettings
from exporters.history.file import connect
from exporters.history.store import HistoryWriter
from exporters.report.sections import maintenancefile as report
from exporters.report.sections.lines import lines_from_history
from exporters.report.sections.settings import LinesSettings
from exporters.usage.period import Period
from tests.consolelab import Console

ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")]  # fmt: skip
SHANGHAI = ZONES[0]
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def _form(**changed: Any) -> dict[str, Any]:
    soon = datetime.now(SHANGHAI).replace(second=0, microsecond=0, tzinfo=None) + timedelta(hours=2)
    form: dict[str, Any] = {
        "kind": "maintenance",
        "reason": "骨干割接",
        "begins": soon.isoformat(timespec="minutes"),
        "ends": (soon + timedelta(hours=4)).isoformat(timespec="minutes"),
    }
    return form | changed


def _people(console: Console) -> None:
    with console.database.writing() as connection:
        for n, name in enumerate(("市财政局", "市公安局"), 1):
            connection.execute(department.insert().values(id=n, name=name))
            connection.execute(
                host.insert().values(
                    id=n, key=f"id{n}", name=f"vm-{n}", department_id=n, labels={}, source="pull",
                    first_seen=NOW,
                )
            )  # fmt: skip
            connection.execute(
                line.insert().values(
                    host_id=n, name=f"line-{n}", family="ipv4", time=NOW, figures={}
                )
            )


def test_a_window_is_made_shown_and_cancelled_once(each_console: Console) -> None:
    _people(each_console)
    analyst, viewer = each_console.client("analyst"), each_console.client("viewer")
    made = analyst.post("/windows", data=_form(lines="line-*\nother", kind="silence"))
    assert made.status_code == 303, made.text
    path = made.headers["location"]
    assert "骨干割接" in viewer.get("/windows").text
    assert "line-*" in viewer.get(path).text
    assert viewer.post(f"{path}/cancel", data={"version": 1}).status_code == 403
    told = analyst.get(f"/api/v1{path}").json()
    assert told["scope"]["lines"] == ["line-*", "other"]
    assert not told["on"]
    assert analyst.post(f"{path}/cancel", data={"version": 1}).status_code == 303
    assert analyst.post(f"{path}/cancel", data={"version": 1}).status_code == 409
    assert "骨干割接" not in viewer.get("/windows").text
    assert "骨干割接" in viewer.get("/windows?state=past").text
    with each_console.database.reading() as connection:
        verbs = connection.execute(select(log.c.action).order_by(log.c.number)).scalars().all()
        assert windowstore.current(connection, SHANGHAI, datetime.now(UTC)) == ()
    assert [one for one in verbs if one.startswith("windows.")] == [
        "windows.create",
        "windows.cancel",
    ]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"reason": "  "}, "attest.blank"),
    ({"reason": "a\u202eb"}, "attest.control"),
    ({"ends": "2020-01-01T00:00"}, "windows.order"),
    ({"begins": "2020-01-01T00:00"}, "windows.long"),
    ({"begins": "tomorrow"}, "windows.time"),
    ({"begins": "2026-01-01T00:00+08:00"}, "windows.time"),
    ({"every": "week"}, "windows.days"),
    ({"every": "month", "days": [32]}, "windows.days"),
    ({"departments": ["没有"]}, "attest.department"),
    ({"every": "week", "weekdays": [1, 2, 3, 4, 5, 6, 7], "until": "2020-01-01"}, "windows.first_day"),
]  # fmt: skip


def test_what_is_wrong_is_told(console: Console) -> None:
    analyst = console.client("analyst")
    for changed, code in WRONG:
        answer = analyst.post("/api/v1/windows", json=_form(**changed))
        assert answer.status_code == 422, changed
        assert answer.json()["error"]["code"] == code


def test_a_scoped_user_makes_and_sees_windows_of_their_departments(each_console: Console) -> None:
    _people(each_console)
    whole = each_console.client("analyst")
    own = each_console.client("analyst", ("市财政局",), name="scoped")
    made = own.post("/api/v1/windows", json=_form()).json()
    assert made["scope"]["departments"] == ["市财政局"]
    theirs = own.post("/api/v1/windows", json=_form(departments=["市公安局"]))
    assert theirs.json()["error"]["code"] == "attest.department"
    seen = {
        name: whole.post("/api/v1/windows", json=_form(**scope)).json()["id"]
        for name, scope in {
            "all": {},
            "other": {"departments": ["市公安局"]},
            "other_host": {"hosts": ["vm-2"]},
            "own_host": {"hosts": ["vm-1*"]},
        }.items()
    }
    listed = {it["id"] for it in own.get("/api/v1/windows").json()["windows"]}
    assert listed == {made["id"], seen["all"], seen["own_host"]}
    assert own.get(f"/windows/{seen['other_host']}").status_code == 404
    refused = own.post(f"/windows/{seen['all']}/cancel", data={"version": 1})
    assert refused.status_code == 403
    assert "line-2" not in own.get("/windows.yaml").text


def test_the_file_follows_every_change_and_the_report_leaves_the_minutes_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "maintenance.yaml"
    settings = ConsoleSettings(maintenance_file=str(path))
    console = Console(f"sqlite:///{tmp_path}/console.db", settings)
    _people(console)
    analyst = console.client("analyst")
    here = datetime.now(SHANGHAI).replace(second=0, microsecond=0, tzinfo=None)
    begins = (here + DAY).replace(hour=22, minute=0)
    form = _form(
        begins=begins.isoformat(timespec="minutes"),
        ends=(begins + timedelta(hours=4)).isoformat(timespec="minutes"),
        every="week",
        weekdays=[begins.isoweekday()],
    )
    made = analyst.post("/api/v1/windows", json=form | {"departments": ["市财政局"]}).json()
    read = report.load(str(path), SHANGHAI)
    assert [it.lines for it in read] == [("line-1",)] * len(read)
    assert read[0].since == begins.replace(tzinfo=SHANGHAI)
    assert read[1].since - read[0].since == 7 * DAY
    assert path.stat().st_mode & 0o777 == 0o644
    # the report, of the month in which the first one is
    month = begins.replace(day=1, hour=0).replace(tzinfo=SHANGHAI)
    after = (month + 32 * DAY).replace(day=1)
    period = Period(f"{month:%Y-%m}", int(month.timestamp()), int(after.timestamp()))
    files = tmp_path / "lines.yaml"
    files.write_text(
        "lines:\n  - {name: line-1, targets: [192.0.2.1]}\n  - {name: line-2, targets: [192.0.2.2]}\n"
    )
    history = tmp_path / "history.db"
    HistoryWriter(history).close()
    with closing(connect(history)) as connection:
        part = lines_from_history(
            connection, period, LinesSettings(lines=str(files), maintenance=str(path)), SHANGHAI
        )
    assert part is not None
    within = [it for it in read if it.since < after and it.until > month]
    hours = sum((min(it.until, after) - it.since) / timedelta(hours=1) for it in within)
    assert {it.name: it.maintenance for it in part.lines} == {"line-1": hours, "line-2": 0.0}
    assert [it.reason for it in part.maintenance] == ["骨干割接"] * len(within)
    # written again only where it must be
    file = MaintenanceFile(console.database, console.settings)
    assert not file.run_once(datetime.now(UTC))
    path.unlink()
    assert file.run_once(datetime.now(UTC))
    analyst.post(f"/api/v1/windows/{made['id']}/cancel", json={"version": made["version"]})
    assert report.load(str(path), SHANGHAI) == ()
    console.close()


def test_a_file_that_cannot_be_written_is_told_and_the_window_is_kept(tmp_path: Path) -> None:
    settings = ConsoleSettings(maintenance_file=str(tmp_path / "none" / "m.yaml"))
    console = Console(f"sqlite:///{tmp_path}/console.db", settings)
    analyst = console.client("analyst")
    made = analyst.post("/windows", data=_form())
    assert made.status_code == 303
    assert "没有写成" in analyst.get(made.headers["location"]).text
    console.close()
