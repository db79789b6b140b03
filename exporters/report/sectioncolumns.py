"""Columns of the tables of the other parts: trend, days, lines, IPv6, security baseline, quality of data."""

from __future__ import annotations

from typing import Final

from exporters.report.columns import Column, Table, gib, local
from exporters.report.document import (
    BaselineDepartment,
    DayPoint,
    Gap,
    Ipv6Department,
    Ipv6Subject,
    Line,
    LineLevel,
    Maintenance,
    MonthPoint,
    OldHit,
    Waiver,
)
from exporters.report.tablewords import LEVEL, SEVERITY, WORKFLOW
from exporters.usage.amounts import department
from exporters.usage.holdingwords import of
from rules.model import Text

TREND: Final[Table[MonthPoint]] = Table(
    "trend",
    Text("月度趋势", "Trend"),
    "a month, the oldest first; empty where nothing is known of it",
    (
        Column("month", "text", lambda it, _: it.month, width=10),
        Column("resources", "count", lambda it, _: it.resources),
        Column("granted_vcpus_average", "amount", lambda it, _: it.granted_vcpus),
        Column("granted_memory_average", "amount", lambda it, _: gib(it.granted_memory)),
        Column("granted_disk_average", "amount", lambda it, _: gib(it.granted_disk)),
        Column("cpu_average", "percent", lambda it, _: it.cpu),
        Column("memory_used", "percent", lambda it, _: it.memory),
        Column("coverage", "percent", lambda it, _: it.coverage),
    ),
    lambda document: document.estate.trend or None,
)
DAYS: Final[Table[DayPoint]] = Table(
    "days",
    Text("每日使用", "Days"),
    "a day of the month; empty where nothing is known of it",
    (
        Column("day", "date", lambda it, _: it.day),
        Column("workday", "text", lambda it, _: it.workday, width=9),
        Column("cpu_average", "percent", lambda it, _: it.average),
        Column("cpu_peak", "percent", lambda it, _: it.peak),
    ),
    lambda document: document.estate.days or None,
)
LEVELS: Final[Table[LineLevel]] = Table(
    "levels",
    Text("线路分级可用率", "Lines by level"),
    "a level of lines; availability is of the known time of all of them together, outside maintenance",
    (
        Column("level", "text", lambda it, language: of(LEVEL, it.level, language), width=14),
        Column("lines", "count", lambda it, _: it.lines, True),
        Column("measured_lines", "count", lambda it, _: it.measured, True),
        Column("availability", "precise", lambda it, _: it.availability),
        Column("target_availability", "precise", lambda it, _: it.target),
        Column("lines_met", "count", lambda it, _: it.met, True),
        Column("lines_missed", "count", lambda it, _: it.missed, True),
        Column("down", "hours", lambda it, _: it.down, True),
        Column("unknown_hours", "hours", lambda it, _: it.unknown, True),
        Column("maintenance_hours", "hours", lambda it, _: it.maintenance, True),
    ),
    lambda document: None if document.lines is None else document.lines.levels,
)
LINES: Final[Table[Line]] = Table(
    "lines",
    Text("线路可用率", "Lines"),
    "a line; availability is of known time outside maintenance",
    (
        Column("line", "text", lambda it, _: it.name, width=30),
        Column("site", "text", lambda it, _: it.site),
        Column("level", "text", lambda it, language: of(LEVEL, it.level, language), width=10),
        Column("carrier", "text", lambda it, _: it.carrier, width=10),
        Column("availability", "precise", lambda it, _: it.availability),
        Column("target_availability", "precise", lambda it, _: it.target),
        Column("met", "text", lambda it, _: it.met, width=8),
        Column("whole", "text", lambda it, _: it.whole, width=10),
        Column("down", "hours", lambda it, _: it.down, True),
        Column("unknown_hours", "hours", lambda it, _: it.unknown, True),
        Column("maintenance_hours", "hours", lambda it, _: it.maintenance, True),
        Column("outages", "count", lambda it, _: it.outages, True),
        Column("longest", "hours", lambda it, _: it.longest),
    ),
    lambda document: None if document.lines is None else document.lines.lines,
)
MAINTENANCE: Final[Table[Maintenance]] = Table(
    "maintenance",
    Text("维护窗口", "Maintenance windows"),
    "a window that was left out of availability; for all lines where neither lines nor levels are named",
    (
        Column("since", "moment", lambda it, _: local(it.since)),
        Column("until", "moment", lambda it, _: local(it.until)),
        Column("for_lines", "text", lambda it, _: ", ".join(it.lines), width=30),
        Column("for_levels", "text",
               lambda it, lang: ", ".join(of(LEVEL, one, lang) for one in it.levels)),
        Column("maintenance_reason", "text", lambda it, _: it.reason, width=30),
        Column("approver", "text", lambda it, _: it.approver, width=12),
        Column("matched", "count", lambda it, _: it.matched),
        Column("window_hours", "hours", lambda it, _: it.hours),
    ),
    lambda document: None if document.lines is None else document.lines.maintenance,
)  # fmt: skip
IPV6_DEPARTMENTS: Final[Table[Ipv6Department]] = Table(
    "ipv6departments",
    Text("IPv6 部门得分", "IPv6 by department"),
    "a department; a subject that was not tested counts as 0 in its mean",
    (
        Column("department", "text", lambda it, lang: department(it.name, lang), width=30),
        Column("subjects", "count", lambda it, _: it.subjects, True),
        Column("tested", "count", lambda it, _: it.tested, True),
        Column("score", "points", lambda it, _: it.score),
        Column("score_before", "points", lambda it, _: it.before),
        Column("score_change", "points", lambda it, _: _change(it.score, it.before)),
    ),
    lambda document: None if document.ipv6 is None else document.ipv6.departments,
)
IPV6: Final[Table[Ipv6Subject]] = Table(
    "ipv6",
    Text("IPv6 评测对象", "IPv6"),
    "what was tested for IPv6, or was to be; no score: not tested",
    (
        Column("subject", "text", lambda it, _: it.name, width=36),
        Column("subject_kind", "text", lambda it, _: it.kind, width=12),
        Column("department", "text", lambda it, lang: department(it.department, lang), width=30),
        Column("score", "points", lambda it, _: it.score),
        Column("score_before", "points", lambda it, _: it.before),
        Column("score_change", "points", lambda it, _: _change(it.score, it.before)),
        Column("tested_at", "moment", lambda it, _: local(it.time)),
    ),
    lambda document: None if document.ipv6 is None else document.ipv6.subjects,
)
BASELINE: Final[Table[BaselineDepartment]] = Table(
    "baseline",
    Text("安全基线得分", "Security baseline"),
    "a department; its score is the mean of hosts that were audited",
    (
        Column("department", "text", lambda it, lang: department(it.name, lang), width=30),
        Column("hosts", "count", lambda it, _: it.hosts, True),
        Column("audited", "count", lambda it, _: it.audited, True),
        Column("score", "points", lambda it, _: it.score),
        Column("score_before", "points", lambda it, _: it.before),
        Column("score_change", "points", lambda it, _: _change(it.score, it.before)),
        Column("failed", "count", lambda it, _: it.failed if it.audited else None, True),
        Column("unknown_verdicts", "count", lambda it, _: it.unknown if it.audited else None, True),
        Column("manual", "count", lambda it, _: it.manual if it.audited else None, True),
        Column("open_hits", "count", lambda it, _: it.open_hits, True),
        Column("first_audit", "moment", lambda it, _: local(it.since)),
        Column("last_audit", "moment", lambda it, _: local(it.until)),
    ),
    lambda document: None if document.baseline is None else document.baseline.departments,
)
HITS: Final[Table[OldHit]] = Table(
    "hits",
    Text("最久未整改的命中", "Oldest hits"),
    "a hit of the baseline that has been open for long",
    (
        Column("host", "text", lambda it, _: it.host, width=24),
        Column("department", "text", lambda it, lang: department(it.department, lang), width=30),
        Column("rule", "text", lambda it, _: it.rule, width=36),
        Column("title", "long", lambda it, _: it.title),
        Column("severity", "text", lambda it, lang: of(SEVERITY, it.severity, lang), width=8),
        Column("instance", "text", lambda it, _: it.instance),
        Column("since", "moment", lambda it, _: local(it.since)),
        Column("days", "amount", lambda it, _: it.days),
        Column("workflow", "text", lambda it, lang: of(WORKFLOW, it.state, lang), width=10),
    ),
    lambda document: None if document.baseline is None else document.baseline.oldest,
)
WAIVERS: Final[Table[Waiver]] = Table(
    "waivers",
    Text("基线豁免", "Waivers"),
    "a waiver of the baseline; days left are below 0 where it has expired",
    (
        Column("waiver", "text", lambda it, _: it.id, width=12),
        Column("department", "text", lambda it, lang: department(it.department, lang), width=30),
        Column("waiver_reason", "long", lambda it, _: it.reason),
        Column("owner", "text", lambda it, _: it.owner, width=12),
        Column("expires", "date", lambda it, _: it.expires),
        Column("days_left", "count", lambda it, _: it.days_left),
        Column("hits", "count", lambda it, _: it.hits),
    ),
    lambda document: None if document.baseline is None else document.baseline.waivers,
)
GAPS: Final[Table[Gap]] = Table(
    "gaps",
    Text("数据质量", "Data quality"),
    "something that could not be measured, or not well enough",
    (
        Column("code", "text", lambda it, _: it.code),
        Column("what", "text", lambda it, _: it.what, width=34),
        Column("why", "long", lambda it, _: it.why),
        Column("count", "count", lambda it, _: it.count),
        Column("share", "percent", lambda it, _: it.share),
        Column("examples", "long", lambda it, _: "; ".join(it.examples)),
        Column("remedy", "long", lambda it, _: it.remedy),
    ),
    lambda document: document.gaps,
)


def _change(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
