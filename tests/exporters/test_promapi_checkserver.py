"""What a check says of each kind of server, by what it tells of itself; and its words."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collectors.strictyaml import Duration
from exporters.promapi.check import Finding, check
from exporters.promapi.checkseries import RAW
from exporters.promapi.checkserver import seconds
from exporters.promapi.checkwords import REMEDIES, WORDS
from exporters.promapi.client import PromClient, PromSettings
from exporters.promapi.series import RECORDED
from exporters.usage.period import month
from tests.exporters.rudeserver import Reply, http, rude

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 5, 9, tzinfo=SHANGHAI).timestamp()
DAY = 86400
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "jianwei-usage-rules.yml"


def found(url: str, label: str, *before: str) -> dict[str, list[Finding]]:
    settings = PromSettings(url=url, retries=0, timeout=Duration(30))
    months = [month(one, SHANGHAI, NOW) for one in before]
    by_code: dict[str, list[Finding]] = {}
    with PromClient(settings) as client:
        for one in check(client, month(label, SHANGHAI, NOW), months, NOW, SHANGHAI):
            by_code.setdefault(one.code, []).append(one)
    return by_code


def success(**data: object) -> bytes:
    return http(200, json.dumps({"status": "success", "data": data}))


ONE = success(resultType="vector", result=[{"metric": {}, "value": [NOW, "1"]}])
NOTHING = success(resultType="vector", result=[])
BUILD = {"revision": "r", "goVersion": "go1"}
THERE_IS_NONE = http(404, "404 page not found")


def server_findings(*replies: Reply, before: str = "2026-10") -> dict[str, Finding]:
    """Of a server that tells this of itself, and has nothing else."""
    with rude(ONE, *replies, NOTHING) as server:
        return {code: those[0] for code, those in found(server.url, "2026-10", before).items()}


def test_each_kind_of_server_is_told_from_the_others() -> None:
    default = server_findings(
        success(version="2.42.0", **BUILD),
        success(**{"storage.tsdb.retention.time": "0s", "query.max-samples": "50000000"}),
        success(storageRetention="15d"),
    )
    assert default["server"].text.en.endswith(": Prometheus 2.42.0")
    assert default["retention.short"].level == "error"
    assert "--storage.tsdb.retention.time=46d" in default["retention.short"].remedy.en
    old = server_findings(
        success(version="2.10.0", **BUILD),
        success(
            **{
                "storage.tsdb.retention.time": "0s",
                "query.max-samples": "1000",
                "query.timeout": "2m",
            }
        ),
        THERE_IS_NONE,
    )
    assert old["retention.short"].text.en.startswith("data is kept for 15 d alone")
    assert "query.max-samples=1000" in old["limits.low"].text.en
    assert old["limits.low"].remedy.en == "raise query.max-samples"
    sized = server_findings(
        success(version="3.1.0", **BUILD),
        success(),
        success(storageRetention="60d or 10GiB"),
        before="2026-01",
    )
    assert sized["retention.size"].text.en == "beyond 10GiB the oldest data is deleted"
    assert sized["retention.trend"].level == "warning"
    assert "retention.short" not in sized
    only_size = server_findings(
        success(version="3.1.0", **BUILD), success(), success(storageRetention="10GiB")
    )
    assert {"retention.size"} == {code for code in only_size if code.startswith("retention")}
    thanos = server_findings(success(version="0.31.0", **BUILD), success(store=[]))
    assert thanos["server"].text.en.endswith(": Thanos 0.31.0")
    assert thanos["server.thanos"].level == "warning"
    assert "--retention.resolution-raw" in thanos["server.thanos"].remedy.zh
    mimir = server_findings(success(application="Grafana Mimir", version="2.9", **BUILD))
    assert mimir["server"].text.en.endswith(": Mimir 2.9")
    assert mimir["retention.unknown"].level == "warning"
    silent = server_findings(THERE_IS_NONE, THERE_IS_NONE)
    assert silent["server"].level == "ok"


def test_a_server_that_cannot_be_asked_is_the_one_thing_that_is_told() -> None:
    away = found("http://127.0.0.1:1", "2026-10")
    assert [*away] == ["server.unreachable"]
    assert "Connection refused" in away["server.unreachable"][0].text.zh


def test_a_query_that_fails_ends_its_own_part_alone() -> None:
    refusal = http(422, '{"status":"error","errorType":"execution","error":"too many samples"}')
    with rude(ONE, success(application="Mimir"), refusal) as server:
        refused = found(server.url, "2026-10", "2026-09")
    assert len(refused["server.refused"]) == 3
    assert "too many samples" in refused["server.refused"][0].text.en


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15d", 15 * DAY),
        ("1y2w", 379 * DAY),
        ("2m0s", 120),
        ("0s", None),
        ("10GiB", None),
        ("", None),
        ("12", None),
    ],
)
def test_durations_of_the_servers(text: str, value: float | None) -> None:
    assert seconds(text) == value
    assert seconds("12", 31 * DAY) == 372 * DAY


def test_words_are_there_in_both_languages_and_of_the_rules_that_are_shipped() -> None:
    assert REMEDIES.keys() <= WORDS.keys()
    for text in (*WORDS.values(), *REMEDIES.values()):
        assert text.zh
        assert text.en
    rules = RULES.read_text()
    for metric, name in RECORDED.items():
        expression = rules.split(f"record: {name}\n")[1].splitlines()[0]
        assert f"{RAW[metric]}[" in expression
