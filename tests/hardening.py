"""A Debian host weakened by `tests/baseline/PART/weaken.yaml`, and hardened by `fixes.yaml` beside it, which does what the
rules' `fix` texts say; looked at before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from rules import pack as packs
from rules.audit import audit
from rules.model import Verdict
from rules.score import worst_by_rule
from tests.baselinemachines import BASELINE
from tests.chrootlab import Chroot


@dataclass(frozen=True)
class View:
    """The host at one moment: by rule the worst verdict."""

    verdicts: dict[str, Verdict]

    def outcome(self, rule: str) -> str:
        return self.verdicts[rule].verdict

    def told(self, rule: str) -> str:
        """An outcome with what shows why, for people."""
        one = self.verdicts[rule]
        return " ".join(
            str(it) for it in (one.verdict, one.instance, one.actual, one.reason, one.source) if it
        )


@dataclass(frozen=True)
class Hardening:
    before: View
    after: View


def _parts(name: str) -> list[Any]:
    return [yaml.safe_load(path.read_text()) for path in sorted(BASELINE.glob(f"*/{name}"))]


def weakening() -> list[str]:
    """Shell lines of all parts."""
    return [line for part in _parts("weaken.yaml") for line in part]


def fixes() -> dict[str, list[str]]:
    """Shell lines by rule, of all parts."""
    return {rule: lines for part in _parts("fixes.yaml") for rule, lines in (part or {}).items()}


def look(host: Chroot) -> View:
    result = audit([packs.load("mlps-l3")], host.facts(), {}, datetime.now(UTC))
    return View({r: v for pack in result.packs for r, v in worst_by_rule(pack.verdicts).items()})


def harden(host: Chroot) -> Hardening:
    for line in weakening():
        host.run(line)
    before = look(host)
    for lines in fixes().values():
        for line in lines:
            host.run(line)
    return Hardening(before, look(host))
