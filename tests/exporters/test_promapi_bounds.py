"""Servers that have nothing, or refuse; agents that tell of one resource; ids of any characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.history.reader import Span
from exporters.promapi import series
from exporters.promapi.client import PromClient, PromSettings, Sample, Series, TooMuch
from exporters.promapi.source import PrometheusSource
from exporters.usage.source import Segment, SourceError
from tests.exporters import promestate
from tests.exporters.promestate import (
    BOTH,
    CALENDAR,
    FIRST,
    IDS,
    MONTH,
    NOW,
    SINCE,
    SLOTS,
    UNTIL,
    ZONE,
    Server,
    numpys,
    reading,
    same,
)
from tests.promlab import SLOT, Made, needs_prometheus, prometheus


@pytest.mark.parametrize("server", BOTH)
def test_a_server_that_has_nothing(server: Server, tmp_path: Path) -> None:
    other = Made("other", {}, np.array([SINCE + 300.0]), np.array([1.0]))
    with server(tmp_path, [other]) as url, reading(url) as source:
        assert source.extent() is None
        assert source.lives(SINCE, UNTIL) == []
        assert source.measured("cpu", MONTH, CALENDAR, {}) == {}
        assert source.sums("cpu", MONTH, {"a": [MONTH]}) == {}
        assert source.used(MONTH, [Segment("a", SINCE, UNTIL, "", "", Size(1.0))]) == {}
        assert source.capacity(UNTIL) is None
        assert source.measured("no-such-metric", MONTH, CALENDAR, {}) == {}


def agent(
    name: str, day: int, *clouds: str, own: str = "", vcpus: float | None = None
) -> list[Made]:
    """One that looks at clouds for an hour of a day; its servers are its own unless they are said to be `own`."""
    begin = SINCE + day * 86400.0
    times = np.arange(begin, begin + 3600, SLOT)
    mine = {"job": "jianwei", "instance": name}
    its = [
        Made(series.INFO, {**mine, "resource": f"{own or name} {cloud}", "cloud": cloud, "kind": "server"}, times, np.ones(len(times)))
        for cloud in clouds
    ]  # fmt: skip
    if vcpus is None:
        whole = {**mine, "part": "capacity"}
        return [*its, Made(series.COMPLETE, whole, times, np.zeros(len(times)))]
    told = np.full(len(times), vcpus)
    return its + [
        Made(what, {**mine, "resource": "vcpus"}, times, told)
        for what in (series.PHYSICAL, series.USABLE)
    ]


@pytest.mark.parametrize("server", BOTH)
def test_capacity_is_of_all_clouds_or_not_known(server: Server, tmp_path: Path) -> None:
    told = [
        # another one's cloud is not told
        *agent("a:1", 0, "A", vcpus=48),
        *agent("b:1", 0, "B"),
        # two that have nothing in common
        *agent("a:1", 3, "A", vcpus=48),
        *agent("b:1", 3, "B", vcpus=40),
        # the hosts of one are those of the other
        *agent("a:1", 6, "A", own="x", vcpus=48),
        *agent("b:1", 6, "B", "C", vcpus=40),
        Made(
            series.INFO,
            {
                "job": "jianwei",
                "instance": "b:1",
                "resource": "x A",
                "cloud": "B",
                "kind": "server",
            },
            SINCE + 6 * 86400.0 + np.arange(0.0, 3600, SLOT),
            np.ones(12),
        ),
        # one that was elsewhere before
        *agent("a:1", 9, "A", vcpus=48),
        *agent("a:2", 9, "A", vcpus=50),
        # one that is told of part of its clouds since
        *agent("a:1", 45, "A", vcpus=48),
        *agent("a:1", 47, "A", "B"),
    ]
    with server(tmp_path, told) as url, reading(url) as source:
        found = [source.capacity(SINCE + day * 86400.0 + 7200) for day in (0, 3, 6, 9, 47)]
    assert [it and (it.usable.vcpus, it.physical.vcpus, it.untold) for it in found] == [
        (None, None, {"vcpus": ("B",)}),
        (88, 88, {}),
        (None, None, {"vcpus": ("A", "B", "C")}),
        (50, 50, {}),
        (None, None, {"vcpus": ("A", "B")}),
    ]


class Counting:
    """A client that counts what was refused."""

    def __init__(self, client: PromClient) -> None:
        self.client, self.refused = client, 0

    def instant(self, query: str, at: float) -> list[Sample]:
        try:
            return self.client.instant(query, at)
        except TooMuch:
            self.refused += 1
            raise

    def over(self, query: str, since: float, until: float, step: float) -> list[Series]:
        try:
            return self.client.over(query, since, until, step)
        except TooMuch:
            self.refused += 1
            raise


@needs_prometheus
def test_what_is_refused_is_asked_for_in_parts(tmp_path: Path) -> None:
    made = promestate.recorded() + promestate.facts()
    limit = "--query.max-samples=10000"
    with (
        prometheus(tmp_path, made, limit) as url,
        PromClient(PromSettings(url=url)) as client,
    ):
        counting = Counting(client)
        source = PrometheusSource(counting, url, ZONE, NOW)
        same(source.measured("cpu", MONTH, CALENDAR, {}), numpys("cpu", 0, SLOTS)[0], 1e-9)
        assert {it.id for it in source.lives(SINCE, UNTIL)} == set(IDS)
        segments = [Segment(id, SINCE, UNTIL, "", "", Size(1.0)) for id in IDS]
        [used] = source.used(MONTH, segments).values()
        rows = promestate.usage()["cpu"][:, 40 : 40 + SLOTS]
        assert used.known == pytest.approx((~np.isnan(rows)).sum(axis=0))
        assert used.cores == pytest.approx(np.nansum(rows, axis=0) / 100)
        assert counting.refused


@needs_prometheus
def test_a_limit_that_allows_nothing_is_told(tmp_path: Path) -> None:
    with (
        prometheus(tmp_path, promestate.recorded(), "--query.max-samples=100") as url,
        reading(url) as source,
        pytest.raises(SourceError, match="too many samples"),
    ):
        source.measured("cpu", MONTH, CALENDAR, {})


@pytest.mark.parametrize("server", BOTH)
def test_agents_that_tell_of_one_resource(server: Server, tmp_path: Path) -> None:
    """Two agents, of which one knows the owner; two servers that recorded the same, one with a gap."""
    times = np.arange(SINCE + SLOT, UNTIL + 1, SLOT, dtype=np.float64)
    values = np.random.default_rng(3).random(SLOTS)
    gap = values.copy()
    gap[2000:4000] = np.nan
    name = series.RECORDED["cpu"]
    made = [
        Made(name, {"resource": "x", "replica": "a"}, times, values),
        Made(name, {"resource": "x", "replica": "b"}, times, gap),
        promestate.info(
            "x", SINCE, UNTIL, instance="host:1", how="unassigned", department="未归属"
        ),
        promestate.info("x", SINCE, UNTIL, instance="nova:1", how="override"),
        promestate.fact(series.VCPUS, {"resource": "x", "instance": "host:1"}, SINCE, UNTIL, 2),
        promestate.fact(series.VCPUS, {"resource": "x", "instance": "nova:1"}, SINCE, UNTIL, 2),
    ]
    with server(tmp_path, made) as url, reading(url) as source:
        [life] = source.lives(SINCE, UNTIL)
        assert {aspect: len(spans) for aspect, spans in life.spans.items()} == {
            "owner": 1,
            "size": 1,
        }
        assert life.owner(UNTIL).owner.department == "市教育局"
        assert life.size(UNTIL) == Size(2.0)
        it = source.measured("cpu", MONTH, CALENDAR, {})["x"]
        assert (it.samples, it.coverage) == (SLOTS, 1.0)
        assert it.maximum_at == (FIRST + int(values.argmax())) * SLOT
        segment = Segment("x", SINCE, UNTIL, "", "", Size(2.0))
        [used] = source.used(MONTH, [segment]).values()
        assert used.cores == pytest.approx(values * 0.02)


@pytest.mark.parametrize("server", BOTH)
def test_ids_of_any_characters(server: Server, tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    letters = [*" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\r\t\x01aZ0", *"龙湖é🜚\u200b\u2028"]
    ids = sorted({"".join(generator.choice(letters, 9).tolist()) for _ in range(300)})
    times = np.arange(SINCE + SLOT, SINCE + 13 * SLOT, SLOT, dtype=np.float64)
    rows = [np.full(len(times), float(n)) for n in range(len(ids))]
    name = series.RECORDED["cpu"]
    made = [Made(name, {"resource": id}, times, row) for id, row in zip(ids, rows, strict=True)]
    with server(tmp_path, made) as url, reading(url) as source:
        found = source.measured("cpu", Span(FIRST, FIRST + 12), CALENDAR, {})
        assert {id: it.mean for id, it in found.items()} == {id: n for n, id in enumerate(ids)}
        stretch = Span(FIRST + 1, FIRST + 2)  # one by one
        for id in ids[::50]:
            assert source.sums("cpu", MONTH, {id: [stretch]})[id] == [(ids.index(id), 1)]
