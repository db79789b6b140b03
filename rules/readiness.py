"""From the verdicts of `ipv6-readiness` to a score that explains itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from collectors.model import Fact
from rules.engine import UNSEEN
from rules.model import Pack, PackResult, Rule, Text, Verdict
from rules.readinessmodel import (
    IPV6_ONLY,
    CheckResult,
    Evidence,
    LayerScore,
    Readiness,
    Subject,
)
from rules.score import worst_by_rule

MAX_EVIDENCE = 50  # of one check; counts beyond are in the last

# by the words of NotTested (collectors/ipv6/model.py)
NOT_TESTED: Final[Mapping[str, Text]] = {
    "not_asked": Text("本次未要求测试", "this was not asked for"),
    "budget": Text("检查的时间或流量已用完", "the time or bytes of the check were used up"),
    "no_name": Text("目标是地址，没有域名可查", "the target is an address; there is no name"),
    "no_root": Text("无法从根服务器开始解析", "no server to begin with answers"),
    "no_ipv6_here": Text("本机没有 IPv6，无法测试", "this machine has no IPv6 to look with"),
    "no_ipv4_here": Text("本机没有 IPv4，无法测试", "this machine has no IPv4 to look with"),
    "no_address": Text("没有可访问的地址", "there is no address that can be asked"),
    "no_homepage": Text("首页打不开，无从比较", "the homepage did not come, so nothing to compare"),
    "no_links": Text("首页没有站内链接", "the homepage leads nowhere within the domain"),
    "robots": Text("robots.txt 禁止访问", "robots.txt forbids it"),
    "permission": Text("权限不足（需要 root 或 CAP_NET_RAW）", "needs root or CAP_NET_RAW"),
    "no_answer": Text("没有任何应答，无法判断", "nothing answered, so nothing can be told"),
    "no_program": Text("缺少所需程序", "a program that is needed is not there"),
    "little_traffic": Text("流量太少，无法判断", "too little traffic to tell"),
    "error": Text("检查出错", "the check failed"),
}
# how a reading failed, as collectors say it (State and ParseError in collectors/model.py)
_FAILED: Final[Mapping[str, Text]] = {
    "absent": Text("所需的文件或程序不存在", "a file or program that is needed is not there"),
    "denied": Text("无权读取", "it may not be read"),
    "failed": Text("读取失败", "it could not be read"),
    "parse": Text("内容无法解析", "what was read is not understood"),
    UNSEEN: Text("没有看到", "it was not seen"),
}
_UNTESTED: Final = Text("未测试：{}", "not tested: {}")
_PASSED: Final = Text("通过", "passed")
_NOT_APPLICABLE: Final = Text("不适用", "does not apply")


def explained(
    pack: Pack,
    result: PackResult,
    facts: Mapping[str, Fact],
    subject: Subject,
    time: datetime,
    duration: float,
) -> Readiness:
    """The result of a pack for one subject; `facts` are those that were judged."""
    by_rule: dict[str, list[Verdict]] = {}
    for verdict in result.verdicts:
        by_rule.setdefault(verdict.rule, []).append(verdict)
    worst = worst_by_rule(result.verdicts)
    only = result.scores.get(IPV6_ONLY)
    return Readiness(
        subject=subject,
        time=time,
        duration=duration,
        score=_hundred(result.score),
        ipv6_only_score=_hundred(only),
        capped=result.cap.why if result.cap else None,
        cap=_hundred(result.cap.at if result.cap else None),
        capped_by=tuple(
            rule
            for rule in (result.cap.rules if result.cap else ())
            if rule in worst and worst[rule].verdict in ("fail", "unknown")
        ),
        layers=tuple(
            LayerScore(layer, pack.layers[layer], points.points, points.of, points.untested)
            for layer in pack.layers
            if (points := result.layers.get(layer))
        ),
        checks=tuple(
            _check(rule, worst[rule.id], by_rule[rule.id], facts)
            for rule in pack.rules
            if rule.id in worst
        ),
    )


def _hundred(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 1)


def _check(
    rule: Rule, worst: Verdict, verdicts: Sequence[Verdict], facts: Mapping[str, Fact]
) -> CheckResult:
    shown = [verdict for verdict in verdicts if verdict.verdict == worst.verdict]
    return CheckResult(
        id=rule.id,
        layer=rule.layer,
        weight=rule.weight,
        verdict=worst.verdict,
        severity=rule.severity,
        title=rule.title,
        reason=_reason(rule, worst, facts),
        fix=rule.fix if worst.verdict == "fail" else None,
        evidence=tuple(_evidence(shown)),
    )


def _reason(rule: Rule, verdict: Verdict, facts: Mapping[str, Fact]) -> Text:
    if verdict.verdict == "pass":
        return _PASSED
    if verdict.verdict == "not_applicable":
        return _NOT_APPLICABLE
    if verdict.verdict == "fail":
        return rule.why or rule.title
    for name in rule.facts:
        fact = facts.get(name)
        if fact is not None and fact.unavailable:
            return _untested(fact.unavailable)
    return _untested(verdict.reason)


def _untested(why: str) -> Text:
    """Why something was not tested, in words where it is one of ours."""
    code, _, detail = why.partition(": ")
    words = NOT_TESTED.get(code) or _FAILED.get(code)
    zh, en = (words.zh, words.en) if words else (why, why)
    if words and detail:
        zh, en = f"{zh}（{detail}）", f"{en} ({detail})"
    return Text(_UNTESTED.zh.format(zh), _UNTESTED.en.format(en))


def _evidence(verdicts: Sequence[Verdict]) -> list[Evidence]:
    found = [Evidence(v.instance, v.actual, v.expected, v.source) for v in verdicts[:MAX_EVIDENCE]]
    if len(verdicts) > MAX_EVIDENCE:
        found[-1] = Evidence(f"+{len(verdicts) - MAX_EVIDENCE + 1}")
    return [one for one in found if one != Evidence()]
