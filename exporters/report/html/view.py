"""What the templates of the report ask for, in one language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from exporters.findings.table import SEVERITY
from exporters.findings.text import cut
from exporters.report import plain
from exporters.report.document import (
    Department,
    Document,
    Figure,
    Total,
)
from exporters.report.excerptwords import LEFT_OUT
from exporters.report.html import chartsbars, drawings, figures, money, picked, rows
from exporters.report.html.figures import NONE, number, percent, short, size
from exporters.report.html.words import WORDS, say
from exporters.usage import holdingwords
from exporters.usage.words import ADVICE, STATE
from rules.model import Text

MAX_ROWS: Final = 300  # of a table that is not of one department
PAPER_TABLE: Final = 80  # rows of it that are printed
MAX_WORST: Final = 20
BRIEF: Final = 40  # columns, in the head of a printed page
TOP: Final = 5
DIGITS: Final = 12  # of a hash, on the cover
CHAPTERS: Final = (
    *("summary", "estate", "ranking", "departments", "showback", "held", "lines", "ipv6"),
    *("baseline", "follow_ups", "gaps", "method"),
)
_ORDINALS: Final = ("", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
_ALONE: Final = {
    "estate": "estate_department",
    "departments": "departments_department",
    "load_caption": "load_caption_department",
}
_STEPS: Final = ("notified", "confirmed", "carried_out", "reviewed")


class Change(NamedTuple):
    """`sign` is of the direction, never the colour alone; `told` is it in words."""

    sign: str
    told: str


class View:
    def __init__(self, document: Document, language: str) -> None:
        self._document = document
        self._language = language
        self._scope = document.scope
        shown = [c for c in CHAPTERS if c != "ranking" or self._scope.department is None]
        self._shared = rows.shared(it for one in document.departments for it in one.resources)
        self._chapters = {key: i for i, key in enumerate(shown, 1)}

    def names(self) -> dict[str, Any]:
        """Everything by the name that templates have for it."""
        from markupsafe import Markup

        document, language = self._document, self._language
        scope, gaps = self._scope, {it.code: it for it in document.gaps}

        def svg(text: str) -> Markup:
            return Markup(text)  # noqa: S704 - our own, escaped

        return {
            "d": document,
            "scope": scope,
            "language": language,
            "excerpt": scope.department is not None,
            "chapters": self._chapters,
            "elsewhere": lambda key: gaps.get(LEFT_OUT + key),
            "ordinal": self.ordinal,
            "heading": self.heading,
            "say": self.say,
            "t": self.text,
            "name": plain.name,
            "brief": lambda text: cut(plain.name(text), BRIEF),
            "prose": plain.prose,
            "department": self.department,
            "num": number,
            "short": short,
            "pct": percent,
            "gib": figures.gib,
            "tib": figures.tib,
            "size": size,
            "month": self.month,
            "moment": self.moment,
            "clock": self.clock,
            "slot": figures.slot,
            "day": plain_day,
            "day_of": lambda at: self.moment(at)[:10],
            "unknown": self.unknown,
            "figure": self.figure,
            **money.names(self.say("unpriced")),
            "currency": self.currency,
            "change": self.change,
            "moved": self.moved,
            "points": self.points,
            "difference": difference,
            "signed": drawings.signed,
            "share": share,
            "ratio": lambda part, whole: number(share(part, whole), 1),
            "score_change": self.score_change,
            "worst_subjects": picked.worst_subjects(document),
            "left": self.left,
            "state": lambda key: self.of(STATE, key),
            "advice": lambda key: self.of(ADVICE, key),
            "severity": lambda key: self.of(SEVERITY, key),
            "kind": lambda key: plain.name(holdingwords.of(holdingwords.KIND, key, language)),
            "word": self.word,
            "amount": lambda it: rows.amount(it, language),
            "columns": rows.columns,
            "lists": lambda it: rows.lists(it.resources, self._shared, language),
            "cut": lambda those: rows.cut(those, self._shared, language),
            "shared": self._shared,
            "counted": self.counted,
            "attention": picked.attention(document),
            "top": [it for it in document.departments if it.rank is not None][:TOP],
            "four": rows.four,
            "max_rows": MAX_ROWS,
            "paper_list": rows.on_paper(document.departments),
            "paper_table": MAX_ROWS if scope.department is not None else PAPER_TABLE,
            "max_worst": MAX_WORST,
            "max_bars": chartsbars.MAX_BARS,
            "svg": svg,
            "trend_chart": lambda: svg(drawings.trend(document, language)),
            "days_chart": lambda: svg(drawings.days(document, language)),
            "capacity_chart": lambda: svg(drawings.capacity(document, language)),
            "departments_chart": lambda: svg(drawings.departments(document, language)),
            "states_chart": lambda states: svg(
                chartsbars.states(drawings.shares(states, language), language)
            ),
            "shares": lambda states: drawings.shares(states, language),
            "sized": drawings.sized,
            "granted_size": drawings.granted,
            "swatch": lambda key: svg(chartsbars.swatch(key)),
            "gauge": lambda value, before=None: svg(chartsbars.gauge(value, before)),
            "strip": lambda load: svg(chartsbars.strip(load.p50, load.p95, load.peak)),
            "spark": lambda it: svg(drawings.spark(document, it, language)),
            "windows": picked.windows(document),
            "ranked": [it for it in document.departments if it.rank is not None],
            "unassigned": [it for it in document.departments if not it.name],
            "steps": _STEPS,
            "parameter": self.parameter,
            "parameter_value": parameter_value,
            "dash": NONE,
            "nil": None,
            "digits": DIGITS,
            "anchors": {id(it): f"d{i}" for i, it in enumerate(document.departments, 1)},
            "id": id,
        }

    # --- words --------------------------------------------------------------------------------

    def say(self, key: str, *values: object) -> str:
        return say(key, self._language).format(*values) if values else say(key, self._language)

    def text(self, text: Text) -> str:
        return plain.prose(text.of(self._language))

    def of(self, words: Mapping[Any, Text], key: str) -> str:
        return words[key].of(self._language) if key in words else plain.name(key)

    def word(self, group: str, key: str) -> str:
        """The word of a level, a kind, a step; or what it is called where it is somebody's own."""
        full = f"{group}_{key}" if key else f"{group}_none"
        return self.say(full) if full in WORDS else plain.name(key)

    def department(self, name: str) -> str:
        return plain.name(name) if name else self.say("unassigned")

    def ordinal(self, key: str) -> str:
        at = self._chapters[key]
        return f"{_ORDINALS[at]}、" if self._language == "zh" else f"{at}. "

    def heading(self, key: str) -> str:
        alone = self._scope.department is not None
        return self.say(_ALONE.get(key, key) if alone else key)

    def moment(self, at: datetime) -> str:
        return figures.moment(at, self._scope.zone)

    def month(self, label: str) -> str:
        """`2026年10月` of `2026-10`."""
        try:
            first = datetime.strptime(label, "%Y-%m")
        except ValueError:
            return plain.name(label)
        if self._language == "en":
            return f"{first:%B %Y}"
        return f"{first.year}年{first.month}月"

    def clock(self, at: datetime | None) -> str:
        return NONE if at is None else figures.clock(at, self._scope.zone)

    def unknown(self, total: Total) -> str:
        return self.say("unknown_parts", number(total.unknown)) if total.unknown else ""

    def counted(self, caption: str, count: int) -> str:
        brackets = "（{}）" if self._language == "zh" else " ({})"
        return caption + brackets.format(number(count))

    def left(self, days: int) -> str:
        return self.say("days_left", days) if days >= 0 else self.say("expired", -days)

    # --- figures ------------------------------------------------------------------------------

    def figure(self, it: Figure) -> tuple[str, str]:
        """Value and unit."""
        if it.value is None:
            return NONE, ""
        if it.unit == "percent":
            return number(it.value, 1), "%"
        if it.unit == "bytes":
            value, _, unit = size(it.value).partition(figures.SPACE)
            return value, unit
        if it.unit == "money":
            return number(it.value), self.currency()
        return short(it.value), "vCPU" if it.unit == "vcpus" else self.say("unit_count")

    def change(self, it: Figure) -> Change:
        if it.before is None and self._scope.department is not None:
            return Change("", "")  # the whole report may have it
        if it.value is None or it.before is None:
            return Change("", self.say("before_unknown"))
        if it.unit == "percent":
            return self.points(it.value - it.before)
        difference = it.value - it.before
        if it.unit == "bytes":
            shown = size(abs(difference))
        else:
            shown = number(abs(difference)) if abs(difference) >= 100 else short(abs(difference))
        if not difference:
            return Change("＝", self.say("same"))
        share = f"（{percent(100 * abs(difference) / it.before)}）" if it.before > 0 else ""
        if self._language == "en":
            share = share.replace("（", " (").replace("）", ")")
        up = difference > 0
        return Change("▲" if up else "▼", self.say("up" if up else "down", shown) + share)

    def points(self, difference: float | None) -> Change:
        """Percentage points."""
        if difference is None:
            return Change("", NONE)
        shown = number(abs(difference), 1)
        if abs(difference) < 0.05:
            return Change("＝", self.say("same"))
        up = difference > 0
        return Change("▲" if up else "▼", self.say("points_up" if up else "points_down", shown))

    def moved(self, it: Department) -> Change:
        """From one rank to another; 1 is the worst."""
        if it.rank is None:
            return Change("", NONE)
        if it.rank_before is None:
            return Change("", self.say("rank_new"))
        by = it.rank_before - it.rank
        if not by:
            return Change("＝", self.say("rank_same"))
        return Change(
            "▲" if by > 0 else "▼", self.say("rank_up" if by > 0 else "rank_down", abs(by))
        )

    def currency(self) -> str:
        shown = self._document.showback or next(
            (it.showback for it in self._document.departments if it.showback), None
        )
        return plain.name(shown.currency) if shown else self.say("currency_none")

    def score_change(self, score: float | None, before: float | None) -> Change:
        if score is None or before is None:
            return Change("", NONE)
        shown = number(abs(score - before), 1)
        if abs(score - before) < 0.05:
            return Change("＝", self.say("same"))
        up = score > before
        return Change("▲" if up else "▼", self.say("score_up" if up else "score_down", shown))

    def parameter(self, key: str) -> str:
        return self.say(f"p_{key}") if f"p_{key}" in WORDS else plain.name(key)


def difference(before: float | None, now: float | None) -> str:
    """`▲ 2.1`."""
    return NONE if before is None or now is None else drawings.signed(now - before)


def share(part: float | None, whole: float | None) -> float | None:
    """Percent; None where there is none."""
    return None if part is None or not whole else 100 * part / whole


def plain_day(at: Any) -> str:
    """Of a date."""
    return NONE if at is None else f"{at:%Y-%m-%d}"


def parameter_value(key: str, value: float | int | Sequence[float]) -> str:
    if isinstance(value, (list, tuple)):
        divided = [v / 2**30 if key == "memory_steps" else v for v in value]
        return ", ".join(f"{v:g}" for v in divided)
    return f"{value:,.10g}"
