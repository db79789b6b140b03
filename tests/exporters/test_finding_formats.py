"""Formats of findings, by models of others where there are some, also when the evidence is hostile."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifModel

from exporters.findings.cef import cef
from exporters.findings.formats import FORMATS
from exporters.findings.ocsf import event, ocsf
from exporters.findings.sarif import sarif
from exporters.findings.syslog import MAX_DATAGRAM, cut, message
from exporters.findings.told import harmless, of_audit, of_change
from exporters.findings.verdictscsv import verdicts_csv
from rules.model import Change, Host, Text, Verdict, Workflow
from tests.exporters.findingsamples import (
    BEFORE,
    HITS,
    NOW,
    RULES,
    TITLE,
    VERDICTS,
    audited,
    hit,
    hostile,
    hostile_json,
    verdict,
)

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]")
_HEAD = re.compile(r"((?:[^|\\]|\\\||\\\\)*)\|")
_KEY = re.compile(r"(?:^| )([A-Za-z0-9]+)=")


def events(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def read_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """As a receiver takes it apart: header fields and the extension."""
    header, rest = [], line
    for _ in range(7):
        match = _HEAD.match(rest)
        assert match, rest
        header.append(match[1].replace("\\|", "|").replace("\\\\", "\\"))
        rest = rest[match.end() :]
    plain = rest.replace("\\\\", "\0\0").replace("\\=", "\1\1")
    keys = list(_KEY.finditer(plain))
    ends = [key.start() for key in keys[1:]] + [len(plain)]
    values = [plain[key.end() : end] for key, end in zip(keys, ends, strict=True)]
    assert "=" not in "".join(values)
    unescaped = (value.replace("\0\0", "\\").replace("\1\1", "=") for value in values)
    return header, dict(zip((key[1] for key in keys), unescaped, strict=True))


def check_sarif(content: dict[str, Any]) -> None:
    """By models made from a draft of the schema, in which a suppression's status was its state."""
    text = json.dumps(content).replace('"external", "status"', '"external", "state"')
    SarifModel.model_validate_json(text)


def test_ocsf_is_what_the_models_of_others_take() -> None:
    found = events(ocsf(audited(), RULES, HITS))
    assert len(found) == len(VERDICTS) + 1
    for one in found:
        ComplianceFinding.model_validate(one)
        assert one["type_uid"] == 200300 + one["activity_id"]
        assert one["category_uid"] == 2
        assert one["class_uid"] == 2003
        assert one["time"] == 1767323045679
    by_rule = {one["metadata"]["event_code"]: one["compliance"] for one in found}
    assert by_rule["linux.a.pass"]["status_id"] == 1
    assert by_rule["linux.a.unknown"]["status_id"] == 2
    assert by_rule["linux.a.manual"]["status_id"] == 2
    assert by_rule["linux.a.b"]["requirements"] == [
        "GB/T 22239-2019 8.1.4.1.a",
        "GB/T 28448-2019 L3-CES1-01",
    ]
    assert by_rule["linux.a.na"]["status_id"] == 99
    new = next(one for one in found if "toor" in one["message"])
    assert new["finding_info"]["uid"] == VERDICTS[1].fingerprint
    assert new["finding_info"]["first_seen_time"] == 1767323045679
    assert new["evidences"][0]["data"]["actual"] == {"uid": 0}
    assert new["evidences"][0]["data"]["source"] == "/etc/pass wd:9"
    assert new["remediation"]["desc"] == "chage -M 90 用户 / chage -M 90 USER"
    assert new["resources"][0] == {
        "uid": "0" * 32,
        "type": "host",
        "name": "gov-node-01",
        "data": {"instance": "toor"},
    }


@pytest.mark.parametrize(
    ("state", "before", "activity", "status"),
    [
        ("new", None, 1, 1),
        ("acknowledged", "new", 2, 2),
        ("waived", "new", 2, 3),
        ("new", "waived", 2, 1),
        ("fixed", "new", 3, 4),
        ("regressed", "fixed", 2, 1),
    ],
)
def test_a_change_of_a_hit_is_one_of_its_finding(
    state: Workflow, before: Workflow | None, activity: int, status: int
) -> None:
    one = event(of_change(Change(hit(state=state), before, NOW), RULES))
    ComplianceFinding.model_validate(one)
    assert (one["activity_id"], one["status_id"]) == (activity, status)
    assert one["compliance"]["status_id"] == (1 if state == "fixed" else 3)
    assert one["status_code"] == state


def test_a_hit_that_cannot_be_judged_is_neither_closed_nor_a_fail() -> None:
    one = event(of_change(Change(hit(unseen_since=BEFORE), "new", NOW), RULES))
    assert (one["activity_id"], one["compliance"]["status_id"]) == (2, 2)


def test_sarif_is_what_the_schema_takes() -> None:
    content = json.loads(sarif(audited(), RULES, HITS))
    check_sarif(content)
    (run,) = content["runs"]
    found = {(it["ruleId"], it["properties"]["instance"]): it for it in run["results"]}
    kinds = {rule: it["kind"] for (rule, _), it in found.items()}
    assert kinds == {
        "linux.a.pass": "pass",
        "linux.a.b": "pass",  # the last of its rows: the hit that this audit closed
        "linux.a.unknown": "open",
        "linux.a.manual": "review",
        "linux.a.na": "notApplicable",
    }
    for it in run["results"]:
        assert (it["level"] == "none") == (it["kind"] != "fail")
        assert run["tool"]["driver"]["rules"][it["ruleIndex"]]["id"] == it["ruleId"]
    states = {instance: it.get("baselineState") for (_, instance), it in found.items() if instance}
    assert states == {"toor": "new", "old": "updated", "waved": "updated", "gone": "absent"}
    assert found["linux.a.b", "waved"]["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "W-7"}
    ]
    place = found["linux.a.b", "toor"]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "etc/pass%20wd", "uriBaseId": "HOST"},
        "region": {"startLine": 9},
    }
    assert "physicalLocation" not in found["linux.a.b", "waved"]["locations"][0]
    rule = run["tool"]["driver"]["rules"][1]
    assert rule["help"]["text"] == "chage -M 90 用户 / chage -M 90 USER"
    assert rule["shortDescription"]["text"] == "规则甲 / Rule A"


def test_without_hits_nothing_has_a_baseline() -> None:
    content = json.loads(sarif(audited(), RULES, {}))
    assert not any("baselineState" in it for it in content["runs"][0]["results"])


def test_csv_has_what_failed_first_in_both_languages() -> None:
    content = verdicts_csv(audited(), RULES, HITS, "zh")
    assert content.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert len(rows) == len(VERDICTS)
    first = dict(zip(head, rows[0], strict=True))
    assert first["结果"] == "不通过"
    assert (first["对象"], first["实际值"], first["来源"]) == ("toor", "uid=0", "/etc/pass wd:9")
    assert (first["条款"], first["测评单元"]) == ("8.1.4.1.a", "L3-CES1-01")
    assert (first["处置状态"], first["整改方法"]) == ("新发现", "chage -M 90 用户")
    assert [row[4] for row in rows[3:]] == ["未知", "人工核查", "通过", "不适用"]
    assert b"Two factors?" in verdicts_csv(audited(), RULES, HITS, "en")


class _Page(HTMLParser):
    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["zh", "en"])
def test_html_has_failed_then_unknown_then_questions(language: str) -> None:
    page = _Page(FORMATS["html"](audited(), RULES, HITS, language))
    words = {
        "zh": ("规则甲", "toor", "W-7", "permission denied", "是否两种鉴别？", "身份唯一"),
        "en": ("Rule A", "toor", "W-7", "permission denied", "Two factors?", "8.1.4.1.a"),
    }[language]
    for word in words:
        assert word in page.text, word
    order = [page.text.index(word) for word in (words[1], words[3], words[4])]
    assert order == sorted(order)
    assert "script" not in page.tags


def test_cef_is_read_back() -> None:
    (one,) = [told for _, told in of_audit(audited(VERDICTS[1]), RULES, HITS)]
    header, extension = read_cef(cef(one))
    assert header[0] == "CEF:0"
    assert header[4:] == ["linux.a.b", "规则甲 / Rule A", "8"]
    assert extension["rt"] == "1767323045679"
    assert extension["act"] == "new"
    assert extension["deviceExternalId"] == "0" * 32
    assert extension["externalId"] == VERDICTS[1].fingerprint
    assert extension["cs2Label"] == "actual"
    assert extension["cs2"] == "uid=0"
    assert extension["cs6"] == "chage -M 90 用户 / chage -M 90 USER"


def test_a_syslog_header_is_that_of_rfc_5424() -> None:
    told = of_change(Change(hit(severity="critical"), None, NOW), RULES)
    assert message(told, "CEF:0|", "local0") == (
        b"<130>1 2026-01-02T03:04:05.678901Z gov-node-01 jianwei - finding - CEF:0|"
    )
    named = told._replace(host=Host("id-1", "主机 1"))
    assert b" 1 jianwei - " in message(named, "", "authpriv")
    assert b" - jianwei - " in message(told._replace(host=Host("", "主机")), "", "user")


@given(st.text(max_size=40), st.integers(1, 30))
def test_what_is_cut_ends_with_no_half_character_or_escape(text: str, most: int) -> None:
    body = text.encode("utf-8", "replace")
    short = cut(body, most)
    assert len(short) <= most or short == body
    assert body.startswith(short)
    short.decode()
    if len(short) < len(body):
        assert (len(short) - len(short.rstrip(b"\\"))) % 2 == 0
    assert len(cut(b"x" * 9999, MAX_DATAGRAM)) == MAX_DATAGRAM


@given(hostile, hostile, hostile, hostile_json, hostile)
@settings(deadline=None, max_examples=30)
def test_what_an_attacker_wrote_is_harmless_everywhere(
    instance: str, source: str, reason: str, actual: Any, name: str
) -> None:
    rows = [
        verdict("fail", instance, actual=actual, source="/" + source, reason=reason),
        verdict("unknown", instance, rule="linux.a.u", reason=reason),
        verdict("manual", instance, rule="linux.a.m", question=Text(reason, reason)),
    ]
    result = msgspec.structs.replace(audited(*rows), host=Host("h", name))
    for form in ("ocsf", "sarif", "csv", "html"):
        content = FORMATS[form](result, RULES, {}, "zh")
        assert b"\x1b" not in content
        assert b"\0" not in content
        assert not CONTROL.search(content.decode().replace("\r\n", "\n")), form
    lines = events(ocsf(result, RULES, {}))
    assert len(lines) == 3
    for line in lines:
        ComplianceFinding.model_validate(line)
    content = json.loads(sarif(result, RULES, {}))
    check_sarif(content)
    _, *sheet = csv.reader(
        io.StringIO(verdicts_csv(result, RULES, {}, "en").decode("utf-8-sig"), newline="")
    )
    assert len(sheet) == 3
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "＝")) for row in sheet for cell in row
    )
    page = _Page(FORMATS["html"](result, RULES, {}, "zh"))
    assert "script" not in page.tags
    assert not any(attribute.startswith("on") for attribute in page.attributes)
    for _, told in of_audit(result, RULES, {}):
        text = cef(told)
        assert not CONTROL.search(text)
        assert "\n" not in text
        header, extension = read_cef(text)
        assert header[4] == told.rule
        assert header[6] == "8"
        assert extension["act"] == "new"
        assert extension["outcome"] == told.verdict
        text.encode()


@given(hostile)
def test_the_uri_of_a_place_is_the_path(path: str) -> None:
    result = audited(verdict("fail", "x", source=f"/srv/{path}.conf:12"))
    place = json.loads(sarif(result, RULES, {}))["runs"][0]["results"][0]["locations"][0]
    told = harmless(f"/srv/{path}.conf")
    assert "/" + unquote(place["physicalLocation"]["artifactLocation"]["uri"]) == told
    assert place["physicalLocation"]["region"] == {"startLine": 12}


@given(hostile_json)
def test_json_values_are_those_that_every_reader_takes(value: Any) -> None:
    content = json.dumps(harmless(value), allow_nan=False)
    msgspec.json.decode(content)


def test_a_rule_of_no_pack_and_an_audit_without_verdicts_are_told() -> None:
    lone = Verdict("other.rule", "fail", "critical", TITLE)
    for form in FORMATS.values():
        assert form(audited(lone), {}, {}, "en")
    empty = msgspec.structs.replace(audited(), packs=())
    assert ocsf(empty, {}, {}) == b""
    assert json.loads(sarif(empty, {}, {}))["runs"] == []
    assert FORMATS["html"](empty, {}, {}, "en")


def test_what_is_fixed_is_closed_once() -> None:
    """An assertion that passes has the fingerprint that its hit had."""
    passed = verdict("pass")
    closed = hit("", state="fixed", changed=NOW)
    marks = {passed.fingerprint: msgspec.structs.replace(closed, fingerprint=passed.fingerprint)}
    result = audited(passed)
    lines = [json.loads(line) for line in ocsf(result, RULES, marks, "en").splitlines()]
    assert [line["activity_id"] for line in lines] == [3]
    again = msgspec.structs.replace(result, time=NOW + timedelta(hours=1))
    lines = [json.loads(line) for line in ocsf(again, RULES, marks, "en").splitlines()]
    assert [line["activity_id"] for line in lines] != [3]
    assert len(lines) == 1
