"""host.sh where a host is not as it should be: power cuts, no room, others who are at work there."""

from __future__ import annotations

import subprocess
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


def test_a_session_may_have_any_umask(host: HostSpace) -> None:
    content = bundle("1.0")
    path, digest = host.upload(content)
    for mask in ("000", "027", "077"):
        host.command("rm", "-r", "/opt/jianwei")
        receive = f"umask {mask}; set -- {path} {len(content)} {digest}\n{remote._RECEIVE}"
        host.command("sh", "-c", receive, stdin=content)
        for folder, mode in (("", 0o755), ("/.staged", 0o700)):
            assert host.path(f"/opt/jianwei{folder}").stat().st_mode & 0o7777 == mode
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


def as_nobody(host: HostSpace, *argv: str) -> subprocess.Popen[bytes]:
    enter = ["nsenter", "-t", str(host.pid), "-m", "setpriv", "--reuid=65534", "--regid=65534"]
    return subprocess.Popen(
        [*enter, "--clear-groups", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_root_runs_nothing_that_others_can_change(host: HostSpace) -> None:
    done(host.unpack("1.0"))
    for where in ("/opt", "/opt/jianwei"):
        for how in ("chmod 0777", "chmod 1777", "chown 65534", "chgrp 65534"):
            host.command("chmod", "0775", where)  # the group root may
            done(host.run("look"))
            host.command(*how.split(), where)
            for verb in (("look",), ("rollback", "5"), ("uninstall",)):
                status, out, err = host.run(*verb)
                assert (status, out) == (1, ""), verb
                assert err.startswith(f"{where} is not root's alone: give it to root"), err
            host.command("chown", "0:0", where)
        host.command("chmod", "0755", where)


def test_nobody_but_root_can_lock_a_host(host: HostSpace) -> None:
    deployed(host, "1.0")
    for place in ("/etc/systemd/system", "/run/jianwei-host.lock"):
        with as_nobody(host, "flock", place, "sleep", "20") as holder:
            process = host.started("activate", "1.0", "60")
            try:
                assert process.wait(15) == 0, place
            finally:
                holder.kill()


def test_one_that_was_killed_does_not_hold_the_lock(host: HostSpace) -> None:
    deployed(host, "1.0")
    done(host.unpack("1.1", broken=""))
    process = host.started("activate", "1.1", "30")
    until(lambda: host.path("/opt/jianwei/.pending/said").exists())
    process.kill()  # and not what it started
    process.wait(5)
    host.command("flock", "-n", "/run/jianwei-host.lock", "true")
    assert "mended=1.1" in done(host.unpack("1.1", broken=""))
    assert look(host).current == "1.0"


def test_nothing_is_written_through_links_of_others(host: HostSpace) -> None:
    deployed(host, "1.0")
    host.command("sh", "-c", "mkdir -m 755 /etc/pki9; echo host | tee /etc/pki9/ca.yaml /etc/mine")
    host.command("ln", "-s", "/etc/pki9", "/etc/jianwei/certs")
    host.command("ln", "-sf", "/etc/mine", "/etc/jianwei/jianwei.yaml")
    host.command("ln", "-s", "/etc/mine", "/etc/jianwei/.tar")
    before = host.command("ls", "-lnR", "/etc/pki9", "/etc/mine")
    named = {"jianwei": "a: 1\n", "certs/ca": "deployed\n"}
    told = done(configure(host, "1.0", **named))
    assert host.command("ls", "-lnR", "/etc/pki9", "/etc/mine") == before
    done(host.run("activate", "1.0", "60", told.strip().removeprefix("configured=")))
    assert host.path("/etc/jianwei/certs/ca.yaml").read_text() == "deployed\n"
    host.command("sh", "-c", "cd /etc/jianwei; mv certs c; ln -s /etc/pki9 certs")
    done(configure(host, "1.0", jianwei="a: 1\n"))
    assert host.command("ls", "-lnR", "/etc/pki9", "/etc/mine") == before
    assert host.command("readlink", "/etc/.jianwei.new/certs") == "/etc/pki9\n"


def test_a_rollback_leaves_the_files_of_others(host: HostSpace) -> None:
    for version, files in (("1.0", {"lines": "l: 1\n"}), ("1.1", {"more/b": "b: 1\n"})):
        done(host.unpack(version))
        told = done(configure(host, version, jianwei=f"a: {version}\n", **files))
        done(host.run("activate", version, "60", told.strip().removeprefix("configured=")))
    host.path("/etc/jianwei/tls.key").write_text("put there after the upgrade")
    host.path("/etc/jianwei/tls.key").chmod(0o600)
    for version, there in (("1.0", "lines.yaml"), ("1.1", "more/b.yaml")):
        done(host.run("rollback", "60"))
        found = host.command("sh", "-c", "cd /etc/jianwei; find . -type f | sort").split()
        assert found == sorted(["./.deployed", "./jianwei.yaml", f"./{there}", "./tls.key"])
        text = host.path("/etc/jianwei/jianwei.yaml").read_text()
        assert (look(host).current, text) == (version, f"a: {version}\n")
        assert host.path("/etc/jianwei/jianwei.yaml").stat().st_mode & 0o777 == 0o640
        assert host.path("/etc/jianwei/tls.key").stat().st_mode & 0o777 == 0o600


def test_a_person_is_not_taken_for_the_agent(host: HostSpace) -> None:
    for options in ("-U -s /bin/bash", "-U -u 5000 -s /usr/sbin/nologin", "-r -U -s /bin/sh"):
        host.command("useradd", "-M", *options.split(), "jianwei")
        done(host.unpack("1.0"))
        status, _, err = configure(host, "1.0", jianwei="a: 1\n")
        assert status == 1
        assert err.startswith("there is a user jianwei who is somebody"), err
        done(host.run("uninstall"))
        assert "jianwei" in host.path("/etc/passwd").read_text()
        host.command("userdel", "jianwei")


def test_an_account_that_is_ours_goes_at_last(host: HostSpace) -> None:
    deployed(host, "1.0")
    done(host.run("uninstall", "--keep-state"))
    deployed(host, "1.0")
    told = done(host.run("uninstall"))
    assert "removed=user jianwei\nremoved=group jianwei\n" in told
    for name in ("passwd", "group"):
        assert "jianwei" not in host.path(f"/etc/{name}").read_text()
    assert [p for p in host.path("/var/lib").iterdir() if "jianwei" in p.name] == []


def test_a_group_that_was_there_stays(host: HostSpace) -> None:
    host.command("groupadd", "-g", "4321", "jianwei")
    deployed(host, "1.0")
    assert "group" not in done(host.run("uninstall"))
    assert "jianwei:x:4321:" in host.path("/etc/group").read_text()
    assert "jianwei" not in host.path("/etc/passwd").read_text()


def test_a_state_on_a_file_system_of_its_own_is_emptied(host: HostSpace) -> None:
    deployed(host, "1.0")
    host.path("/var/lib/jianwei").mkdir()
    host.command("mount", "-t", "tmpfs", "state", "/var/lib/jianwei")
    host.command("touch", "/var/lib/jianwei/hits")
    told = done(host.run("uninstall"))
    assert "what was in /var/lib/jianwei, which is a file system of its own" in told
    assert host.command("ls", "-A", "/var/lib/jianwei") == ""
    assert not host.path("/opt/jianwei").exists()
    assert "jianwei" not in host.path("/etc/passwd").read_text()


def test_the_same_release_is_the_same_whatever_is_noted(host: HostSpace) -> None:
    deployed(host, "1.0")
    content = bundle("1.0")
    noted = host.path("/opt/jianwei/.bundle.1.0")
    first = host.path("/opt/jianwei/1.0").stat().st_ino
    for record in ("", "console\nboot\n", None):
        noted.unlink()
        if record is not None:
            noted.write_text(record)
        done(host.run("unpack", *host.upload(content), "1.0"))
        assert done(host.run("unpack", *host.upload(content), "1.0")) == "unpacked=same\n"
        assert host.path("/opt/jianwei/1.0").stat().st_ino == first  # it runs
    status, _, err = host.unpack("1.0", more="another")
    assert (status, "with other content" in err) == (1, True), err
