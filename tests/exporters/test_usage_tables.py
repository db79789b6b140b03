"""Tables of usage for people: in both languages, with names that steer nothing."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from collectors.cloud.events import Event, What
from collectors.cloud.model import CloudView, Problem, Resource, Size
from collectors.cloud.owners import Attribution, Conflict, Owner
from collectors.cloud.spans import Limits
from exporters.findings.text import width
from exporters.usage import holdingwords as words
from exporters.usage.tables import (
    departments_table,
    events_table,
    loose_line,
    problem_lines,
    resources_table,
    systems_table,
)
from tests.collectors.test_cloud_holdings import GIB, HOST, VIEW, found
from tests.collectors.test_cloud_unseen import blind

CHINA = timezone(timedelta(hours=8))


def test_resources_with_their_owners() -> None:
    _, whose = found(VIEW)
    lines = resources_table(VIEW, whose, "zh").splitlines()
    assert lines[0].split()[:3] == ["名称", "类型", "状态"]
    (row,) = (line for line in lines if line.startswith("vm-s2 "))
    assert row.split() == [
        "vm-s2",
        "云主机",
        "关机",
        "4",
        "8",
        "40",
        "财政局",
        "预算",
        "云主机元数据",
        "部门",
    ]
    (row,) = (line for line in lines if line.startswith("vm-s6 "))
    assert row.split()[3:6] == ["未知", "未知", "未知"]  # never what was not told as a number
    (row,) = (line for line in lines if line.startswith("vm-s5 "))
    assert row.split()[6:] == ["未归属", "RegionOne", "无"]
    assert lines[-1] == "1 个资源未归属"
    english = resources_table(VIEW, whose, "en")
    assert "(unassigned)" in english
    assert english.splitlines()[-1] == "unassigned resources: 1"


def test_notes_below_the_resources() -> None:
    odd = Attribution(
        Owner("甲", environment="recovery"), "project", "", (Conflict("nova", "department", "乙"),)
    )
    view = CloudView(
        "gov",
        "openstack",
        0,
        1,
        (Resource("id-1", "server", "", "active"),),
        problems=(Problem("volumes", "503 from \x1b[2Jcinder"), Problem("use", "time-out", "id-1")),
    )
    lines = resources_table(view, {"id-1": odd}, "zh").splitlines()
    assert lines[1].split() == ["id-1", "云主机", "运行", *["未知"] * 3, "甲", "灾备", "项目"]
    assert lines[3:] == [
        "1 个资源的归属来源不一致，以靠前的来源为准",
        "未能查看：volumes 503 from \\x1b[2Jcinder",
        "未能查看：use id-1 time-out",
    ]
    empty = CloudView("gov", "openstack", 0, 1)
    assert resources_table(empty, {}, "en") == "There is no resource."


def test_departments() -> None:
    whole, _ = found(HOST, VIEW)
    lines = departments_table(whole, "en").splitlines()
    assert lines[5].split() == [
        "Total",
        "24",
        "7.0",
        "66.7",
        "%",
        "2000.0",
        "48",
        "7",
        "1",
        "240",
        "200",
        "100",
        "3",
    ]
    assert lines[6:] == [
        "",
        "Capacity: vCPU 240, Memory GiB 256",
        "Compute scale: 24 vCPU granted, 7.0 used (known of 66.7 %)",
        "Migration to the cloud: 33.3 % (1 of 3 systems, 0 planned)",
        "resources with a size that is not known, and missing in the sum of it: 2",
        "the registry says otherwise than the cloud: 审计局 审计",
        "systems in no registry: 财政局 国库",
    ]
    lines = departments_table(whole, "zh").splitlines()
    assert lines[1].split() == [
        "财政局",
        "30",
        "12",
        "6.0",
        "100.0",
        "%",
        "2000.0",
        "24",
        "3",
        "1",
        "120",
        "200",
        "100",
        "2",
    ]
    assert lines[4].startswith("未归属")
    assert lines[2].split()[:3] == ["审计局", "4", "未知"]
    systems = systems_table(whole, "zh").splitlines()
    assert systems[1].split()[:4] == ["预算", "财政局", "10", "8"]
    assert len({width(line) for line in departments_table(whole, "zh").splitlines()[1:5]}) <= 4


def test_a_sum_of_which_a_part_was_not_seen_is_unknown() -> None:
    dead = blind("all", cloud="dead\x1b")
    whole, _ = found(VIEW, dead)
    lines = departments_table(whole, "en").splitlines()
    unknown = ["unknown"] * 6
    for row in lines[1:4]:  # quota, allocated, used, hours, ...; no share of what is not known
        assert row.split()[1:] == [*unknown, *["unknown"] * 6]
    assert lines[4].split() == ["Total", *["unknown"] * 10]
    assert lines[6:9] == [
        "Capacity: unknown",
        "Compute scale: unknown vCPU granted, unknown used (known of unknown)",
        "Migration to the cloud: unknown (of 3 systems, 1 hang on what was not seen)",
    ]
    systems = systems_table(whole, "zh").splitlines()
    assert systems[1].split()[:4] == ["审计", "审计局", "未知", "未知"]
    assert problem_lines([VIEW, dead], "zh") == ["未能查看：dead\\x1b all HTTP 403"]
    # what is not held is no use that is not known
    nothing, _ = found(blind("volumes"))
    assert "算力规模：已分配 0 vCPU" in departments_table(nothing, "zh").splitlines()


def test_a_cloud_that_was_not_seen_may_have_resources() -> None:
    dead = blind("all")
    assert resources_table(dead, {}, "en").splitlines()[0] == "unknown"
    assert resources_table(blind("volumes"), {}, "zh").splitlines()[0] == "未知"
    assert systems_table(found(dead)[0], "zh") == "未知"
    assert resources_table(blind("use"), {}, "en").splitlines()[0] == "There is no resource."


def test_rows_that_fit_nothing() -> None:
    assert loose_line("owners.csv", [3, 7], "en") == (
        "rows of the override table that fit nothing: owners.csv:3, 7"
    )
    assert loose_line("o\x1b.csv", list(range(12)), "zh").endswith(
        "o\\x1b.csv:0, 1, 2, 3, 4, 5, 6, 7, 8, 9 +2"
    )


def test_no_cloud_at_all() -> None:
    nothing, _ = found(registry=None)
    lines = departments_table(nothing, "en").splitlines()
    assert lines[1].split() == ["(unassigned)", "0", "0", "0", "0", "0", "0", "0", "0"]
    assert lines[4] == "Capacity: unknown"
    assert systems_table(nothing, "en") == "There is no resource."


def test_what_happened() -> None:
    size = Size(2, 4 * GIB, None)
    happened = [
        Event(0.0, "s1", "granted", None, "active"),
        Event(60.0, "s1", "resized", size, Size(4, 8 * GIB, 40 * GIB)),
        Event(120.0, "s1", "moved", Attribution(Owner("甲", "a")), Attribution()),
        Event(180.0, "v\x1b", "attached", (), ("s1", "s2")),
        Event(240.0, "p1", "quota", Limits({"vcpus": None}), Limits({"vcpus": 4})),
    ]
    lines = events_table(happened, {"s1": "web"}, "zh", CHINA).splitlines()
    assert [line.split()[3:] for line in lines[1:]] == [
        ["web", "发放", "运行"],
        [
            "web",
            "变更规格",
            *["2", "vCPU,", "4", "GiB,", "未知", "GiB", "4", "vCPU,", "8", "GiB,", "40", "GiB"],
        ],
        ["web", "变更归属", "甲", "a", "未归属"],
        ["v\\x1b", "挂载", "s1,", "s2"],
        ["p1", "变更配额", "vcpus", "不限", "vcpus", "4"],
    ]
    assert lines[1].startswith("1970-01-01 08:00:00 +0800  web")
    assert events_table([], {}, "en") == "There is no resource."


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_word_is_there(language: str) -> None:
    tables = (words.WORDS, words.HOW, words.STATE, words.KIND, words.ENVIRONMENT, words.EVENT)
    assert all(text.of(language) for table in tables for text in table.values())
    assert words.EVENT.keys() == set(What.__args__)  # type: ignore[attr-defined]
