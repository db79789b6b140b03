"""Hits on disk: kept over kills, damage and two writers at once; the commands about them."""

from __future__ import annotations

import json
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

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
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
    path.write_text("state_dir: state\naudit: {packs: [host-basics], waivers_file: waivers.yaml}\n")
    (tmp_path / "waivers.yaml").write_text("waivers: []\n")
    return str(path)


def audit(config: str, machine: str = "debian12") -> Any:
    recording = str(MACHINES / machine)
    done = run("audit", "--config", config, "--recorded", recording, "--hits", "--format", "json")
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
    done = run("audit", "--config", config, "--recorded", str(MACHINES / "debian12"), "--hits")
    assert done.exit_code == 2
    assert "is damaged" in done.stderr
    assert "linux.accounts" in done.stdout  # the verdicts are as good as ever
    assert path.read_bytes() == before


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
  - {{id: W2, rule: x, hosts: ["*"], reason: r, owner: a, approver: b, expires: 2001-01-01}}
"""
    (tmp_path / "waivers.yaml").write_text(text)
    assert {h["rule"] for h in audit(config)["hits"] if h["state"] == "waived"} == {hit["rule"]}
    done = run("hits", "waivers", str(tmp_path / "waivers.yaml"))
    assert (done.exit_code, "W2: expired on 2001-01-01" in done.stdout) == (0, True)
    (tmp_path / "waivers.yaml").write_text(text.replace("expires", "until"))
    assert run("hits", "waivers", str(tmp_path / "waivers.yaml")).exit_code == 1
    done = run("audit", "--config", config, "--recorded", str(MACHINES / "debian12"), "--hits")
    assert (done.exit_code, "unknown key" in done.stderr) == (2, True)
    assert run("check-config", config).exit_code == 2
    assert run("hits", "waivers", str(tmp_path / "none.yaml")).exit_code == 2


def test_no_hits() -> None:
    done = run("hits", "list", "--lang", "en", env={"STATE_DIRECTORY": "/nonexistent"})
    assert (done.exit_code, done.stdout) == (0, "no hits\n")
