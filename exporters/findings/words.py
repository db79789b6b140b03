"""Words of an audit as a page or a sheet, and those of states; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text, Workflow

STATE: Final[Mapping[Workflow, Text]] = {
    "new": Text("新发现", "new"),
    "acknowledged": Text("已确认", "acknowledged"),
    "waived": Text("已豁免", "waived"),
    "fixed": Text("已整改", "fixed"),
    "regressed": Text("复发", "regressed"),
}
WORDS: Final[Mapping[str, Text]] = {
    "title": Text("安全基线核查报告", "Security baseline audit"),
    "product": Text("见微", "Jianwei"),
    "host": Text("主机", "Host"),
    "host_id": Text("主机标识", "Host id"),
    "time": Text("核查时间", "Audited at"),
    "duration": Text("用时 {} 秒", "took {} s"),
    "pack": Text("规则包", "Pack"),
    "score": Text("得分", "Score"),
    "no_score": Text("无", "none"),
    "score_hint": Text(
        "得分 = 通过 ÷（通过 + 不通过 + 未知），按权重；未知不算通过。",
        "Score = passed ÷ (passed + failed + unknown), by weight; unknown is never a pass.",
    ),
    "summary": Text("汇总", "Summary"),
    "by_clause": Text("按条款", "By clause"),
    "clause": Text("条款", "Clause"),
    "unit": Text("测评单元", "Unit"),
    "no_clause": Text("（未对应条款）", "(no clause)"),
    "verdict": Text("结果", "Result"),
    "severity": Text("级别", "Severity"),
    "rule": Text("规则", "Rule"),
    "rule_title": Text("要求", "Title"),
    "instance": Text("对象", "Instance"),
    "actual": Text("实际值", "Actual"),
    "expected": Text("要求值", "Wanted"),
    "source": Text("来源", "Source"),
    "reason": Text("原因", "Reason"),
    "question": Text("核查问题", "Question"),
    "answer": Text("核查结论与依据", "Finding and evidence"),
    "state": Text("处置状态", "State"),
    "first_seen": Text("首次发现", "First seen"),
    "last_seen": Text("最近发现", "Last seen"),
    "waiver": Text("豁免", "Waiver"),
    "why": Text("为什么", "Why"),
    "fix": Text("整改方法", "How to fix"),
    "fingerprint": Text("指纹", "Fingerprint"),
    "failed": Text("不通过", "Failed"),
    "unknown": Text("未知（未能核查，不算通过）", "Unknown (could not be looked at; never a pass)"),
    "manual": Text("人工核查", "For a person to judge"),
    "rest": Text("通过与不适用", "Passed and not applicable"),
    "none": Text("无。", "None."),
    "more": Text("另有 {} 处", "{} more"),
    "fixed": Text("本次核查发现已整改", "Found fixed by this audit"),
}


def say(key: str, language: str) -> str:
    return WORDS[key].of(language)
