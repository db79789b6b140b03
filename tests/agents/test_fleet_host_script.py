"""host.sh under dash and busybox, on a host in a mount namespace: what it leaves, also when it is killed."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.fleet import hostside
from agents.fleet.model import Seen
from tests.hostspace import HostSpace, bundle, needs_root

pytestmark = needs_root


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostSpace]:
    space = HostSpace(tmp_path, request.param)
    yield space
    space.close()


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[HostSpace]:
    space = HostSpace(tmp_path)
    yield space
    space.close()


def look(host: HostSpace) -> Seen:
    status, out, err = host.run("look")
    assert status == 0, err
    return hostside.seen(dict(line.split("=", 1) for line in out.splitlines()))


def configure(host: HostSpace, version: str, **files: str) -> tuple[int, str, str]:
    named = {f"{name}.yaml": text.encode() for name, text in files.items()}
    content = hostside.packed(named)
    digest = hashlib.sha256(content).hexdigest()
    return host.run("configure", version, digest, stdin=content)


def done(ended: tuple[int, str, str]) -> str:
    assert ended[0] == 0, ended
    return ended[1]


def deployed(host: HostSpace, version: str, text: str = "a: 1\n") -> None:
    done(host.unpack(version))
    told = done(configure(host, version, jianwei=text))
    done(host.run("activate", version, "60", told.strip().removeprefix("configured=")))


@pytest.mark.parametrize(
    ("words", "status"), [(["--help"], 0), (["install", "--help"], 0), ([], 1)]
)
def test_who_asks_how_it_is_used_is_told(quick: HostSpace, words: list[str], status: int) -> None:
    done = subprocess.run(
        ["sh", quick.host_sh, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert "host.sh uninstall [--keep-state]" in (done.stderr if status else done.stdout)


def test_an_empty_host_is_looked_at_and_not_changed(host: HostSpace) -> None:
    seen = look(host)
    assert seen.arch == os.uname().machine
    assert (seen.versions, seen.current, seen.config, seen.unit) == ((), "", "", "")
    assert (seen.active, seen.ready, seen.since, seen.systemd) == (False, False, 0, "252")
    assert seen.free > 0
    assert not host.path("/opt/jianwei").exists()


@pytest.mark.parametrize("what", ["unit", "configuration"])
def test_what_others_installed_is_told_and_not_run(host: HostSpace, what: str) -> None:
    """An old installation in /opt/jianwei itself, as a virtual environment has it."""
    program = host.path("/opt/jianwei/bin/jianwei")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n: >/run/fake/was_run\n")
    program.chmod(0o755)
    host.path("/run/fake/active").write_text("")
    named = {"unit": "/etc/systemd/system/jianwei-agent.service"}
    path = host.path(named.get(what, "/etc/jianwei/jianwei.yaml"))
    path.parent.mkdir(exist_ok=True)
    path.write_text("x: 1\n")
    seen = look(host)
    assert (seen.foreign, seen.current, seen.active, seen.ready) == (True, "", True, False)
    assert not host.path("/run/fake/was_run").exists()
    path.unlink()
    deployed(host, "1.0")
    assert not look(host).foreign


def test_from_nothing_to_two_releases_back_and_away(host: HostSpace) -> None:
    before = {name: host.path(name).read_text() for name in ("/etc/passwd", "/etc/group")}
    deployed(host, "1.0")
    seen = look(host)
    assert (seen.versions, seen.current, seen.previous) == (("1.0",), "1.0", "")
    assert (seen.active, seen.enabled, seen.ready, seen.staged) == (True, True, True, "")
    assert seen.since == datetime(2026, 2, 1, 8, 9, 10, tzinfo=UTC).timestamp()
    assert seen.config == hostside.digest({"jianwei.yaml": b"a: 1\n"})
    unit = host.path("/etc/systemd/system/jianwei-agent.service").read_bytes()
    assert seen.unit == hashlib.sha256(unit).hexdigest()
    group = int(re.findall(r"^jianwei:\w:(\d+)", host.path("/etc/group").read_text(), re.M)[0])
    for name, mode in (("", 0o40750), ("/jianwei.yaml", 0o100640)):
        found = host.path(f"/etc/jianwei{name}").stat()
        assert found.st_mtime > time.time() - 3600  # when it came there
        assert (oct(found.st_mode), found.st_uid, found.st_gid) == (oct(mode), 0, group)
    launcher = host.path("/opt/jianwei/1.0/bin/jianwei").stat()
    assert (launcher.st_uid, launcher.st_mode & 0o7022) == (0, 0)

    command = host.path("/usr/local/bin/jianwei")
    assert os.readlink(command) == "/opt/jianwei/current/bin/jianwei"

    deployed(host, "1.1", "a: 2\n")
    deployed(host, "1.2", "a: 3\n")
    seen = look(host)
    assert ({*seen.versions}, seen.current, seen.previous) == ({"1.1", "1.2"}, "1.2", "1.1")

    done(host.run("rollback", "60"))
    seen = look(host)
    assert (seen.current, seen.previous, seen.ready) == ("1.1", "1.2", True)
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 2\n"
    done(host.run("rollback", "60"))
    assert (look(host).current, host.path("/etc/jianwei/jianwei.yaml").read_text()) == (
        "1.2",
        "a: 3\n",
    )

    host.path("/var/lib/jianwei").mkdir()
    removed = done(host.run("uninstall"))
    assert "removed=/opt/jianwei\n" in removed
    assert "removed=user jianwei\n" in removed
    assert before == {name: host.path(name).read_text() for name in before}
    left = ["/opt/jianwei", "/etc/jianwei", "/var/lib/jianwei", "/etc/logrotate.d/jianwei"]
    left += ["/etc/systemd/system/jianwei-agent.service", "/run/fake/active", "/run/fake/enabled"]
    assert [name for name in left if host.path(name).exists()] == []
    assert not command.is_symlink()
    assert [path for path in host.path("/etc").iterdir() if "jianwei" in path.name] == []
    assert done(host.run("uninstall")) == "end=uninstall\n"


def test_a_command_of_another_stays(quick: HostSpace) -> None:
    command = quick.path("/usr/local/bin/jianwei")
    command.symlink_to("/srv/jianwei")
    deployed(quick, "1.0")
    done(quick.run("uninstall"))
    assert os.readlink(command) == "/srv/jianwei"


def test_the_state_is_kept_where_that_is_asked_for(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    quick.path("/var/lib/jianwei").mkdir()
    done(quick.run("uninstall", "--keep-state"))
    assert quick.path("/var/lib/jianwei").exists()
    assert "jianwei" in quick.path("/etc/passwd").read_text()
    assert not quick.path("/opt/jianwei").exists()


def test_unpacking_again_changes_nothing(quick: HostSpace) -> None:
    done(quick.unpack("1.0"))
    first = quick.path("/opt/jianwei/1.0").stat().st_ino
    assert done(quick.unpack("1.0")) == "unpacked=same\n"
    quick.path("/opt/jianwei/1.0/share/jianwei/VERSION").write_text("spoilt")
    assert done(quick.unpack("1.0")) == "unpacked=1.0\n"
    assert quick.path("/opt/jianwei/1.0").stat().st_ino != first


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"no tar" * 999), "cannot be unpacked"),
        (bundle("1.0", {"../../more": ""}), "no bundle of jianwei|cannot be unpacked"),
        (bundle("1.0")[:-8] + bytes(4) + bundle("1.0")[-4:], "cannot be unpacked"),
    ],
)
def test_a_bundle_that_is_none_leaves_nothing(
    host: HostSpace, content: bytes, problem: str
) -> None:
    status, _, err = host.run("unpack", *host.upload(content), "1.0")
    assert status == 1
    assert re.search(problem, err), err
    assert look(host).versions == ()
    assert [p.name for p in host.path("/opt/jianwei").iterdir() if p.name != ".staged"] == []


def test_a_bundle_that_changed_on_the_way_is_not_taken(quick: HostSpace) -> None:
    path, _ = quick.upload(bundle("1.0"))
    status, _, err = quick.run("unpack", path, "0" * 64, "1.0")
    assert (status, err) == (1, "the bundle is not as it was sent: upload it again\n")
    assert look(quick).staged == ""


def test_a_full_disk_is_named(quick: HostSpace) -> None:
    path, digest = quick.upload(bundle("1.0"))
    space = quick.path("/opt/jianwei")
    status = os.statvfs(space)
    with (space / "ballast").open("wb") as file:
        file.truncate(0)
        os.posix_fallocate(file.fileno(), 0, (status.f_bavail - 512) * status.f_frsize)
    code, _, err = quick.run("unpack", path, digest, "1.0")
    assert code == 1
    assert re.fullmatch(r"no room: needs \d+ MB, has \d MB on /opt/jianwei\n", err), err
    assert look(quick).staged == digest  # to go on with


def test_a_release_in_force_is_not_replaced_by_another_of_its_name(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    status, _, err = quick.unpack("1.0", more="another")
    assert status == 1
    assert "give the new one another version" in err


def test_a_wrong_configuration_is_told_and_nothing_changes(host: HostSpace) -> None:
    deployed(host, "1.0")
    status, _, err = configure(host, "1.0", jianwei="x: wrong\n")
    assert status == 1
    assert err.startswith("the configuration is not right: ")
    assert "1:x: wrong" in err
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 1\n"
    assert not host.path("/etc/.jianwei.new").exists()


def test_a_release_that_does_not_run_here_is_told(quick: HostSpace) -> None:
    done(quick.unpack("1.0", foreign=""))
    status, _, err = configure(quick, "1.0", jianwei="a: 1\n")
    assert status == 1
    assert err == "release 1.0 does not run here: no such GLIBC\n"


def test_files_of_others_stay_and_deployed_ones_go_with_their_list(host: HostSpace) -> None:
    done(host.unpack("1.0"))
    told = done(configure(host, "1.0", jianwei="a: 1\n", lines="l: 1\n"))
    done(host.run("activate", "1.0", "60", told.strip().removeprefix("configured=")))
    host.path("/etc/jianwei/tls.key").write_text("secret")
    told = done(configure(host, "1.0", jianwei="a: 2\n"))
    assert host.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 1\n"  # not yet
    done(host.run("activate", "1.0", "60", told.strip().removeprefix("configured=")))
    names = sorted(path.name for path in host.path("/etc/jianwei").iterdir())
    assert names == [".deployed", "jianwei.yaml", "tls.key"]
    assert look(host).config == hostside.digest({"jianwei.yaml": b"a: 2\n"})
    assert look(host).previous == ""


def test_what_was_configured_and_given_up_is_never_put_in_force(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    done(configure(quick, "1.0", jianwei="a: old\n"))
    done(quick.run("activate", "1.0", "60"))
    assert quick.path("/etc/jianwei/jianwei.yaml").read_text() == "a: 1\n"
    status, _, err = quick.run("activate", "1.0", "60", "0" * 64)
    assert (status, err) == (1, "what was configured is here no more: configure it again\n")


@pytest.mark.parametrize("what", ["release", "configuration"])
def test_what_is_not_ready_is_gone_back_from(host: HostSpace, what: str) -> None:
    deployed(host, "1.0")
    done(host.unpack("1.1", **({"broken": ""} if what == "release" else {})))
    text = "a: broken\n" if what == "configuration" else "a: 2\n"
    told = done(configure(host, "1.1", jianwei=text)).strip().removeprefix("configured=")
    status, out, err = host.run("activate", "1.1", "1", told)
    assert status == 1
    assert err.endswith("1.1 was not ready within 1 s: not ready: refused; 1.0 is back\n"), err
    assert "log=Traceback: the agent is" in out
    seen = look(host)
    assert (seen.current, seen.previous, seen.ready) == ("1.0", "", True)
    assert seen.config == hostside.digest({"jianwei.yaml": b"a: 1\n"})
    unit = host.path("/etc/systemd/system/jianwei-agent.service").read_text()
    assert "# 1.0" in unit


@pytest.mark.parametrize(
    ("told", "ready"),
    [
        ("Type=notify\nWatchdogUSec=1min\n", True),
        ("WatchdogUSec=1min\nType=notify\n", True),
        ("Type=notify\nWatchdogUSec=0\n", False),
        ("Type=notify\nWatchdogUSec=infinity\n", False),
        ("Type=exec\nWatchdogUSec=1min\n", False),
        ("", False),
    ],
)
def test_an_agent_is_asked_only_where_systemd_does_not_watch_it(
    quick: HostSpace, told: str, ready: bool
) -> None:
    deployed(quick, "1.0")
    quick.path("/run/fake/show").write_text(told)
    quick.path("/opt/jianwei/1.0/bin/jianwei").write_text("#!/bin/sh\nexit 1\n")
    seen = look(quick)
    assert (seen.active, seen.ready) == (True, ready)


def test_a_first_release_that_is_not_ready_leaves_no_agent(quick: HostSpace) -> None:
    done(quick.unpack("1.0", broken=""))
    status, _, err = quick.run("activate", "1.0", "1")
    assert status == 1
    assert err.endswith("there was none before, and none is left running\n")
    seen = look(quick)
    assert (seen.current, seen.active, seen.enabled, seen.unit) == ("", False, False, "")
    assert not quick.path("/etc/jianwei").exists()


def test_a_damaged_release_is_not_put_in_force_after_a_power_cut(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    done(quick.unpack("1.1"))
    quick.path("/opt/jianwei/1.1/share/jianwei/VERSION").write_bytes(b"")
    record = quick.path("/opt/jianwei/.bundle.1.1")
    record.write_text(record.read_text().splitlines()[0] + "\nanother boot\n")
    status, _, err = quick.run("activate", "1.1", "1")
    assert (status, err) == (1, "files of release 1.1 are damaged: deploy it again\n")
    seen = look(quick)
    assert (seen.current, seen.bundles["1.1"]) == ("1.0", "damaged")
    assert done(quick.unpack("1.1")) == "unpacked=1.1\n"
    assert look(quick).bundles["1.1"] not in ("", "damaged")


def test_a_bundle_with_other_content_is_not_mixed_with_a_release_in_force(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    first = look(quick).bundles
    path, sum_ = quick.upload(bundle("1.0", {"more": "new"}))
    status, _, err = quick.run("unpack", path, sum_, "1.0")
    assert (status, "is here with other content" in err) == (1, True)
    assert look(quick).bundles == first
    for content in ({}, {"more": "new"}):  # not in force: it may be put there anew
        path, sum_ = quick.upload(bundle("1.1", content))
        assert done(quick.run("unpack", path, sum_, "1.1")) == "unpacked=1.1\n"
        assert look(quick).bundles == {**first, "1.1": sum_}


def test_the_connection_may_go_and_it_is_ended_all_the_same(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    done(quick.unpack("1.1"))
    process = quick.started("activate", "1.1", "60")
    until(lambda: quick.path("/opt/jianwei/.pending").exists())
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream
        stream.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
    assert look(quick).current == "1.1"


def test_one_that_is_told_to_end_goes_back(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    done(quick.unpack("1.1", broken=""))
    process = quick.started("activate", "1.1", "60")
    until(lambda: os.readlink(quick.path("/opt/jianwei/current")).encode() == b"1.1")
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"1.0 is back" in err
    assert look(quick).ready


def until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# JIANWEI_EVERY_INSTANT=1 takes minutes
EVERY = 1 if os.environ.get("JIANWEI_EVERY_INSTANT") else 41


@pytest.mark.parametrize("verb", ["unpack", "configure", "activate", "rollback"])
def test_killed_at_any_instant_the_next_one_mends_it(quick: HostSpace, verb: str) -> None:
    """Before its first command, before its 42nd …, until it comes to its end."""
    deployed(quick, "1.0")
    deployed(quick, "1.1", "a: 2\n")
    instant = 1
    while killed_before(quick, instant, verb):
        seen = look(quick)
        assert set(seen.versions) >= {"1.0", "1.1"}, instant
        assert {seen.current, seen.previous} == {"1.0", "1.1"}, instant
        assert seen.config in {hostside.digest({"jianwei.yaml": b"a: %d\n" % n}) for n in (1, 2)}
        told = done(configure(quick, "1.1", jianwei="a: 2\n"))
        digest = told.splitlines()[-1].removeprefix("configured=")
        done(quick.run("activate", "1.1", "60", digest))
        seen = look(quick)
        assert (seen.current, seen.previous, seen.ready) == ("1.1", "1.0", True), instant
        assert host_text(quick, "/etc/jianwei/jianwei.yaml") == "a: 2\n", instant
        left = {p.name for p in quick.path("/opt/jianwei").iterdir() if p.name.startswith(".")}
        assert left <= {".bundle.1.0", ".bundle.1.1", ".kept", ".kept-config", ".staged"}, instant
        beside = {p.name for p in quick.path("/etc").iterdir() if "jianwei" in p.name}
        assert beside == {"jianwei"}, instant
        instant += EVERY
    assert instant > EVERY


# bash alone can be made to do something before each command
_KILLED = """set -T; n=0; instant=$1 program=$2; shift 2
trap '[ $((n += 1)) -ne $instant ] || kill -9 -- -$$' DEBUG
. "$program"
"""


def killed_before(host: HostSpace, instant: int, verb: str) -> bool:
    """Run a verb that is killed, with its children, before so many commands; whether it came so far."""
    stdin = hostside.packed({"jianwei.yaml": b"a: 3\n"}) if verb == "configure" else b""
    arguments = {
        "unpack": (*host.upload(bundle("1.2")), "1.2"),
        "configure": ("1.1", hashlib.sha256(stdin).hexdigest()),
        "activate": ("1.0", "60"),
        "rollback": ("60",),
    }[verb]
    host.shell = ["bash", "-c"]
    with host.started(
        "host", str(instant), str(host.host_sh), verb, *arguments, script=_KILLED
    ) as process:
        process.communicate(stdin, 60)
    host.shell = ["dash"]
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def test_two_deployers_are_kept_apart(quick: HostSpace) -> None:
    deployed(quick, "1.0")
    done(quick.unpack("1.1", broken=""))
    first = quick.started("activate", "1.1", "1")
    until(lambda: quick.path("/opt/jianwei/.pending").exists())
    done(quick.run("activate", "1.0", "60"))  # waits, then finds all as it was
    assert first.wait(30) == 1
    assert (look(quick).current, look(quick).ready) == ("1.0", True)


def test_the_administrator_installs_at_the_console(quick: HostSpace, tmp_path: Path) -> None:
    tree = quick.path("/opt/media")
    tree.mkdir()
    subprocess.run(["tar", "-xzf", "-", "-C", tree], input=bundle("1.0"), check=True)
    script = "/opt/media/jianwei-agent-1.0/share/jianwei/host.sh"
    status, out, err = quick.run("install", script=script)
    assert status == 0, err
    assert "Installed: 1.0 runs" in out
    seen = look(quick)
    assert (seen.current, seen.ready, seen.enabled) == ("1.0", True, True)
    assert host_text(quick, "/etc/jianwei/jianwei.yaml") == "# the default\n"
    quick.path("/opt/mine.yaml").write_text("a: 7\n")
    done(quick.run("install", "/opt/mine.yaml", script=script))
    assert host_text(quick, "/etc/jianwei/jianwei.yaml") == "a: 7\n"
    done(quick.run("install", script=script))  # keeps it
    assert host_text(quick, "/etc/jianwei/jianwei.yaml") == "a: 7\n"
    assert look(quick).previous == ""


def host_text(host: HostSpace, name: str) -> str:
    return host.path(name).read_text()


def test_shellcheck_has_nothing_to_say(quick: HostSpace) -> None:
    shellcheck = shutil.which("shellcheck") or pytest.skip("needs the Debian package shellcheck")
    subprocess.run([shellcheck, "-s", "sh", quick.host_sh], check=True)
