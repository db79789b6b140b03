"""A Debian tree before and after it is hardened by what the rules' `fix` texts say; what lynis and
OpenSCAP make of the same tree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import yaml

from collectors.model import Fact
from rules import pack as packs
from rules.audit import audit
from rules.model import AuditResult
from rules.score import worst_by_rule
from tests import chrootlab
from tests.baselinemachines import BASELINE
from tests.chrootlab import Chroot

pytestmark = [
    pytest.mark.skipif(bool(chrootlab.unavailable()), reason=chrootlab.unavailable()),
    pytest.mark.timeout(900),
]

PACKS = [packs.load("mlps-l3")]


def fixes() -> dict[str, list[str]]:
    """Shell lines by rule, of all parts."""
    found: dict[str, list[str]] = {}
    for path in sorted(BASELINE.glob("*/fixes.yaml")):
        found.update(yaml.safe_load(path.read_text()) or {})
    return found


def outcomes(facts: dict[str, Fact]) -> dict[str, str]:
    result: AuditResult = audit(PACKS, facts, {}, datetime.now(UTC))
    return {
        rule: verdict.verdict
        for pack in result.packs
        for rule, verdict in worst_by_rule(pack.verdicts).items()
    }


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroot]:
    with chrootlab.debian(tmp_path_factory.mktemp("chroot")) as one:
        yield one


@pytest.fixture(scope="module")
def before(host: Chroot) -> dict[str, str]:
    return outcomes(host.facts())


@pytest.fixture(scope="module")
def after(host: Chroot, before: dict[str, str]) -> dict[str, str]:
    assert before
    for lines in fixes().values():
        for line in lines:
            host.run(line)
    return outcomes(host.facts())


def test_fixes_are_of_rules(before: dict[str, str]) -> None:
    assert set(fixes()) - set(before) == set()


def test_every_fixed_rule_passes(before: dict[str, str], after: dict[str, str]) -> None:
    wrong = {rule: (before[rule], after[rule]) for rule in fixes() if after[rule] != "pass"}
    assert wrong == {}


def test_most_of_what_fails_can_be_fixed_here(
    before: dict[str, str], after: dict[str, str]
) -> None:
    mended = [rule for rule in fixes() if before[rule] == "fail" and after[rule] == "pass"]
    assert len(mended) >= 5


def test_nothing_else_got_worse(before: dict[str, str], after: dict[str, str]) -> None:
    worse = {
        r for r in before if before[r] == "pass" and after[r] not in ("pass", "not_applicable")
    }
    assert worse == set()
