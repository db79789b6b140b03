"""The follow-up of advice: what moves a row on, what is claimed as saved, and the file that people edit."""

from __future__ import annotations

import csv
import io
import multiprocessing
import random
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cloud.spans import Span
from collectors.strictyaml import DocumentError
from exporters.aside import replacing
from exporters.report.content import followup
from exporters.report.content.followup import Facts, last_day
from exporters.report.content.followupcells import guarded, month_of, unguarded
from exporters.report.content.followupfile import (
    File,
    FollowUpErrors,
    Layout,
    carry,
    dump,
    holding,
    parse,
)
from exporters.report.content.followupnow import Now, now_of, released_of
from exporters.report.content.followuprow import HEADS, STEPS, TOLD, Row
from exporters.report.document import FollowUps
from exporters.usage.lives import Life
from exporters.usage.period import months_before
from rules.usagejudgement import NOTHING, Amount, Exempted, Judgement, Reason

GIB = 2**30
CHINA = ZoneInfo("Asia/Shanghai")
LATE = date(2028, 1, 1)
MONTHS = months_before("2027-09", 12)  # from 2026-10


def size(vcpus: float | None = 8, memory: float = 16, disk: float = 0) -> Amount:
    return Amount(vcpus, int(memory * GIB), int(disk * GIB))


def judged(resource: str = "vm-1", month: str = "2026-10", **more: Any) -> Judgement:
    """Idle and to be reclaimed, unless told otherwise."""
    granted = more.pop("granted", size())
    given: dict[str, Any] = {
        "name": f"web {resource}",
        "kind": "server",
        "state": "idle",
        "found": more.get("state", "idle"),
        "advice": "reclaim",
        "months": 3,
        "reasons": (),
        "department": "市财政局",
        "system": "预算",
        "granted": granted,
        "free": granted,
    }
    return Judgement(resource=resource, month=month, **{**given, **more})


def shrink(resource: str = "vm-1", month: str = "2026-10", **more: Any) -> Judgement:
    freed = Amount(4, 8 * GIB, 0)
    given: dict[str, Any] = {"state": "low", "advice": "shrink", "target": Amount(4, 8 * GIB)}
    return judged(resource, month, free=freed, **{**given, **more})


def fine(resource: str = "vm-1", month: str = "2026-10", **more: Any) -> Judgement:
    return judged(
        resource, month, free=NOTHING, **{"state": "right-sized", "advice": "none", **more}
    )


def insufficient(
    resource: str = "vm-1", day: str = "", code: str = "resized", **more: Any
) -> Judgement:
    reasons = (Reason(code, text=day),)
    given: dict[str, Any] = {"state": "insufficient", "advice": "none", "reasons": reasons}
    return judged(resource, free=Amount(), **{**given, **more})


def released(resource: str = "vm-1", day: str = "2026-11-12") -> Judgement:
    return insufficient(resource, day, "released", granted=NOTHING)


def facts(month: str, *judgements: Judgement, **more: Any) -> Facts:
    return Facts(month, more.pop("today", LATE), judgements, now_of(judgements), **more)


def run(
    rows: Sequence[Row], month: str, *judgements: Judgement, **more: Any
) -> tuple[list[Row], FollowUps]:
    """A month, twice: the second time changes nothing."""
    made, told = followup.carry(rows, facts(month, *judgements, **more), "zh")
    again, told_again = followup.carry(made, facts(month, *judgements, **more), "zh")
    assert (again, told_again) == (made, told)
    return made, told


def begun(*judgements: Judgement) -> list[Row]:
    return run([], "2026-10", *judgements)[0]


def edited(row: Row, **changes: Any) -> Row:
    return msgspec.structs.replace(row, **changes)


def test_new_advice_is_notified_and_repeated_advice_counts_months() -> None:
    rows, told = run(
        [], "2026-10", shrink("b"), judged("a"), fine("c"), judged("d", advice="watch")
    )
    assert [(it.id, it.resource, it.advice, it.step, it.months) for it in rows] == [
        ("TB-2026-10-0001", "a", "reclaim", "notified", 1),
        ("TB-2026-10-0002", "b", "shrink", "notified", 1),
    ]
    assert rows[1].granted == size()
    assert (rows[1].target, rows[1].planned) == (Amount(4, 8 * GIB), Amount(4, 8 * GIB, 0))
    assert told.steps == {**dict.fromkeys(STEPS, 0), "notified": 2}
    assert (told.realised, told.realised_total) == (NOTHING, NOTHING)
    assert all(it.realised is None for it in told.rows)
    rows, told = run(rows, "2026-11", judged("a"), shrink("b"), judged("e"))
    assert [(it.id, it.months) for it in rows] == [
        ("TB-2026-10-0001", 2),
        ("TB-2026-10-0002", 2),
        ("TB-2026-11-0001", 1),
    ]


def test_a_smaller_resource_is_seen_and_reviewed_in_the_month_after() -> None:
    rows = begun(shrink())
    resized = insufficient(day="2026-11-12", granted=size(4, 8))
    rows, told = run(rows, "2026-11", resized)
    assert (rows[0].step, rows[0].carried_out) == ("carried_out", date(2026, 11, 12))
    assert (rows[0].by, rows[0].realised) == ("数据所见", Amount(4, 8 * GIB, 0))
    assert (told.realised, told.realised_total) == (NOTHING, NOTHING)  # not before it is reviewed
    still = insufficient(code="cpu_unknown", granted=size(4, 8))
    rows, told = run(rows, "2026-12", still)
    assert rows[0].step == "carried_out"  # nobody knows whether the new size will do
    rows, told = run(rows, "2027-01", fine(granted=size(4, 8)))
    assert (rows[0].step, rows[0].reviewed) == ("reviewed", date(2027, 1, 31))
    assert told.realised == told.realised_total == Amount(4, 8 * GIB, 0)
    rows, told = run(rows, "2027-02", fine(granted=size(8, 16)))
    assert (told.rows, told.realised) == ((), NOTHING)
    assert told.realised_total == Amount(4, 8 * GIB, 0)


def test_what_is_released_is_reviewed_though_it_is_seen_no_more() -> None:
    rows, _ = run(begun(judged()), "2026-11", released())
    assert (rows[0].step, rows[0].carried_out) == ("carried_out", date(2026, 11, 12))
    rows, told = run(rows, "2026-12")
    assert (rows[0].step, told.realised) == ("reviewed", size())


def test_what_was_released_in_a_month_without_a_report() -> None:
    """Its judgement was of that month; what the history has of it is enough."""
    at = [datetime(2026, month, 9, 23, tzinfo=CHINA).timestamp() for month in (9, 11)]
    spans = [
        Span("vm-1", "state", at[0], at[1], "active"),
        Span("vm-1", "state", at[1], None, "released"),
    ]
    life = Life("vm-1", "server", "x", "city", at[0], at[1], {"state": spans})
    december, november = (datetime(2026, month, 1, tzinfo=CHINA).timestamp() for month in (12, 11))
    assert released_of([life], november, CHINA) == {}
    now = released_of([life], december, CHINA)
    rows, _ = followup.carry(begun(judged()), Facts("2026-12", LATE, [], now), "zh")
    assert (rows[0].step, rows[0].carried_out) == ("reviewed", date(2026, 11, 9))
    assert rows[0].realised == size()


def test_a_size_that_is_not_known_is_no_change_back() -> None:
    rows, _ = run(begun(shrink()), "2026-11", insufficient(day="2026-11-12", granted=size(4, 8)))
    made, _ = run(rows, "2026-12", fine(granted=Amount(None, None, None)))
    assert made == rows


def test_memory_that_differs_by_a_little_is_no_change() -> None:
    rows, _ = run(begun(judged()), "2026-11", judged(granted=size(8, 15.8)))
    assert (rows[0].step, rows[0].months) == ("notified", 2)


def test_what_is_merely_not_seen_is_nothing_saved() -> None:
    rows = begun(judged())
    for month, judgements in (
        ("2026-11", [insufficient(code="not_seen", seen=False, granted=NOTHING)]),
        ("2026-12", []),
    ):
        made, told = run(rows, month, *judgements)
        assert made == rows
        assert told.rows[0].realised is None
        assert told.realised_total == NOTHING


def test_a_part_of_the_advice_saves_that_part_and_the_rest_is_told_anew() -> None:
    rows, _ = run(begun(shrink()), "2026-11", insufficient(day="2026-11-12", granted=size(6, 16)))
    assert rows[0].realised == Amount(2, 0, 0)
    rows, told = run(rows, "2026-12", shrink(granted=size(6, 16)))
    assert [(it.step, it.granted) for it in rows] == [
        ("reviewed", size()),
        ("notified", size(6, 16)),
    ]
    assert told.realised == Amount(2, 0, 0)


def test_what_is_made_larger_is_no_saving() -> None:
    grow = judged(state="busy", advice="grow", target=Amount(16, 32 * GIB), free=NOTHING)
    rows, _ = run(begun(grow), "2026-11", insufficient(day="2026-11-12", granted=size(16, 32)))
    assert (rows[0].step, rows[0].realised) == ("carried_out", NOTHING)
    rows, told = run(rows, "2026-12", fine(granted=size(16, 32)))
    assert (rows[0].step, told.realised) == ("reviewed", NOTHING)
    rows, told = run(begun(grow), "2026-11", released())
    assert (rows[0].step, told.realised_total) == ("lapsed", NOTHING)
    rows, _ = run(begun(shrink()), "2026-11", fine(granted=size(16, 32)))
    assert (rows[0].step, rows[0].realised) == ("lapsed", None)


def test_what_people_write_stands() -> None:
    confirmed = edited(
        begun(shrink())[0], step="confirmed", confirmed=date(2026, 11, 3), owner="张伟", note="同意"
    )
    rows, told = run([confirmed], "2026-11", shrink())
    assert (rows[0].step, rows[0].months, rows[0].note) == ("confirmed", 2, "同意")
    assert told.rows[0].by == "张伟"
    # it is wanted again, but somebody agreed: that is for people to settle
    rows, _ = run(rows, "2026-12", fine())
    assert (rows[0].step, rows[0].remark) == ("confirmed", "不再建议：适配")
    done = edited(rows[0], step="carried_out", carried_out=date(2027, 1, 5))
    rows, told = run([done], "2026-12", fine())  # the report of December, made in January
    assert rows == [done]
    rows, told = run(rows, "2027-01", fine())
    assert rows[0].step == "carried_out"
    assert "数据中未见规格变化" in told.rows[0].note
    assert (told.rows[0].realised, told.realised_total) == (NOTHING, NOTHING)
    rows, told = run(rows, "2027-02", insufficient(day="2027-02-03", granted=size(4, 8)))
    assert (rows[0].step, rows[0].carried_out) == ("carried_out", date(2027, 1, 5))
    assert (rows[0].realised, rows[0].by) == (Amount(4, 8 * GIB, 0), "")
    assert "数据中未见规格变化" not in told.rows[0].note
    rows, told = run(rows, "2027-03", fine(granted=size(4, 8)))
    assert (rows[0].step, told.realised) == ("reviewed", Amount(4, 8 * GIB, 0))


def test_declined_stays_declined_and_is_told_of_again() -> None:
    rows = [edited(begun(judged())[0], step="declined", confirmed=date(2026, 11, 3))]
    rows, told = run(rows, "2026-11", judged())
    assert [(it.step, it.months) for it in rows] == [("declined", 2)]
    assert len(told.rows) == 1
    rows, told = run(rows, "2026-12", fine())
    assert told.rows == ()
    grow = judged(state="busy", advice="grow", free=NOTHING)
    rows, _ = run(rows, "2027-01", grow)
    assert [it.step for it in rows] == ["declined", "notified"]


def exempted(in_force: bool = True) -> Exempted:
    return Exempted("E-7", "容灾", "张伟", "李敏", date(2027, 3, 31), 5, in_force)


def test_an_exemption_declines_until_it_ends() -> None:
    exempt = judged(state="exempt", advice="none", exemption=exempted())
    rows, _ = run(begun(judged()), "2026-11", exempt)
    assert (rows[0].step, rows[0].confirmed) == ("declined", date(2026, 11, 30))
    assert rows[0].remark == "已豁免（E-7）"
    rows, _ = run(rows, "2026-12", exempt)
    assert len(rows) == 1
    expired = exempted(in_force=False)
    for month, months in (("2027-01", 1), ("2027-02", 2)):
        rows, _ = run(rows, month, judged(exemption=expired))
        assert [(it.step, it.months) for it in rows] == [("declined", 1), ("notified", months)]
    declined = edited(rows[1], step="declined", confirmed=date(2027, 3, 2))
    rows, _ = run([rows[0], declined], "2027-03", judged(exemption=expired))
    assert [it.step for it in rows] == ["declined", "declined"]


def test_advice_that_went_away_lapses_with_why() -> None:
    rows, _ = run(begun(judged()), "2026-11", judged(advice="watch"))
    assert rows[0].step == "notified"  # not enough months in a row: it may come again
    why = (Reason("cpu", 45.0),)
    rows, told = run(rows, "2026-12", fine(reasons=why))
    assert (rows[0].step, len(told.rows)) == ("lapsed", 1)
    assert rows[0].remark == "不再建议：适配 (CPU 95 百分位 45.0%)"
    rows, told = run(rows, "2027-01", judged())
    assert [it.step for it in rows] == ["lapsed", "notified"]
    assert len(told.rows) == 1
    busy = judged(state="busy", advice="grow", free=NOTHING)
    rows, _ = run(rows, "2027-02", busy)
    assert [it.step for it in rows] == ["lapsed", "lapsed", "notified"]


def test_other_advice_of_the_same_direction_is_of_the_same_row() -> None:
    rows, _ = run(begun(shrink()), "2026-11", judged())
    assert [(it.advice, it.months, it.planned) for it in rows] == [("reclaim", 2, size())]
    assert rows[0].remark == "2026-11 建议由缩减改为回收"


def test_a_row_keeps_its_first_department() -> None:
    rows, told = run(begun(judged()), "2026-11", judged(department="市人社局"))
    assert (rows[0].department, told.rows[0].note) == ("市财政局", "现归属 市人社局")


def test_what_came_back_is_saved_no_more() -> None:
    rows, _ = run(begun(judged()), "2026-11", released())
    rows, told = run(rows, "2026-12", fine())
    assert (rows[0].step, rows[0].realised, rows[0].carried_out) == ("lapsed", None, None)
    assert told.realised_total == NOTHING


def test_a_month_that_is_not_over_and_an_older_one_change_nothing() -> None:
    rows, _ = run(begun(judged()), "2026-12", judged("vm-2"), judged())
    made, told = followup.carry(rows, facts("2026-11", judged("vm-3")), "zh")
    assert made == rows
    assert "2026-12" in told.note.zh
    assert [it.resource for it in told.rows] == ["vm-1"]
    today = date(2027, 1, 31)
    made, told = followup.carry(rows, facts("2027-01", fine(), today=today), "zh")
    assert made == rows
    assert told.note.en.startswith("The month is not over")


def test_names_that_mean_harm_and_ids_alike() -> None:
    evil = judged("=1+1", name="=HYPERLINK(1)\n", department="@x", system="a\u202eb")
    rows = begun(evil)
    content = dump(File(Layout.new("zh")), rows)
    cells = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))[1]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))]
    assert list(parse(content, "f.csv").rows) == rows
    again, _ = run(parse(content, "f.csv").rows, "2026-11", evil)
    assert [it.months for it in again] == [2]


# ---- twelve months of an estate, and its savings by a model of its own


class Estate:
    """Servers that idle or are too large, and people who do what is advised, or something else, or nothing."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.held: dict[str, tuple[int, int]] = {f"vm-{n}": (8, 16) for n in range(40)}
        self.notified: dict[str, tuple[int, int]] = {}  # open advice: what it had
        self.done: dict[str, int] = {}  # in which month
        self.saved = [0, 0]
        self.reviews = 0

    def month(self, n: int) -> list[Judgement]:
        found, choose = [], self.random.random
        for id, (vcpus, memory) in sorted(self.held.items()):
            before, lost = self.notified.get(id), choose() < 0.05
            if vcpus == 0 and self.done.get(id) == n - 1:
                self._review(id)  # released last month
                continue
            if vcpus == 0:
                continue
            if lost:  # nobody saw it, or how large it is
                found += [insufficient(id, granted=Amount())] * (n % 2)
                continue
            if id in self.done:
                self._review(id)
                found.append(fine(id, granted=size(vcpus, memory)))
            elif before and choose() < 0.2:
                self.held[id], self.done[id] = (0, 0), n
                found.append(released(id, f"{MONTHS[n]}-15"))
            elif before and vcpus > 2 and choose() < 0.3:
                self.held[id], self.done[id] = (vcpus // 2, memory), n
                found.append(insufficient(id, f"{MONTHS[n]}-09", granted=size(vcpus // 2, memory)))
            elif before and choose() < 0.1:
                del self.notified[id]
                found.append(fine(id, granted=size(vcpus, memory)))
            elif before or choose() < 0.3:
                self.notified.setdefault(id, (vcpus, memory))
                found.append(judged(id, granted=size(vcpus, memory)))
            else:
                found.append(fine(id, granted=size(vcpus, memory)))
        return found

    def _review(self, id: str) -> None:
        before, now = self.notified.pop(id), self.held[id]
        self.saved = [total + a - b for total, a, b in zip(self.saved, before, now, strict=True)]
        self.reviews += 1
        del self.done[id]


@pytest.mark.parametrize("seed", range(5))
def test_twelve_months_in_a_row(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "跟踪.csv"
    estate, months = Estate(seed), [0, 0]
    for n, month in enumerate(MONTHS):
        judgements = estate.month(n)
        told = carry(str(path), facts(month, *judgements, saved=_price))
        content = path.read_bytes()
        assert carry(str(path), facts(month, *judgements, saved=_price)) == told
        assert path.read_bytes() == content
        vcpus, memory = estate.saved
        assert told.realised_total == Amount(vcpus, memory * GIB, 0)
        assert told.saved_cost == 10.0 * vcpus
        assert told.steps.get("reviewed", 0) == estate.reviews
        months = [
            months[0] + int(told.realised.vcpus or 0),
            months[1] + (told.realised.memory or 0) // GIB,
        ]
        assert months == estate.saved
    assert estate.reviews > 20


def _price(department: str, amount: Amount) -> float | None:
    assert department == "市财政局"
    return None if amount.vcpus is None else 10.0 * amount.vcpus


# ---- the file


def written(path: Path, *judgements: Judgement) -> str:
    carry(str(path), facts("2026-10", *(judgements or (judged("a"), shrink("b")))))
    return path.read_text(encoding="utf-8-sig")


def test_a_new_file_and_one_that_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    text = written(path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert text.splitlines()[0].startswith("编号,资源,名称,部门,系统,建议,状态,首次通报月份")
    assert "TB-2026-10-0002,b,web b,市财政局,预算,缩减,已通报,2026-10,1,2026-10,8,16,0,4,8," in text
    before = path.stat()
    carry(str(path), facts("2026-10", judged("a"), shrink("b")))
    assert path.stat() == before or path.stat().st_ino == before.st_ino
    assert {it.name for it in tmp_path.iterdir()} == {"f.csv"}


def test_only_looking_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    told = carry(str(path), facts("2026-10", judged()), write=False)
    assert len(told.rows) == 1
    assert not list(tmp_path.iterdir())


def test_in_english(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    carry(str(path), facts("2026-10", judged()), "en")
    carry(str(path), facts("2026-11", released()), "zh")  # the file goes on as it was begun
    text = path.read_text(encoding="utf-8-sig")
    assert text.startswith("Id,Resource,Name")
    assert ",reclaim,carried out,2026-10," in text
    assert ",seen in the data," in text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_as_a_spreadsheet_saves_it(tmp_path: Path, encoding: str, mark: str) -> None:
    """Days and months in its own form, empty rows and columns at the end, a column of somebody's, another order."""
    path = tmp_path / "f.csv"
    table = [row.split(",") for row in written(path).splitlines()]
    column = {head: n for n, head in enumerate(table[0])}
    row = table[2]
    row[column["状态"]], row[column["确认日期"]] = "确认", "2026/11/3"
    row[column["首次通报月份"]], row[column["最近月份"]] = "Oct-26", "2026年10月"
    row[column["负责人"]], row[column["备注"]] = " 张伟 ", "下月办理"
    wide = [
        [*reversed(line), extra, "", ""]
        for line, extra in zip(table, ("电话", "=0", "-12"), strict=True)
    ]
    text = "\r\n".join(mark.join(line) for line in [*wide, [""] * len(wide[0]), [""] * 3])
    path.write_bytes(text.encode(encoding))
    saved = path.read_bytes()
    told = carry(str(path), facts("2026-10", judged("a"), shrink("b")))
    assert path.read_bytes() == saved  # there was nothing to change
    assert (told.rows[1].step, told.rows[1].confirmed) == ("confirmed", date(2026, 11, 3))
    assert (told.rows[1].by, told.rows[1].note) == ("张伟", "下月办理")
    carry(str(path), facts("2026-11", shrink("b"), judged("c")))
    made = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig")), delimiter=mark))
    assert [line[-1] for line in made] == ["电话", "'=0", "-12", ""]
    head = [cell.strip() for cell in made[0]]
    assert head[:-1] == list(reversed(table[0]))
    changed = dict(zip(head, made[2], strict=True))
    assert (changed["状态"], changed["通报月数"], changed["首次通报月份"]) == (
        "已确认",
        "2",
        "2026-10",
    )
    assert dict(zip(head, made[1], strict=True))["资源"] == "a"
    assert [it.resource for it in parse(path.read_bytes(), "f.csv").rows] == ["a", "b", "c"]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_through_a_real_spreadsheet(tmp_path: Path) -> None:
    """Opened as one opens CSV, which takes numbers and days for such, and saved."""
    odd = Amount(2.5, 123456789012, 987654321987)
    rows = begun(
        judged("00123", name="=1+1"),
        judged("1E10", name="3-4"),
        shrink("2026-10", name="'x", department="+市"),
        judged("-5", name='a"b;c', granted=odd),
    )
    days = dict(
        zip(
            ("confirmed", "carried_out", "reviewed"),
            map(date, [2026] * 3, (10, 11, 12), (1, 2, 3)),
            strict=True,
        )
    )
    rows[0] = edited(rows[0], step="reviewed", realised=size(1.25, 2), note="甲\n乙", **days)
    path = tmp_path / "f.csv"
    path.write_bytes(dump(File(Layout.new("zh")), rows))
    spreadsheet = [
        "soffice",
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--infilter=CSV:44,34,76,1,,0,false,true",
        "--convert-to",
        "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false",
        *("--outdir", str(tmp_path / "saved"), str(path)),
    ]
    subprocess.run(spreadsheet, check=True, capture_output=True, timeout=120)
    assert parse((tmp_path / "saved" / "f.csv").read_bytes(), "f.csv").rows == tuple(rows)


def test_a_column_that_was_taken_out_comes_back_and_a_row_of_ones_own_stays(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    table = list(csv.reader(io.StringIO(written(path))))
    column = table[0].index("负责人")
    own = ["我的-1", "own", "", "", "", "回收", "已通报", "2026-10", *[""] * 20]
    text = "\n".join(
        ",".join(cell for n, cell in enumerate(row) if n != column) for row in [*table, own]
    )
    path.write_text(text, encoding="utf-8")
    carry(str(path), facts("2026-11", judged("a"), fine("own")))
    rows = parse(path.read_bytes(), "f.csv").rows
    assert [(it.id, it.step, it.months) for it in rows] == [
        ("TB-2026-10-0001", "notified", 2),
        ("TB-2026-10-0002", "notified", 1),
        ("我的-1", "notified", 0),
    ]
    assert "负责人" in path.read_text(encoding="utf-8-sig").splitlines()[0]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("已通报", "已完工", "f.csv:2: 状态: '已完工' is not one of: 已通报, notified"),
        ("已通报", "已确认", "f.csv:2: 确认日期: is missing, and the status is '已确认'; write"),
        ("已通报", "", "f.csv:2: 状态: is empty"),
        (",回收,", ",再看看,", "f.csv:2: 建议: '再看看' is not one of: 回收, reclaim"),
        ("2026-10,1", "十月,1", "f.csv:2: 首次通报月份: '十月' is no month; write for example 2026-10"),
        ("2026-10,1", "2026-13,1", "is no month"),
        ("2026-10,1", "2026-10,x", "f.csv:2: 通报月数: 'x' is no number"),
        (",8,16,0,", ",8,十六,0,", "f.csv:2: 分配内存 GiB: '十六' is no size"),
        (",8,16,0,", ",8,-16,0,", "is no size"),
        (",8,16,0,", ",8,1e999,0,", "is no size"),
        ("TB-2026-10-0002", "TB-2026-10-0001", "f.csv:3: 'TB-2026-10-0001' is on line 2 already"),
        (",b,web", ",a,web", "f.csv:3: 'a' is open on line 2 already; close or remove one"),
        ("编号", "号码", "f.csv:1: there is no column 编号 / Id"),
        ("分配 vCPU", "vCPU", "f.csv:1: there is no column 分配 vCPU / Granted vCPU; did you mean 'vCPU'?"),
        ("系统说明", "部门", "f.csv:1: the column '部门' is there twice"),
        ("web a", '"web a', "f.csv:2: is not CSV"),
        ("系统说明\r\n", "系统说明\r\n" + "," * 40 + "x\r\n", "f.csv:2: has 41 cells"),
    ],
)  # fmt: skip
def test_a_file_that_is_half_edited_is_told_and_stays(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = tmp_path / "f.csv"
    text = written(path)
    text = path.read_bytes().decode("utf-8-sig")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    saved = path.read_bytes()
    with pytest.raises(DocumentError) as caught:
        carry(str(path), facts("2026-11", judged("a")))
    assert problem in str(caught.value)
    assert path.read_bytes() == saved
    assert {it.name for it in tmp_path.iterdir()} == {"f.csv"}


def test_days_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    made = dump(File(Layout.new("zh")), [
        edited(begun(judged())[0], step="carried_out", carried_out=date(2026, 11, 3)),
    ]).decode("utf-8-sig")  # fmt: skip
    for old, new, problem in (
        ("2026-11-03", "2062-11-03", "执行日期: 2062-11-03 is yet to come"),
        ("2026-11-03", "2026-11-31", "is no date; write for example 2026-03-15"),
        ("已执行", "已通报", "执行日期: has a day, and the status is '已通报'; set the status to 已执行 / carried out"),
    ):  # fmt: skip
        path.write_text(made.replace(old, new), encoding="utf-8")
        with pytest.raises(FollowUpErrors, match=problem):
            carry(str(path), facts("2026-11"))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"PK\x03\x04 a workbook", b"\r\n,,\r\n", b"a,b\r\n1,2\r\n"]
)
def test_what_is_no_follow_up_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(DocumentError):
        carry(str(path), facts("2026-10", judged()))
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "f.csv")
    with pytest.raises(DocumentError, match="there is no folder"), holding(path):
        raise AssertionError


def test_what_was_saved_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.csv"
    written(path)

    def saved(*given: Any, **more: Any) -> Any:
        path.write_bytes(path.read_bytes() + b"\r\n")
        return replacing(*given, **more)

    monkeypatch.setattr("exporters.report.content.followupfile.replacing", saved)
    with pytest.raises(DocumentError, match="was saved by somebody meanwhile"):
        carry(str(path), facts("2026-11", judged("a")))
    assert path.read_bytes().endswith(b"\r\n\r\n")


def _report(path: str, month: str, names: Iterable[str]) -> None:
    with holding(path):
        carry(path, facts(month, *(judged(name) for name in names)))


def test_two_reports_at_a_time(tmp_path: Path) -> None:
    """Each finds what the other has written: no row twice, no month twice."""
    path = tmp_path / "f.csv"
    names = [f"vm-{n}" for n in range(300)]
    context = multiprocessing.get_context("spawn")
    for month in ("2026-10", "2026-11"):
        both = [context.Process(target=_report, args=(str(path), month, names)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(60)
            assert one.exitcode == 0
    rows = parse(path.read_bytes(), "f.csv").rows
    assert len(rows) == len({it.id for it in rows}) == 300
    assert {it.months for it in rows} == {2}


TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "=1+1",
        "'=1",
        "''x",
        "'",
        "-5",
        "00123",
        "1E10",
        "3-4",
        "2026-10",
        "＝x",
        "a;b",
        'a"b',
        "a\nb",
    ]
)


@given(TEXT, st.booleans())
def test_guarded_text_comes_back(text: str, numbers: bool) -> None:
    made = guarded(text, numbers)
    assert unguarded(made, numbers) == text
    assert not made.startswith(("=", "@", "＝"))


NAME = TEXT.map(lambda text: followup.cleaned(text))
DAY = st.dates(date(2020, 1, 1), date(2027, 12, 31))
AMOUNT = st.builds(
    Amount,
    st.none() | st.floats(0, 1e6).map(lambda it: round(it, 6)),
    st.none() | st.integers(0, 2**50),
    st.none() | st.integers(0, 2**55),
)


@st.composite
def a_row(draw: st.DrawFn, number: int) -> Row:
    step = draw(st.sampled_from(list(STEPS)))
    days = sorted(draw(st.lists(DAY, min_size=3, max_size=3)))
    some = {
        "notified": 0, "confirmed": 1, "carried_out": 2, "reviewed": 3, "declined": 1, "lapsed": 0
    }[step]  # fmt: skip
    confirmed, carried_out, reviewed = [*days[:some], None, None, None][:3]
    realised = draw(st.none() | AMOUNT.filter(lambda it: it != Amount()))
    keys = ("name", "department", "system", "owner", "by", "note", "remark")
    texts: dict[str, Any] = {key: draw(NAME) for key in keys}
    return Row(
        id=f"{draw(st.sampled_from(['TB-2026-10', '我的']))}-{number:04}",
        resource=f"{draw(NAME)}{number}r",
        advice=draw(st.sampled_from(TOLD)),
        step=step,
        notified=draw(st.sampled_from(MONTHS)),
        months=draw(st.integers(0, 99)),
        carried=draw(st.sampled_from(["", *MONTHS])),
        granted=draw(AMOUNT),
        target=msgspec.structs.replace(draw(AMOUNT), disk=None),
        planned=draw(AMOUNT),
        realised=realised,
        confirmed=confirmed,
        carried_out=carried_out,
        reviewed=reviewed,
        **texts,
    )


ROWS = st.integers(0, 4).flatmap(lambda count: st.tuples(*(a_row(n) for n in range(count))))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["zh", "en"]), st.sampled_from([",", ";", "\t"]))
def test_a_file_comes_back_equal(rows: tuple[Row, ...], language: str, mark: str) -> None:
    content = dump(File(Layout.new(language)._replace(delimiter=mark)), rows)
    file = parse(content, "f.csv")
    assert file.rows == rows
    assert file.layout.language == language
    assert dump(file, file.rows) == content
    fresh = File(file.layout)  # as if every row had been changed
    assert dump(fresh, file.rows) == content


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(MONTHS))
def test_any_rows_are_carried_and_a_second_time_alike(rows: tuple[Row, ...], month: str) -> None:
    names = [it.resource for it in rows]
    judgements = [judged(name) if n % 2 else released(name) for n, name in enumerate(names)]
    run(rows, month, *judgements)


@given(
    st.lists(
        st.lists(st.sampled_from([*(it.zh for it in HEADS.values()), "已确认", "2026-10", "1", '"', "=", "\n"]), max_size=30),
        max_size=4,
    ),
    st.sampled_from(["utf-8-sig", "gb18030", "utf-16"]),
)  # fmt: skip
def test_no_table_is_too_strange(rows: list[list[str]], encoding: str) -> None:
    head = [it.zh for it in HEADS.values()]
    for lines in (rows, [head, *rows]):
        text = "\r\n".join(",".join(row) for row in lines)
        with suppress(DocumentError):
            file = parse(text.encode(encoding), "f.csv")
            assert parse(dump(file, file.rows), "f.csv").rows == file.rows


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda it: it.encode("utf-8", "replace"))
)
def test_no_bytes_are_too_strange(content: bytes) -> None:
    with suppress(DocumentError):
        parse(content, "f.csv")


@pytest.mark.parametrize(
    ("text", "month"),
    [
        *((it, "2026-10") for it in ("2026-10", "2026/10", "2026年10月", "202610", "Oct-26", "26-Oct", "2026/10/1", "2026-10-01")),
        *((it, "") for it in ("", "2026", "Foo-26", "0000-10", "2026-00", "10-2026", "2026-10-32")),
    ],
)  # fmt: skip
def test_months_as_they_are_written(text: str, month: str) -> None:
    assert month_of(text) == month


def test_the_last_day_of_a_month() -> None:
    assert [last_day(it).day for it in ("2026-02", "2028-02", "2026-12", "2026-11")] == [
        28,
        29,
        31,
        30,
    ]
    assert now_of([released(day="no day")])["vm-1"] == Now(NOTHING, True, None)


def test_the_day_of_a_release_is_that_of_the_history() -> None:
    """The judgement of the month has a text for it, which may be no day."""
    day = date(2026, 10, 10)
    for told in ("no day", "2026-10-31"):
        now = now_of([released(day=told)], {"vm-1": Now(NOTHING, True, day)})
        assert now["vm-1"] == Now(NOTHING, True, day)
