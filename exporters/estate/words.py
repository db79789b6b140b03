"""Every word of the readiness report, Chinese and English."""

from __future__ import annotations

from typing import Final

from exporters.findings.table import OUTCOME
from rules.model import Outcome, Text

LANGUAGES: Final = ("zh", "en")

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("IPv6 就绪度报告", "IPv6 readiness of the estate"),
    "product": ("见微", "Jianwei"),
    "made": ("生成于", "Made"),
    "tested_between": ("测试时间", "Tested"),
    "until": ("至", "to"),
    "score": ("得分", "Score"),
    "of_100": ("满分 100", "of 100"),
    "ipv6_only": ("纯 IPv6 得分", "IPv6-only score"),
    "ipv6_only_hint": ("仅统计站点，未测试按 0 分", "sites only; not tested counts as 0"),
    "untested_share": ("未测试占比", "Not tested"),
    "untested_hint": ("占全部分值", "of all points"),
    "subjects": ("对象", "Subjects"),
    "tested": ("已测试", "tested"),
    "untested": ("未测试", "not tested"),
    "sites": ("站点", "sites"),
    "hosts": ("主机", "hosts"),
    "site": ("站点", "site"),
    "host": ("主机", "host"),
    "summary": ("结论", "In short"),
    "worst_department": ("得分最低的已测试部门", "The worst department tested"),
    "worst_subject": ("得分最低的已测试对象", "The worst subject tested"),
    "first_fix": ("最先处理", "Fix first"),
    "nothing_lost": ("已测试项目均未失分。", "No tested check lost points."),
    "nothing_tested": ("没有任何对象完成测试。", "No subject could be tested."),
    "all_tested": ("全部对象和检查项均已测试。", "Every subject and every check was tested."),
    "not_all_tested": (
        "有 {rows} 个对象无法测试，{checks} 个检查项至少在一个对象上未能测试；均不计为通过。",
        "{rows} subjects could not be tested, {checks} checks were not tested on at least one; "
        "none of it counts as passed.",
    ),
    "distribution": ("得分分布", "Scores"),
    "by_layer": ("各层得分", "By layer"),
    "by_layer_hint": (
        "已测试对象的分值合计",
        "Points of the subjects that were tested",
    ),
    "won": ("得分", "won"),
    "lost": ("失分", "lost"),
    "fix_first": ("优先处理", "What to fix first"),
    "fix_first_hint": (
        "先列使得分封顶的检查项，再列严重程度为“严重”的，其余按全域失分合计排序；封顶造成的失分计入引起封顶的检查项。",
        "First what caps a score, then what is critical, then by points lost over the estate; what a "
        "cap takes counts at the checks it is for.",
    ),
    "fix_by_department": ("各部门优先处理", "What each department fixes first"),
    "caps": ("使得分封顶", "caps scores"),
    "points_lost": ("失分合计", "Points lost"),
    "concerned": ("涉及对象", "Subjects concerned"),
    "more_reasons": ("另有 {} 种原因", "{} more reasons"),
    "more": ("另有 {} 个", "{} more"),
    "no_fix": ("规则未给出处理方法。", "The rule names no remedy."),
    "departments": ("按部门", "By department"),
    "worst_first": ("由低到高", "Worst first"),
    "levels": ("按级别", "By level"),
    "department": ("部门", "Department"),
    "level": ("级别", "Level"),
    "rank": ("名次", "Rank"),
    "count": ("已测试 / 总数", "Tested / all"),
    "worst": ("最低（已测试）", "Worst tested"),
    "none_department": ("（未填部门）", "(no department)"),
    "none_level": ("（未填级别）", "(no level)"),
    "level_province": ("省级", "Province"),
    "level_city": ("市级", "City"),
    "level_county": ("县级", "County"),
    "level_town": ("乡镇", "Town"),
    "level_village": ("村级", "Village"),
    "every_subject": ("全部对象", "Every subject"),
    "name": ("名称", "Name"),
    "kind": ("类型", "Kind"),
    "target": ("地址", "Target"),
    "owner": ("负责人", "Owner"),
    "behind": ("后端主机", "Hosts behind it"),
    "what_untested": ("未测试清单", "What was not tested"),
    "what_untested_hint": (
        "未测试不等于通过：未测试的对象按 0 分计入平均分，未测试的检查项计入分母。",
        "Not tested is not passed: a subject that was not tested counts as 0 in every mean, and a "
        "check that was not stays in the divisor.",
    ),
    "untested_subjects": ("未能测试的对象", "Subjects that could not be tested"),
    "untested_checks": ("未能测试的检查项", "Checks that could not be done"),
    "untested_behind": ("后端主机未测试的站点", "Sites whose hosts were not tested"),
    "why": ("原因", "Why"),
    "no_result": ("没有该对象的测试结果", "there is no result of this subject"),
    "nothing_counted": ("没有可计分的检查项", "no check counted"),
    "details": ("逐项明细", "Details"),
    "check": ("检查项", "Check"),
    "layer": ("层", "Layer"),
    "verdict": ("结果", "Result"),
    "severity": ("严重程度", "Severity"),
    "reason": ("原因", "Reason"),
    "evidence": ("证据", "Evidence"),
    "fix": ("处理方法", "How to fix"),
    "weight": ("分值", "Weight"),
    "wanted": ("要求", "wanted"),
    "source": ("来源", "from"),
    "passed": ("通过", "Passed"),
    "not_applicable": ("不适用", "Not applicable"),
    "nothing_here": ("没有失分项。", "Nothing lost points here."),
    "own_score": ("站点自身得分", "The site by itself"),
    "system_score": ("含后端主机", "with the hosts behind it"),
    "capped": ("得分被封顶", "The score is capped"),
    "problem": ("未能测试", "Could not be tested"),
    "how": ("得分如何计算", "How the score is made"),
    "how_weights": (
        "每个检查项有分值。得分 = 通过的分值 ÷（通过 + 不通过 + 未测试的分值）× 100。“不适用”和“人工核查”不计分。",
        "Every check has a weight. The score is the weight of what passed, divided by the weight "
        "of what passed, failed and was not tested, times 100. What is not applicable, or for a "
        "person to judge, does not count.",
    ),
    "how_untested": (
        "“未测试”从不计为通过：检查项未测试，其分值留在分母；对象未测试，按 0 分计入部门、级别和全域的平均分。",
        "Not tested never counts as passed: an untested check stays in the divisor, an untested "
        "subject counts as 0 in the means of its department, its level and the estate.",
    ),
    "how_caps": (
        "没有有效的 AAAA 记录、首页无法通过 IPv6 打开，或者这两项未能测试时，总分封顶；封顶的原因写在该对象的明细中。",
        "Without a valid AAAA, with a homepage that is dead over IPv6, or where either could not be "
        "tested, the total is capped; the details of the subject say so.",
    ),
    "how_system": (
        "后面登记有主机的站点按整个系统计分：站点与主机的检查项合并，每项取最差的结果；主机另有自己的一行。"
        "纯 IPv6 得分不含主机，始终是站点自身的。",
        "A site with hosts behind it is scored as a whole: the checks of the site and its hosts "
        "are joined, each at its worst; a host has a row of its own as well. The IPv6-only score "
        "leaves the hosts out: it is always the site's own.",
    ),
    "how_means": (
        "部门、级别和全域的得分是其各行得分的平均值；纯 IPv6 得分只统计站点。",
        "The score of a department, a level and the estate is the mean over its rows; the "
        "IPv6-only score is that of sites alone.",
    ),
    "weights": ("各检查项分值", "Weights"),
    "host_checks": ("后端主机的检查项", "Checks of the hosts behind the site"),
    "host_untested": (
        "后端主机未能测试",
        "a host behind the site could not be tested",
    ),
    "band_90": ("90 及以上", "90 and above"),
    "band_75": ("75–90", "75–90"),
    "band_60": ("60–75", "60–75"),
    "band_40": ("40–60", "40–60"),
    "band_0": ("40 以下", "below 40"),
    "time": ("测试时间", "Tested at"),
    "outdated": ("已过期", "out of date"),
    "outdated_hint": (
        "{count} 个对象的测试时间已超过 {days} 天，结果可能与现状不符",
        "{count} subjects were tested more than {days} days ago: they may differ by now",
    ),
    "untested_points": ("未测试分值", "Points not tested"),
    "points_here": ("失分", "Points lost"),
    "fix_here": ("首要处理", "Fix first here"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "is_tested": ("是否已测试", "Tested"),
}


def text(key: str) -> Text:
    """One text in both languages."""
    return Text(*WORDS[key])


def say(key: str, language: str) -> str:
    return text(key).of(language)


# As elsewhere, but for what is the point of this report.
OUTCOMES: Final[dict[Outcome, Text]] = {**OUTCOME, "unknown": text("untested")}
