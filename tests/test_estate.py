"""The simulated agents of benchmarks/estate.py: pages as an agent writes them, lives as agents lead them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.estate import measured
from benchmarks.estatelab import simulated, targets
from benchmarks.estatepages import WEEK, Moment, Pages
from benchmarks.estateresult import Cost, Disk, Result, Scrapes, verdict
from benchmarks.estateserver import FAILURES, Estate, address, number
from benchmarks.estatetemplate import Template
from tests import scalelab
from tests.promlab import needs_prometheus

SERIES = 600


@pytest.fixture(scope="module")
def template() -> Template:
    return scalelab.template()


@pytest.fixture(scope="module")
def pages(template: Template) -> Pages:
    return Pages(template, SERIES, churn=0.05, interval=15)


def samples(
    page: bytes, in_openmetrics: bool
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    parse = (
        openmetrics.text_string_to_metric_families
        if in_openmetrics
        else text_string_to_metric_families
    )
    found = [one for family in parse(page.decode()) for one in family.samples]
    told = {(one.name, tuple(sorted(one.labels.items()))): one.value for one in found}
    assert len(told) == len(found)
    return told


@pytest.mark.parametrize("in_openmetrics", [False, True])
@pytest.mark.parametrize("at", [Moment(3, 0, 0, young=False), Moment(700, 39, 2, young=True)])
def test_a_page_is_what_the_parsers_read(pages: Pages, at: Moment, in_openmetrics: bool) -> None:
    page = pages.page(at, in_openmetrics)
    told = samples(page, in_openmetrics)
    assert len(told) == SERIES
    nodename = next(dict(labels)["nodename"] for name, labels in told if name == "node_uname_info")
    assert nodename == f"agent{at.agent:05d}"
    assert {name for name, _ in told} >= {"node_cpu_seconds_total", "jianwei_build_info"}


def test_what_is_compressed_is_one_gzip_member_of_the_page(pages: Pages) -> None:
    at = Moment(5, 1, 1, young=False)
    unpacked = gzip.decompress(pages.gzipped(at, openmetrics=True))
    assert len(unpacked) == len(pages.page(at, openmetrics=True))
    assert samples(unpacked, True).keys() == samples(pages.page(at, openmetrics=True), True).keys()
    assert len(pages.gzipped(at, openmetrics=True)) < len(unpacked) / 3


def test_counters_only_grow_and_gauges_move(pages: Pages) -> None:
    before = samples(pages.page(Moment(9, 0, 0, young=False), openmetrics=True), True)
    grew, moved = Counter[str](), 0
    for scrape in range(1, 25):
        now = samples(pages.page(Moment(9, scrape, scrape, young=False), openmetrics=True), True)
        for series in now.keys() & before.keys():
            if series[0].endswith("_total"):
                assert now[series] >= before[series], series
                grew[series[0]] += now[series] > before[series]
            else:
                moved += now[series] != before[series]
        before = now
    assert grew["node_cpu_seconds_total"]
    assert grew["jianwei_line_state_seconds_total"]
    assert moved


def test_who_restarts_begins_anew(pages: Pages) -> None:
    old = samples(pages.page(Moment(9, 30, 30, young=False), openmetrics=True), True)
    new = samples(pages.page(Moment(9, 31, 0, young=True), openmetrics=True), True)
    counted = [series for series in old.keys() & new.keys() if series[0].endswith("_total")]
    assert any(new[series] < old[series] for series in counted)
    assert all(new[series] <= old[series] for series in counted)
    boot = ("node_boot_time_seconds", ())
    assert new[boot] - old[boot] > WEEK / 2


def test_a_share_of_the_series_comes_and_goes(pages: Pages) -> None:
    seen = [
        samples(pages.page(Moment(9, n, n, young=False), openmetrics=True), True).keys()
        for n in (0, 19, 40)
    ]
    assert len(seen[0] - seen[2]) == len(seen[2] - seen[0]) == 32  # 0.05 × 600 in families of 4
    assert 0 < len(seen[0] - seen[1]) <= 32


def test_more_and_fewer_series(template: Template) -> None:
    for series in (120, 1500):
        made = Pages(template, series, churn=0.0, interval=15)
        assert (
            len(samples(made.page(Moment(0, 0, 0, young=False), openmetrics=True), True)) == series
        )
    with pytest.raises(ValueError, match="too small"):
        Pages(template, 20, churn=0.0, interval=15)


def test_fates_are_as_many_as_were_asked_for(template: Template) -> None:
    estate = Estate(
        agents=2000, series=600, interval=15, churn=0.05, failures=0.1, template=template
    )
    fates = Counter(estate.fate(agent, scrape) for agent in range(500) for scrape in range(80))
    assert set(fates) == {"whole", *FAILURES}
    assert all(abs(fates[fate] / 40_000 - 0.025) < 0.005 for fate in FAILURES)
    restarts = sum(estate.restarts(agent, scrape) for agent in range(2000) for scrape in range(240))
    assert abs(restarts / 2000 - 0.05) < 0.02
    never = Estate(agents=2, series=600, interval=15, churn=0, failures=0, template=template)
    assert {never.fate(agent, scrape) for agent in range(2) for scrape in range(99)} == {"whole"}


def test_addresses_are_loopback_and_tell_the_agent() -> None:
    chosen = [0, 1, 254, 255, 65535, 65536, *range(3, 1 << 20, 9973)]
    assert [number(address(agent)) for agent in chosen] == chosen
    assert all(address(agent).startswith("127.") for agent in chosen)
    groups = json.loads(targets(3000, 1))
    assert len({it for group in groups for it in group["targets"]}) == 3000
    assert {"department", "system", "region", "level"} <= groups[0]["labels"].keys()


def test_a_server_answers_as_it_was_told_to(template: Template, tmp_path: Path) -> None:
    estate = Estate(agents=20, series=120, interval=15, churn=0, failures=0.6, template=template)
    with (
        simulated(estate, tmp_path) as agents,
        httpx.Client(trust_env=False, timeout=0.3) as client,
    ):
        port = agents.http.base_url.port
        got: Counter[str] = Counter()
        for agent in range(20):
            fate = estate.fate(agent, 0)
            try:
                answer = client.get(f"http://{address(agent)}:{port}/metrics")
            except httpx.ReadTimeout:
                assert fate in ("silent", "late")
            except httpx.RemoteProtocolError:
                assert fate == "half"
            else:
                assert answer.status_code == (500 if fate == "error" else 200)
                assert fate in ("whole", "error")
            got[fate] += 1
        told = agents.told()
        assert {fate: count for fate, count in told.answers.items() if count} == got
        assert client.get(f"http://{address(20)}:{port}/metrics").status_code == 404


@needs_prometheus
def test_an_engine_is_measured_by_what_it_wrote(template: Template) -> None:
    estate = Estate(agents=30, series=120, interval=1, churn=0.05, failures=0.1, template=template)
    result = measured("prometheus", estate, minutes=0.05)
    done = result.scrapes
    assert done.done > 30
    assert done.meant
    assert done.failed - done.meant == done.surprises >= 0
    assert sum(result.answers.values()) >= done.done
    assert result.series >= 0.97 * 30 * 120
    assert result.samples > 0
    assert result.cost.resident > result.disk.data > 0
    assert result.queries
    assert not any(timed.failed for timed in result.queries)
    assert result.row().count("|") == Result.head().splitlines()[0].count("|")
    assert "30 agents × 120 series" in result.told()
    assert verdict(result)


def test_the_verdict_says_what_is_wrong(template: Template) -> None:
    scrapes = Scrapes(80_000, 0, 0, 0, 0, 0, 3, 0.1, 1.0)
    cost, disk = Cost(0.4, 4000, 0.1, 0.0), Disk(2.0, 1e8, 7.0)
    good = Result(
        name="prometheus", estate=(2000, 600, 15.0, 0.05, 0.0), begun=100, minutes=10.0, scrapes=scrapes,
        problems=(), answers={"whole": 80_000}, restarts=3, samples=80_000, series=1_200_000, cost=cost,
        disk=disk, queries=(),
    )  # fmt: skip
    assert verdict(good).endswith("without a failed scrape: met")
    small = good._replace(minutes=2.0)
    assert "fits (the figure is 2,000" in verdict(small)
    for problem, words in (
        ({"surprises": 1}, "1 scrapes failed"),
        ({"missed": 2}, "2 were not made"),
        ({"lost": 3000}, "3,000 samples were lost"),
    ):
        assert words in verdict(good._replace(scrapes=scrapes._replace(**problem)))
    full = good._replace(scrapes=scrapes._replace(missed=1), cost=cost._replace(others=1.6))
    assert "no core left" in verdict(full)
