"""The lab of hosts: they are what they are said to be, and nothing of them stays."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from agents.fleet.inventory import load
from collectors.sources.ssh.knownhosts import entries, judge
from tests import fleetlab, fleetshare, fleettree
from tests.fleetlab import PASSWORD, USER, Fleet, Host, Kind
from tests.processgroups import Failed
from tests.sshlab import wait_until

ROOT = Path(__file__).parents[1]
PLAIN, SUDO, NONE, FULL, CHANGED, HANGS, READ_ONLY, BARE = range(8)
KINDS = (
    Kind(),
    Kind(sudo="password"),
    Kind(sudo="none"),
    Kind(disk="4m"),
    Kind(key_changed=True),
    Kind(hangs=True),
    Kind(read_only="opt"),
    Kind(systemd=False),
)

pytestmark = pytest.mark.skipif(
    bool(fleetlab.unavailable()), reason=fleetlab.unavailable() or "available"
)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Fleet]:
    with fleetlab.fleet(kinds=KINDS) as made:
        yield made


def ssh(
    fleet: Fleet, host: Host, command: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    settings = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={fleet.known_hosts}")
    options = [word for it in (*settings, "BatchMode=yes") for word in ("-o", it)]
    argv = ["ssh", "-F", "none", *options, "-i", str(fleet.key), f"{USER}@{host.address}", command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def test_a_host_has_systemd_and_no_python(hosts: Fleet) -> None:
    told = ssh(hosts, hosts[PLAIN], "hostname; cat /proc/1/comm; ls /usr/bin/python* | wc -l")
    assert told.stdout == "host001\nsystemd\n0\n"
    root = ssh(hosts, hosts[PLAIN], "sudo -n sh -c 'systemctl is-system-running; id -u'")
    assert root.stdout == "running\n0\n"
    assert "umask" not in hosts[PLAIN].run("cat /proc/self/mountinfo")
    assert str(ROOT) not in hosts[PLAIN].run("cat /proc/self/mountinfo")


def test_hosts_are_apart(hosts: Fleet) -> None:
    assert (
        len({host.run("cat /etc/machine-id") for host in hosts if host.kind != KINDS[HANGS]}) == 7
    )
    assert len({host.public for host in hosts}) == len(hosts)
    hosts[PLAIN].run("touch /only-here")
    assert hosts[SUDO].shell("ls /only-here").returncode
    assert hosts[PLAIN].run(f"ping -c1 {hosts[SUDO].address} 2>&1 || ip neighbour")


def test_sudo(hosts: Fleet) -> None:
    assert ssh(hosts, hosts[SUDO], "sudo -n true").returncode
    assert ssh(hosts, hosts[SUDO], "sudo -S -p '' id -u", f"{PASSWORD}\n").stdout == "0\n"
    assert ssh(hosts, hosts[SUDO], "sudo -S -p '' id -u", "wrong\n").returncode
    assert (
        "not in the sudoers" in ssh(hosts, hosts[NONE], "sudo -S -p '' id", f"{PASSWORD}\n").stderr
    )


def test_full_disk_and_read_only(hosts: Fleet) -> None:
    told = hosts[FULL].shell("dd if=/dev/zero of=/opt/big bs=1M count=8")
    assert "No space left" in told.stderr
    assert "Read-only" in hosts[READ_ONLY].shell("touch /opt/x").stderr
    hosts[READ_ONLY].run("touch /etc/x")


def test_changed_key_hang_no_systemd(hosts: Fleet) -> None:
    assert "HOST IDENTIFICATION HAS CHANGED" in ssh(hosts, hosts[CHANGED], "true").stderr
    with socket.create_connection((hosts[HANGS].address, 22), 5) as peer:
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(1)
    hosts[HANGS].resume()
    assert ssh(hosts, hosts[HANGS], "echo back").stdout == "back\n"
    hosts[HANGS].hang()
    assert hosts[BARE].run("cat /proc/1/comm") == "sshd\n"
    assert "not been booted with systemd" in hosts[BARE].shell("systemctl status").stderr


def test_by_way_of_another_host(hosts: Fleet) -> None:
    with paramiko.SSHClient() as first, paramiko.SSHClient() as second:
        for client in (first, second):
            client.load_host_keys(str(hosts.known_hosts))
        first.connect(hosts[PLAIN].address, username=USER, key_filename=str(hosts.key))
        transport = first.get_transport()
        assert transport
        there = transport.open_channel("direct-tcpip", (hosts[SUDO].address, 22), ("", 0))
        second.connect(hosts[SUDO].address, username=USER, key_filename=str(hosts.key), sock=there)
        assert second.exec_command("hostname")[1].read() == b"host002\n"


def test_a_host_that_is_killed_refuses() -> None:
    with fleetlab.fleet(1) as hosts:
        hosts[0].kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((hosts[0].address, 22), 5)


def left() -> list[str]:
    """Whatever is there of fleets."""
    cgroups = fleetshare.cgroups()
    assert cgroups
    devices = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    return sorted(
        [
            *(str(path) for path in cgroups.glob("jianwei-fleet-*")),
            *(line.split("@")[0] for line in devices.stdout.splitlines() if line.startswith("jwf")),
        ]
    )


@pytest.mark.parametrize("how", ["raise SystemExit(3)", "os.kill(os.getpid(), 9)"])
def test_nothing_stays(how: str, hosts: Fleet) -> None:
    """Beside another fleet, which goes on."""
    program = f"""
import os
from tests import fleetlab, fleettree
with fleetlab.fleet(2, [fleetlab.Kind(disk="8m")]) as hosts:
    hosts[0].run("touch /x; sleep 1000 > /dev/null 2>&1 &")
    print(hosts.folder, hosts[0].pid, hosts[1].pid, flush=True)
    {how}
"""
    before = left()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (3, -signal.SIGKILL), done.stderr
    folder, *pids = done.stdout.split()
    wait_until(lambda: left() == before and not Path(folder).exists(), 30)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 30)
    assert folder not in Path("/proc/self/mountinfo").read_text()
    assert hosts[PLAIN].run("echo on") == "on\n"


def test_the_tree_is_not_taken_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    recipe = fleettree.kept_name()
    (tmp_path / recipe).mkdir(mode=0o777)
    (tmp_path / recipe).chmod(0o777)
    with pytest.raises(Failed, match="others may write"):
        fleettree.tree()


def test_known_hosts(hosts: Fleet) -> None:
    text = hosts.known_hosts.read_text()
    for host in hosts:
        [entry] = entries([("f", text)], host.address, 22)
        real = host.run("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        same = judge([entry], paramiko.Ed25519Key.from_private_key_file(str(hosts.key)).asbytes())
        assert same[0] == "changed"
        assert (real == shlex.split(host.known_hosts_line)[2]) == (host.kind != KINDS[CHANGED])


def test_inventory(hosts: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    hosts.inventory(path, department="Water", host002={"sudo": False})
    read = load(str(path))
    assert [it.name for it in read] == [it.name for it in hosts]
    assert read[0].ssh == hosts.settings(sudo=True)
    assert (read[0].department, read[1].rise) == ("Water", "none")
    assert read[0].address == f"ssh://{hosts[0].address}"
