"""Hits on disk: kept over kills, damage and two writers at once; the commands about them."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.errors import UserError
from agents.hitstore import HitStore
from rules.hits import Ledger
from rules.model import Host

RECORDING = Path(__file__).parent.parent / "fixtures/machines/debian12"
TREE = RECORDING / "root"  # a machine seen at another root: it is audited itself, not a recording
CITY = """
pack: city
title: {zh: 市级, en: City}
rules:
  - {id: x, title: {zh: 甲, en: A}, severity: low, manual: {zh: 问, en: Ask}}
"""
WRITER = """
import itertools, msgspec, sys
from pathlib import Path
from agents.hitstore import HitStore
from rules.hits import Ledger
from rules.model import Host
store, host = HitStore(Path(sys.argv[1])), Host("h", "x" * 200_000)
print("ready", flush=True)
for _ in range(100_000):
    ledger = store.change(host, lambda known: msgspec.structs.replace(known, host=host, number=known.number + 1))
    print(ledger.number, flush=True)
"""


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), env=env)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "agent.yaml"
    path.write_text(
        f"state_dir: state\nroot: {TREE}\n"
        "audit: {packs: [host-basics], waivers_file: waivers.yaml}\n"
    )
    (tmp_path / "waivers.yaml").write_text("waivers: []\n")
    return str(path)


def audit(config: str) -> Any:
    done = run("audit", "--config", config, "--hits", "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def listed(config: str, *more: str) -> list[Any]:
    done = run("hits", "list", "--config", config, "--json", *more)
    assert done.exit_code == 0, done.output
    found: list[Any] = json.loads(done.stdout)
    return found


def test_killed_at_any_moment_it_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - moments, no secrets
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        told = [int(line) for line in writer.stdout.read().splitlines() if line.strip()]
        writer.wait()
        number = HitStore(tmp_path).read(Host("h")).number
        assert number in (told[-1], told[-1] + 1) if told else number >= 0


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    code = WRITER.replace("100_000", "50")
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert HitStore(tmp_path).read(Host("h")).number == 150


def test_a_damaged_file_is_told_and_kept(tmp_path: Path, config: str) -> None:
    audit(config)
    [path] = (tmp_path / "state/hits").glob("*.json")
    path.write_bytes(path.read_bytes()[:-5])
    before = path.read_bytes()
    done = run("hits", "list", "--config", config)
    assert done.exit_code == 2
    assert f"{path}: is damaged" in done.stderr
    done = run("audit", "--config", config, "--hits")
    assert done.exit_code == 2
    assert "is damaged" in done.stderr
    assert "linux.accounts" in done.stdout  # the verdicts are as good as ever
    assert path.read_bytes() == before


def test_a_damaged_file_hides_no_other(tmp_path: Path, config: str) -> None:
    audit(config)
    folder = tmp_path / "state/hits"
    [path] = folder.glob("*.json")
    copy = folder / "copy.json"
    copy.write_bytes(path.read_bytes())
    (folder / "a copy (1).json").write_text("")
    assert len(listed(config)) == len(audit(config)["hits"])  # none twice
    copy.write_text("[]")
    done = run("hits", "list", "--config", config, "--json")
    assert (done.exit_code, f"{copy}: is damaged" in done.stderr) == (2, True)
    hit, *_ = json.loads(done.stdout)
    mark = hit["fingerprint"]
    assert run("hits", "show", mark, "--config", config).exit_code == 0
    assert run("hits", "acknowledge", mark, "--by", "x", "--config", config).exit_code == 0
    done = run("hits", "show", "ffff00", "--config", config)
    assert (done.exit_code, "is damaged" in done.stderr) == (2, True)


def test_a_full_disk_keeps_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = HitStore(tmp_path)
    store.change(Host("h"), lambda known: known)
    before = sorted(os.listdir(tmp_path / "hits"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        store.change(Host("h"), lambda known: Ledger(known.host, number=7))
    assert sorted(os.listdir(tmp_path / "hits")) == before == [".h.lock", "h.json"]
    assert store.read(Host("h")).number == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps hits for another user")
def test_what_root_keeps_is_the_agents(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    HitStore(state).change(Host("h"), lambda known: known)
    files = [state / "hits", *(state / "hits").iterdir()]
    assert len(files) == 3
    assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(65534, 65534)}
    # the agent's user leads root nowhere
    target = tmp_path / "target"
    target.write_text("as it was")
    (state / "hits/h.json.tmp").symlink_to(target)
    HitStore(state).change(Host("h"), lambda known: known)
    assert target.read_text() == "as it was"
    (state / "hits/.h.lock").unlink()
    (state / "hits/.h.lock").symlink_to(target)
    with pytest.raises(UserError, match="cannot be written"):
        HitStore(state).change(Host("h"), lambda known: known)
    (state / "hits/.h.lock").unlink()
    os.link(target, state / "hits/.h.lock")
    HitStore(state).change(Host("h"), lambda known: known)
    assert (target.read_text(), target.stat().st_uid) == ("as it was", 0)


def test_what_closes_hits_is_the_host_by_its_own_thresholds(tmp_path: Path, config: str) -> None:
    path = Path(config)
    assert path.parent == tmp_path
    given, rows = tmp_path / "facts.json", tmp_path / "hosts.yaml"
    given.write_text("{}")
    rows.write_text(f"hosts: [{{name: a, host: 'recorded: {RECORDING}'}}]\n")
    for more, message in (
        (("--param", "max_days=9999"), "audit.params of the configuration"),
        (("--recorded", str(RECORDING)), "is a recording"),
        (("--inventory", str(rows)), "is a recording"),
        (("--facts", str(given)), "not --facts"),
    ):
        done = run("audit", "--config", config, "--hits", *more)
        assert (done.exit_code, message in done.stderr) == (2, True), done.output
    assert not (tmp_path / "state").exists()
    assert run("audit", "--config", config, "--inventory", str(rows)).exit_code == 0


def test_changes_lost_are_told(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.hits.MAX_UNTOLD", 3)
    done = run("audit", "--config", config, "--hits", "--format", "json")
    found = json.loads(done.stdout)
    lost = len(found["hits"]) - 3
    assert (found["hits_lost"], len(found["changes"])) == (lost, 3)
    rows = Path(config).parent / "hosts.csv"
    rows.write_text("名称,主机\na,local\n")
    fleet = run("audit", "--config", config, "--hits", "--inventory", str(rows))
    for it in (done, run("hits", "list", "--config", config), fleet):
        assert f"{lost} changes of hits were dropped before anybody was told" in it.stderr
        assert it.exit_code == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "hits").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        HitStore(tmp_path).change(Host("h"), lambda known: known)


def test_an_id_that_leads_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no id of a host"):
        HitStore(tmp_path).change(Host("../../etc/x"), lambda known: Ledger(known.host))


def test_hits_of_audits(config: str) -> None:
    first = audit(config)
    assert first["hits"]
    assert len(first["changes"]) == len(first["hits"])
    found = listed(config)
    assert {hit["state"] for hit in found} == {"new"}
    severities = [hit["severity"] for hit in found]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low", "info"].index)
    assert listed(config, "--severity", "high") == [
        h for h in found if h["severity"] in ("critical", "high")
    ]
    assert listed(config, "--host", "nobody") == []
    again = audit(config)
    assert [h["first_seen"] for h in again["hits"]] == [h["first_seen"] for h in first["hits"]]


def test_show_and_acknowledge(config: str) -> None:
    audit(config)
    first, second, *_ = listed(config)
    mark = first["fingerprint"][:12]
    shown = run("hits", "show", mark, "--config", config, "--lang", "en")
    assert first["rule"] in shown.stdout
    done = run("hits", "acknowledge", mark, "--config", config, "--by", "张伟", "--note", "4711")
    assert done.exit_code == 0
    [it] = listed(config, "--state", "acknowledged")
    assert (it["fingerprint"], it["by"], it["note"]) == (first["fingerprint"], "张伟", "4711")
    for wrong, message in (("ffff00", "there is no hit 'ffff00'"), ("", "there is no hit ''")):
        done = run(
            "hits", "acknowledge", second["fingerprint"], wrong, "--by", "x", "--config", config
        )
        assert (done.exit_code, message in done.stderr) == (2, True)
    assert len(listed(config, "--state", "acknowledged")) == 1
    assert run("hits", "acknowledge", mark, "--by", " ", "--config", config).exit_code == 2


def test_waivers(tmp_path: Path, config: str) -> None:
    hit = audit(config)["hits"][0]
    text = f"""waivers:
  - {{id: W1, rule: {hit["rule"]}, hosts: ["*"], reason: r, owner: a, approver: b, expires: 2999-01-01}}
  - {{id: W2, rule: linux.sshd.no-root-login, hosts: ["*"], reason: r, owner: a, approver: b, expires: 2001-01-01}}
"""
    (tmp_path / "waivers.yaml").write_text(text)
    assert {h["rule"] for h in audit(config)["hits"] if h["state"] == "waived"} == {hit["rule"]}
    done = run("hits", "waivers", str(tmp_path / "waivers.yaml"))
    assert (done.exit_code, "W2: expired on 2001-01-01" in done.stdout) == (0, True)
    for rule, hint in (
        ("linux.sshd.no-rot-login", "did you mean 'linux.sshd.no-root-login'?"),
        ("x", "name its pack by --pack or --config"),
    ):
        (tmp_path / "waivers.yaml").write_text(text.replace("linux.sshd.no-root-login", rule))
        done = run("hits", "waivers", str(tmp_path / "waivers.yaml"))
        assert (done.exit_code, "no mistake" in done.stdout) == (1, False)
        assert f"W2: no pack has a rule '{rule}'; {hint}" in done.stderr
    (tmp_path / "city.yaml").write_text(CITY)
    city = ("--pack", str(tmp_path / "city.yaml"))
    assert run("hits", "waivers", str(tmp_path / "waivers.yaml"), *city).exit_code == 0
    (tmp_path / "waivers.yaml").write_text(text.replace("expires", "until"))
    assert run("hits", "waivers", str(tmp_path / "waivers.yaml")).exit_code == 1
    done = run("audit", "--config", config, "--hits")
    assert (done.exit_code, "unknown key" in done.stderr) == (2, True)
    assert run("check-config", config).exit_code == 2
    assert run("hits", "waivers", str(tmp_path / "none.yaml")).exit_code == 2


def test_no_hits() -> None:
    done = run("hits", "list", "--lang", "en", env={"STATE_DIRECTORY": "/nonexistent"})
    assert (done.exit_code, done.stdout) == (0, "no hits\n")
