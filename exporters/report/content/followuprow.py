"""One row of the follow-up file (docs/report-files.md): an advice on its way, and its cells as people see them in a
spreadsheet. Sizes there are GiB, exactly; days and months may be in any form that a spreadsheet makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Final, Literal, get_args

import msgspec

from collectors.cloud.override import DATE_REMEDY, dated
from collectors.csvtable import BLANK
from collectors.rowsfile import Problem, text_problem
from exporters.report.content.followupcells import guarded, month_of, unguarded
from exporters.report.document import Step
from exporters.usage.words import ADVICE
from rules.model import Text
from rules.usagejudgement import Amount

Told = Literal["reclaim", "shrink", "grow"]
TOLD: Final[tuple[Told, ...]] = get_args(Told)
STEPS: Final[Mapping[Step, Text]] = {
    "notified": Text("已通报", "notified"),
    "confirmed": Text("已确认", "confirmed"),
    "carried_out": Text("已执行", "carried out"),
    "reviewed": Text("已复核", "reviewed"),
    "declined": Text("不采纳", "declined"),
    "lapsed": Text("已失效", "lapsed"),
}
CLOSED: Final[frozenset[Step]] = frozenset(("reviewed", "declined", "lapsed"))
_MORE: Final[Mapping[str, Step]] = {
    **dict.fromkeys(("通报", "待确认"), "notified"),
    **dict.fromkeys(("确认", "同意", "待执行"), "confirmed"),
    **dict.fromkeys(("执行", "已完成", "完成", "carried_out"), "carried_out"),
    **dict.fromkeys(("复核", "已关闭"), "reviewed"),
    **dict.fromkeys(("拒绝", "已拒绝", "不同意", "豁免"), "declined"),
    **dict.fromkeys(("失效", "作废"), "lapsed"),
}
HEADS: Final[Mapping[str, Text]] = {
    "id": Text("编号", "Id"),
    "resource": Text("资源", "Resource"),
    "name": Text("名称", "Name"),
    "department": Text("部门", "Department"),
    "system": Text("系统", "System"),
    "advice": Text("建议", "Advice"),
    "step": Text("状态", "Status"),
    "notified": Text("首次通报月份", "First notified"),
    "months": Text("通报月数", "Months notified"),
    "carried": Text("最近月份", "Last month"),
    "granted_vcpus": Text("分配 vCPU", "Granted vCPU"),
    "granted_memory": Text("分配内存 GiB", "Granted memory GiB"),
    "granted_disk": Text("分配存储 GiB", "Granted storage GiB"),
    "target_vcpus": Text("目标 vCPU", "Target vCPU"),
    "target_memory": Text("目标内存 GiB", "Target memory GiB"),
    "planned_vcpus": Text("可回收 vCPU", "Reclaimable vCPU"),
    "planned_memory": Text("可回收内存 GiB", "Reclaimable memory GiB"),
    "planned_disk": Text("可回收存储 GiB", "Reclaimable storage GiB"),
    "realised_vcpus": Text("实际回收 vCPU", "Realised vCPU"),
    "realised_memory": Text("实际回收内存 GiB", "Realised memory GiB"),
    "realised_disk": Text("实际回收存储 GiB", "Realised storage GiB"),
    "confirmed": Text("确认日期", "Confirmed on"),
    "carried_out": Text("执行日期", "Carried out on"),
    "reviewed": Text("复核日期", "Reviewed on"),
    "owner": Text("负责人", "Owner"),
    "by": Text("执行依据", "Known by"),
    "note": Text("备注", "Note"),
    "remark": Text("系统说明", "Remark"),
}
REQUIRED: Final = ("id", "resource", "advice", "step", "notified")
# Columns that may be taken out; without another one figures would be lost, be it that its head was mistyped.
OPTIONAL: Final = ("name", "system", "target_vcpus", "target_memory", "owner", "note")
TEXTS: Final = ("resource", "name", "department", "system", "owner", "by", "note", "remark")
_SIZES: Final = ("granted", "target", "planned", "realised")
_DAYS: Final[tuple[Literal["confirmed", "carried_out", "reviewed"], ...]] = (
    *("confirmed", "carried_out", "reviewed"),
)
_NEEDS: Final[Mapping[Step, str]] = {
    "confirmed": "confirmed",
    "declined": "confirmed",
    "carried_out": "carried_out",
    "reviewed": "reviewed",
}
_ORDER: Final[tuple[Step, ...]] = ("notified", "confirmed", "carried_out", "reviewed")
_NUMBER: Final = re.compile(r"\d{1,16}(\.\d{1,40})?|\d{1,3}(,\d{3}){1,5}(\.\d{1,40})?")
_GIB: Final = Decimal(2**30)
_DECIMALS: Final = 9  # of virtual CPUs
_LARGEST: Final = 10**15


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`granted` is what it had when it was first told of. `months` it was told of, `carried` the last that changed
    anything here. `by` says who knows that it was carried out, `remark` what we have to say; `note` and `owner` are
    people's. `extra` are the cells of columns that people added."""

    id: str
    resource: str
    advice: Told
    step: Step
    notified: str
    name: str = ""
    department: str = ""
    system: str = ""
    months: int = 0
    carried: str = ""
    granted: Amount = Amount()
    target: Amount = Amount()
    planned: Amount = Amount()
    realised: Amount | None = None
    confirmed: date | None = None
    carried_out: date | None = None
    reviewed: date | None = None
    owner: str = ""
    by: str = ""
    note: str = ""
    remark: str = ""
    extra: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return self.step not in CLOSED


_STAND_IN: Final = Row(id="", resource="", advice="grow", step="notified", notified="")


def cells(row: Row, language: str) -> dict[str, str]:
    """By the keys of HEADS; what is not known is empty."""
    made = {key: guarded(getattr(row, key)) for key in TEXTS}
    made |= {
        "id": guarded(row.id, numbers=True),
        "advice": ADVICE[row.advice].of(language),
        "step": STEPS[row.step].of(language),
        "notified": row.notified,
        "months": str(row.months) if row.months else "",
        "carried": row.carried,
    }
    for key in _SIZES:
        amount: Amount = getattr(row, key) or Amount()
        made[f"{key}_vcpus"] = "" if amount.vcpus is None else _vcpus(amount.vcpus)
        for part in ("memory", "disk"):
            size = getattr(amount, part)
            with localcontext(prec=60):
                made[f"{key}_{part}"] = "" if size is None else _shown(Decimal(size) / _GIB)
    for key in _DAYS:
        day = getattr(row, key)
        made[key] = day.isoformat() if day else ""
    return {key: made[key] for key in HEADS}


def row_of(given: Mapping[str, str], today: date | None) -> tuple[Row, list[Problem]]:
    """The row that the cells are of, and everything that is wrong with them."""
    found = _Found(given, today)
    return found.row, found.problems


class _Found:
    def __init__(self, given: Mapping[str, str], today: date | None) -> None:
        self.problems: list[Problem] = []
        self.given = {key: cell.strip(BLANK) for key, cell in given.items()}
        texts = {key: unguarded(self.given.get(key, "")) for key in TEXTS}
        days = {key: self._day(key, today) for key in _DAYS}
        for key in ("id", "resource"):
            if problem := text_problem(self.given.get(key, "")):
                self.problems.append((key, problem))
        missing = [key for key in REQUIRED if not self.given.get(key)]
        self.problems += [(key, "is empty; write it, or take the row out") for key in missing]
        sizes = {key: self._amount(key) for key in _SIZES}
        realised = sizes.pop("realised")
        self.row: Row = msgspec.structs.replace(
            _STAND_IN,
            id=unguarded(self.given.get("id", ""), numbers=True),
            advice=self._advice(),
            step=self._step(),
            notified=self._month("notified"),
            months=self._months(),
            carried=self._month("carried"),
            realised=None if realised == Amount() else realised,
            **texts,
            **days,
            **sizes,
        )
        if not self.problems:
            self._steps()

    def _steps(self) -> None:
        """What a step needs, and what must not be there yet."""
        row = self.row
        need = _NEEDS.get(row.step)
        if need and getattr(row, need) is None:
            told = f"is missing, and the status is {self.given['step']!r:.20}; {DATE_REMEDY}"
            self.problems.append((need, told))
        if row.step in _ORDER:
            for key in _ORDER[_ORDER.index(row.step) + 1 :]:
                if getattr(row, key) is not None:
                    word = " / ".join(STEPS[key].of(it) for it in ("zh", "en"))
                    told = (
                        f"has a day, and the status is {self.given['step']!r:.20}; "
                        f"set the status to {word}, or take the day out"
                    )
                    self.problems.append((key, told))
        if row.carried_out and row.reviewed and row.reviewed < row.carried_out:
            told = f"{row.reviewed} is before it was carried out, {row.carried_out}; correct one"
            self.problems.append(("reviewed", told))

    def _advice(self) -> Told:
        text = self.given.get("advice", "")
        for one in TOLD:
            if text.lower() in (one, ADVICE[one].zh, ADVICE[one].en):
                return one
        self._choice("advice", text, [ADVICE[one] for one in TOLD])
        return "grow"

    def _step(self) -> Step:
        text = self.given.get("step", "").lower()
        for step, words in STEPS.items():
            if text in (words.zh, words.en):
                return step
        if text not in _MORE:
            self._choice("step", text, list(STEPS.values()))
        return _MORE.get(text, "notified")

    def _choice(self, key: str, text: str, choices: list[Text]) -> None:
        if text:
            words = ", ".join(word for one in choices for word in (one.zh, one.en))
            self.problems.append((key, f"{text!r:.60} is not one of: {words}"))

    def _day(self, key: str, today: date | None) -> date | None:
        if not (text := self.given.get(key, "")):
            return None
        try:
            day = date.fromisoformat(dated(text))
        except ValueError:
            self.problems.append((key, f"{text!r:.60} is no date; {DATE_REMEDY}"))
            return None
        if today and day > today:
            self.problems.append((key, f"{day} is yet to come; write the day on which it was"))
        return day

    def _month(self, key: str) -> str:
        text = self.given.get(key, "")
        if text and not (month := month_of(text)):
            self.problems.append((key, f"{text!r:.60} is no month; write for example 2026-10"))
            return month
        return month_of(text)

    def _months(self) -> int:
        text = self.given.get("months", "")
        if re.fullmatch(r"\d{1,4}", text, re.ASCII):
            return int(text)
        if text:
            self.problems.append(("months", f"{text!r:.60} is no number; write for example 2"))
        return 0

    def _amount(self, key: str) -> Amount:
        vcpus, memory, disk = (
            self._number(f"{key}_{part}") for part in ("vcpus", "memory", "disk")
        )
        return Amount(
            None if vcpus is None else float(vcpus),
            None if memory is None else round(memory * _GIB),
            None if disk is None else round(disk * _GIB),
        )

    def _number(self, key: str) -> Decimal | None:
        if not (text := self.given.get(key, "")):
            return None
        try:
            number = Decimal(text.replace(",", "")) if _NUMBER.fullmatch(text) else None
        except InvalidOperation:
            number = None
        if number is None or number > _LARGEST:
            problem = f"{text!r:.60} is no size; write for example 8, or nothing if it is not known"
            self.problems.append((key, problem))
            return None
        return number


def _vcpus(number: float) -> str:
    return _shown(round(Decimal(repr(number)), _DECIMALS))


def _shown(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"
