"""When a monthly report is due, by China's calendar, and that none is made twice."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.history import workcalendar
from exporters.locks import locked
from exporters.report.delivery import schedule
from exporters.report.delivery.schedule import Failure, Made, ScheduleError, due, noted, read, run

ZONE = ZoneInfo("Asia/Shanghai")
CHINA = workcalendar.load()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def done(*months: str) -> Made:
    return Made(dict.fromkeys(months, at("2026-01-01")))


@pytest.mark.parametrize(
    ("now", "made", "month"),
    [
        # 1 November 2026 is a Sunday
        ("2026-11-01T12:00", done("2026-09"), None),
        ("2026-11-02T05:59", done("2026-09"), None),
        ("2026-11-02T06:00", done("2026-09"), "2026-10"),
        ("2026-11-02T06:00", done("2026-09", "2026-10"), None),
        # holidays of the National Day until 7 October
        ("2026-10-07T23:00", done("2026-08"), None),
        ("2026-10-08T06:00", done("2026-08"), "2026-09"),
        # the machine was off
        ("2026-11-30T23:00", done("2026-09"), "2026-10"),
        ("2026-11-01T12:00", done("2026-08"), "2026-09"),
        ("2026-11-20T12:00", done("2026-08"), "2026-09"),
        ("2026-11-20T12:00", done("2026-08", "2026-09"), "2026-10"),
        ("2026-11-20T12:00", done("2025-01"), "2026-08"),
        # the first ever: months before it are nobody's
        ("2026-11-20T12:00", Made(), "2026-10"),
        # the 1st is a holiday, and the Sunday after it is worked
        ("2026-01-03T12:00", Made(), "2025-11"),
        ("2026-01-04T12:00", Made(), "2025-12"),
    ],
)
def test_due(now: str, made: Made, month: str | None) -> None:
    assert due(at(now), CHINA, made) == month


class EverySaturday:
    def workday(self, day: date) -> bool:
        return day.weekday() == 5


class Never:
    def workday(self, day: date) -> bool:
        return False


def test_other_calendars() -> None:
    assert due(at("2026-11-06T12:00"), EverySaturday(), done("2026-09")) is None
    assert due(at("2026-11-07T06:00"), EverySaturday(), done("2026-09")) == "2026-10"
    # without any workday it is made when the month is over
    assert due(at("2026-11-30T23:59"), Never(), done("2026-09")) is None
    assert due(at("2026-12-01T06:00"), Never(), done("2026-09")) == "2026-10"


def test_what_failed_is_tried_again_later() -> None:
    now = at("2026-11-02T06:10")
    made = noted(done("2026-09"), "2026-10", now, "the disk is full")
    assert made.failed == {"2026-10": Failure(1, now, "the disk is full")}
    assert due(now + timedelta(minutes=59), CHINA, made) is None
    assert due(now + timedelta(hours=1), CHINA, made) == "2026-10"
    assert due(now - timedelta(seconds=1), CHINA, made) == "2026-10"  # the clock was set back
    again = noted(made, "2026-10", now, "still")
    assert due(now + timedelta(hours=5), CHINA, again) is None
    assert due(now + timedelta(hours=6), CHINA, again) == "2026-10"
    well = noted(again, "2026-10", now)
    assert well.failed == {}
    assert due(now + timedelta(hours=6), CHINA, well) is None


def test_one_that_cannot_be_made_does_not_stop_the_next() -> None:
    now = at("2026-11-02T06:10")
    made = noted(done("2026-08"), "2026-09", now, "there is nothing of it")
    assert due(now, CHINA, made) == "2026-10"


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31)), st.integers(1, 10), st.booleans()
)
def test_it_ends_when_all_is_made(moment: datetime, month: int, before: bool) -> None:
    """Whatever is due is over, and when it is made nothing is due again."""
    now = moment.replace(tzinfo=ZONE)
    made = done(f"2019-{month:02}") if before else Made()
    found = []
    while (it := due(now, CHINA, made)) is not None:
        found.append(it)
        made = noted(made, it, now)
    assert 1 <= len(found) <= schedule.BACK
    assert found == sorted(set(found))
    assert found[-1] < now.strftime("%Y-%m")


def test_run(tmp_path: Path) -> None:
    path = schedule.file_of(tmp_path / "state", "c.yaml")
    asked: list[str] = []

    def make(month: str) -> str:
        asked.append(month)
        return "" if len(asked) > 1 else "mail is down"

    now = at("2026-11-02T06:10")
    assert run(path, now, CHINA, make) == ("2026-10", "mail is down")
    assert run(path, now + timedelta(minutes=5), CHINA, make) is None
    assert run(path, now + timedelta(hours=2), CHINA, make) == ("2026-10", "")
    assert run(path, now + timedelta(hours=4), CHINA, make) is None
    assert asked == ["2026-10"] * 2
    assert path.stat().st_mode & 0o077 == 0
    assert read(path).done == {"2026-10": (now + timedelta(hours=2)).astimezone(UTC)}


def test_run_notes_what_is_raised(tmp_path: Path) -> None:
    path = schedule.file_of(tmp_path, "c.yaml")

    def make(month: str) -> str:
        raise ValueError("no font")

    with pytest.raises(ValueError, match="no font"):
        run(path, at("2026-11-02T06:10"), CHINA, make)
    assert read(path).failed["2026-10"].problem == "no font"


def test_two_do_not_make_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporters.locks.LOCK_PATIENCE", 0.1)
    path = schedule.file_of(tmp_path, "c.yaml")
    path.parent.mkdir(parents=True)
    lock = locked(path.with_name("schedule.lock"))
    try:
        with pytest.raises(OSError, match="another process makes a report now"):
            run(path, at("2026-11-02T06:10"), CHINA, lambda month: "")
    finally:
        os.close(lock)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"done": {"x": "2026-01-01T00:00:00Z"}}', b'{"done": {"2026-10": 1}}', b"\xff", b'{"dome": {}}']
)  # fmt: skip
def test_a_file_that_is_damaged_says_what_to_do(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    path.write_bytes(content)
    with pytest.raises(ScheduleError, match=r"schedule\.json: cannot be read.*move it away"):
        read(path)
    with pytest.raises(ScheduleError):
        run(path, at("2026-11-02T06:10"), CHINA, lambda month: "")
    assert path.read_bytes() == content


@given(st.binary())
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-schedule.json"
    path.write_bytes(content)
    try:
        read(path)
    except ScheduleError:
        return
