"""host.sh where a host is not as it should be: power cuts, no room, others who are at work there."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.fleet import remote
from tests.agents.test_fleet_host_script import configure, deployed, done, look, until
from tests.hostspace import HostSpace, bundle, needs_root

pytestmark = needs_root


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostSpace]:
    space = HostSpace(tmp_path)
    yield space
    space.close()


def activate(host: HostSpace, version: str, text: str, seconds: str = "60") -> tuple[str, ...]:
    told = done(configure(host, version, jianwei=text))
    return ("activate", version, seconds, told.splitlines()[-1].removeprefix("configured="))


@pytest.mark.parametrize("mask", ["000", "027", "077"])
def test_a_session_may_have_any_umask(host: HostSpace, mask: str) -> None:
    content = bundle("1.0")
    path, digest = host.upload(content)
    host.command("rm", "-r", "/opt/jianwei")
    receive = f"umask {mask}; set -- {path} {len(content)} {digest}\n{remote._RECEIVE}"
    host.command("sh", "-c", receive, stdin=content)
    for folder, mode in (("", 0o755), ("/.staged", 0o700)):
        assert host.path(f"/opt/jianwei{folder}").stat().st_mode & 0o7777 == mode


def test_the_agent_can_reach_its_program(host: HostSpace) -> None:
    done(host.unpack("1.0"))
    host.path("/opt/jianwei").chmod(0o700)  # as an upload left it once
    done(host.run(*activate(host, "1.0", "a: 1\n")))
    assert host.path("/opt/jianwei").stat().st_mode & 0o777 == 0o755


_TRACED = """\
#!/bin/sh
echo "{name} $*" >>/run/fake/trace
exec /usr/bin/{name}.real "$@"
"""


def test_what_is_renamed_is_on_the_disk_before(host: HostSpace) -> None:
    """Else a power cut leaves empty files: of what is in force, or of what is gone back to."""
    deployed(host, "1.0")
    done(host.unpack("1.1"))
    for name in ("mv", "sync", "cp", "rm"):
        host.command("cp", f"/usr/bin/{name}", f"/usr/bin/{name}.real")
        tool = host.path(f"/usr/bin/{name}")
        tool.unlink()
        tool.write_text(_TRACED.format(name=name))
        tool.chmod(0o755)
    arguments = activate(host, "1.1", "a: 2\n")
    trace = host.path("/run/fake/trace")
    trace.unlink()
    done(host.run(*arguments))
    said = trace.read_text().splitlines()

    def at(*words: str) -> int:
        found = [n for n, line in enumerate(said) if all(word in line for word in words)]
        assert found, (words, said)
        return found[-1]

    def synced(start: int, end: int) -> bool:
        return any(line.startswith("sync") for line in said[start:end])

    record = at("mv", ".pending.new", "/opt/jianwei/.pending")
    written = [n for n, line in enumerate(said) if line.startswith("cp ")]
    assert len(written) >= 4  # configuration and unit that were, unit and rotation that come
    assert max(written) < record  # from there on no room is needed
    assert synced(max(written), record)
    taken = at("mv", "/etc/.jianwei.new /etc/jianwei")
    assert synced(record, taken)
    over = at("mv", "/opt/jianwei/.pending /opt/jianwei/.kept")
    assert synced(taken, over)
    assert synced(over, at("rm", "/etc/jianwei.before~"))


def test_a_record_without_content_is_not_gone_back_to(host: HostSpace) -> None:
    deployed(host, "1.0")
    record = host.path("/opt/jianwei/.pending")
    (record / "etc").mkdir(parents=True)
    for name in ("from", "to", "previous", "unit", "enabled", "active", "etc/jianwei.yaml"):
        (record / name).write_bytes(b"")
    assert look(host).ready
    done(host.unpack("1.1"))
    assert (look(host).current, look(host).ready) == ("1.0", True)
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 1\n"
    assert not record.exists()


def filled(host: HostSpace) -> None:
    """No block is left on its disk."""
    enter = ["nsenter", "-t", str(host.pid), "-m"]
    subprocess.run([*enter, "sh", "-c", "cat /dev/zero >/opt/fill"], stderr=subprocess.DEVNULL)


def test_going_back_needs_no_room(host: HostSpace) -> None:
    text = "good: 1\n" * 3000
    deployed(host, "1.0", text)
    done(host.unpack("1.1", broken=""))
    arguments = activate(host, "1.1", "new: 1\n" * 3000, "1")
    process = host.started(*arguments)
    until(lambda: host.path("/opt/jianwei/.pending/said").exists())
    filled(host)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.endswith(b"1.0 is back\n"), err
    assert (look(host).current, look(host).ready) == ("1.0", True)
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == text
    unit = host.path("/etc/systemd/system/jianwei-agent.service").read_text()
    assert unit.startswith("# 1.0\n")
    arguments = ("activate", "1.0", "60")
    status, _, err_text = host.run(*arguments)
    assert (status, "is there room on /etc and /opt/jianwei?" in err_text) == (1, True), err_text
    host.path("/opt/fill").unlink()
    done(host.run(*arguments))


def test_what_cannot_be_gone_back_from_is_said_and_tried_again(host: HostSpace) -> None:
    deployed(host, "1.0")
    done(host.unpack("1.1", broken=""))
    process = host.started(*activate(host, "1.1", "a: 2\n", "2"))
    until(lambda: host.path("/opt/jianwei/.pending/said").exists())
    host.command("mount", "--bind", "/etc/jianwei", "/etc/jianwei")  # so that it cannot be moved
    _, err = process.communicate(timeout=60)
    assert b"cannot be gone back from" in err
    assert host.path("/opt/jianwei/.pending/etc/jianwei.yaml").read_text() == "a: 1\n"
    status, _, said = host.run("rollback", "60")
    assert (status, "cannot be gone back from" in said) == (1, True), said
    host.command("umount", "/etc/jianwei")
    assert "mended=1.1" in done(host.unpack("1.1", broken=""))
    assert (look(host).current, look(host).ready) == ("1.0", True)
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 1\n"
