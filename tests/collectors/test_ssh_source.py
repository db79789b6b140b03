"""SshSource against a real sshd, compared with LocalSource on the same machine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from collectors import catalogue
from collectors.model import Answer, Collector, Command, Family, File, Glob, MountUsage, Reading
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource
from collectors.sources.ssh.script import opening
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.source import SshError, SshSource
from collectors.strictyaml import Duration
from tests.sshlab import Sshd, SshLab, needs_sshd

VERSION = File("/proc/version")


def ask(target: str, settings: SshSettings, *readings: Reading) -> list[Answer]:
    with SshSource(target, settings) as source:
        return list(source.answer(readings or [VERSION]).values())


# Values that move while they are read, or that reading itself moves. All others are compared.
MOVING = re.compile(
    r"_total$|^process_|^jianwei_ipv6_traffic_|^node_(load\d+|memory_|procs_|processes_|sockstat_|filefd_|time_seconds|timex_"
    r"|vmstat_|netstat_|entropy_|disk_io_now|cpu_.*frequency|hwmon_|thermal_|udp_queues|tcp_connection"
    r"|context_switches|intr|forks|softnet_|filesystem_(avail|free|files_free)|arp_|nf_conntrack_entries$)"
)


# Label sets that come and go with the processes and connections of the moment.
FLEETING = ("node_processes_state", "node_processes_threads_state", "node_tcp_connection_states")


def everything() -> list[Collector]:
    settings = catalogue.Settings()
    # what is slow is asked apart, and in more rounds
    names = [name for name, entry in catalogue.COLLECTORS.items() if not entry.slow]
    return [catalogue.collector(settings, name) for name in names]


@needs_sshd
def test_every_collector_sees_over_ssh_what_it_sees_here(lab: SshLab, server: Sshd) -> None:
    # a device or socket that came for a moment between two looks explains one difference, not three
    for last_try in (False, False, True):
        try:
            _compare_with_here(lab, server)
        except AssertionError:
            if last_try:
                raise
        else:
            return


def _compare_with_here(lab: SshLab, server: Sshd) -> None:
    collectors = everything()
    before = observe(LocalSource(), collectors)
    sessions = server.sessions()
    with SshSource(server.target, lab.settings()) as source:
        there = observe(source, collectors)
    after = observe(LocalSource(), collectors)
    # what a parser asks for in later rounds takes a session each
    assert server.sessions() - sessions <= 2
    for first, remote, last in zip(before, there, after, strict=True):
        assert (remote.failure, remote.reason) == (first.failure, first.reason)
        assert {f.name: f.kind for f in remote.families} == {
            f.name: f.kind for f in first.families
        }, remote.collector
        for one, far, two in zip(first.facts, remote.facts, last.facts, strict=True):
            # reading over SSH is traffic of the loopback itself
            assert far == one or one != two or far.name in ("ipv6_counters", "ipv6_traffic")
        _assert_same_samples(first, remote, last)


def _assert_same_samples(first: Observation, remote: Observation, last: Observation) -> None:
    for name in {family.name for family in remote.families}:
        one, far, two = (_samples(o.families, name) for o in (first, remote, last))
        stable = one.keys() & two.keys()
        if name.startswith(FLEETING):
            continue
        assert stable <= far.keys(), name
        if not MOVING.search(name):
            assert far.keys() <= one.keys() | two.keys(), name
            assert {k: far[k] for k in stable} == {k: one[k] for k in stable}, name


def _samples(families: Sequence[Family], name: str) -> dict[object, float]:
    return {(s.labels, s.suffix): s.value for f in families if f.name == name for s in f.samples}


@needs_sshd
def test_all_readings_take_one_session(lab: SshLab, server: Sshd, tmp_path: Path) -> None:
    readings: list[Reading] = [
        *(File(f"{tmp_path}/{n}") for n in range(300)),
        MountUsage(),
        VERSION,
    ]
    before = server.sessions()
    with SshSource(server.target, lab.settings()) as source:
        assert list(source.answer(readings)) == readings
        assert server.sessions() == before + 1
        source.answer([VERSION])
        assert server.sessions() == before + 2
    assert "Accepted publickey" in server.log.read_text()


@needs_sshd
def test_what_hangs_costs_its_own_answer(lab: SshLab, server: Sshd, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(b"x" * 3_000_000)
    (tmp_path / "two\nlines").write_bytes(b"\0\n\0")
    fifo, huge, glob = (
        File(f"{tmp_path}/fifo"),
        File(f"{tmp_path}/huge", limit=1 << 20),
        Glob(f"{tmp_path}/t*"),
    )
    start = time.monotonic()
    answers = ask(server.target, lab.settings(), fifo, huge, glob, VERSION)
    assert time.monotonic() - start < 20
    assert [a.reason for a in answers] == [
        "is not a regular file",
        f"longer than {1 << 20} bytes",
        "",
        "",
    ]
    assert answers[2].children == ((f"{tmp_path}/two\nlines", Answer("content", b"\0\n\0")),)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@needs_sshd
@as_root
def test_denied_to_an_unprivileged_user(lab: SshLab) -> None:
    drop = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    server = lab.server(f'ForceCommand {drop} sh -c "$SSH_ORIGINAL_COMMAND"')
    readings: list[Reading] = [
        File("/etc/shadow"),
        Glob("/root/*"),
        File("/etc/hostname"),
        File("/etc/missing"),
    ]
    answers = ask(server.target, lab.settings(), *readings)
    assert [a.state for a in answers] == ["denied", "denied", "content", "absent"]


@needs_sshd
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo This account is not available.", "it said 'This account is not available.'"),
        ("false", "it said ''"),
        ("cat", "the host did not run the script"),
    ],
)
def test_a_host_that_runs_nothing(lab: SshLab, command: str, message: str) -> None:
    server = lab.server(f"ForceCommand {command}")
    with pytest.raises(SshError, match=message):
        ask(server.target, lab.settings(deadline=Duration(2)))


@needs_sshd
def test_a_host_that_closes_midway(lab: SshLab) -> None:
    half = len(opening("0" * 32)) + 10_000
    server = lab.server(f"ForceCommand head -c {half} | sh -s")
    readings = [Command(("uname", "-s", *["-s"] * i)) for i in range(200)]
    answers = ask(server.target, lab.settings(), *readings)
    assert answers[0].state == "content"
    assert answers[-1] == Answer("failed", reason="the host closed the connection")


def test_a_host_that_is_not_there(lab: SshLab) -> None:
    with pytest.raises(SshError, match=r"root@127\.0\.0\.1:1: cannot connect: Connection refused"):
        ask("ssh://root@127.0.0.1:1", lab.settings())


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_port_that_speaks_something_else(lab: SshLab, says: bytes) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(says)
                if not says:
                    connection.recv(1)  # the client's banner, and then silence until it gives up
                    while connection.recv(1 << 10):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        target = f"ssh://root@127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(SshError, match="no SSH session"):
            ask(target, lab.settings(connect_timeout=Duration(1)))
        thread.join(10)


@needs_sshd
def test_a_command_with_any_argument_is_no_shell(lab: SshLab, server: Sshd) -> None:
    odd = "$(id) `id` ; ' \" \\ \n * ~ | & < > \t ! #"
    answers = ask(server.target, lab.settings(), Command(("printf", "%s", odd)))
    assert answers[0].content == odd.encode()
