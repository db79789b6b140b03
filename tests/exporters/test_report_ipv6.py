"""The report's part on IPv6: departments' means as the estate's report has them, changes, and what was not tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from collectors.strictyaml import DocumentError
from exporters.estate.readiness import report
from exporters.report.document import Ipv6Part
from exporters.report.sections.gaps import gaps
from exporters.report.sections.ipv6 import ipv6_from_files, ipv6_from_prometheus
from exporters.report.sections.settings import Ipv6Settings
from exporters.usage.period import Period
from tests import estatesample as sample
from tests.estatesample import BUREAU, DB, ESTATE, ODD, PORTAL, RESULTS, TOWN, WEB

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = sample.TIME - timedelta(days=28)
FEBRUARY = Period("2026-02", BEGIN.timestamp(), sample.TIME.timestamp())  # as the sample's results
PERIOD = Period("2026-10", 1_790_784_000.0, 1_793_462_400.0)


def estate_file(path: Path, rows: Sequence[msgspec.Struct] = ESTATE) -> str:
    path.write_bytes(b"subjects: " + msgspec.json.encode(rows))
    return str(path)


def results_file(path: Path, results: Sequence[msgspec.Struct]) -> str:
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in results))
    return str(path)


def scores(part: Ipv6Part) -> dict[str, tuple[float | None, float | None]]:
    return {one.name: (one.score, one.before) for one in part.subjects}


def test_as_the_report_of_the_estate(tmp_path: Path) -> None:
    settings = Ipv6Settings(
        estate=estate_file(tmp_path / "estate.yaml"),
        results=results_file(tmp_path / "now.jsonl", RESULTS),
    )
    part = ipv6_from_files(settings, FEBRUARY, ZONE, "now.jsonl")
    wanted = report(ESTATE, {(r.subject.kind, r.subject.name): r for r in RESULTS})
    assert part.score == pytest.approx(wanted.whole.mean)
    assert part.before is None
    assert part.source == "now.jsonl"
    assert {d.name: (d.subjects, d.tested) for d in part.departments} == {
        d.name: (d.count, d.tested) for d in wanted.departments
    }
    for own in part.departments:
        [its] = [d for d in wanted.departments if d.name == own.name]
        assert own.score == (pytest.approx(its.mean) if its.tested else None)
        assert own.before is None
    assert scores(part) == {
        s.row.name: (s.score if s.tested else None, None) for s in wanted.subjects
    }


def test_change_from_the_month_before(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    results_file(
        tmp_path / "before" / "a.json",
        [sample.result(BUREAU, time=BEGIN), sample.result(WEB, time=BEGIN)],
    )
    results_file(
        tmp_path / "before" / "b.jsonl",
        [msgspec.structs.replace(sample.problem(TOWN, "no address"), time=BEGIN)],
    )
    settings = Ipv6Settings(
        estate=estate_file(tmp_path / "estate.yaml", [BUREAU, TOWN, DB]),
        results=results_file(
            tmp_path / "now.jsonl", [sample.result(TOWN), sample.problem(DB, "x")]
        ),
        before=str(tmp_path / "before"),
        estate_before=estate_file(tmp_path / "old.yaml", [BUREAU, TOWN, WEB]),
    )
    part = ipv6_from_files(settings, FEBRUARY, ZONE)
    assert scores(part) == {"bureau": (None, 100), "town": (100, None), "db-01": (None, None)}
    departments = {one.name: one for one in part.departments}
    b = departments["乙局"]
    assert (b.subjects, b.tested, b.score, b.before) == (2, 1, 50, 50)
    a = departments["甲局"]
    assert (a.subjects, a.tested, a.score, a.before) == (1, 0, None, 100)  # web-01 was theirs
    assert part.score == pytest.approx(100 / 3)
    assert part.before == pytest.approx(200 / 3)


def test_results_of_another_time_are_none_of_the_month(tmp_path: Path) -> None:
    def days(number: float) -> Any:
        return sample.TIME + timedelta(days=number)

    settings = Ipv6Settings(
        estate=estate_file(tmp_path / "estate.yaml", [BUREAU, TOWN, WEB, DB]),
        results=results_file(
            tmp_path / "now.jsonl",
            [
                sample.result(BUREAU, time=days(-36)),
                sample.result(TOWN, time=days(-34)),
                sample.result(WEB, time=days(6)),
                sample.result(DB, time=days(8)),
            ],
        ),
    )
    part = ipv6_from_files(settings, FEBRUARY, ZONE)
    assert {it.name: (it.score, it.time) for it in part.subjects} == {
        "bureau": (None, None), "db-01": (None, None), "town": (100, days(-34)), "web-01": (100, days(6)),
    }  # fmt: skip
    assert [(it.name, it.time) for it in part.outdated] == [
        ("bureau", days(-36)),
        ("db-01", days(8)),
    ]
    found = {it.code: it for it in gaps(None, part, None)}
    assert found["ipv6_untested"].count == 2
    assert found["ipv6_outdated"].examples == ("bureau 2026-01-24", "db-01 2026-03-09")
    [dated] = {it.department: it for it in part.outdated if it.name == "bureau"}.values()
    assert dated.department == {it.name: it.department for it in part.subjects}["bureau"]


def test_a_result_of_nobody_is_told_with_its_line(tmp_path: Path) -> None:
    settings = Ipv6Settings(
        estate=estate_file(tmp_path / "estate.yaml", [BUREAU]),
        results=results_file(tmp_path / "now.jsonl", [sample.result(BUREAU), sample.result(ODD)]),
    )
    with pytest.raises(DocumentError, match=r"now\.jsonl:2: the estate has no host 'odd'"):
        ipv6_from_files(settings, FEBRUARY, ZONE)
    missing = msgspec.structs.replace(settings, results=str(tmp_path / "none"))
    with pytest.raises(DocumentError, match="cannot be read"):
        ipv6_from_files(missing, FEBRUARY, ZONE)


class One(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Database:
    """Answers by what is asked, and when."""

    def __init__(self, *answers: tuple[float, Sequence[One]]) -> None:
        self.answers, self.asked = dict(answers), list[str]()

    def instant(self, query: str, at: float) -> Sequence[One]:
        self.asked.append(query)
        return self.answers.get(at, ())

    def over(self, query: str, since: float, until: float, step: float) -> Sequence[One]:
        raise AssertionError(query)


def told(**scored: float) -> list[One]:
    return [
        One({"subject": name.replace("_", "-"), "layer": "total"}, v) for name, v in scored.items()
    ]


def test_from_a_time_series_database(tmp_path: Path) -> None:
    settings = Ipv6Settings(estate=estate_file(tmp_path / "estate.yaml", [PORTAL, BUREAU, WEB]))
    ambiguous = One({"subject": WEB.target, "layer": "total", "instance": "b"}, 30)
    database = Database(
        (PERIOD.until, [*told(portal=80, web_01=90, stranger=10), ambiguous]),
        (PERIOD.since, told(portal=70, bureau=50)),
    )
    part = ipv6_from_prometheus(database, PERIOD, settings, "http://p")  # type: ignore[arg-type]
    assert scores(part) == {
        "portal": (80, 70), "bureau": (None, 50), "web-01": (30, None), "stranger": (10, None),
    }  # fmt: skip
    assert [(one.name, one.score, one.before) for one in part.departments] == [
        ("乙局", None, 50), ("", 10, None), ("甲局", 55, 35),
    ]  # fmt: skip
    assert part.score == 30
    assert database.asked == [
        'last_over_time(jianwei_ipv6_score{layer="total"}[2678400s])',
        'last_over_time(jianwei_ipv6_score{layer="total"}[2678400s])',
    ]


def test_a_database_that_has_nothing_before(tmp_path: Path) -> None:
    settings = Ipv6Settings(estate=estate_file(tmp_path / "estate.yaml", [BUREAU]))
    part = ipv6_from_prometheus(Database(), PERIOD, settings)  # type: ignore[arg-type]
    assert (part.score, part.before) == (None, None)
    assert [(one.tested, one.score) for one in part.departments] == [(0, None)]
