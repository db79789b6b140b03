"""What becomes of advice, 通报 → 确认 → 执行 → 复核, from month to month. Pure; followupfile.py has the file.

What people write stands: that it was confirmed, carried out, or is declined. By itself a row moves on by what the data
show alone. That a resource is smaller or released is *seen*, and reviewed a month later; of what is not seen at all,
nothing is claimed. An exemption is what a department asked for in place of the advice: the row is declined by it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from collectors.csvtable import BLANK
from exporters.findings.text import cut, neutral
from exporters.report.content.followupnow import Now, acted, less, realised, sized
from exporters.report.content.followuprow import TOLD, Row
from exporters.report.content.followuptold import Saved, told
from exporters.report.content.followupwords import SAID
from exporters.report.document import FollowUps
from exporters.usage.words import ADVICE, STATE
from rules.model import Text
from rules.usagejudgement import NOTHING, Amount, Judgement
from rules.usagereasons import words

MAX_CELL: Final = 400  # columns of a name
MAX_REMARK: Final = 1000
_ID: Final = "TB-{month}-{number:04}"  # a bare 2026-10-0001 some spreadsheet takes for a day


class Facts(NamedTuple):
    """`now` is by resource, of those alone that were seen; `saved` what an amount costs a month, by department."""

    month: str
    today: date
    judgements: Sequence[Judgement]
    now: Mapping[str, Now]
    saved: Saved | None = None


def carry(rows: Sequence[Row], facts: Facts, language: str) -> tuple[list[Row], FollowUps]:
    """The rows after a month, and the part of its report. The same month again changes nothing. A month that is not
    over, or before one that was carried already, changes no row at all: the rows are shown as they stand."""
    newest = max((row.carried for row in rows), default="")
    if facts.month >= facts.today.isoformat()[:7]:
        made, said = list(rows), SAID["under_way"]
    elif newest > facts.month:
        made, said = list(rows), _filled(SAID["older"], newest)
    else:
        made, said = _Month(facts, language).carried(rows), Text("", "")
    return made, told(made, facts.month, facts.saved, said)


class _Month:
    """One month of all rows."""

    def __init__(self, facts: Facts, language: str) -> None:
        self.month, self.language = facts.month, language
        self.last_day = last_day(facts.month)
        self.judgements = {cleaned(one.resource): one for one in facts.judgements}
        self.now = {cleaned(id): one for id, one in facts.now.items()}

    def carried(self, rows: Sequence[Row]) -> list[Row]:
        made = [self._row(row) for row in rows]
        of: defaultdict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(made):
            of[row.resource].append(number)
        number = max((_number(row.id, self.month) for row in rows), default=0)
        for one in sorted(self.judgements.values(), key=_order):
            if one.advice not in TOLD or not cleaned(one.resource):
                continue
            known = [made[at] for at in of[cleaned(one.resource)]]
            if not self._tells(one, known):
                continue
            number += 1
            made.append(self._new(one, number))
        return made

    def _tells(self, one: Judgement, known: Sequence[Row]) -> bool:
        """Whether the advice needs a row of its own."""
        if any(row.open for row in known):
            return False
        same = [row for row in known if (row.advice == "grow") == (one.advice == "grow")]
        if any(row.notified == self.month for row in same):
            return False  # it had one, and somebody closed it
        last = max(known, key=lambda row: (row.notified, row.id), default=None)
        declined = last is not None and last in same and last.step == "declined"
        # what people declined stays so; by an exemption, as long as that is in force
        return not declined or (last is not None and _says(last, "exempt"))

    def _new(self, one: Judgement, number: int) -> Row:
        return Row(
            id=_ID.format(month=self.month, number=number),
            resource=cleaned(one.resource),
            name=cleaned(one.name),
            department=cleaned(one.department),
            system=cleaned(one.system),
            advice=next(it for it in TOLD if it == one.advice),
            step="notified",
            notified=self.month,
            months=1,
            carried=self.month,
            granted=one.granted,
            target=Amount(one.target.vcpus, one.target.memory),
            planned=one.free,
        )

    def _row(self, row: Row) -> Row:
        if row.notified > self.month:
            return row
        one, now = self.judgements.get(row.resource), self.now.get(row.resource)
        if row.open:
            made = self._open(row, one, now)
        elif row.step == "declined" and one and one.exemption and one.state == "exempt":
            made = self._remark(row, "exempt", cleaned(one.exemption.id))
        elif row.step == "declined" and one and one.advice == row.advice:
            made = row if _says(row, "exempt") else self._again(row)
        elif row.step == "reviewed" and row.realised is None and now:
            made = _with(row, realised=realised(row, now))
        else:
            made = row
        return made if made == row else _with(made, carried=self.month)

    def _open(self, row: Row, one: Judgement | None, now: Now | None) -> Row:
        if one and one.seen and cleaned(one.department) != row.department:
            department = cleaned(one.department) or SAID["nobody"].of(self.language)
            row = self._remark(row, "moved", department)
        if now is None:
            return self._reviewed(row) if _gone(row) else row
        if now.released and row.advice == "grow":
            return _with(self._remark(row, "released"), step="lapsed")
        if now.released or acted(row, now):
            return self._acted(row, one, now)
        if row.step == "carried_out" and not sized(row, now):
            return row
        if row.step == "carried_out" and row.by in (SAID["seen"].zh, SAID["seen"].en):
            # it came back, or was made larger again
            back = "confirmed" if row.confirmed else "notified"
            row = _with(row, step=back, carried_out=None, by="", realised=None)
            row = self._remark(row, "back", self.month)
        elif (
            row.step == "carried_out" and row.carried_out and _month(row.carried_out) <= self.month
        ):
            row = _with(self._remark(row, "not_seen"), realised=realised(row, now))
        return self._not_acted(row, one) if one and one.seen else row

    def _acted(self, row: Row, one: Judgement | None, now: Now) -> Row:
        if row.step != "carried_out":
            by, day = SAID["seen"].of(self.language), now.changed or self.last_day
            row = _with(row, step="carried_out", carried_out=min(day, self.last_day), by=by)
        unsaid = row.remark.replace(SAID["not_seen"].of(self.language), "").strip(f"; {BLANK}")
        row = _with(row, realised=realised(row, now), remark=unsaid)
        if now.released:
            row = self._remark(row, "released")
        judged = now.released or (one is not None and one.seen and one.state != "insufficient")
        return self._reviewed(row) if judged else row

    def _reviewed(self, row: Row) -> Row:
        if not row.carried_out or _month(row.carried_out) >= self.month:
            return row
        return _with(row, step="reviewed", reviewed=self.last_day)

    def _not_acted(self, row: Row, one: Judgement) -> Row:
        if one.advice == row.advice:
            return self._again(row)
        if one.advice in TOLD and "grow" not in (one.advice, row.advice):
            words = [ADVICE[it].of(self.language) for it in (row.advice, one.advice)]
            row = self._again(self._remark(row, "changed", self.month, *words))
            if row.step == "notified":
                told = next(it for it in TOLD if it == one.advice)
                target = Amount(one.target.vcpus, one.target.memory)
                row = _with(row, advice=told, target=target, planned=one.free)
            return row
        if one.advice in TOLD:
            return _with(self._remark(row, "opposite", self._why(one)), step="lapsed")
        if one.state == "exempt" and one.exemption and row.step != "carried_out":
            row = self._remark(row, "exempt", cleaned(one.exemption.id))
            return _with(row, step="declined", confirmed=row.confirmed or self.last_day)
        if one.advice == "watch" or one.state in ("insufficient", "exempt") or not row.months:
            return row  # not long enough in a row, or nobody knows; or a row of somebody's own
        if row.step == "notified":
            return _with(self._remark(row, "no_more", self._why(one)), step="lapsed")
        return self._remark(row, "no_more", STATE[one.state].of(self.language))

    def _again(self, row: Row) -> Row:
        """It was told of again."""
        if row.carried >= self.month and row.months:
            return row
        return _with(row, months=row.months + 1, carried=self.month)

    def _why(self, one: Judgement) -> str:
        why = words(one.reasons, self.language)
        return cleaned(f"{STATE[one.found].of(self.language)} ({why})", 200)

    def _remark(self, row: Row, key: str, *parts: str) -> Row:
        """With something said, unless it says so already; of very much the last."""
        said = SAID[key].of(self.language).format(*parts)
        if said in row.remark:
            return row
        text = f"{row.remark}; {said}" if row.remark else said
        return _with(row, remark=text[-MAX_REMARK:].strip(BLANK))


def last_day(month: str) -> date:
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def cleaned(text: str, columns: int = MAX_CELL) -> str:
    """As it stands in a cell: one line, harmless, and not without end."""
    return cut(neutral(text[: 2 * columns]), columns).strip(BLANK)


def _with(row: Row, **changes: Any) -> Row:
    return msgspec.structs.replace(row, **changes)


def _month(day: date) -> str:
    return day.isoformat()[:7]


def _order(one: Judgement) -> tuple[bool, str, str, str]:
    return not one.department, one.department, one.name, one.resource


def _number(id: str, month: str) -> int:
    match = re.fullmatch(rf"TB-{re.escape(month)}-(\d{{1,9}})", id, re.ASCII)
    return int(match[1]) if match else 0


def _says(row: Row, key: str) -> bool:
    """Whether its remark does, in either language."""
    text = SAID[key]
    return any(it.partition("{")[0] in row.remark for it in (text.zh, text.en))


def _gone(row: Row) -> bool:
    """Whether it was released in a month before: since then it is not there to be seen."""
    all_of_it = row.realised == less(row.granted, NOTHING)
    return row.step == "carried_out" and all_of_it and _says(row, "released")


def _filled(text: Text, *parts: str) -> Text:
    return Text(text.zh.format(*parts), text.en.format(*parts))
