"""Real hosts, from nothing to an agent and back to nothing, by the commands as people give them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.fleet.journal import NAME
from tests import fleetlab
from tests.fleetlab import Fleet, fleet
from tests.hostspace import bundle

pytestmark = pytest.mark.skipif(
    bool(fleetlab.unavailable()), reason=fleetlab.unavailable() or "there are hosts"
)

COUNT = 2
# A release of a few lines: what it says of itself is what systemd says of its unit.
PROGRAM = """\
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
case $1 in
--version) echo jianwei ;;
check-config) ! grep -n wrong "$2" >&2 || exit 2 ;;
run) [ ! -e "$here/broken" ] || { echo 'it cannot be'; exit 1; }; exec sleep 100000 ;;
ready)
    for _ in 1 2 3 4 5 6; do
        sleep 0.2
        ! systemctl is-active --quiet jianwei-agent.service || exit 0
    done
    exit 1 ;;
audit) echo '{"not": "an audit"}' ;;
esac
"""
UNIT = """\
[Service]
ExecStart=/opt/jianwei/current/bin/jianwei run --config /etc/jianwei/jianwei.yaml
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Fleet]:
    with fleet(COUNT) as made:
        yield made


@pytest.fixture(scope="module")
def folder(hosts: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles, an inventory and a configuration."""
    folder = tmp_path_factory.mktemp("deployer")
    unit = "share/jianwei/systemd/jianwei-agent.service"
    for version, more in (("1.0", {}), ("1.1", {}), ("1.2", {"broken": "yes"})):
        name = f"name=jianwei-agent\nversion={version}\narch=linux-x86_64\n"
        extra = {
            "share/jianwei/BUNDLE": name,
            "bin/jianwei": PROGRAM,
            unit: f"# {version}\n{UNIT}",
            **more,
        }
        path = folder / f"jianwei-agent-{version}-linux-x86_64.tar.gz"
        path.write_bytes(bundle(version, extra))
    (folder / "site.yaml").write_text(
        "web:\n  listen: ['${address}:9808']\nprobes:\n  lines_file: lines.yaml\n"
    )
    (folder / "lines.yaml").write_text("lines:\n  - {name: l, targets: [192.0.2.1]}\n")
    inventory = {
        "defaults": {
            "user": fleetlab.USER,
            "sudo": True,
            "key_file": str(hosts.key),
            "known_hosts": str(hosts.known_hosts),
            "config_file": "",
            "use_agent": False,
            "config": "site.yaml",
        },
        "hosts": [{"name": host.name, "host": f"ssh://{host.address}"} for host in hosts],
    }
    (folder / "hosts.yaml").write_text(json.dumps(inventory))
    return folder


def argv(folder: Path, command: str, version: str = "", *more: str) -> list[str]:
    chosen = [f"--bundle={folder}/jianwei-agent-{version}-linux-x86_64.tar.gz"] if version else []
    return ["fleet", command, f"--inventory={folder}/hosts.yaml", "--json", *chosen, *more]


def fleet_command(
    folder: Path, command: str, version: str = "", *more: str, status: int = 0
) -> list[dict[str, Any]]:
    done = CliRunner().invoke(main, argv(folder, command, version, *more), catch_exceptions=False)
    assert done.exit_code == status, done.stderr + done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def states(outcomes: list[dict[str, Any]]) -> set[str]:
    return {it["state"] for it in outcomes}


def current(hosts: Fleet) -> set[str]:
    return {host.run("readlink /opt/jianwei/current").strip() for host in hosts}


@pytest.mark.timeout(300)
def test_from_nothing_to_an_agent_and_back_to_nothing(hosts: Fleet, folder: Path) -> None:
    accounts = [host.run("cat /etc/passwd /etc/group") for host in hosts]
    began = time.time()
    planned = fleet_command(folder, "plan", "1.0")
    assert {tuple(step["name"] for step in it["plan"]["steps"]) for it in planned} == {
        ("upload", "unpack", "configure", "activate")
    }
    assert not any(host.shell("test -e /opt/jianwei").returncode == 0 for host in hosts)

    assert states(fleet_command(folder, "deploy", "1.0", "--canary=1")) == {"changed"}
    assert current(hosts) == {"1.0"}
    for host in hosts:
        assert host.run("systemctl is-active jianwei-agent.service") == "active\n"
        listens = f'web:\n  listen: ["{host.address}:9808"]'
        assert listens in host.run("cat /etc/jianwei/jianwei.yaml")
        assert host.run("stat -c '%a %U:%G' /etc/jianwei/lines.yaml") == "640 root:jianwei\n"

    again = fleet_command(folder, "deploy", "1.0")
    assert states(again) == {"unchanged"}
    assert not any(it.get("steps") for it in again)
    told = fleet_command(folder, "status")
    assert {(it["seen"]["current"], it["same_config"]) for it in told} == {("1.0", True)}
    assert all(began - 5 < it["seen"]["since"] < time.time() + 1 for it in told)

    assert states(fleet_command(folder, "upgrade", "1.1", "--batch=1")) == {"changed"}
    assert current(hosts) == {"1.1"}

    # a version that does not become ready: the one before runs again, and the log says why
    broken = fleet_command(
        folder, "upgrade", "1.2", "--ready-timeout=5", "--canary=1", "--parallel=1", status=1
    )
    assert [it["state"] for it in broken] == ["failed", *["skipped"] * (COUNT - 1)]
    assert "1.1 is back" in broken[0]["problem"]
    assert current(hosts) == {"1.1"}
    log = (folder / f"hosts.yaml.fleet/logs/{hosts[0].name}.log").read_text()
    assert "agent: " in log
    assert "activate: from 1.1 to 1.2" in log
    failed = fleet_command(folder, "upgrade", "1.1", "--failed")
    assert [(it["host"], it["state"]) for it in failed] == [(hosts[0].name, "unchanged")]

    assert states(fleet_command(folder, "rollback", "", "--yes")) == {"changed"}
    assert current(hosts) == {"1.0"}

    assert states(fleet_command(folder, "uninstall", "", "--yes")) == {"changed"}
    assert states(fleet_command(folder, "uninstall", "", "--yes")) == {"unchanged"}
    for host, before in zip(hosts, accounts, strict=True):
        assert host.run("cat /etc/passwd /etc/group") == before
        assert host.run("find / -xdev -path /proc -prune -o -iname '*jianwei*' -print") == ""
        assert host.shell("systemctl status jianwei-agent.service").returncode == 4


def test_a_deployer_that_is_killed_is_gone_on_with(hosts: Fleet, folder: Path) -> None:
    for delay in (0.0, 0.15):
        process = subprocess.Popen(
            [sys.executable, "-m", "agents", *argv(folder, "deploy", "1.0", "--parallel=2")],
            stdout=subprocess.PIPE,
        )
        journal = folder / "hosts.yaml.fleet" / NAME
        steps = journal.read_bytes().count(b'"step"') if journal.exists() else 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b'"step"') >= steps + 2:
                break
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    ended = fleet_command(folder, "deploy", "1.0")
    assert states(ended) <= {"changed", "unchanged"}
    assert current(hosts) == {"1.0"}
    assert states(fleet_command(folder, "deploy", "1.0")) == {"unchanged"}
    fleet_command(folder, "uninstall", "", "--yes")


def test_what_the_agent_tells_is_no_audit(hosts: Fleet, folder: Path) -> None:
    none = fleet_command(folder, "exec-audit", "", f"--limit={hosts[0].name}", status=1)
    assert "no agent is here" in none[0]["problem"]
