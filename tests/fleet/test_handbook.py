"""The walk-throughs of docs/handbook/fleet.md, as they stand there, on real hosts with the real bundle."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests import bundlelab, fleetlab
from tests.fleetlab import RANGE, Fleet, Host, fleet

ROOT: Final = Path(__file__).parents[2]
HANDBOOK: Final = ROOT / "docs/handbook/fleet.md"
BLOCK: Final = re.compile(r"^```(\S+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE: Final = "at the console"
THEIRS: Final = "10.20.0."  # addresses, in the handbook
WHY: Final = fleetlab.unavailable() or bundlelab.unavailable()

pytestmark = [
    pytest.mark.skipif(bool(WHY), reason=WHY or "there are hosts"),
    pytest.mark.timeout(600),  # a bundle may have to be built first
]


def blocks(kind: str, title: str = "") -> list[str]:
    """The fenced blocks of a kind, with that title."""
    found = BLOCK.findall(HANDBOOK.read_text())
    return [text for is_, named, text in found if (is_, named) == (kind, title)]


def shell(folder: Path, script: str) -> str:
    """What a script says, with `jianwei` in the path; its failure is the test's."""
    done = subprocess.run(
        ["sh", "-euc", f'PATH="$PWD/bin:$PATH"\n{script}'],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def prepared(folder: Path, hosts: Fleet) -> Path:
    """The folder of the ops team: bundle, files, the command."""
    program = folder / "bin/jianwei"
    program.parent.mkdir()
    run = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-m", "agents"])
    program.write_text(f'#!/bin/sh\nexec {run} "$@"\n')
    program.chmod(0o755)
    shutil.copy(bundlelab.built(), folder)
    for name in ("hosts.yaml", "agent.yaml"):
        (text,) = blocks("yaml", name)
        text = text.replace(THEIRS, ours(hosts)).replace("~/.ssh/id_ed25519", str(hosts.key))
        (folder / name).write_text(text)
    return folder


def ours(hosts: Fleet) -> str:
    return f"{RANGE}.{hosts[0].address.split('.')[2]}."


def put(host: Host, *files: Path) -> None:
    """Files from a medium, to root's folder."""
    chosen = [word for file in files for word in ("-C", str(file.parent), file.name)]
    packed = subprocess.Popen(["tar", "-c", *chosen], stdout=subprocess.PIPE)
    enter = ["nsenter", "-t", str(host.pid), *fleetlab.SPACES, "--root", "--wd", "--"]
    subprocess.run([*enter, "tar", "-x", "-C", "/root"], stdin=packed.stdout, check=True)
    assert packed.wait() == 0


def test_the_ops_team_deploys_to_ten_hosts(tmp_path: Path) -> None:
    with fleet(10) as hosts:
        folder = prepared(tmp_path, hosts)
        for script in blocks("sh"):
            script = script.replace(THEIRS, ours(hosts))
            told = shell(folder, script)
            if " sd " in script:
                targets = json.loads((folder / "targets/agents.json").read_text())
                assert sum(len(it["targets"]) for it in targets) == 10
            elif "--canary" in script:
                for host in hosts:
                    assert host.run("systemctl is-active jianwei-agent") == "active\n"
            elif "/metrics" in script:
                assert 'nodename="host007"' in told
            elif ">> agent.yaml" in script:
                for host in hosts:
                    assert "interval: 5s" in host.run("cat /etc/jianwei/jianwei.yaml")
            elif "exec-audit" in script:
                audits = [json.loads(p.read_bytes()) for p in (folder / "audits").iterdir()]
                assert {it["host"]["name"] for it in audits} == {host.name for host in hosts}
                assert {len(it["packs"]) for it in audits} == {2}
            elif "uninstall" in script:
                for host in hosts:
                    assert host.shell("id jianwei; ls -d /opt/jianwei /etc/jianwei").stdout == ""


def test_a_site_without_a_network_installs_from_the_bundle(tmp_path: Path) -> None:
    with fleet(1) as hosts:
        host = hosts[0]
        bundle = bundlelab.built()
        put(host, bundle, bundle.parent / "SHA256SUMS")
        host.unplug()
        told = [host.run(f"cd /root\nset -eu\n{script}") for script in blocks("sh", CONSOLE)]
        assert f"{bundle.name}: OK" in told[0]
        assert "active\n" in told[1]
        assert "node_uname_info" in told[1]
        audit = json.loads(host.run("cat /root/audit.json"))
        assert audit["packs"]
        assert host.shell("id jianwei; ls -d /opt/jianwei /etc/jianwei").stdout == ""
        assert host.shell("systemctl list-unit-files --no-legend 'jianwei*'").stdout == ""


def test_every_block_is_of_a_walk_through() -> None:
    titles = {named for kind, named, _ in BLOCK.findall(HANDBOOK.read_text()) if kind == "sh"}
    assert titles == {"", CONSOLE}
    assert all(
        (bundlelab.tree() / name).is_file() for name in ("install.sh", "share/jianwei/host.sh")
    )
