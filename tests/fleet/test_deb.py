"""The Debian package on a host with systemd: put there, upgraded, gone back from, taken away."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from agents.fleet import hostprogram, hostside
from agents.fleet.model import Seen
from deploy.bundle import deb
from deploy.bundle.tree import Made
from tests import bundlelab, fleetlab
from tests.fleet.test_handbook import put
from tests.fleetlab import Host, fleet

WHY: Final = fleetlab.unavailable() or bundlelab.unavailable()

pytestmark = [
    pytest.mark.skipif(bool(WHY), reason=WHY or "there are hosts"),
    pytest.mark.timeout(600),  # a bundle may have to be built first
]


@pytest.fixture
def packages(tmp_path: Path) -> list[Path]:
    """The agent's tree as versions 1.0 and 1.1."""
    return [package(tmp_path / version, version) for version in ("1.0", "1.1")]


def package(folder: Path, version: str) -> Path:
    folder.mkdir()
    tree = folder / "tree"
    shutil.copytree(bundlelab.tree(), tree, symlinks=True, copy_function=_linked)
    changed = tree / "share/jianwei/VERSION"
    changed.unlink()
    changed.write_text(f"{version}\n")
    manifest = tree / "MANIFEST.sha256"
    rows = [row for row in manifest.read_text().splitlines() if not row.endswith("/VERSION")]
    rows.append(f"{hashlib.sha256(changed.read_bytes()).hexdigest()}  share/jianwei/VERSION")
    manifest.unlink()
    manifest.write_text("\n".join(rows) + "\n")
    made = Made(tree, "jianwei-agent", version, (), ())
    return deb.build(made, folder, folder, 1_000_000_000, level=1)


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def script(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return host.shell(f"sh -s -- {' '.join(arguments)}", hostprogram.text())


def look(host: Host) -> Seen:
    told = script(host, "look").stdout
    return hostside.seen(dict(line.split("=", 1) for line in told.splitlines()))


def install(host: Host, file: Path) -> None:
    host.run(f"dpkg --force-unsafe-io -i /root/{file.name}")


def test_installed_upgraded_gone_back_from_removed_purged(packages: list[Path]) -> None:
    first, second = packages
    with fleet(1) as hosts:
        host = hosts[0]
        put(host, first, second)
        host.run("mkdir -p /opt/other")  # dpkg takes empty folders away
        before = host.run(
            "cat /etc/passwd /etc/group; ls -A /etc /opt /var/lib /etc/systemd/system"
        )

        install(host, first)
        seen = look(host)
        assert (seen.current, seen.previous, seen.bundles) == ("1.0", "", {})
        assert (seen.active, seen.enabled, seen.ready) == (True, True, True)

        host.run("echo '# ours' >> /etc/jianwei/jianwei.yaml")
        install(host, second)
        seen = look(host)
        assert (seen.current, seen.previous, seen.ready) == ("1.1", "1.0", True)
        assert "# ours" in host.run("cat /etc/jianwei/jianwei.yaml")

        host.run("sh /opt/jianwei/current/share/jianwei/host.sh rollback 60")
        seen = look(host)
        assert (seen.current, seen.previous, seen.ready) == ("1.0", "1.1", True)

        # a fleet has no hand in its releases
        for verb in ("unpack /none 0 1.2", "uninstall"):
            refused = script(host, verb)
            assert refused.returncode == 1
            assert "the Debian package jianwei-agent is here" in refused.stderr

        host.run("dpkg -r jianwei-agent")
        assert host.run("ls -A /opt/jianwei") == ""
        seen = look(host)
        assert (seen.versions, seen.current, seen.unit) == ((), "", "")
        assert (seen.active, seen.enabled) == (False, False)
        assert "# ours" in host.run("cat /etc/jianwei/jianwei.yaml")

        host.run("dpkg -P jianwei-agent")
        after = host.run("cat /etc/passwd /etc/group; ls -A /etc /opt /var/lib /etc/systemd/system")
        assert after == before
        assert host.state() == "running"

        # what others put there is not mixed with
        host.run("mkdir -p /opt/jianwei/0.9; echo console > /opt/jianwei/.bundle.0.9")
        refused = host.shell(f"dpkg -i /root/{first.name}")
        assert refused.returncode != 0
        assert "release 0.9 in /opt/jianwei was put there by jianwei fleet" in refused.stderr
        assert host.run("ls /opt/jianwei") == "0.9\n"
