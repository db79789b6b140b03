"""Words of the first page and the sheet of clauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "verdict.no_result": Text("尚无结果", "no result yet"),
    "verdict.not_covered": Text("未覆盖", "not covered"),
    "overview.no_hosts": Text("还没有任何主机。", "There are no hosts yet."),
    "overview.enrol": Text("如何接入主机", "How to add one"),
    "overview.no_audit": Text("还没有任何核查结果。", "No audit has arrived yet."),
    "overview.no_audit_hosts": Text(
        "{count} 台主机尚无核查结果，不在得分内。",
        "{count} hosts have no audit yet and are in no score.",
    ),
    "overview.open": Text("未关闭问题", "Open hits"),
    "overview.open_of": Text("{severity}级问题", "{severity} hits"),
    "overview.of_them": Text(
        "新发现 {new} · 复发 {regressed}", "new {new} · regressed {regressed}"
    ),
    "overview.hosts": Text("主机", "Hosts"),
    "overview.quiet_count": Text(
        "失联 {silent} · 核查过期 {stale}", "silent {silent} · stale {stale}"
    ),
    "overview.scores": Text("合规得分", "Scores"),
    "overview.scores_hint": Text(
        "各主机得分的平均值，满分 100；未知与人工核查不计为通过。",
        "The mean over hosts, of 100; unknown and manual never count as passed.",
    ),
    "overview.pack": Text("规则包", "Pack"),
    "overview.score": Text("得分", "Score"),
    "overview.spread": Text("主机分布", "Spread of hosts"),
    "overview.below": Text("{edge} 分以下", "below {edge}"),
    "overview.from": Text("{edge} 分起", "from {edge}"),
    "overview.unscored": Text("无得分 {count} 台", "{count} without a score"),
    "overview.scored": Text("计分主机", "Hosts scored"),
    "overview.unseen": Text("未知与人工", "Unknown and manual"),
    "overview.trend": Text("近 30 天未关闭问题", "Open hits in the last 30 days"),
    "overview.trend_hint": Text(
        "每天结束时的数量；无数据的日期留空，不计为 0。",
        "At the end of each day; days without data are gaps, not zeros.",
    ),
    "overview.trend_alt": Text(
        "柱状图：近 30 天每天未关闭问题数，按严重程度堆叠；数值见下表。",
        "Bars: open hits of each of the last 30 days, stacked by severity; the table below has the figures.",
    ),
    "overview.trend_table": Text("数据表", "The figures"),
    "overview.day": Text("日期", "Day"),
    "overview.sum": Text("合计", "all"),
    "overview.no_data": Text("无数据", "no data"),
    "overview.clauses": Text("GB/T 22239-2019 条款", "Clauses of GB/T 22239-2019"),
    "overview.level_2": Text("第二级", "Level 2"),
    "overview.level_3": Text("第三级", "Level 3"),
    "overview.clauses_hint": Text(
        "每个条款按最差的结果显示：不通过、未知、待人工核查、通过、不适用。数量是“规则×主机”的结果数。",
        "Each clause shows its worst result: failed, unknown, manual, passed, not applicable. Counts are results: "
        "a rule on a host.",
    ),
    "overview.clause_list": Text("逐条列表", "One by one"),
    "overview.sheet": Text("等保自查表", "Self-assessment sheet"),
    "overview.oldest": Text("最早未关闭的问题", "Oldest open hits"),
    "overview.no_open": Text("没有未关闭的问题。", "There are no open hits."),
    "overview.since": Text("首次发现", "First seen"),
    "overview.rule": Text("规则", "Rule"),
    "overview.host": Text("主机", "Host"),
    "overview.severity": Text("严重程度", "Severity"),
    "overview.waivers": Text(
        "30 天内到期的豁免（{count}）", "Waivers that end within 30 days ({count})"
    ),
    "overview.no_waivers": Text("30 天内没有豁免到期。", "No waiver ends within 30 days."),
    "overview.waiver": Text("豁免", "Waiver"),
    "overview.owner": Text("责任人", "Owner"),
    "overview.expires": Text("到期", "Expires"),
    "overview.days_left": Text("剩 {days} 天", "{days} days left"),
    "overview.quiet": Text("失联或核查过期的代理", "Silent and stale agents"),
    "overview.no_quiet": Text("所有代理均正常上报。", "Every agent reports."),
    "overview.quiet_hint": Text(
        "失联主机的问题保持未关闭，不视为已整改。",
        "Hits of a silent host stay open; they are not taken for fixed.",
    ),
    "overview.silent_since": Text("失联自 {time}", "silent since {time}"),
    "overview.last_audit": Text("最近核查", "Last audit"),
    "overview.never": Text("从未", "never"),
    "overview.stale": Text("核查过期", "stale"),
    "overview.departments": Text("部门排名", "Departments"),
    "overview.departments_hint": Text(
        "依次按严重、高和全部未关闭问题数排列；得分为各主机各规则包的平均值。",
        "Most critical, then high, then all open hits first; the score is the mean of all packs of all hosts.",
    ),
    "overview.department": Text("部门", "Department"),
    "overview.report": Text("月报", "Monthly reports"),
    "overview.clause": Text("条款", "Clause"),
    "overview.unit": Text("测评单元", "Unit"),
    "overview.summary": Text("要求（概述）", "What it asks for (summary)"),
    "overview.verdict": Text("结论", "Verdict"),
    "overview.results": Text("结果数（规则×主机）", "Results (rules on hosts)"),
    "overview.answered": Text(
        "已答：符合 {passed}、不符合 {failed}、不适用 {not_applicable}；已过期 {expired}；待答 {open}",
        "answered: met {passed}, not met {failed}, not applicable {not_applicable}; expired {expired}; open {open}",
    ),
    "overview.attested_open": Text("人工·待答", "manual, open"),
    "overview.attested_expired": Text("人工·已过期", "manual, expired"),
    "overview.attested_answered": Text("人工·已答", "manual, answered"),
    "overview.rules": Text("规则", "Rules"),
    "overview.sheet_hint": Text(
        "条款概述为本产品所写，不是标准原文；按 GB/T 28448-2019 的测评单元排列。截至 {time}。",
        "Summaries are ours, not the standard's words; in the order of the units of GB/T 28448-2019. As of {time}.",
    ),
}
