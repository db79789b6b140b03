"""An audit with one verdict of each kind, hits in each state, changes, and text as attackers write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from rules.model import (
    AuditResult,
    Change,
    Hit,
    Host,
    PackResult,
    Rule,
    Severity,
    Text,
    Verdict,
    Workflow,
    fingerprint,
)
from rules.score import counts

HOST = Host("0" * 32, "gov-node-01")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
BEFORE = NOW - timedelta(days=3)
MAPS = {"gb22239": ("8.1.4.1.a",), "gb28448": ("L3-CES1-01",)}
TITLE = Text("规则甲", "Rule A")
RULE = Rule(
    "linux.a.b",
    TITLE,
    "high",
    why=Text("为什么", "Because"),
    fix=Text("chage -M 90 用户", "chage -M 90 USER"),
)
RULES = {RULE.id: RULE}

ATTACKS = (
    "\n<0>1 - - - - - - CEF:0|x|y|z|1|forged|10|act=fixed",
    "\x1b[2J\x1b]0;title\x07",
    "|a\\|b\\",
    "x=y act=fixed \\=",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\0",
    "\udc80\ud800",
    "‮txt.exe\u2028\u2029\x85",
    '"}],"x":[{"',
)
hostile = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.tuples(st.sampled_from(ATTACKS), st.sampled_from(ATTACKS)).map("".join),
)
hostile_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(hostile, inner, max_size=3)
    ),
    max_leaves=6,
)


def verdict(outcome: str = "fail", instance: str = "", **more: object) -> Verdict:
    found = {
        "rule": RULE.id,
        "severity": "high",
        "title": TITLE,
        "maps": MAPS,
        "fingerprint": fingerprint(HOST.id, str(more.get("rule", RULE.id)), instance),
        **more,
    }
    return Verdict(verdict=outcome, instance=instance, **found)  # type: ignore[arg-type]  # a test's


VERDICTS = (
    verdict("pass", rule="linux.a.pass", severity="low", actual=90, source="/etc/login.defs:3"),
    verdict("fail", "toor", actual={"uid": 0}, expected=90, source="/etc/pass wd:9"),
    verdict("fail", "old", actual={"uid": 1}, source="/etc/passwd"),
    verdict("fail", "waved", actual={"uid": 2}, source="sshd -T"),
    verdict("unknown", rule="linux.a.unknown", reason="denied: /etc/shadow: permission denied"),
    verdict("manual", rule="linux.a.manual", question=Text("是否两种鉴别？", "Two factors?")),
    verdict("not_applicable", rule="linux.a.na", severity="critical"),
)


def hit(
    instance: str = "toor",
    state: Workflow = "new",
    severity: Severity = "high",
    first: datetime = BEFORE,
    changed: datetime = BEFORE,
    **more: object,
) -> Hit:
    mark = fingerprint(HOST.id, RULE.id, instance)
    about = (mark, HOST, RULE.id, TITLE, severity, state, first, NOW, changed, instance)
    return Hit(*about, packs=("mlps-l3",), maps=MAPS, **more)  # type: ignore[arg-type]  # a test's


HITS = {
    one.fingerprint: one
    for one in (
        hit("toor", "new", first=NOW, changed=NOW),
        hit("old", "regressed", changed=NOW),
        hit("waved", "waived", waiver="W-7"),
        hit("gone", "fixed", changed=NOW, source="/etc/passwd:4"),
        hit("long gone", "fixed"),
    )
}


def audited(*verdicts: Verdict) -> AuditResult:
    given = verdicts or VERDICTS
    pack = PackResult("mlps-l3", Text("等保三级", "Level 3"), {}, 0.25, counts(given), given)
    return AuditResult(HOST, NOW, 0.25, (pack,), tuple(HITS.values()))


def changes(count: int, actual: object = None) -> list[Change]:
    return [
        Change(hit(f"user-{n}", first=NOW, changed=NOW, actual=actual), None, NOW)
        for n in range(count)
    ]
