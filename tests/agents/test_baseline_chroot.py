"""A Debian host before and after it is hardened by what the rules' `fix` texts say."""

from __future__ import annotations

import pytest

from tests.hardening import Hardening, fixes

pytestmark = pytest.mark.timeout(900)


def test_fixes_are_of_rules(hardened: Hardening) -> None:
    assert set(fixes()) - set(hardened.before.verdicts) == set()


def test_every_fixed_rule_passes(hardened: Hardening) -> None:
    told = {rule: hardened.after.told(rule) for rule in fixes()}
    assert {rule: it for rule, it in told.items() if not it.startswith("pass")} == {}


def test_most_of_them_failed_before(hardened: Hardening) -> None:
    mended = [rule for rule in fixes() if hardened.before.outcome(rule) == "fail"]
    assert len(mended) >= 60


def test_nothing_else_got_worse(hardened: Hardening) -> None:
    good = [rule for rule in hardened.before.verdicts if hardened.before.outcome(rule) == "pass"]
    worse = {
        rule: hardened.after.told(rule)
        for rule in good
        if hardened.after.outcome(rule) not in ("pass", "not_applicable")
    }
    assert worse == {}
