"""Money as people read it: what is known of it alone, of which days, and why the rest is not there."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import msgspec
import numpy as np
import openpyxl
import pytest

from exporters.report.content.making import document
from exporters.report.content.prices import Prices, parse
from exporters.report.content.showback import showback
from exporters.report.content.summary import summary
from exporters.report.document import Document, FollowUps
from exporters.report.html.page import html
from exporters.report.html.words import say
from exporters.report.tables import csvs
from exporters.report.xlsx.workbook import xlsx
from exporters.usage.amounts import department
from exporters.usage.lives import NO_SIZE
from exporters.usage.period import Period
from exporters.usage.shares import Share, shares
from rules.model import Text
from rules.usagejudgement import Amount
from tests.exporters.test_report_html import cells, section
from tests.reportestate import NOW, OCTOBER, SEPTEMBER, ZONE, City, inputs, owned, slot, source_of
from tests.reportsample import sample

PRICES = """项目,单价,单位,部门
vcpu,0.12,小时,
disk,0.6,月,
memory,20,月,乙
"""


def made(path: Path, prices: Prices, **more: object) -> Document:
    """甲 uses a half of one of its two servers, 丁 has one without a size, and nobody has a volume without one."""
    city = City(path)
    for id in ("known", "dark"):
        city.server(id, "甲", vcpus=4)
    city.measured("cpu", "known", SEPTEMBER.since, np.full(slot(NOW) - slot(SEPTEMBER.since), 50.0))
    for id, kind, owner in (("unsized", "server", "丁"), ("volume", "volume", "")):
        city.holds(
            id,
            ("owner", SEPTEMBER.since, None, owned(owner)),
            ("size", SEPTEMBER.since, None, NO_SIZE),
            ("state", SEPTEMBER.since, None, "active"),
            kind=kind,
        )
    city.writer.close()
    with source_of(path) as source:
        asked = inputs(source, trend=3)

        def shares_of(since: float, until: float) -> list[Share]:
            return shares(source, Period(OCTOBER.label, since, until))

        shown = showback(prices, OCTOBER, ZONE, shares_of, {}, source.extent())
        return document(
            asked._replace(
                showback=shown.estate,
                showbacks=shown.departments,
                unpriced=prices.unmatched(shown.departments),
            )
        )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return made(tmp_path_factory.mktemp("x") / "h.db", parse(PRICES.encode(), "prices.csv"))


def row(text: str, head: str) -> list[str]:
    """What cells say, without their notes."""
    return [re.split(r"\s{2,}", it)[0] for it in cells(text[text.index(f">{head}<") :])]


def test_the_summary_tells_what_the_use_is_a_part_of(report: Document) -> None:
    assert report.showback is not None
    assert report.showback.known_cost == 0.12 * 4 * 744
    assert report.showback.used_cost == 0.12 * 2 * 744
    [told] = [it for it in report.summary if "按价格表" in it.zh]
    assert "其中用量已知的部分 357.12 CNY，这部分中已使用 178.56 CNY，其余用量未知" in told.zh
    assert "有数据" not in told.zh
    money = report.showback
    for changed, said in (
        ({"known_cost": money.granted_cost}, "已使用 178.56 CNY（部分"),
        ({"known_cost": None, "used_cost": None}, "CNY；用量未知（部分"),
        ({"days": 3.0}, "（全月 31 天中只有 3 天有数据，只计这些天）；其中"),
    ):
        other = msgspec.structs.replace(money, **changed)
        words = summary(msgspec.structs.replace(report, showback=other), 0, 0, 0)
        assert [it for it in words if said in it.zh], said


def test_the_page_has_no_0_for_a_size_that_is_not_known(report: Document) -> None:
    text = section(html(report, "zh"), "showback")
    assert "744 台·时的云主机规格不全" in text
    assert "744 块·时的云硬盘容量未知" in text
    assert row(text, "丁")[:3] == ["—", "—", "—"]
    assert row(text, "甲")[:4] == ["762.24 不完整", "357.12", "178.56", "50.0"]
    assert row(text, "未归属")[:3] == ["—", "—", "—"]
    assert "未定价" in row(text, "内存")
    assert "有数据" not in text
    assert report.showback is not None
    some = msgspec.structs.replace(report.showback, days=3.04)
    text = section(html(msgspec.structs.replace(report, showback=some), "zh"), "showback")
    assert "本月 31 天中只有 3.0 天有数据" in text


def test_what_could_be_saved_is_unpriced_only_where_it_has_no_price(report: Document) -> None:
    """Of what has no size it is not known what it costs, be there a price or none."""
    assert report.showback is not None
    unknown = msgspec.structs.replace(report.showback, reclaimable_cost=None)
    text = section(html(msgspec.structs.replace(report, showback=unknown), "zh"), "showback")
    assert "每月可节约：<b>—</b>" in text
    follow_ups = FollowUps(
        (), {}, Amount(0.0, 0, 0), Amount(0.0, 0, 0), None, Text("以下为现状", "x")
    )
    for part, shown in (
        (follow_ups, "—"),
        (msgspec.structs.replace(follow_ups, saved_cost=0.0), "0.00 CNY"),
        (msgspec.structs.replace(follow_ups, realised_total=Amount(2.0, 0, 0)), "未定价"),
    ):
        told = msgspec.structs.replace(report, follow_ups=part)
        text = section(html(told, "zh"), "follow_ups")
        assert f'每月节约金额</dt><dd class="text">{shown}</dd>' in text
        assert '<p class="notice">以下为现状</p>' in text


def test_tables_have_it_too(report: Document) -> None:
    found = {name: content.decode("utf-8-sig") for name, content in csvs(report, "en").items()}
    rows = csv.DictReader(found["departments.csv"].splitlines())
    told = {it["Department"]: it for it in rows}
    assert told["丁"]["Server hours with a size not known"] == "744"
    assert told[department("", "en")]["Volume hours of unknown size"] == "744"
    assert {it["Costs complete"] for it in told.values()} == {"no"}
    assert {it["Days that costs are of"] for it in told.values()} == {"31"}
    assert "丁,vCPU,core hours,,,no,0,744,,,,CNY,0.12/h\n" in found["showback.csv"].replace(
        "\r", ""
    )


def test_the_sheet_says_what_costs_are_of(report: Document) -> None:
    def note(document: Document) -> str:
        found = openpyxl.load_workbook(io.BytesIO(xlsx(document, "zh")), read_only=True)
        return str(found["费用分摊"].cell(3, 2).value)

    told = note(report)
    for said in ("有未定价", "744 台·时的云主机规格不全", "744 块·时的云硬盘容量未知"):
        assert said in told
    assert "有数据" not in told
    assert report.showback is not None
    some = msgspec.structs.replace(report.showback, days=2.96)
    assert "31 天中只有 3 天有数据" in note(msgspec.structs.replace(report, showback=some))


def test_gaps_name_departments_of_the_price_table_that_are_none(report: Document) -> None:
    gaps = {it.code: it for it in report.gaps}
    assert (gaps["price_departments"].count, gaps["price_departments"].examples) == (1, ("乙",))


def test_gaps_say_why_the_follow_up_was_not_carried_on(tmp_path: Path) -> None:
    city = City(tmp_path / "h.db")
    city.server("vm", "甲")
    city.measured("cpu", "vm", OCTOBER.since, np.full(31 * 288, 50.0))
    city.writer.close()
    note = Text("以下为现状", "as it stands")
    nothing = FollowUps((), {}, Amount(), Amount(), None)
    with source_of(city.path) as source:
        asked = inputs(source, trend=3)
        for part, why in ((nothing, []), (msgspec.structs.replace(nothing, note=note), [note])):
            gaps = document(asked._replace(follow_ups=part)).gaps
            assert [it.why for it in gaps if it.code == "follow_ups_stand"] == why


def test_a_share_of_use_is_one_of_what_is_known() -> None:
    """Not of all that was granted: of the rest it is not known whether it was used."""
    document = sample(departments=8, resources=150)
    text = section(html(document, "en"), "showback")
    for one in document.departments:
        money = one.showback
        assert money is not None
        if money.known_cost and money.used_cost is not None and money.granted_cost:
            share = 100 * money.used_cost / money.known_cost
            assert row(text, one.name or say("unassigned", "en"))[3] == f"{share:.1f}"
