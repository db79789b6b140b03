"""Lines in audits: `--facts` on the command line, and audits on schedule that are given them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents import children, rounds
from agents.auditing import AuditSchedule
from agents.cli import main
from collectors.sources.commands import Ended
from exporters.findings.digest import BATCH, digest
from exporters.prometheus.encoder import Encoder
from rules.model import AuditResult, Change, Host, Rule
from rules.offenders import MAX_OFFENDERS
from rules.settings import AuditSettings
from tests.agentlab import eventually

MACHINE = str(Path(__file__).parent.parent / "fixtures/machines/hardened")
DOWN = {"line": "a", "site": "s", "state": "down", "reason": "ipv4: timeout", "site_cut": False}
LINES = json.dumps({"lines": [DOWN]}).encode()


def audit(*arguments: str, given: bytes = b"") -> Result:
    whole = ["audit", "--recorded", MACHINE, "--format", "json", *arguments]
    return CliRunner().invoke(main, whole, input=given, env={"LC_ALL": "", "LANG": ""})


def verdicts(content: str | bytes) -> dict[str, dict[str, Any]]:
    packs = json.loads(content)["packs"]
    return {v["rule"]: v for pack in packs for v in pack["verdicts"]}


def test_facts_from_standard_input() -> None:
    done = audit("--pack", "link-quality", "--facts", "-", "--fail-on", "high", given=LINES)
    assert done.exit_code == 1
    found = verdicts(done.stdout)
    assert (found["link.not-down"]["verdict"], found["link.not-down"]["instance"]) == ("fail", "a")
    assert found["link.site-not-cut"]["verdict"] == "pass"
    assert found["link.measured"]["verdict"] == "unknown"


def test_facts_from_a_file_stand_beside_those_collected(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(LINES)
    packs = ("--pack", "link-quality", "--pack", "host-basics")
    found = verdicts(audit(*packs, "--facts", str(path)).stdout)
    assert found["link.not-down"]["verdict"] == "fail"
    assert found["linux.accounts.only-root-has-uid-0"]["verdict"] == "pass"


def test_without_facts_there_are_no_lines() -> None:
    found = verdicts(audit("--pack", "link-quality").stdout)
    assert {v["verdict"] for v in found.values()} == {"not_applicable"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "--facts"),
        (b"[]", "an object of facts by name"),
        (b'{"lines": [', "--facts"),
        (b'{"linez": []}', "no fact 'linez'"),
        (b"\xff", "--facts"),
        (b'{"lines": ' + b"[" * 100_000, "--facts"),
    ],
)
def test_facts_that_are_none(given: bytes, words: str) -> None:
    done = audit("--pack", "link-quality", "--facts", "-", given=given)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output


def test_facts_of_another_shape_are_unknown() -> None:
    done = audit("--pack", "link-quality", "--facts", "-", given=b'{"lines": [7, null]}')
    assert done.exit_code == 0
    assert {v["verdict"] for v in verdicts(done.stdout).values()} == {"unknown"}


def test_the_child_is_given_lines(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text("audit: {packs: [link-quality]}\n")
    many = [{**DOWN, "line": f"a{n}"} for n in range(3000)]
    assert len(json.dumps(many)) > 1 << 17  # more than a pipe holds
    settings = AuditSettings(packs=("link-quality",))
    schedule = AuditSchedule(str(config), settings, {"lines": lambda: many})
    schedule.start()
    try:
        last = eventually(lambda: schedule.last, 60)
    finally:
        schedule.stop()
    assert last
    [pack] = json.loads(last.content)["packs"]
    hits = [v for v in pack["verdicts"] if v["rule"] == "link.not-down"]
    assert len(hits) == MAX_OFFENDERS + 1
    assert hits[-1]["actual"] == {"more": 3000 - MAX_OFFENDERS}
    assert not schedule.problem


def test_changes_are_told_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "HASTE", 0.05)
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"state_dir: {tmp_path}/state\naudit: {{packs: [link-quality]}}\n")
    many = [{**DOWN, "line": f"a{n}"} for n in range(600)]
    batches: list[list[int]] = []

    def tell(changes: Sequence[Change], rules: Mapping[str, Rule]) -> bool:
        assert "link.not-down" in rules
        batches.append([change.number for change in changes])
        return len(batches) != 2  # the second is refused: it and the rest wait

    settings = AuditSettings(packs=("link-quality",))
    schedule = AuditSchedule(str(config), settings, {"lines": lambda: many}, tell)
    schedule.start()
    try:
        eventually(lambda: len(batches) == 2, 60)
        schedule.hasten()
        eventually(lambda: batches[2:] and batches[-1][-1:] == [600], 90)
    finally:
        schedule.stop()
    assert max(map(len, batches)) == BATCH
    assert batches[2] == batches[1]
    accepted = [number for batch in (batches[0], *batches[2:]) for number in batch]
    assert accepted == list(range(1, 601))
    assert schedule.last
    # of the hits there are figures here, and bytes
    assert {len(pack.verdicts) for pack in schedule.last.packs} == {0}
    served = json.loads(schedule.last.content)
    assert (len(served["hits"]), served["changes"]) == (600, [])


def test_lost_changes_are_logged_once(
    child: Child, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = AuditResult(Host("h"), datetime.now(UTC), 0.1, (), hits_lost=7)
    output = msgspec.json.encode(digest(result)) + b"\n{}"
    rounds_of: list[int] = []

    def run(*_: Any, **__: Any) -> Ended:
        rounds_of.append(1)
        return Ended(0, output, "")

    monkeypatch.setattr(children, "run", run)
    monkeypatch.setattr(rounds, "HASTE", 0.05)
    schedule = AuditSchedule("", AuditSettings())
    schedule.start()
    eventually(lambda: schedule.last)
    schedule.hasten()
    eventually(lambda: len(rounds_of) == 2)
    schedule.stop()
    assert caplog.text.count("7 changes of hits were dropped before they were told") == 1
    page = Encoder().encode(schedule.families()).decode()
    assert "jianwei_hit_changes_lost_total 7.0" in page


class Child:
    """Stands for the child: what it was given, and when."""

    def __init__(self) -> None:
        self.given: list[bytes | None] = []
        self.arguments: tuple[str, ...] = ()

    def run(self, arguments: tuple[str, ...], *_: Any, given: int, **__: Any) -> Ended:
        self.arguments = arguments
        self.given.append(os.read(given, 1 << 20) if given >= 0 else None)
        return Ended(1, b"", "")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    it = Child()
    monkeypatch.setattr(children, "run", it.run)
    monkeypatch.setattr(rounds, "FIRST_DELAY", 0.0)
    return it


@pytest.mark.parametrize(
    ("packs", "given"),
    [
        (["host-basics"], [True, False, False]),
        (["host-basics", "link-quality"], [True, True, True]),
        (["./none.yaml"], [True, True, True]),  # nobody knows what it would judge
    ],
)
def test_lines_go_only_to_packs_that_judge_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packs: list[str], given: list[bool]
) -> None:
    """The first audit is given them, for want of one before it; it says what its packs judge."""
    config = tmp_path / "jianwei.yaml"
    config.write_text(json.dumps({"audit": {"packs": packs}, "state_dir": str(tmp_path / "state")}))
    ended: list[tuple[tuple[str, ...], bytes | None, Ended]] = []
    real = children.run

    def run(
        arguments: tuple[str, ...], seconds: float, *, stop: threading.Event, given: int
    ) -> Ended:
        content = os.pread(given, 1 << 20, 0) if given >= 0 else None
        ended.append((arguments, content, real(arguments, seconds, stop=stop, given=given)))
        return ended[-1][-1]

    monkeypatch.setattr(children, "run", run)
    monkeypatch.setattr(rounds, "FIRST_DELAY", 0.0)
    monkeypatch.setattr(rounds, "HASTE", 0.05)
    asked: list[int] = []

    def lines() -> Any:
        asked.append(1)
        return json.loads(LINES)["lines"]

    facts = {"lines": lines, "listeners": lambda: None}  # the second has nothing to tell
    schedule = AuditSchedule(str(config), AuditSettings(packs=tuple(packs)), facts)
    judged: list[frozenset[str]] = []
    schedule.when_judged(judged.append)
    schedule.start()
    for number in (1, 2, 3):
        eventually(lambda number=number: len(ended) == number, 60)  # type: ignore[misc]
        schedule.hasten()
    schedule.stop()
    assert [content and json.loads(content) for _, content, _ in ended[:3]] == [
        json.loads(LINES) if one else None for one in given
    ]
    assert ["--facts" in arguments for arguments, _, _ in ended[:3]] == given
    assert len(asked) >= sum(given)
    works = packs != ["./none.yaml"]
    assert {one.status == 0 for _, _, one in ended[:3]} == {works}
    assert bool(judged) == works
    assert {"lines" in one for one in judged} == ({given[-1]} if works else set())


def test_hasten_brings_the_next_audit_forward(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "HASTE", 3.0)
    schedule = AuditSchedule("", AuditSettings())
    schedule.start()
    try:
        eventually(lambda: len(child.given) == 1)
        begun = time.monotonic()
        for _ in range(50):
            schedule.hasten()
        assert len(child.given) == 1
        eventually(lambda: len(child.given) == 2)
        assert time.monotonic() - begun > 0.5
        time.sleep(3.3)  # nobody asked again
        assert len(child.given) == 2
    finally:
        schedule.stop()
    assert not schedule._rounds._thread.is_alive()
