"""`jianwei once`, `record` and `explain` on this machine, over SSH and from a recording."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from collectors import catalogue
from collectors.model import Answer, Command
from collectors.sources.recorded import RecordedSource, RecordingError
from collectors.sources.recorder import check_target
from collectors.sources.ssh.exchange import exchange
from tests.shellhost import ShellChannel
from tests.sshlab import SshLab, needs_sshd

MACHINE = Path(__file__).parents[1] / "fixtures/machines/debian12"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def names(page: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    lab = SshLab(tmp_path_factory.mktemp("ssh"))
    yield lab
    lab.close()


@pytest.fixture
def config(lab: SshLab, tmp_path: Path) -> Path:
    path = tmp_path / "jianwei.yaml"
    path.write_text(
        f"ssh: {{known_hosts: [{lab.known_hosts}], config_file: '', key_file: {lab.key},"
        " use_agent: false}\n"
    )
    return path


def test_once_on_this_machine() -> None:
    result = run("once", "--collect", "loadavg", "--collect", "uname")
    assert result.exit_code == 0
    assert re.search(r"^node_load1 \d", result.stdout, re.MULTILINE)
    assert 'node_scrape_collector_success{collector="uname"} 1' in result.stdout
    assert not result.stderr


def test_once_from_a_recording() -> None:
    result = run("once", "--recorded", MACHINE)
    assert result.exit_code == 0
    assert 'nodename="gov-node-01"' in result.stdout
    assert {"node_load1", "node_filesystem_size_bytes", "node_cpu_info"} <= names(result.stdout)


def test_once_as_json_has_families_and_facts() -> None:
    result = run("once", "--recorded", MACHINE, "--format", "json", "--collect", "ipv6_listeners")
    (observation,) = json.loads(result.stdout)
    assert observation["collector"] == "ipv6_listeners"
    assert [fact["name"] for fact in observation["facts"]] == [
        *catalogue.COLLECTORS["ipv6_listeners"].cls.facts
    ]


def test_once_says_what_failed(tmp_path: Path) -> None:
    (tmp_path / "root/proc").mkdir(parents=True)
    (tmp_path / "root/proc/loadavg").write_text("much\n")
    (tmp_path / "asked.json").write_text('["*"]')
    result = run("once", "--recorded", tmp_path, "--collect", "loadavg")
    assert 'jianwei_collector_failure{collector="loadavg",reason="parse"} 1' in result.stdout
    assert "jianwei: collector loadavg: parse: /proc/loadavg" in result.stderr


@needs_sshd
def test_once_over_ssh_gives_what_it_gives_here(lab: SshLab, config: Path) -> None:
    server = lab.server()
    there = run("once", "--config", config, "--host", server.target)
    here = run("once", "--config", config)
    assert (there.exit_code, here.exit_code) == (0, 0)
    assert names(there.stdout) == names(here.stdout)
    assert server.sessions() == 1


@needs_sshd
def test_an_unverified_host_is_one_line_and_exit_2(lab: SshLab, config: Path) -> None:
    server = lab.server(known=False)
    for command in (("once",), ("record", str(config.parent / "r")), ("explain", "loadavg")):
        result = run(*command, "--config", config, "--host", server.target)
        assert result.exit_code == 2
        assert re.fullmatch(r"jianwei: .*unknown ssh-ed25519 key SHA256:.*\n", result.stderr)
        assert not result.stdout
    assert not (config.parent / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("once", "--host", "ssh://a:b:c"), "is not ssh://user@host:port"),
        (("once", "--host", "ssh://a", "--recorded", "b"), "cannot be used together"),
        (("once", "--recorded", "/nowhere"), "/nowhere: is not a folder"),
        (("once", "--recorded", "/etc"), "is not a recording"),
        (("once", "--collect", "nothing"), "no collector 'nothing'"),
        (("once", "--config", "/nowhere"), "/nowhere: cannot be read"),
        (("explain", "nothing"), "no collector 'nothing'"),
        (("explain", "--sudoers", "ALL"), "'ALL' is not a user name"),
        (("explain", "--sudoers", ""), "'' is not a user name"),
        (("once", "--config", ""), "'': cannot be read"),
        (("check-config", ""), "'': cannot be read"),
        (("record", ""), "'': is not a folder"),
        (("record", f"/{'x' * 300}"), "cannot be looked at"),
        (("record", "/etc"), "/etc: is not empty"),
        (("record", "/etc", "--overwrite"), "holds something else than a recording"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another user")
def test_a_folder_that_may_not_be_looked_at_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    pid = os.fork()
    if not pid:  # as nobody, from here on
        os.setresuid(65534, 65534, 65534)
        try:
            check_target(tmp_path / "r", False)
        except RecordingError as error:
            os._exit(0 if "Permission denied" in str(error) else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_recording_of_this_machine_replays(tmp_path: Path) -> None:
    target = tmp_path / "recording"
    result = run("record", target)
    assert result.exit_code == 0, result.output
    told = re.search(r"(\d+) readings recorded, (\d+) absent, (\d+) denied", result.stdout)
    assert told
    assert int(told[1]) > 50
    again = run("once", "--recorded", target)
    here = run("once")
    assert names(again.stdout) == names(here.stdout)
    assert run("record", target).exit_code == 2
    assert run("record", target, "--overwrite").exit_code == 0


@needs_sshd
def test_a_recording_over_ssh_replays(lab: SshLab, config: Path, tmp_path: Path) -> None:
    server = lab.server()
    target = tmp_path / "recording"
    assert run("record", target, "--config", config, "--host", server.target).exit_code == 0
    pages = [
        run("once", "--config", config, *more).stdout
        for more in (("--recorded", target), ("--host", server.target))
    ]
    assert names(pages[0]) == names(pages[1])
    assert (target / "root/etc/os-release").read_text() == Path("/etc/os-release").read_text()


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """The configuration of a machine whose /proc/loadavg never answers."""
    (tmp_path / "machine/proc").mkdir(parents=True)
    os.mkfifo(tmp_path / "machine/proc/loadavg")
    config = tmp_path / "hanging.yaml"
    config.write_text(f"root: {tmp_path}/machine\ncollectors: {{deadline: 200ms}}\n")
    return config


def test_a_reading_that_hangs_stops_no_command(hanging: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    once = run("once", "--config", hanging, "--collect", "loadavg")
    explained = run("explain", "--config", hanging, "loadavg")
    recorded = run("record", tmp_path / "r", "--config", hanging)
    assert time.monotonic() - start < 60
    assert 'reason="timeout"' in once.stdout
    assert "/proc/loadavg: failed (no answer in time)" in explained.stdout
    assert recorded.exit_code == 0
    assert "jianwei: collector loadavg: timeout: " in recorded.stderr
    answers = RecordedSource(tmp_path / "r").answer(
        catalogue.COLLECTORS["loadavg"].cls().readings()
    )
    assert [*answers.values()] == [Answer("failed", reason="not recorded")]


def test_explain_says_what_is_read_and_given() -> None:
    result = run("explain", "--recorded", MACHINE, "loadavg", "conntrack")
    assert result.exit_code == 0
    size = (MACHINE / "root/proc/loadavg").stat().st_size
    assert f"reads  /proc/loadavg: {size} bytes" in result.stdout
    assert "metrics  node_load1 node_load5 node_load15" in result.stdout


def test_explain_knows_every_collector() -> None:
    explained = json.loads(run("explain", "--json", "--recorded", MACHINE).stdout)
    assert [one["collector"] for one in explained] == [*catalogue.COLLECTORS]
    assert all(one["about"] for one in explained)
    # facts about lines and resources are handed to an audit, not read from the machine
    assert [one["collector"] for one in explained if not one["readings"]] == [
        "ipv6_advertisers",
        "lines",
        "usage",
    ]


needs_sudo = pytest.mark.skipif(
    not (shutil.which("sudo") and shutil.which("unshare")) or os.geteuid() != 0,
    reason="needs root and the Debian package sudo",
)


@needs_sudo
def test_the_sudoers_file_allows_exactly_what_is_run(tmp_path: Path) -> None:
    sudoers = tmp_path / "sudoers"
    result = run("explain", "--sudoers", "nobody")
    sudoers.write_text(result.stdout)
    subprocess.run(["visudo", "-cqf", sudoers], check=True)
    allowed = [
        reading.argv
        for entry in catalogue.COLLECTORS.values()
        for reading in entry.cls().readings()
        if isinstance(reading, Command)
    ]
    assert allowed
    sudoers.chmod(0o440)
    # the real sudo with this file for its own, in a mount namespace that nobody else sees
    script = f"mount --bind {sudoers} /etc/sudoers && mount -t tmpfs none /etc/sudoers.d && exec "
    become = "setpriv --reuid=65534 --regid=65534 --clear-groups "

    def may(*argv: str) -> bool:
        ask = ["unshare", "-m", "sh", "-c", script + become + 'sudo -n -l "$@"', "sh", *argv]
        return subprocess.run(ask, capture_output=True).returncode == 0

    for argv in allowed:
        if shutil.which(argv[0]):
            assert may(*argv)
            assert not may(*argv, "more")
    assert not may("id")


@needs_sudo
def test_commands_go_through_sudo_where_that_is_allowed(tmp_path: Path) -> None:
    sudoers = tmp_path / "sudoers"
    sudoers.write_text('nobody ALL=(root) NOPASSWD: /usr/bin/id -u, /usr/bin/whoami ""\n')
    sudoers.chmod(0o440)
    script = f"mount --bind {sudoers} /etc/sudoers && mount -t tmpfs none /etc/sudoers.d && exec "
    become = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -s"
    readings = [Command(("id", "-u")), Command(("whoami",)), Command(("id", "-un"))]
    with ShellChannel(["unshare", "-m", "sh", "-c", script + become]) as channel:
        answers = exchange(channel, readings, 30, sudo=True)
    assert [a.content for a in answers.values()] == [b"0\n", b"root\n", b"nobody\n"]
    with ShellChannel(["unshare", "-m", "sh", "-c", script + become]) as channel:
        answers = exchange(channel, readings, 30)
    assert [a.content for a in answers.values()] == [b"65534\n", b"nobody\n", b"nobody\n"]
