"""What a check of a database finds, in a real Prometheus and a real VictoriaMetrics: one month for each thing that can
be wrong, and one in which nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collectors.strictyaml import Duration
from exporters.promapi.check import Finding, check, documents, failed, table
from exporters.promapi.checkseries import RAW
from exporters.promapi.client import PromClient, PromSettings, Sample, Series, TooMuch
from exporters.promapi.series import DISK, INFO, MEMORY, PHYSICAL, RECORDED, STATE, USABLE, VCPUS
from exporters.usage.period import Period, month
from tests.promlab import Made, needs_prometheus, needs_victoria, prometheus, victoria

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 5, 9, tzinfo=SHANGHAI).timestamp()
IDS = ("a", "b", "c")
DAY, HOUR, SLOT = 86400, 3600, 300


def of(label: str) -> Period:
    return month(label, SHANGHAI, NOW)


def series(name: str, times: np.ndarray, /, **labels: str) -> Made:
    return Made(name, labels, times, np.ones(len(times)))


def times(label: str, step: int = SLOT) -> np.ndarray:
    """Of a month, each of the step before it."""
    period = of(label)
    return np.arange(period.since + step, period.until + 1, step, dtype=np.float64)


def facts(
    label: str, ids: tuple[str, ...] = IDS, names: tuple[str, ...] = (VCPUS,), agent: str = "one"
) -> Iterator[Made]:
    at = times(label, 900)
    for id in ids:
        own = {"resource": id, "instance": agent, "job": "jianwei"}
        yield series(INFO, at, kind="server", name=f"name of {id}", department="D", **own)
        yield series(STATE, at, state="active", **own)
        for name in names:
            yield series(name, at, **own)


def cpu(label: str, ids: tuple[str, ...] = IDS, step: int = SLOT) -> Iterator[Made]:
    return (series(RECORDED["cpu"], times(label, step), resource=id) for id in ids)


def without(made: Iterator[Made], *gaps: tuple[str, float, tuple[str, ...]]) -> Iterator[Made]:
    """Without the samples of these resources within hours after these moments."""
    for one in made:
        kept = np.ones(len(one.times), dtype=bool)
        for text, hours, ids in gaps:
            since = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()
            if one.labels["resource"] in ids:
                kept &= (one.times <= since) | (one.times > since + hours * HOUR)
        yield Made(one.name, one.labels, one.times[kept], one.values[kept])


def estate() -> list[Made]:
    """2026-10 is whole, and 09 before it but for its gaps; each earlier one has a fault of its own."""
    whole = times("2026-10")
    return [
        *facts("2026-10", names=(VCPUS, MEMORY, DISK)),
        *(
            series(name, times("2026-10", 900), resource=part)
            for name in (PHYSICAL, USABLE)
            for part in ("vcpus", "memory_bytes", "disk_bytes")
        ),
        *(series(name, whole, resource=id) for name in RECORDED.values() for id in IDS),
        *facts("2026-09"),
        *without(
            cpu("2026-09"),
            ("2026-09-15T00:00", 24, IDS),
            ("2026-09-20T03:00", 2, IDS),
            ("2026-09-22T10:30", 0.25, IDS),
            ("2026-09-23T10:30", 0.25, ("a",)),  # of one alone: no gap
            ("2026-09-25T08:00", 5, ("a", "b")),
        ),
        *without(facts("2026-08"), ("2026-08-04T00:00", 28 * 24, IDS)),
        *without(cpu("2026-08"), ("2026-08-04T00:00", 28 * 24, IDS)),
        *facts("2026-07"),
        *(series(RAW[metric], times("2026-07"), resource="a") for metric in ("cpu", "memory")),
        *cpu("2026-06"),
        *facts("2026-05", ("a",)),
        *cpu("2026-05", ("a",), step=60),
        *facts("2026-04", ("a", "idle")),
        *facts("2026-04", ("a",), agent="two"),
        *cpu("2026-04", ("a", "stranger\n<b>")),
        series(RECORDED["cpu"], times("2026-04"), resource="a", replica="2"),
    ]


@pytest.fixture(scope="module")
def made() -> list[Made]:
    """Each series in order of time, as promtool wants it."""
    return sorted(
        estate(), key=lambda one: (one.name, sorted(one.labels.items()), float(one.times[0]))
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("prometheus", marks=needs_prometheus),
        pytest.param("victoria", marks=needs_victoria),
    ],
)
def url(
    request: pytest.FixtureRequest, made: list[Made], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp(request.param)
    with (prometheus if request.param == "prometheus" else victoria)(folder, made) as address:
        yield address


def found(url: str, label: str, *before: str, now: float = NOW) -> dict[str, list[Finding]]:
    settings = PromSettings(url=url, retries=1, timeout=Duration(30))
    with PromClient(settings) as client:
        all_of = check(client, of(label), [of(one) for one in before], now, SHANGHAI)
    by_code: dict[str, list[Finding]] = {}
    for one in all_of:
        by_code.setdefault(one.code, []).append(one)
    return by_code


def bad(findings: dict[str, list[Finding]], level: str = "error") -> set[str]:
    return {one.code for those in findings.values() for one in those if one.level == level}


def test_of_a_whole_month_nothing_is_told_but_what_is_there(url: str) -> None:
    whole = found(url, "2026-10")
    assert bad(whole) == bad(whole, "warning") == set()
    assert [one.text.en for one in whole["recorded"]] == [
        f"{name}: 3 resources, 288 samples of each a day (of 288)" for name in RECORDED.values()
    ]
    (coverage,) = whole["coverage"]
    assert coverage.text.zh == "本月 100.0% 的小时有样本（744/744）"
    assert len(coverage.details) == 31
    assert coverage.details[0] == "2026-10-01 24/24"
    assert whole["facts.agree"][0].text.en == "resources with facts and use: 3"
    (kind,) = whole["server"]
    assert url in kind.text.zh
    assert ("Prometheus 2." in kind.text.en) or ("VictoriaMetrics" in kind.text.en)
    assert "limits" in whole
    assert "retention" in whole


def test_gaps_are_told_by_day_hour_and_resource(url: str) -> None:
    gaps = found(url, "2026-09")
    assert bad(gaps) == set()
    assert gaps["gaps.days"][0].details == ("2026-09-15",)
    assert gaps["gaps.hours"][0].details == ("2026-09-20 03:00 – 2026-09-20 05:00",)
    assert gaps["gaps.partial"][0].details == ("2026-09-22 10:00 – 2026-09-22 11:00",)
    assert gaps["gaps.resources"][0].details == ("2026-09-25 08:00 – 2026-09-25 13:00",)
    assert gaps["coverage"][0].text.en == "96.4% of the month's hours have samples (694 of 720)"
    assert "2026-09-20 22/24" in gaps["coverage"][0].details
    assert {one.text.en.split()[1] for one in gaps["recorded.absent"]} == {
        name for metric, name in RECORDED.items() if metric != "cpu"
    }


def test_three_days_are_not_enough(url: str) -> None:
    few = found(url, "2026-08")
    assert "coverage" in bad(few)
    assert few["gaps.days"][0].count == 28
    assert few["coverage"][0].text.en.startswith("9.7% of")
    assert few["facts.days"][0].count == 28


def test_a_rule_that_is_missing_is_told_from_agents_that_are(url: str) -> None:
    raw = found(url, "2026-07")
    assert {one.text.en.split()[0] for one in raw["recorded.rule"]} == {
        RECORDED["cpu"],
        RECORDED["memory"],
    }
    assert "jianwei-usage-rules.yml" in raw["recorded.rule"][0].remedy.zh
    assert len(raw["recorded.absent"]) == 3
    assert failed(chain(*raw.values()))


def test_facts_that_are_missing_are_errors(url: str) -> None:
    use = found(url, "2026-06")
    assert "facts.absent" in bad(use)
    assert {one.text.en.split()[0] for one in use["facts.absent"] if one.level == "error"} == {
        INFO,
        STATE,
        VCPUS,
    }


def test_another_interval_is_an_error(url: str) -> None:
    often = found(url, "2026-05")
    assert bad(often) == {"interval.wrong"}
    assert "60.0 samples an hour, not 12" in often["interval.wrong"][0].text.en


def test_resources_of_two_agents_or_two_series_and_those_of_one_kind_alone_are_named(
    url: str,
) -> None:
    odd = found(url, "2026-04")
    assert bad(odd) == set()
    assert odd["facts.copies"][0].details == ("a",)
    assert odd["recorded.copies"][0].details == ("a",)
    assert odd["facts.unused"][0].details == ("idle",)
    assert odd["facts.unknown"][0].details == ("stranger\\n<b>",)
    assert odd["facts.unused"][0].text.zh == "1 项运行中的资源没有 CPU 使用数据（共 2 项）"


def test_a_month_of_which_there_is_nothing_is_no_good(url: str) -> None:
    nothing = found(url, "2026-02")
    assert bad(nothing) == {"recorded.absent", "facts.absent"}
    assert not any(code.startswith(("gaps", "coverage")) for code in nothing)


def test_months_before_are_told_where_they_are_missing_or_have_gaps(url: str) -> None:
    before = found(url, "2026-10", "2026-02", "2026-03", "2026-08", "2026-09")
    assert before["months.missing"][0].details == ("2026-02", "2026-03")
    assert before["months.partial"][0].details == ("2026-08",)
    assert bad(before) == set()
    assert found(url, "2026-10", "2026-09")["months"][0].level == "ok"


def test_a_month_under_way_is_checked_up_to_now_and_one_to_come_is_not(url: str) -> None:
    middle = datetime(2026, 10, 11, 9, 7, tzinfo=SHANGHAI).timestamp()
    with PromClient(PromSettings(url=url)) as client:
        findings = check(client, month("2026-10", SHANGHAI, middle), [], middle, SHANGHAI)
        to_come = check(client, month("2026-12", SHANGHAI, middle), [], middle, SHANGHAI)
    assert not failed(findings)
    codes = {one.code: one for one in findings}
    assert "month.under_way" in codes
    assert codes["coverage"].text.en == "100.0% of the month's hours have samples (249 of 249)"
    assert [one.code for one in to_come if one.level == "error"] == ["month.future"]


def test_a_table_says_what_to_do_and_json_says_all(url: str) -> None:
    with PromClient(PromSettings(url=url)) as client:
        findings = check(client, of("2026-08"), [], NOW, SHANGHAI)
    shown = table(findings, "zh")
    assert shown.splitlines()[0].startswith("正常")
    assert "28 天全天没有样本" in shown
    assert "2026-08-04; 2026-08-05;" in shown
    assert " … +20" in shown
    assert "    → 覆盖率低于 80%" in shown
    assert shown.splitlines()[-1].startswith("1 项错误、")
    assert table(findings, "en").splitlines()[-1].startswith("errors: 1, ")
    assert shown.count("检查代理是否启用 clouds") == 1  # below the last of four that want it
    told = json.loads(json.dumps(documents(findings)))
    assert {"level", "code", "text", "remedy", "details", "count"} == told[0].keys()
    gap = next(one for one in told if one["code"] == "gaps.days")
    assert len(gap["details"]) == gap["count"] == 28


@needs_victoria
def test_a_retention_that_is_too_short_is_an_error(tmp_path: Path) -> None:
    flags = ("-retentionPeriod=33d", "-search.maxSamplesPerQuery=100")
    with victoria(tmp_path, cpu("2026-10", ("a",)), *flags) as address:
        told = found(address, "2026-10")
    short = told["retention.short"][0]
    assert "maxSamplesPerQuery=100" in told["limits.low"][0].text.en
    assert told["server.refused"][0].level == "error"  # it cannot be asked for less than an hour
    assert "raise -search.maxSamplesPerQuery" in told["server.refused"][0].text.en
    assert short.level == "error"
    assert "33 d" in short.text.en
    assert "-retentionPeriod=46d" in short.remedy.zh


class Counting(PromClient):
    """Counts what was refused."""

    refused = 0

    def instant(self, query: str, at: float) -> list[Sample]:
        try:
            return super().instant(query, at)
        except TooMuch:
            self.refused += 1
            raise

    def over(self, query: str, since: float, until: float, step: float) -> list[Series]:
        try:
            return super().over(query, since, until, step)
        except TooMuch:
            self.refused += 1
            raise


@needs_prometheus
def test_no_query_is_refused_by_a_server_at_its_limit(tmp_path: Path) -> None:
    """50 resources and 250,000 samples are to each other as 10,000 and the 50,000,000 of a Prometheus as it comes. At
    a limit far below that, parts are asked for, and the same is found."""
    ids = tuple(f"vm-{number:02}" for number in range(50))
    made, texts = [*cpu("2026-10", ids), *facts("2026-10", ids)], []
    for most in (250_000, 10_000):
        with (
            prometheus(tmp_path, made, f"--query.max-samples={most}") as address,
            Counting(PromSettings(url=address)) as client,
        ):
            findings = check(client, of("2026-10"), [of("2026-09")], NOW, SHANGHAI)
            assert (client.refused == 0) == (most == 250_000)
        assert not failed(findings)
        texts.append([one.text for one in findings if one.code not in ("server", "limits.low")])
    assert texts[0] == texts[1]
    assert "本月 100.0% 的小时有样本（744/744）" in {text.zh for text in texts[0]}
