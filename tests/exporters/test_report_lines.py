"""Availability of lines in the report: against a slot-by-slot recomputation, from a history file and from what the
recording rules record; the maintenance file, whatever is written in it."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collectors.strictyaml import DocumentError
from exporters.history.accumulate import Rollup
from exporters.history.compaction import compact
from exporters.history.file import connect
from exporters.history.store import HistoryWriter, Known
from exporters.history.units import LINE, LINE_KNOWN, LINE_UP, line_id
from exporters.promapi.answers import Series
from exporters.promapi.client import PromClient, TooMuch
from exporters.promapi.series import LINE_KNOWN as LINE_KNOWN_RECORDED
from exporters.promapi.series import LINE_UP as LINE_UP_RECORDED
from exporters.promapi.settings import PromSettings
from exporters.report.document import Line, LinesPart
from exporters.report.sections import maintenancefile
from exporters.report.sections.lines import lines_from_history, lines_from_prometheus
from exporters.report.sections.maintenancefile import MaintenanceErrors, Window
from exporters.report.sections.settings import LinesSettings
from exporters.usage.period import Period
from tests import promlab

ZONE = ZoneInfo("Asia/Shanghai")
SLOT = 300
START = int(datetime(2026, 10, 1, tzinfo=ZONE).timestamp())
DAYS, LINES = 3, 40
SLOTS = 288 * DAYS
PERIOD = Period("2026-10", START, START + DAYS * 86400)
NAMES = [f"l{n:02}" for n in range(LINES)]
LEVELS = ["city", "county", "town", "village"]
SETTINGS = LinesSettings(sla={"city": 99.9, "county": 99.0, "town": 97.0}, least_known=80)

LINES_FILE = "lines:\n" + "".join(
    f"  - {{name: {name}, targets: [192.0.2.{n + 1}], site: s{n // 2}, level: {LEVELS[n % 4]},"
    f" carrier: {'电信' if n % 2 else '移动'}}}\n"
    for n, name in enumerate([*NAMES, "never"])
)
MAINTENANCE = """
maintenance:
  - {since: 2026-10-01 22:00, until: 2026-10-02 02:00, lines: [l0*], reason: 割接, approver: 李敏}
  - {since: 2026-10-02 01:00, until: 2026-10-02 03:02, levels: [town], lines: [l01], reason: 升级}
  - {since: 2026-10-02T17:58:30Z, until: 2026-10-03 02:10:00, reason: 全网停机}
  - {since: 2026-09-01 00:00, until: 2026-09-02 00:00, reason: 上月}
"""
WINDOWS = (  # since and until in slots from the beginning, by hand
    (22 * 12, 26 * 12, lambda name, level: name.startswith("l0")),
    (25 * 12, 27 * 12 + 1, lambda name, level: level == "town" or name == "l01"),
    (48 * 12 + 24, 50 * 12 + 2, lambda name, level: True),
)


class Made(NamedTuple):
    """Percent as they are recorded."""

    up: NDArray[np.float64]
    known: NDArray[np.float64]


@pytest.fixture(scope="module")
def made() -> Made:
    """Lines 0 to 3: always up; never known; down throughout; known for less than 80 %."""
    generator = np.random.default_rng(7)
    shape = (LINES, SLOTS)
    up = np.where(generator.random(shape) < 0.02, generator.random(shape) * 100, 100.0)
    known = np.where(generator.random(shape) < 0.03, generator.random(shape) * 100, 100.0)
    up[5:9, 100:140] = 0
    up[0], known[0] = 100, 100
    known[1] = 0
    up[2] = 0
    known[3, 200:] = 0
    known[generator.random(shape) < 0.01] = np.nan  # the agent did not run
    known[0] = 100
    up[~(known > 0)] = np.nan
    return Made(*(one.astype(np.float32).astype(np.float64) for one in (up, known)))


@pytest.fixture
def files(tmp_path: Path) -> LinesSettings:
    (tmp_path / "lines.yaml").write_text(LINES_FILE)
    (tmp_path / "maintenance.yaml").write_text(MAINTENANCE)
    return LinesSettings(
        lines=str(tmp_path / "lines.yaml"),
        maintenance=str(tmp_path / "maintenance.yaml"),
        sla=SETTINGS.sla,
    )


@pytest.fixture(scope="module")
def history(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("lines") / "h.db"
    writer = HistoryWriter(path)
    known = [Known(line_id(name), LINE, name, "", START, START) for name in NAMES]
    for slot in range(SLOTS):
        rows = []
        for n, name in enumerate(NAMES):
            for metric, value in ((LINE_KNOWN, made.known[n, slot]), (LINE_UP, made.up[n, slot])):
                if not np.isnan(value):
                    rows.append(Rollup(line_id(name), metric, float(value), float(value)))
        writer.add(START // SLOT + slot, rows, known if slot == 0 else ())
    writer.close()
    with closing(connect(path)) as db:
        yield db


class Wanted(NamedTuple):
    availability: float | None
    down: float
    unknown: float
    maintenance: float
    outages: int
    longest: float


def by_hand(made: Made, row: int) -> Wanted:
    """Slot after slot, in seconds."""
    name, level = NAMES[row], LEVELS[row % 4]
    up = known = unknown = maintenance = longest = run = 0.0
    outages = 0
    for slot in range(SLOTS):
        if any(a <= slot < b and fits(name, level) for a, b, fits in WINDOWS):
            maintenance += 300
            run = 0.0
            continue
        share = made.known[row, slot]
        share = 0.0 if np.isnan(share) else share / 100
        unknown += 300 * (1 - share)
        lost = 0.0
        if share:
            known += 300 * share
            up += 300 * share * made.up[row, slot] / 100
            lost = 300 * share * (1 - made.up[row, slot] / 100)
        if lost >= 0.1:
            outages += run == 0
            run += lost
            longest = max(longest, run)
        else:
            run = 0.0
    return Wanted(
        100 * up / known if known else None, known - up, unknown, maintenance, outages, longest
    )


def check(part: LinesPart | None, made: Made) -> None:
    assert part
    lines = {one.name: one for one in part.lines}
    assert set(lines) == {*NAMES, "never"}
    for row, name in enumerate(NAMES):
        it, wanted = lines[name], by_hand(made, row)
        if wanted.availability is None:
            assert it.availability is None
            assert (it.outages, it.longest, it.met, it.down) == (None, None, None, None)
        else:
            assert it.availability == pytest.approx(wanted.availability, abs=1e-6)
            assert it.outages == wanted.outages
            assert it.longest == pytest.approx(wanted.longest / 3600, abs=1e-6)
            assert it.down == pytest.approx(wanted.down / 3600, abs=1e-6)
        assert it.unknown == pytest.approx(wanted.unknown / 3600, abs=1e-6)
        assert it.maintenance == wanted.maintenance / 3600
        assert it.site == f"s{row // 2}"
        assert it.target == {"city": 99.9, "county": 99.0, "town": 97.0, "village": None}[it.level]
    never = lines["never"]
    assert (never.availability, never.met, never.down, never.whole) == (None, None, None, False)
    assert never.unknown + never.maintenance == DAYS * 24


def test_from_a_history_as_slot_by_slot(
    history: sqlite3.Connection, made: Made, files: LinesSettings
) -> None:
    part = lines_from_history(history, PERIOD, files, ZONE, "h.db")
    check(part, made)
    assert part
    lines = {one.name: one for one in part.lines}
    assert (lines["l00"].availability, lines["l00"].met, lines["l00"].down) == (100, True, 0)
    assert lines["l01"].met is None  # nobody knows anything of it
    assert lines["l02"].met is False
    assert (lines["l03"].met, lines["l03"].whole) == (None, False)
    assert part.worst[0].name == "l02"
    found = [one.availability for one in part.worst if one.availability is not None]
    assert found == sorted(found)
    assert len(part.worst) == 20
    assert part.source == "h.db"


def test_levels_add_up(history: sqlite3.Connection, made: Made, files: LinesSettings) -> None:
    part = lines_from_history(history, PERIOD, files, ZONE)
    assert part
    assert [one.level for one in part.levels] == LEVELS
    for level in part.levels:
        own = [one for one in part.lines if one.level == level.level]
        assert level.lines == len(own)
        assert level.measured == sum(one.availability is not None for one in own)
        assert (level.met, level.missed) == tuple(
            sum(one.met is value for one in own) for value in (True, False)
        )
        wanted = [by_hand(made, NAMES.index(one.name)) for one in own if one.name != "never"]
        assert level.down == pytest.approx(sum(one.down for one in wanted) / 3600)
        time = DAYS * 86400 - np.array([one.unknown + one.maintenance for one in wanted])
        down = sum(one.down for one in wanted)
        assert level.availability == pytest.approx(100 * (1 - down / time.sum()))


def test_a_level_of_which_nothing_was_measured_has_no_hours_down(
    history: sqlite3.Connection, tmp_path: Path
) -> None:
    (tmp_path / "lines.yaml").write_text(
        "lines: [{name: none, targets: [192.0.2.1], site: s, level: village}]\n"
    )
    settings = LinesSettings(lines=str(tmp_path / "lines.yaml"))
    part = lines_from_history(history, PERIOD, settings, ZONE)
    assert part
    [level] = [one for one in part.levels if one.level == "village"]
    assert (level.lines, level.measured, level.down) == (1, 0, None)


def test_windows_are_shown_with_what_they_took(
    history: sqlite3.Connection, files: LinesSettings
) -> None:
    part = lines_from_history(history, PERIOD, files, ZONE)
    assert part
    assert [one.reason for one in part.maintenance] == [
        "割接",
        "升级",
        "全网停机",
    ]  # not last month's
    first, second, third = part.maintenance
    assert (first.matched, first.hours) == (10, 40)
    assert (first.lines, first.levels, first.approver) == (("l0*",), (), "李敏")
    assert second.matched == sum(level == "town" for level in (LEVELS * 11)[:41]) + 1
    assert second.hours == pytest.approx(second.matched * 25 / 12)
    assert third.matched == 41
    assert third.hours == pytest.approx(41 * 2 / 12)


def test_blocks_are_as_rows_and_days_of_sketches_are_not_known(
    made: Made, files: LinesSettings, tmp_path: Path, history: sqlite3.Connection
) -> None:
    path = tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as copy:
        history.backup(copy)
    before = lines_from_history(history, PERIOD, files, ZONE)
    compact(path, START + (DAYS + 1) * 86400)
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM rollups").fetchone() == (0,)
        assert lines_from_history(db, PERIOD, files, ZONE) == before
        db.execute("DELETE FROM blocks")
        part = lines_from_history(db, PERIOD, files, ZONE)
    assert part
    assert {one.availability for one in part.lines} == {None}


def test_nothing_is_no_part(tmp_path: Path) -> None:
    HistoryWriter(tmp_path / "h.db").close()
    with closing(connect(tmp_path / "h.db")) as db:
        assert lines_from_history(db, PERIOD, LinesSettings(), ZONE) is None


def test_without_a_file_levels_are_not_known(history: sqlite3.Connection, made: Made) -> None:
    part = lines_from_history(history, PERIOD, SETTINGS, ZONE)
    assert part
    assert [one.level for one in part.levels] == [""]
    assert {one.met for one in part.lines} == {None}
    lines = {one.name: one for one in part.lines}
    assert lines["l00"] == Line(
        *("l00", "l00", "", "", 100.0, None, None, 0.0, 0.0, 0.0, 0, 0.0, True)
    )


# --- the maintenance file


def parsed(text: str, name: str = "m.yaml") -> Sequence[Window]:
    return maintenancefile.parse(text.encode(), name, ZONE)


def test_a_file_as_a_spreadsheet_saves_it() -> None:
    (one, other) = parsed(
        "开始时间,结束时间,线路,级别,原因,批准人\n"
        "2026年10月12日 22时30分,2026/10/13 2:00,a;b*,,光缆割接,李敏\n"
        "2026-10-14 00:00,2026-10-14T04:00+08:00,,乡镇 村,升级,\n",
        "m.csv",
    )
    assert one == Window(
        datetime(2026, 10, 12, 22, 30, tzinfo=ZONE),
        datetime(2026, 10, 13, 2, 0, tzinfo=ZONE),
        "光缆割接",
        ("a", "b*"),
        (),
        "李敏",
    )
    assert other.levels == ("town", "village")
    assert other.until - other.since == timedelta(hours=4)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(MaintenanceErrors) as caught:
        parsed(
            """maintenance:
  - {since: 2026-10-12 22:00, until: 2026-10-12 21:00, reason: x}
  - since: 2026-10-12
    until: tomorrow
    levels: [hamlet]
    reson: y
  - {since: 2026-10-12 22:00, until: 2026-10-12 23:00, reason: ' ', lines: [""]}
"""
        )
    assert [(m.line, m.problem) for m in caught.value.mistakes] == [
        (2, "maintenance[0].until: is not after since"),
        (
            3,
            "maintenance[1].since: 2026-10-12 lacks the time of day; write for example 2026-10-12 22:00",
        ),
        (3, "maintenance[1].reason: is missing"),
        (4, "maintenance[1].until: 'tomorrow' is not a time; write for example 2026-10-12 22:00"),
        (
            5,
            "maintenance[1].levels[0]: 'hamlet' is not one of: province, city, county, town, village",
        ),
        (6, "maintenance[1].reson: unknown key; did you mean 'reason'?"),
        (7, "maintenance[2].reason: is empty; say why"),
        (7, "maintenance[2].lines[0]: is empty"),
    ]


def test_a_month_without_maintenance() -> None:
    assert parsed("maintenance: []") == ()
    with pytest.raises(DocumentError, match="unknown key"):
        parsed("maintenence: []")


@given(st.text(max_size=200) | st.binary(max_size=200), st.sampled_from(["m.yaml", "m.csv", "m"]))
@example("maintenance: [{since: [], until: {}, reason: 1, lines: 5, levels: {a: b}}]", "m.yaml")
@example("since,until,reason\n1,2,3", "m.csv")
def test_anything_may_be_in_the_file(text: str | bytes, name: str) -> None:
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    problem = ""
    try:
        found = maintenancefile.parse(content, name, ZONE)
    except DocumentError as error:
        problem, found = str(error), ()
    assert problem.startswith(name) if problem else True
    assert all(one.since < one.until and one.reason for one in found)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
        lambda at: at.replace(microsecond=0)
    ),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日 %H时%M分%S秒", "%Y-%m-%dT%H:%M:%S"]
    ),
)
def test_times_as_people_write_them(at: datetime, form: str) -> None:
    assert maintenancefile.moment(at.strftime(form), ZONE) == at.replace(tzinfo=ZONE)
    assert maintenancefile.moment(at.strftime(form) + "Z", UTC) == at.replace(tzinfo=UTC)


# --- from a time-series database


RULES = Path(__file__).parents[2] / "deploy/prometheus/jianwei-lines-rules.yml"
PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(not PROMTOOL, reason="promtool (Debian's prometheus) is not installed")
def test_the_recording_rules() -> None:
    cases = RULES.parent / "tests" / "lines-rules.yml"
    run = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(cases)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert {LINE_UP_RECORDED, LINE_KNOWN_RECORDED} == set(
        re.findall(r"record: (\S+)", RULES.read_text())
    )


@pytest.fixture(scope="module", params=["prometheus", "victoria"])
def database(
    request: pytest.FixtureRequest, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PromClient]:
    """Rules that ran 40 s before the end of each slot and until 260 s after it, by line."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    if not (promlab.PROMETHEUS and promlab.PROMTOOL if kind == "prometheus" else promlab.VICTORIA):
        pytest.skip(f"the Debian package of {kind} is not installed")
    rows = []
    for n, name in enumerate(NAMES):
        late = (0, -40, 130)[n % 3]
        times = np.arange(1, SLOTS + 1, dtype=np.float64) * SLOT + float(START + late)
        for metric, values in (
            (LINE_KNOWN_RECORDED, made.known[n]),
            (LINE_UP_RECORDED, made.up[n]),
        ):
            rows.append(promlab.Made(metric, {"line": name}, times, values))
        labels = {"line": name, "site": f"s{n // 2}", "level": LEVELS[n % 4], "carrier": "电信"}
        rows.append(promlab.Made("jianwei_line_info", labels, times, np.ones(SLOTS)))
    other = {"line": "l00", "site": "old", "level": "village", "carrier": ""}
    rows.append(promlab.Made("jianwei_line_info", other, times[:100], np.ones(100)))
    with getattr(promlab, kind)(folder, rows) as url, PromClient(PromSettings(url=url)) as client:
        yield client


def test_from_a_time_series_database_as_from_a_history(
    database: PromClient, made: Made, files: LinesSettings, history: sqlite3.Connection
) -> None:
    part = lines_from_prometheus(database, PERIOD, files, ZONE, "db")
    check(part, made)
    assert part
    wanted = lines_from_history(history, PERIOD, files, ZONE)
    assert wanted
    assert part.maintenance == wanted.maintenance
    for own, its in zip(part.lines, wanted.lines, strict=True):
        assert (own.name, own.outages, own.met, own.whole) == (
            *(its.name, its.outages, its.met, its.whole),
        )
        assert own.availability == pytest.approx(its.availability, abs=1e-6)


def test_levels_by_labels_and_queries_that_are_too_much(
    database: PromClient, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, asked = database.over, list[str]()

    def few(query: str, since: float, until: float, step: float) -> list[Series]:
        asked.append(query)
        if query.count("|") > 9:
            raise TooMuch("too many")
        return over(query, since, until, step)

    monkeypatch.setattr(database, "over", few)
    part = lines_from_prometheus(database, PERIOD, SETTINGS, ZONE)
    assert part
    lines = {one.name: one for one in part.lines}
    assert set(lines) == set(NAMES)
    assert (lines["l00"].site, lines["l00"].level, lines["l00"].carrier) == ("s0", "city", "电信")
    assert lines["l00"].availability == 100
    assert [one.level for one in part.levels] == LEVELS
    assert len(asked) == 2 * (1 + 2 + 4)
    empty = Period("2027-10", PERIOD.since + 366 * 86400, PERIOD.until + 366 * 86400)
    assert lines_from_prometheus(database, empty, SETTINGS, ZONE) is None
