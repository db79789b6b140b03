"""The excerpt for one department: all of its own, and nothing of any other, in whatever form."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter

import msgspec
import openpyxl
import pytest

from exporters.report.document import Document, Outdated, Sums, Total
from exporters.report.excerpt import excerpt
from exporters.report.jsonform import encode
from exporters.report.tables import csvs
from exporters.report.xlsx.workbook import xlsx
from exporters.usage.amounts import department as shown
from rules.usagejudgement import Amount, Reason
from tests.reportsample import sample

PLAIN = sample(6, 150)
HOSTILE = sample(23, 230, hostile=True)
OWN = [it.name for it in HOSTILE.departments]


def foreign(document: Document, name: str) -> set[str]:
    """Ids, names and systems of others that are not also its own."""
    found, own = set(), {name}
    for one in document.departments:
        said = {one.name, *(it.name for it in one.systems)}
        for it in one.resources:
            said |= {it.resource, it.name}
        if one.name == name:
            own |= said
        else:
            found |= said
    return {it for it in found - own if it}


def strings(told: object) -> set[str]:
    if isinstance(told, dict):
        return set().union(*map(strings, told.values()), *map(strings, told))
    if isinstance(told, list):
        return set().union(*map(strings, told))
    return {told} if isinstance(told, str) else set()


def marked(document: Document) -> Document:
    """Each department and all that is of it named by a mark of its own, so that a part of a text can be looked for."""
    told = msgspec.to_builtins(document)
    marks = {it.name: f"DEP{n:03}MARK" for n, it in enumerate(document.departments) if it.name}

    def name(it: dict[str, object], keys: tuple[str, ...], mark: str) -> None:
        for key in keys:
            if it.get(key):
                it[key] = f"{it[key]} {mark}"

    for one in told["departments"]:
        mark = marks.get(one["name"], "LOOSEMARK")
        for row in one["resources"]:
            name(row, ("resource", "name", "system", "region", "project", "department"), mark)
        for row in one["systems"]:
            name(row, ("name",), mark)
    for rows in (told["held"], told["follow_ups"]["rows"], told["baseline"]["oldest"],
                 told["baseline"]["waivers"], told["ipv6"]["subjects"],
                 told["baseline"]["outdated"], told["ipv6"]["outdated"]):  # fmt: skip
        for row in rows:
            keys = ("resource", "name", "system", "host", "instance", "id", "reason", "department")
            name(row, keys, marks.get(row["department"], "LOOSEMARK"))
    for rows in (told["departments"], told["ipv6"]["departments"], told["baseline"]["departments"]):
        for row in rows:
            name(row, ("name",), marks.get(row["name"], "LOOSEMARK"))
    for row in told["exemptions"]:
        row["departments"] = [
            f"{it} {marks.get(it, '')}" if it else it for it in row["departments"]
        ]
    for row in told["gaps"]:
        row["examples"] = [f"{it} OTHERMARK" for it in row["examples"]]
    for row in told["lines"]["lines"] + told["lines"]["worst"]:
        name(row, ("name", "site"), "LINEMARK")
    for text in told["summary"]:
        name(text, ("zh", "en"), "SUMMARYMARK")
    return msgspec.convert(told, Document)


def forms(document: Document) -> str:
    """All that JSON, CSV and the workbook hold, as text: every part of the workbook is in it."""
    texts = [encode(document).decode()]
    for language in ("zh", "en"):
        texts += [it.decode("utf-8-sig") for it in csvs(document, language).values()]
        with zipfile.ZipFile(io.BytesIO(xlsx(document, language))) as book:
            texts += [book.read(name).decode() for name in book.namelist()]
    return "\n".join(texts)


def test_nothing_that_is_marked_as_another_s_is_in_any_form() -> None:
    document = marked(PLAIN)
    whole = forms(document)
    every = {f"DEP{n:03}MARK" for n in range(6)} | {"LOOSEMARK"}
    for mark in every | {"LINEMARK", "OTHERMARK", "SUMMARYMARK"}:
        assert mark in whole
    for one in document.departments:
        own = one.name.rsplit(" ", 1)[-1] if one.name else "LOOSEMARK"
        told = forms(excerpt(document, one.name))
        assert own in told
        found = {it for it in every | {"LINEMARK", "OTHERMARK", "SUMMARYMARK"} if it in told}
        assert found <= {own, "OTHERMARK"}  # of gaps of the month itself: its days


@pytest.mark.parametrize("name", OWN, ids=range(len(OWN)))
def test_nothing_of_others_is_in_the_excerpt_of_a_hostile_name(name: str) -> None:
    document = excerpt(HOSTILE, name)
    others = foreign(HOSTILE, name) - {"history"}  # the kind of the source, too
    assert len(others) > 200
    assert not strings(json.loads(encode(document))) & others
    book = openpyxl.load_workbook(io.BytesIO(xlsx(document, "zh")), data_only=True)
    cells = {it.value for sheet in book for row in sheet.iter_rows() for it in row}
    assert not cells & others - {shown(name, "zh")}
    ids = [it for it in others if "-0" in it and len(it) == 23]
    assert len(ids) > 100
    text = encode(document).decode()
    assert not any(it in text for it in ids)


def test_it_is_its_own_sums() -> None:
    for one in PLAIN.departments:
        found = excerpt(PLAIN, one.name)
        assert found.scope.department == one.name
        assert found.scope.data_hash == PLAIN.scope.data_hash
        assert found.scope.thresholds == PLAIN.scope.thresholds
        mine = found.departments[0]
        assert msgspec.structs.replace(mine, resources=one.resources) == one
        for told, whole in zip(mine.resources, one.resources, strict=True):
            assert told == whole or any(it.code == "moved" for it in whole.reasons)
        assert found.estate.granted == one.granted
        assert found.estate.load == one.load
        assert found.estate.due == one.due
        assert found.estate.capacity == ()
        assert found.estate.trend == ()
        assert found.estate.days == ()
        assert found.estate.kinds == Counter(it.kind for it in one.resources)
        assert found.showback == one.showback
        assert found.lines is None
        assert all(it.department == one.name for it in found.held)
        assert all(it.departments == (one.name,) for it in found.exemptions)


def changed(**changes: object) -> Document:
    """The excerpt of the first department, which is another than it was."""
    first, *others = PLAIN.departments
    own = msgspec.structs.replace(first, **changes)
    document = msgspec.structs.replace(PLAIN, departments=(own, *others))
    return excerpt(document, first.name)


def test_what_is_not_known_is_never_0() -> None:
    unknown = Sums(3, Total(0.0, 3), Total(0.0, 3), Total(0.0, 3))
    found = changed(granted=unknown, due=unknown)
    by_key = {it.key: it for it in found.figures}
    assert by_key["granted"].value is by_key["reclaimable"].value is None
    assert by_key["granted"].note.en == "sizes not known: 3"
    for text in (found.summary[0], found.summary[-1]):
        assert not re.search(r"\b0\b", text.zh.partition("vCPU")[2].partition("；")[0])
        assert text.zh.count("（数量未知）") == 3
        assert text.en.count("(not known how much)") == 3
        assert "（另有 3 项规格不全" in text.zh  # three resources, not nine parts of them
    some = Sums(3, Total(8.0, 2), Total(2.0**35), Total(0.0))
    found = changed(granted=some)
    assert {it.key: it.value for it in found.figures}["granted"] == 8
    assert "vCPU 8 个、内存 32 GiB、存储 0 GiB（另有 2 项" in found.summary[0].zh


def test_kinds_are_of_what_is_held_when_the_month_ends() -> None:
    first = PLAIN.departments[0]
    gone = tuple(
        msgspec.structs.replace(it, reasons=(Reason("released"),)) for it in first.resources
    )
    assert excerpt(PLAIN, first.name).estate.kinds
    assert changed(resources=gone).estate.kinds == {}


def test_parts_of_all_departments_are_the_whole() -> None:
    parts = [excerpt(PLAIN, it.name) for it in PLAIN.departments]
    assert sum(len(it.held) for it in parts) == len(PLAIN.held)
    assert PLAIN.follow_ups is not None
    told = [it.follow_ups for it in parts if it.follow_ups]
    assert sum(len(it.rows) for it in told) == len(PLAIN.follow_ups.rows)
    assert sum(it.steps.get("reviewed", 0) for it in told) == PLAIN.follow_ups.steps["reviewed"]
    assert sum(it.realised.vcpus or 0 for it in told) == PLAIN.follow_ups.realised.vcpus
    for exemption in PLAIN.exemptions:
        own = [it for part in parts for it in part.exemptions if it.id == exemption.id]
        assert sum(it.resources for it in own) == exemption.resources
        assert sum(it.granted.vcpus.value for it in own) == exemption.granted.vcpus.value


def test_what_came_free_ever_is_not_known_where_the_rows_do_not_tell_of_all() -> None:
    whole = PLAIN.follow_ups
    assert whole is not None
    name = next(it.department for it in whole.rows if it.realised is not None)
    found = excerpt(PLAIN, name).follow_ups
    assert found is not None
    assert found.realised_total == Amount()
    assert found.saved_cost is None
    all_of_it = msgspec.structs.replace(whole, realised_total=whole.realised)
    found = excerpt(msgspec.structs.replace(PLAIN, follow_ups=all_of_it), name).follow_ups
    assert found is not None
    own = [it for it in whole.rows if it.department == name and it.realised is not None]
    assert found.realised_total.vcpus == sum(it.realised.vcpus or 0 for it in own if it.realised)
    assert found.saved_cost == sum(it.saved_cost or 0 for it in own)
    # steps of what was closed before are of others, too: only those of what is open are told
    more = msgspec.structs.replace(whole, steps={**whole.steps, "reviewed": 99})
    found = excerpt(msgspec.structs.replace(PLAIN, follow_ups=more), name).follow_ups
    assert found is not None
    assert set(found.steps) == {"notified", "confirmed", "carried_out"}


def test_what_came_free_is_not_known_where_of_no_row_it_is() -> None:
    whole = PLAIN.follow_ups
    assert whole is not None
    rows = tuple(msgspec.structs.replace(it, realised=None) for it in whole.rows)
    told = msgspec.structs.replace(whole, rows=rows)
    document = msgspec.structs.replace(PLAIN, follow_ups=told)
    name = next(it.department for it in rows if it.step == "reviewed")
    found = excerpt(document, name).follow_ups
    assert found is not None
    assert found.realised == Amount()


def test_the_unassigned_may_be_asked_for_by_its_shown_name() -> None:
    found = excerpt(PLAIN, "未归属")
    assert found.scope.department == ""
    assert {it.department for it in found.departments[0].resources} == {""}
    assert "未归属" in found.summary[0].zh
    # where a department is called so, it is that one, and what has none is asked for by no name
    assert excerpt(HOSTILE, "未归属").scope.department == "未归属"
    assert excerpt(HOSTILE, "").scope.department == ""


def test_an_unknown_name_is_told_its_nearest() -> None:
    with pytest.raises(ValueError, match="市财政局"):
        excerpt(PLAIN, "市财正局")
    with pytest.raises(ValueError, match="no department is called 'x'"):
        excerpt(PLAIN, "x")


def test_gaps_count_its_own_alone() -> None:
    for one in PLAIN.departments:
        gaps = {it.code: it for it in excerpt(PLAIN, one.name).gaps}
        few = [it for it in one.resources if it.state == "insufficient"]
        told = [it for code, it in gaps.items() if code.startswith("insufficient")]
        assert sum(it.count for it in told) == len(few)
        assert {name for it in told for name in it.examples} <= {it.name for it in few}
        estimated = [it for it in one.resources if any(m.estimated for m in it.measured.values())]
        assert ("estimates" in gaps) is bool(estimated)
        unknown = one.granted_core_hours - one.known_core_hours
        assert gaps["core_hours"].count == round(unknown)
        assert gaps["days"].examples == ("2026-10-09",)
        assert "excerpt" in gaps


def test_an_excerpt_of_parts_that_are_not_there_has_none() -> None:
    empty = {"showback": None, "follow_ups": None, "lines": None, "ipv6": None, "baseline": None}
    found = excerpt(msgspec.structs.replace(PLAIN, **empty), "市公安局")
    assert found.follow_ups is None
    assert found.ipv6 is None
    assert found.baseline is None


def test_why_quantiles_are_not_known_is_said_in_an_excerpt() -> None:
    load = msgspec.structs.replace(PLAIN.departments[0].load, p50=None, p95=None, peak=None)
    assert "no_slots" in {it.code for it in changed(load=load).gaps}


def test_what_nobody_gave_is_told_in_an_excerpt_too_and_what_the_whole_report_has_as_such() -> None:
    prices = msgspec.structs.replace(PLAIN.gaps[0], code="prices")
    document = msgspec.structs.replace(PLAIN, gaps=(*PLAIN.gaps, prices), ipv6=None)
    codes = {it.code for it in excerpt(document, PLAIN.departments[0].name).gaps}
    assert {"prices", "excerpt", "excerpt_lines"} <= codes
    assert "excerpt_ipv6" not in codes


def test_nothing_is_told_of_the_time_when_a_resource_was_another_s() -> None:
    first = PLAIN.departments[0]
    one = next(it for it in first.resources if it.state == "low" and it.measured)
    reasons = (*one.reasons, Reason("moved", text="2026-10-11"))
    moved = msgspec.structs.replace(one, reasons=reasons)
    found = changed(resources=(moved,))
    told = found.departments[0].resources[0]
    assert (told.measured, told.figures) == ({}, {})
    assert "moved" in {it.code for it in told.reasons}
    assert not {it.code for it in told.reasons} & {"cpu_below", "memory_below"}
    gaps = {it.code: it for it in found.gaps}
    assert gaps["moved"].count == 1
    assert "memory_unknown" not in gaps  # it is known, and not told


def test_a_free_text_that_names_another_department_is_not_told() -> None:
    first, other = [it for it in PLAIN.departments if it.name][:2]
    for text, kept in ((f"{first.name}容灾", True), (f"{first.name}、{other.name}共用", False)):
        exemptions = tuple(msgspec.structs.replace(it, reason=text) for it in PLAIN.exemptions)
        departments = tuple(
            msgspec.structs.replace(one, resources=tuple(
                (it.exemption and msgspec.structs.replace(
                    it, exemption=msgspec.structs.replace(it.exemption, owner=text))) or it
                for it in one.resources))
            for one in PLAIN.departments
        )  # fmt: skip
        changes = {"exemptions": exemptions, "departments": departments}
        found = excerpt(msgspec.structs.replace(PLAIN, **changes), first.name)
        assert found.exemptions
        assert all((it.reason == text) is kept for it in found.exemptions)
        exempted = [it.exemption for it in found.departments[0].resources if it.exemption]
        assert exempted
        assert all((it.owner == text) is kept for it in exempted)
        assert (other.name in encode(found).decode()) is False


def test_what_is_open_is_told_to_whoever_holds_it_now() -> None:
    whole = PLAIN.follow_ups
    assert whole is not None
    row = next(it for it in whole.rows if it.step == "notified" and it.department)
    holder = next(it for it in PLAIN.departments if it.name not in ("", row.department))
    now = msgspec.structs.replace(holder.resources[0], resource=row.resource, name="new name")
    moved = msgspec.structs.replace(row, note=f"现归属 {holder.name}")
    departments = tuple(
        msgspec.structs.replace(
            one,
            resources=(*(it for it in one.resources if it.resource != row.resource),
                       *([now] if one is holder else [])),
        )
        for one in PLAIN.departments
    )  # fmt: skip
    rows = tuple(moved if it is row else it for it in whole.rows)
    follow_ups = msgspec.structs.replace(whole, rows=rows)
    document = msgspec.structs.replace(PLAIN, departments=departments, follow_ups=follow_ups)
    old, new = (excerpt(document, it).follow_ups for it in (row.department, holder.name))
    assert old is not None
    assert new is not None
    assert row.id not in {it.id for it in old.rows}
    told = next(it for it in new.rows if it.id == row.id)
    assert (told.department, told.system, told.name) == (holder.name, now.system, "new name")
    # what was closed stays where it was done, and names nobody else
    closed = msgspec.structs.replace(moved, step="declined")
    rows = tuple(closed if it is row else it for it in whole.rows)
    follow_ups = msgspec.structs.replace(whole, rows=rows)
    document = msgspec.structs.replace(PLAIN, departments=departments, follow_ups=follow_ups)
    old = excerpt(document, row.department).follow_ups
    assert old is not None
    assert holder.name not in next(it for it in old.rows if it.id == row.id).note


def test_it_says_what_of_its_own_parts_is_out_of_date() -> None:
    part = PLAIN.baseline
    assert part is not None
    one, other, *_ = (it.name for it in part.departments if it.name)
    outdated = tuple(Outdated(f"host-of-{name}", name, PLAIN.scope.since) for name in (one, other))
    baseline = msgspec.structs.replace(part, outdated=outdated)
    made = excerpt(msgspec.structs.replace(PLAIN, baseline=baseline), one)
    [told] = [gap for gap in made.gaps if gap.code == "audits_outdated"]
    assert told.count == 1
    assert any(f"host-of-{one}" in it for it in told.examples)
    assert f"host-of-{other}" not in str(made.gaps)
