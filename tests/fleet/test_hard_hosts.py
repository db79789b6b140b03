"""Hosts where something is wrong: each is told in one line what, and the others are deployed to all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agents.fleet.model import Outcome
from tests import fleetlab
from tests.fleet.conftest import HARD
from tests.fleet.test_deploy import PROGRAM, UNIT
from tests.fleetlab import PASSWORD, Fleet
from tests.hostspace import bundle

pytestmark = pytest.mark.skipif(
    bool(fleetlab.unavailable()), reason=fleetlab.unavailable() or "there are hosts"
)

GOOD = ("plain", "plain too", "right password")
# State, and words that are in the problem.
ENDS = {
    "wrong password": ("refused", "sudo_password"),
    "no password": ("refused", "wants a password"),
    "no rights": ("refused", "sudo"),
    "full disk": ("failed", "no room"),
    "changed key": ("refused", "installed anew, or somebody is in between"),
    "hangs": ("unreachable", "no SSH session"),
    "read-only": ("failed", "Read-only file system"),
    "no systemd": ("failed", "systemd"),
    "dead": ("unreachable", "Connection refused"),
}


@pytest.fixture(scope="module")
def folder(hard: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases and an inventory, with the passwords in files."""
    folder = tmp_path_factory.mktemp("hard")
    for version in ("1.0", "1.1"):
        more = {
            "share/jianwei/BUNDLE": f"name=jianwei-agent\nversion={version}\narch=linux-x86_64\n",
            "bin/jianwei": PROGRAM,
            "share/jianwei/systemd/jianwei-agent.service": f"# {version}\n{UNIT}",
        }
        path = folder / f"jianwei-agent-{version}-linux-x86_64.tar.gz"
        path.write_bytes(bundle(version, more))
    inventory = folder / "hosts.yaml"
    read = yaml.safe_load(hard.inventory(inventory, connect_timeout="4s"))
    text = yaml.safe_dump(read, sort_keys=False)
    for name, password in (("right", PASSWORD), ("wrong", "not it")):
        (secret := folder / name).write_text(f"{password}\n")
        secret.chmod(0o600)
        address = by(hard)[f"{name} password"].address
        line = f"host: {address}\n"
        text = text.replace(line, f"{line}  sudo_password: !file {secret}\n")
    inventory.write_text(text)
    return folder


def by(hard: Fleet) -> dict[str, fleetlab.Host]:
    return dict(zip(HARD, hard, strict=True))


def deployed(folder: Path, hard: Fleet, version: str, *more: str) -> tuple[dict[str, Outcome], str]:
    """How each ended, and what was said."""
    chosen = f"--bundle={folder}/jianwei-agent-{version}-linux-x86_64.tar.gz"
    argv = [sys.executable, "-m", "agents", "fleet", "deploy", f"--inventory={folder}/hosts.yaml"]
    done = subprocess.run(
        [*argv, chosen, "--json", "--max-failures=100%", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    ended = {it["host"]: msgspec.convert(it, Outcome) for it in lines}
    return {name: ended[host.name] for name, host in by(hard).items()}, done.stdout + done.stderr


def assert_ends(ended: dict[str, Outcome], state: str) -> None:
    assert {name: ended[name].state for name in GOOD} == dict.fromkeys(GOOD, state)
    for name, (state_, words) in ENDS.items():
        assert (ended[name].state, words in ended[name].problem) == (state_, True), ended[name]
        assert ended[name].problem.count("\n") == 0


def test_each_is_told_and_the_others_are_deployed_to(hard: Fleet, folder: Path) -> None:
    ended, said = deployed(folder, hard, "1.0")
    assert_ends(ended, "changed")
    assert PASSWORD not in said
    logs = "".join(path.read_text() for path in (folder / "hosts.yaml.fleet").rglob("*.log"))
    assert logs
    assert PASSWORD not in logs
    for name in GOOD:
        assert by(hard)[name].run("readlink /opt/jianwei/current") == "1.0\n"
        assert by(hard)[name].run("systemctl is-active jianwei-agent") == "active\n"
        assert PASSWORD not in by(hard)[name].run("journalctl --no-pager")
    for name in ("wrong password", "no password", "no rights", "full disk", "changed key"):
        assert by(hard)[name].shell("test -e /opt/jianwei/current").returncode, name

    before = {
        name: by(hard)[name].run("systemctl show -p InvocationID jianwei-agent") for name in GOOD
    }
    ended, _ = deployed(folder, hard, "1.0")
    assert_ends(ended, "unchanged")
    assert not any(ended[name].steps for name in GOOD)
    for name in GOOD:
        assert by(hard)[name].run("systemctl show -p InvocationID jianwei-agent") == before[name]


def test_hosts_that_are_put_right_are_all_that_is_left(hard: Fleet, folder: Path) -> None:
    deployed(folder, hard, "1.1")
    by(hard)["hangs"].resume()
    by(hard)["full disk"].run("rm /fill")
    inventory = folder / "hosts.yaml"
    inventory.write_text(inventory.read_text().replace(f"{folder}/wrong", f"{folder}/right"))
    known = hard.known_hosts
    known.write_text(
        "".join(
            f"{host.address} {host.run('cat /etc/ssh/ssh_host_ed25519_key.pub')}"
            if name == "changed key"
            else host.known_hosts_line
            for name, host in by(hard).items()
        )
    )
    ended, _ = deployed(folder, hard, "1.1")
    right = {name for name, it in ended.items() if it.state == "changed"}
    assert right == {"hangs", "wrong password", "changed key", "full disk"}
    assert {ended[name].state for name in GOOD} == {"unchanged"}
