"""Slow inventories: kept apart from audits with their age, scanned by hand, on schedule and to the end."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents import config as configuration
from agents import inventories, rounds
from agents.auditing import AuditSchedule
from agents.cli import main
from agents.errors import UserError
from agents.inventories import Inventories
from agents.scanning import ScanSchedule
from collectors import catalogue
from collectors.model import Answer, Reading
from collectors.sources.local import LocalSource
from tests import baselinemachines
from tests.agentlab import eventually
from tests.collectors.test_walks import tree

PACK = """
pack: slow
title: {zh: 慢, en: Slow}
params: {max_scan_age: 3600}
rules:
  - id: t.suid
    title: {zh: 无, en: None}
    severity: high
    facts: [file_scan]
    offenders: file_scan.suid.filter(f, f.path == "/bin/su")
    key: path
    unseen: >-
      file_scan.age > params.max_scan_age ? [{"path": "scan"}] : file_scan.problems
    tests:
      pass: [{file_scan: {age: 1, problems: [], suid: []}}]
      fail: [{file_scan: {age: 1, problems: [], suid: [{path: /bin/su}]}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    root = tree(tmp_path / "root")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("x")
    (tmp_path / "slow.yaml").write_text(PACK)
    path = tmp_path / "jianwei.yaml"
    path.write_text(f"root: {root}\nstate_dir: state\naudit: {{packs: [./slow.yaml]}}\n")
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments])


def verdicts(config: Path, *more: str) -> dict[str, Any]:
    result = run("audit", "--config", config, "--format", "json", *more)
    assert result.exit_code == 0, result.stderr
    (pack,) = json.loads(result.stdout)["packs"]
    return {v.get("instance", ""): v for v in pack["verdicts"]}


def kept(config: Path) -> Inventories:
    return Inventories(configuration.load(str(config)))


def test_without_a_scan_nothing_is_known(config: Path) -> None:
    (verdict,) = verdicts(config).values()
    assert verdict["verdict"] == "unknown"
    assert "jianwei inventory scan" in verdict["reason"]


def test_an_audit_takes_what_was_scanned(config: Path) -> None:
    result = run("inventory", "scan", "filescan", "--config", config)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("filescan ")
    root = configuration.load(str(config)).root
    (Path(root) / "bin/su").unlink()  # an audit does not look again
    found = verdicts(config)
    assert found["/bin/su"]["verdict"] == "fail"
    fact = kept(config).facts([catalogue.COLLECTORS["filescan"].cls()])["file_scan"]
    assert fact.value["age"] < 60
    assert abs(fact.value["scanned"] - time.time()) < 60
    assert fact.value["complete"]


def test_what_is_too_old_is_unknown_where_nothing_was_found(config: Path) -> None:
    run("inventory", "scan", "filescan", "--config", config)
    found = kept(config).path("filescan")
    content = json.loads(found.read_bytes())
    content["scanned"] -= 7200
    content["facts"][0]["value"]["suid"] = []
    found.write_text(json.dumps(content))
    (verdict,) = verdicts(config).values()
    assert (verdict["verdict"], verdict["instance"]) == ("unknown", "scan")


def test_an_audit_that_scans(config: Path) -> None:
    assert verdicts(config, "--scan")["/bin/su"]["verdict"] == "fail"
    assert kept(config).kept("filescan") is None


def test_a_recording_answers_by_itself_and_a_host_does_not(config: Path, tmp_path: Path) -> None:
    machine = baselinemachines.build("debian-default", tmp_path)
    (verdict,) = verdicts(config, "--recorded", str(machine)).values()
    assert verdict["verdict"] == "pass"
    loaded = configuration.load(str(config))
    facts = inventories.slow_facts(loaded, {"file_scan", "updates"}, None, elsewhere=True)
    assert {fact.unavailable for fact in facts.values()} == {inventories.ELSEWHERE}


def test_another_root_is_another_machine(config: Path, tmp_path: Path) -> None:
    run("inventory", "scan", "filescan", "--config", config)
    other = tree(tmp_path / "other")
    config.write_text(config.read_text().replace(f"{tmp_path}/root", str(other)))
    assert kept(config).kept("filescan") is None


def test_list_and_max_age(config: Path) -> None:
    rows = run("inventory", "list", "--config", config).stdout.splitlines()
    assert len(rows) > 2
    assert all(row.endswith("  never scanned") for row in rows)
    run("inventory", "scan", "filescan", "--config", config)
    first = kept(config).kept("filescan")
    run("inventory", "scan", "filescan", "--config", config, "--max-age", "1h")
    second = kept(config).kept("filescan")
    assert first
    assert second
    assert first.scanned == second.scanned
    run("inventory", "scan", "filescan", "--config", config)
    third = kept(config).kept("filescan")
    assert third
    assert third.scanned > first.scanned
    lines = run("inventory", "list", "--config", config, "--json").stdout.splitlines()
    listed = {one["inventory"]: one for one in map(json.loads, lines)}
    assert listed["filescan"]["complete"]
    assert listed["updates"]["age"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "there are: filescan"),
        (("--max-age", "soon"), "not a duration"),
    ],
)
def test_bad_input(config: Path, arguments: Sequence[str], told: str) -> None:
    result = run("inventory", "scan", *arguments, "--config", config)
    assert result.exit_code == 2
    assert told in result.stderr


class Hurried(LocalSource):
    """A machine on which a walk sees two directories' worth of entries at a time."""

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        found = {}
        for one in readings:
            small = msgspec.structs.replace(one, seconds=0.0) if hasattr(one, "roots") else one
            found[one] = super().answer([small])[small]
        return found


def scan_hurried(config: Path, monkeypatch: pytest.MonkeyPatch) -> inventories.Kept:
    monkeypatch.setattr(inventories, "LocalSource", Hurried)
    monkeypatch.setattr(inventories, "SLICE", 1e9)
    return kept(config).scan("filescan", lambda _: None)


def test_a_walk_in_parts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scan_hurried(config, monkeypatch)
    assert first.part
    assert not first.complete
    (verdict,) = [v for v in verdicts(config).values() if v["verdict"] == "unknown"]
    assert verdict["instance"] == "/"  # the rest was not seen yet
    began = first.scanned
    for _ in range(60):
        last = scan_hurried(config, monkeypatch)
        if last.complete:
            break
    assert last.complete
    assert last.part is None
    assert last.scanned == began  # as old as its oldest part
    (fact,) = last.facts
    assert [row["path"] for row in fact.value["suid"]] == ["/bin/su", "/bin/write"]
    whole = kept(config).scan("filescan", lambda _: None)
    # a part of a newer scan does not replace the whole of an older one
    assert scan_hurried(config, monkeypatch).facts == whole.facts


def test_a_failed_scan_leaves_what_there_was(config: Path) -> None:
    before = kept(config).scan("filescan", lambda _: None)
    (Path(configuration.load(str(config)).root) / "etc/passwd").unlink()
    result = run("inventory", "scan", "filescan", "--config", config)
    assert result.exit_code == 1
    after = kept(config).kept("filescan")
    assert after
    assert after.facts == before.facts
    assert "no such file" in after.failure


def test_one_scan_at_a_time(config: Path) -> None:
    here = kept(config)
    here.path("x").parent.mkdir(parents=True)
    with open(here.path("x").parent / ".filescan.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="already"):
            here.scan("filescan", lambda _: None)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"root": 1}', b"\xff", b"{}"])
def test_a_damaged_file_is_told_and_replaced(config: Path, content: bytes) -> None:
    here = kept(config)
    here.scan("filescan", lambda _: None)
    here.path("filescan").write_bytes(content)
    (verdict,) = verdicts(config).values()
    assert verdict["verdict"] == "unknown"
    assert run("inventory", "scan", "filescan", "--config", config).exit_code == 0
    assert verdicts(config)["/bin/su"]["verdict"] == "fail"


def test_kill_leaves_a_whole_file(config: Path) -> None:
    command = [sys.executable, "-m", "agents", "inventory", "scan", "filescan"]
    for milliseconds in (200, 400, 600, 800, 1000):
        child = subprocess.Popen([*command, "--config", config], stdout=subprocess.DEVNULL)
        time.sleep(milliseconds / 1000)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kept(config).kept("filescan")  # whole, or none yet
    assert run("inventory", "scan", "filescan", "--config", config).exit_code == 0


def test_what_is_kept_is_for_its_owner(config: Path) -> None:
    here = kept(config)
    here.scan("filescan", lambda _: None)
    assert os.stat(here.path("filescan")).st_mode & 0o077 == 0
    assert os.stat(here.path("filescan").parent).st_mode & 0o077 == 0


def schedule(config: Path) -> tuple[AuditSchedule, ScanSchedule]:
    """Audits that say what is judged, and scans that listen."""
    settings = configuration.load(str(config))
    audits = AuditSchedule(str(config), settings.audit)
    scans = ScanSchedule(str(config), settings, audits.hasten)
    audits.when_judged(scans.judges)
    return audits, scans


def audited(config: Path) -> ScanSchedule:
    """Scans that are not started, after an audit."""
    audits, scans = schedule(config)
    audits.start()
    try:
        assert eventually(lambda: audits.last, 60)
    finally:
        audits.stop()
    return scans


def test_the_agent_scans_what_is_judged(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "HASTE", 0.5)
    audits, one = schedule(config)
    one.start()
    assert one.families() == ()  # nobody knows yet
    audits.start()
    try:
        eventually(lambda: audits.last and b'"/bin/su"' in audits.last.content, 60)
    finally:
        audits.stop()
        one.stop()
    families = {family.name: family.samples for family in one.families()}
    (success,) = families["jianwei_inventory_success"]
    assert (success.labels, success.value) == ((("inventory", "filescan"),), 1.0)
    (age,) = families["jianwei_inventory_age_seconds"]
    assert 0 <= age.value < 60
    # after a restart it is not due for long
    again = audited(config)
    again.start()
    again.stop()
    assert again._rounds.first > 3600


def test_a_reload_goes_on_with_what_was_judged(config: Path) -> None:
    audits, scans = schedule(config)
    audits.start()
    eventually(lambda: audits.last, 60)
    audits.stop()
    after, known = schedule(config)
    after.adopt(audits)
    assert after.last is audits.last
    assert [family.name for family in known.families()] == [f.name for f in scans.families()] != []


def test_what_is_judged_later_is_scanned(config: Path) -> None:
    scans = schedule(config)[1]
    scans.start()
    scans.judges(frozenset({"os"}))
    assert scans.families() == ()
    scans.judges(frozenset({"os", "file_scan"}))
    eventually(lambda: kept(config).kept("filescan"), 60)
    scans.stop()


def test_without_rules_about_them_nothing_is_scanned(config: Path) -> None:
    config.write_text(config.read_text().replace("./slow.yaml", "host-basics"))
    assert audited(config).families() == ()
    config.write_text(config.read_text().replace("host-basics", "./slow.yaml"))
    config.write_text(config.read_text() + "inventories: {enable: false}\n")
    assert audited(config).families() == ()


def test_a_policy_beside_the_pack_changes_nothing(config: Path) -> None:
    (config.parent / "sca.yml").write_text(
        "policy: {id: own, file: sca.yml, name: Own, description: d}\n"
        "checks:\n  - {id: 1, title: T, condition: all, rules: ['f:/etc/passwd']}\n"
    )
    config.write_text(config.read_text().replace("./slow.yaml", "./slow.yaml, ./sca.yml"))
    assert audited(config).families() != ()


def test_record_and_explain_leave_slow_ones_out(config: Path, tmp_path: Path) -> None:
    assert run("record", tmp_path / "plain", "--config", config).exit_code == 0
    asked = (tmp_path / "plain/asked.json").read_text()
    assert "walk over" not in asked
    explained = run("explain", "filescan", "--config", config).stdout
    assert "jianwei inventory scan" in explained


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("busybox"), reason="needs root and busybox-static"
)
def test_commands_run_at_the_other_root(config: Path) -> None:
    root = Path(configuration.load(str(config)).root)
    shutil.copy(shutil.which("busybox") or "", root / "bin/sh")
    program = root / "bin/dpkg-query"
    program.write_text("#!/bin/sh\necho inside: /bin/su\n")
    program.chmod(0o755)
    assert packages_of(config) == {"/bin/su": "inside", "/bin/write": ""}
    program.unlink()  # this machine's own dpkg knows nothing of that tree
    assert packages_of(config) == {"/bin/su": None, "/bin/write": None}


def packages_of(config: Path) -> dict[str, str | None]:
    (fact,) = kept(config).scan("filescan", lambda _: None).facts
    return {row["path"]: row["package"] if row["known"] else None for row in fact.value["suid"]}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_scans_for_an_agent_is_the_agents(config: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 12346)
    here = kept(config)
    here.scan("filescan", lambda _: None)
    for path in (here.path("filescan"), here.path("filescan").parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


@pytest.mark.parametrize("name", [".filescan.new", ".filescan.lock"])
def test_a_link_in_the_state_folder_leads_nowhere(config: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    here = kept(config)
    here.path("x").parent.mkdir(parents=True)
    (here.path("x").parent / name).symlink_to(target)
    run("inventory", "scan", "filescan", "--config", config)
    assert target.read_text() == "precious"


def test_a_folder_that_is_a_link_is_refused(config: Path, tmp_path: Path) -> None:
    here = kept(config)
    here.path("x").parent.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    here.path("x").parent.symlink_to(tmp_path / "elsewhere")
    result = run("inventory", "scan", "filescan", "--config", config)
    assert result.exit_code == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []
