"""What OpenSCAP and lynis say of a host beside what we say, on the controls that are shared: tests/baseline/agreement.yaml."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tests.hardening import Hardening, View, agreement

pytestmark = pytest.mark.timeout(900)

Moment = Literal["before", "after"]
TOOLS = ("openscap", "lynis")


def theirs(tool: str, row: dict[str, Any], view: View) -> str:
    """pass, fail, or what else it is."""
    if tool == "openscap":
        found = {view.openscap.get(name, "absent") for name in row["theirs"]}
        found -= {"pass"} if len(found) > 1 else set()
        return "fail" if "fail" in found else ",".join(sorted(found))
    if any(name.split()[0] not in view.lynis_ran for name in row["theirs"]):
        return "absent"
    said = [text for text in view.lynis if text.startswith(tuple(row["theirs"]))]
    return "fail" if said else "pass"


def differences(tool: str, moment: Moment, view: View) -> list[str]:
    """What is not as the table has it."""
    wrong = []
    for row in agreement()[tool]:
        one, other = theirs(tool, row, view), view.outcome(row["ours"], row.get("about", ""))
        known = row.get(moment, {"is": "pass/pass" if one == other == "pass" else "fail/fail"})
        if f"{one}/{other}" != known["is"]:
            wrong.append(f"{row['theirs'][0]} {row['ours']}: {one}/{other}, not {known['is']}")
    return wrong


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_only_known_differences(tool: str, moment: Moment, hardened: Hardening) -> None:
    view: View = getattr(hardened, moment)
    if tool == "openscap" and not view.openscap:
        pytest.skip("needs the Debian package ssg-debian")
    assert differences(tool, moment, view) == []


def test_the_table_is_of_differences_with_reasons() -> None:
    for row in (row for tool in TOOLS for row in agreement()[tool]):
        assert row.keys() <= {"theirs", "ours", "about", "before", "after"}, row
        for moment in ("before", "after"):
            if moment in row:
                one, other = row[moment]["is"].split("/")
                assert one != other or one not in ("pass", "fail"), row
                assert row[moment]["why"], row


def test_most_of_the_shared_controls_agree(hardened: Hardening) -> None:
    rows = [row for tool in TOOLS for row in agreement()[tool]]
    agreed = [row for row in rows if "before" not in row and "after" not in row]
    assert len(agreed) >= 50
    assert len(agreed) >= 0.7 * len(rows)
    assert hardened.before.lynis_ran
