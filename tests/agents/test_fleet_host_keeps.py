"""host.sh: what of others it leaves in force, and what was there before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.test_fleet_host_script import deployed, done, look
from tests.hostspace import HostSpace, needs_root

pytestmark = needs_root


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostSpace]:
    space = HostSpace(tmp_path, request.param)
    yield space
    space.close()


def test_the_name_of_the_bundle_is_told(host: HostSpace) -> None:
    text = "name=jianwei\nversion=1.0\narch=linux-x86_64\n"
    done(host.unpack("1.0", **{"share/jianwei/BUNDLE": text}))
    done(host.run("activate", "1.0", "60"))
    assert look(host).bundle_name == "jianwei"
    deployed(host, "1.1")
    assert look(host).bundle_name == ""


def test_what_others_run_is_not_taken_away(host: HostSpace) -> None:
    deployed(host, "1.0")
    for name in ("console", "report", "sd"):
        unit = f"/opt/jianwei/current/bin/jianwei {name}"
        path = host.path(f"/etc/systemd/system/jianwei-{name}.service")
        path.write_text(f"[Service]\nExecStart={unit}\n")
    for name in ("jianwei-console.service", "jianwei-report.timer"):
        host.path(f"/run/fake/enabled.{name}").write_text("")
    for keep in ((), ("--keep-state",)):
        status, _, err = host.run("uninstall", *keep)
        names = "jianwei-console.service jianwei-report.timer"
        assert (status, err.strip().endswith(f"systemctl disable --now {names}")) == (1, True), err
        assert look(host).ready
    for name in ("jianwei-console.service", "jianwei-report.timer"):
        host.path(f"/run/fake/enabled.{name}").unlink()
    assert "removed=/opt/jianwei\n" in done(host.run("uninstall"))


def test_the_configuration_before_is_kept(host: HostSpace) -> None:
    """Also where the release stays, and what an administrator changed there; one, and nobody else reads it."""
    kept = host.path("/opt/jianwei/.kept-config")
    deployed(host, "1.0")
    deployed(host, "1.0")
    done(host.run("activate", "1.0", "60"))
    assert not kept.exists()
    host.path("/etc/jianwei/jianwei.yaml").write_text("a: his\n")
    deployed(host, "1.0", "a: 2\n")
    assert (kept / "etc/jianwei.yaml").read_text() == "a: his\n"
    done(host.run("activate", "1.0", "60"))
    assert (kept / "etc/jianwei.yaml").read_text() == "a: his\n"
    deployed(host, "1.0", "a: 3\n")
    assert (kept / "etc/jianwei.yaml").read_text() == "a: 2\n"
    assert kept.stat().st_mode & 0o777 == 0o700
    deployed(host, "1.1", "a: 4\n")
    done(host.run("rollback", "60"))
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 3\n"
