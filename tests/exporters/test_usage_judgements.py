"""Judgements of use as table, JSON and CSV, and added up; both languages, and names that mean harm."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
import pytest

from exporters.findings.text import width
from exporters.usage import summary as sums
from exporters.usage.amounts import department, plain, short
from exporters.usage.judgements import documents as to_documents
from exporters.usage.judgements import ordered, table, table_csv
from exporters.usage.words import ADVICE, STATE, WORDS
from rules.usagejudgement import ADVICES, STATES, Amount, Judgement
from rules.usagethresholds import GIB, configured
from rules.utilisation import judge
from tests.usagecases import ON, documents, exemptions, history

CASES = documents()
LIMITS = configured({})
IDLE = {"cpu": 1, "net_rx": 0, "net_tx": 0}
LANGUAGES = ("zh", "en")


def made(**case: Any) -> Judgement:
    exempt = exemptions(case.pop("exemptions", ()))
    return judge(history(CASES["base"], case), LIMITS, exempt, ON)


def everything() -> list[Judgement]:
    return [
        made(**{k: v for k, v in case.items() if k in ("use", "measured", "months", "exemptions")})
        for case in CASES["cases"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there(language: str) -> None:
    assert set(STATE) == set(STATES)
    assert set(ADVICE) == set(ADVICES)
    for words in (STATE, ADVICE, WORDS):
        assert all(text.of(language).strip() for text in words.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_case_as_a_table(language: str) -> None:
    found = everything()
    lines = table(found, language).splitlines()
    assert len(lines) == len(found) + 1
    assert {STATE[one.state].of(language) for one in found} <= set("  ".join(lines).split("  "))
    assert max(map(width, lines)) < 310


def test_what_is_to_do_first_comes_first() -> None:
    reclaim = made(measured=IDLE, months=[{}] * 3)
    watch, none = made(measured=IDLE), made()
    lost = made(measured=IDLE, use={"department": ""})
    assert ordered([none, lost, watch, reclaim]) == [reclaim, watch, lost, none]
    assert "回收" in table([none, reclaim], "zh").splitlines()[1]
    assert "未归属" in table([lost], "zh")
    assert "unassigned" in table([lost], "en")


def test_no_resources() -> None:
    assert table([], "zh") == "没有资源"
    assert table([], "en") == "no resources"
    assert to_documents([]) == []
    assert len(list(csv.reader(io.StringIO(table_csv([], "en").decode("utf-8-sig"))))) == 1
    assert sums.table(sums.summarise([]), "en")


def test_json_says_null_where_it_is_not_known() -> None:
    (one,) = json.loads(msgspec.json.encode(to_documents([made(measured={"cpu": 10})])))
    assert one["state"] == one["found"] == "low"
    assert one["reclaimable"] == {"vcpus": 7, "memory": None, "disk": 0}
    assert one["target"] == {"vcpus": 1, "memory": None}
    assert one["granted"] == {"vcpus": 8, "memory": 16 * GIB, "disk": 100 * GIB}
    assert one["p95"] == {"cpu": 10, "memory": None, "steal": None, "network": None}
    assert one["reasons"][0] == {"code": "cpu_below", "value": 10, "limit": 30}
    assert "内存使用未知" in one["reason_zh"]
    assert "not known" in one["reason_en"]
    assert one["system"] is None
    assert one["exemption"] is None


def test_json_of_an_exemption() -> None:
    rows = [{"departments": ["市教育局"], "expires": "2027-01-01"}]
    one = json.loads(msgspec.json.encode(to_documents([made(measured=IDLE, exemptions=rows)])))[0]
    assert (one["state"], one["found"]) == ("exempt", "idle")
    assert one["exemption"] == {
        "id": "E-0",
        "reason": "容灾",
        "owner": "张伟",
        "approver": "李敏",
        "expires": "2027-01-01",
        "days_left": 59,
        "in_force": True,
    }


def test_json_of_every_case_has_all_keys() -> None:
    found = [json.loads(msgspec.json.encode(one)) for one in to_documents(everything())]
    assert {tuple(one) for one in found} == {tuple(found[0])}


@pytest.mark.parametrize("language", LANGUAGES)
def test_csv_leaves_what_is_not_known_empty(language: str) -> None:
    found = everything()
    rows = list(csv.reader(io.StringIO(table_csv(found, language).decode("utf-8-sig"))))
    assert len(rows) == len(found) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    only = table_csv([made(measured={"cpu": 10})], language).decode("utf-8-sig")
    head, cells = csv.reader(io.StringIO(only))
    row = dict(zip(head, cells, strict=True))
    assert row[WORDS["free_memory"].of(language)] == ""
    assert row[WORDS["free_vcpus"].of(language)] == "7"
    assert row[WORDS["memory"].of(language)] == ""
    assert row[WORDS["state"].of(language)] == STATE["low"].of(language)


def test_a_name_is_no_formula_and_no_escape() -> None:
    evil = {"name": "=cmd|' /C calc'!A0", "system": "@SUM(1)", "department": "+\x1b[31m\n"}
    one = made(use=evil, measured=IDLE, exemptions=[{"resources": ["="], "expires": "2027-01-01"}])
    _, cells = csv.reader(io.StringIO(table_csv([one], "zh").decode("utf-8-sig")))
    assert "'=cmd|' /C calc'!A0" in cells
    assert "'@SUM(1)" in cells
    assert not any(cell.startswith(("=", "+", "@", "\n")) for cell in cells)
    for text in (
        table([one], "zh"),
        table_csv([one], "en").decode(),
        sums.table(sums.summarise([one]), "zh"),
    ):
        assert "\x1b" not in text
    assert len(table([one], "zh").splitlines()) == 2


def test_sums_by_department() -> None:
    found = [
        made(measured=IDLE, months=[{}] * 3),
        made(measured=IDLE),
        made(measured={"cpu": 10}, months=[{}] * 2),
        made(measured={}, use={"department": ""}),
        made(measured=IDLE, use={"kind": "host", "department": "市民政局"}),
    ]
    summary = sums.summarise(found)
    total = summary.total
    assert (total.resources, summary.insufficient, summary.unassigned) == (5, 1, 1)
    assert (total.states["idle"], total.states["low"], total.states["insufficient"]) == (3, 1, 1)
    assert total.advice == {"none": 1, "watch": 2, "shrink": 1, "grow": 0, "reclaim": 1}
    assert (total.due.vcpus, total.due.memory, total.due.disk) == (15, 16 * GIB, 100 * GIB)
    assert total.due.unknown == {"vcpus": 0, "memory": 1, "disk": 0}
    assert (total.watched.vcpus, total.unjudged.vcpus) == (8, 8)
    assert (total.granted.resources, total.granted.vcpus) == (4, 32)  # a machine itself is no grant
    assert (summary.measured, summary.memory_unknown) == (4, 4)
    assert [one.name for one in summary.departments] == ["市教育局", "", "市民政局"]
    assert msgspec.json.decode(msgspec.json.encode(summary), type=sums.Summary) == summary


@pytest.mark.parametrize("language", LANGUAGES)
def test_sums_for_people_say_what_is_not_known(language: str) -> None:
    found = [made(measured={"cpu": 10}, months=[{}] * 2), made(measured={}, use={"department": ""})]
    text = sums.table(sums.summarise(found), language)
    assert WORDS["more_unknown"].of(language).format(1) in text
    assert department("", language) in text
    assert "1 (50.0 %)" in text
    assert "1 (100.0 %)" in text
    assert "{" not in text


def test_sizes_for_people() -> None:
    assert [plain(it) for it in (None, 0.0, 8.0, 0.5, 0.001)] == ["", "0", "8", "0.50", "0.001"]
    assert short(Amount(8.0, None, 5)) == "8 vCPU ? GiB"
    assert short(Amount()) == ""
