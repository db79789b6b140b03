"""What people and Prometheus are told of an audit, also when the evidence is hostile."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exporters.findings.metrics import audit_families
from exporters.findings.table import MAX_HITS, table
from exporters.findings.text import cut, neutral, width, words
from exporters.prometheus.encoder import Encoder
from rules.model import AuditResult, Host, PackResult, Text, Verdict
from rules.score import counts, points

TITLE = Text("规则甲", "Rule A")


def result(*verdicts: Verdict) -> AuditResult:
    pack = PackResult(
        "host-basics",
        Text("主机基础", "Host basics"),
        {"max_days": 90},
        points(verdicts, dict.fromkeys((v.rule for v in verdicts), 1.0)).ratio,
        counts(verdicts),
        verdicts,
    )
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return AuditResult(Host("0" * 32, "gov-node-01"), when, 0.25, (pack,))


HIT = Verdict(
    "a.b", "fail", "high", TITLE, "toor", {"uid": 0, "shell": "/bin/sh"}, None, "/etc/passwd:9"
)
OTHERS = (
    Verdict("c.d", "pass", "low", TITLE, actual=90, expected=90, source="/etc/login.defs:3"),
    Verdict("e.f", "unknown", "medium", TITLE, reason="denied: shadow: permission denied"),
    Verdict("g.h", "manual", "info", TITLE, question=Text("是否？", "Is it?")),
    Verdict("i.j", "not_applicable", "critical", TITLE),
)


def test_table_in_chinese() -> None:
    text = table(result(HIT, *OTHERS), "zh", colour=False)
    assert (
        "主机基础 (host-basics)  得分 33%  通过 1  不通过 1  不适用 1  未知 1  人工核查 1" in text
    )
    assert "不通过    高    a.b   toor: uid=0 shell=/bin/sh  /etc/passwd:9\n" in text
    assert "denied: shadow: permission denied" in text
    assert "是否？" in text
    assert "\x1b" not in text


def test_table_in_english() -> None:
    text = table(result(HIT, *OTHERS), "en", colour=False)
    assert "score 33%  pass 1  FAIL 1  n/a 1  unknown 1  manual 1" in text
    assert "Rule A" in text
    assert "Is it?" in text
    assert not any(unicodedata.east_asian_width(character) in "WF" for character in text)


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    other = msgspec.structs.replace(HIT, instance="中文用户")
    lines = table(result(HIT, other), "zh", colour=False).splitlines()
    starts = [width(line[: line.index("/etc/passwd")]) for line in lines if "/etc/passwd" in line]
    assert len(starts) == 2
    assert len(set(starts)) == 1


def test_colour_is_only_where_it_is_asked_for() -> None:
    assert "\x1b[31;1m" in table(result(HIT), "en", colour=True)


def test_no_score_is_not_nought() -> None:
    text = table(result(OTHERS[3]), "en", colour=False)
    assert "no score" in text
    assert "0%" not in text


def test_hits_beyond_the_bound_are_counted() -> None:
    hits = [msgspec.structs.replace(HIT, instance=f"u{i}") for i in range(MAX_HITS + 7)]
    text = table(result(*hits), "en", colour=False)
    assert text.count("/etc/passwd:9") == MAX_HITS
    assert "7 more" in text


EVIL = "\x1b]0;pwned\x07\x1b[2J\r\nroot\u202egnp.exe\u200b\u2028\x9b31m\x00中"


def test_evidence_cannot_steer_a_terminal() -> None:
    hostile = Verdict("a", "fail", "high", TITLE, EVIL, {EVIL: [EVIL]}, EVIL, EVIL, EVIL)
    text = table(result(hostile), "zh", colour=False)
    for character in text:
        assert character == "\n" or character.isprintable()
    assert len(text.splitlines()) == len(table(result(HIT), "zh", colour=False).splitlines()) + 1
    assert neutral("a\x1b[0m\n中") == "a\\x1b[0m\\n中"


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_neutral_text_is_printable_and_keeps_what_is_harmless(text: str) -> None:
    shown = neutral(text)
    assert all(character.isprintable() for character in shown)
    shown.encode()
    if text.isascii() and text.isprintable():
        assert shown == text


@given(st.text(max_size=30), st.integers(1, 20))
def test_cut_text_fits(text: str, columns: int) -> None:
    assert width(cut(text, columns)) <= columns or width(text) <= columns


def test_cutting_looks_at_each_character_once() -> None:
    assert cut("中" * 200_000, 300_000) == "中" * 149_999 + "…"


def test_words() -> None:
    assert words({"a": 1, "b": [1, "x"], "c": None, "d": True}) == "a=1 b=[1, x] c= d=true"
    assert words(["no"]) == "no"
    assert words(None) == ""


def test_metrics_are_one_series_a_rule() -> None:
    hits = [msgspec.structs.replace(HIT, instance=f"u{i}") for i in range(500)]
    page = Encoder().encode(audit_families(result(*hits, *OTHERS))).decode()
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert (
        'jianwei_rule_verdict{pack="host-basics",rule="a.b",severity="high",verdict="fail"} 1.0'
        in lines
    )
    assert len([line for line in lines if line.startswith("jianwei_rule_verdict{")]) == 5
    assert 'jianwei_pack_verdicts{pack="host-basics",verdict="unknown"} 1.0' in lines
    assert any(
        line.startswith('jianwei_pack_score_ratio{pack="host-basics"} 0.33') for line in lines
    )
    assert "jianwei_audit_timestamp_seconds 1.767323045e+09" in lines
    assert "jianwei_audit_duration_seconds 0.25" in lines


def test_no_score_is_no_series() -> None:
    page = Encoder().encode(audit_families(result(OTHERS[3]))).decode()
    assert "jianwei_pack_score_ratio{" not in page
    assert 'verdict="not_applicable"} 1.0' in page


def test_json_comes_back_as_it_was() -> None:
    audit = result(HIT, *OTHERS)
    again = msgspec.json.decode(msgspec.json.encode(audit), type=AuditResult)
    assert again == audit
