"""Devices over SSH: a real sshd for Linux, and a server of paramiko's that stands for a router."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import paramiko
import pytest

from collectors.link import devicessh
from collectors.link.devices import Dialect, SshAccess
from collectors.link.interfaces import DevicePoll, Missing
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import Secret
from tests.collectors.test_link_devicecli import COMWARE7, IOS, VRP_SWITCH
from tests.sshlab import PasswordServer, Sshd, SshLab, free_port, needs_sshd

PAGED = b" --More-- "
PASSWORD = "pw"


class Router(PasswordServer):
    """Prints what `outputs` has for a command; `pages` waits for a key in between."""

    def __init__(self, outputs: Mapping[str, bytes], pages: bool = False) -> None:
        self.outputs, self.pages = outputs, pages
        self.asked: list[str] = []
        super().__init__("ops", PASSWORD)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.asked.append(command.decode())
        threading.Thread(target=self._print, args=(channel, command.decode()), daemon=True).start()
        return True

    def _print(self, channel: paramiko.Channel, command: str) -> None:
        time.sleep(0.05)  # the request is granted before there is output
        output = self.outputs.get(command, b"% Wrong parameter found at '^' position.\r\n")
        if self.pages:
            half = output.index(b"\n", len(output) // 2) + 1
            channel.sendall(output[:half] + PAGED)
            if channel.recv(1) != b" ":
                return
            output = b"\r" + output[half:]
        channel.sendall(output)
        channel.send_exit_status(0)
        channel.close()

    @property
    def host(self) -> str:
        return f"ssh://ops@127.0.0.1:{self.port}"


FULL = COMWARE7.split("GigabitEthernet1/0/2")[0].encode()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    router = Router(
        {
            "display interface": COMWARE7.encode(),
            "display interface GE1/0/1": FULL,
            "display interface GigabitEthernet0/0/1": VRP_SWITCH.encode(),
            "show interfaces Gi0/1": IOS.split("GigabitEthernet0/2")[0].encode(),
        }
    )
    yield router
    router.close()


def ssh(router: Router, folder: Path, known: bool = True, secret: str = PASSWORD) -> SshSettings:
    line = f"[127.0.0.1]:{router.port} {router.key.get_name()} {router.key.get_base64()}\n"
    (folder / "known_hosts").write_text(line if known else "")
    return SshSettings(
        known_hosts=(str(folder / "known_hosts"),),
        config_file="",
        use_agent=False,
        password=Secret(secret),
    )


def ask(
    router: Router,
    dialect: Dialect,
    wanted: tuple[str, ...] | None,
    settings: SshSettings,
    deadline: float = 10,
) -> DevicePoll:
    return devicessh.poll("r1", SshAccess(router.host, dialect), wanted, settings, deadline)


@pytest.mark.parametrize(
    ("dialect", "name", "octets"),
    [
        ("comware", "GE1/0/1", 20709230860),
        ("vrp", "GigabitEthernet0/0/1", 183126871),
        ("ios", "Gi0/1", 91227676106),
    ],
)
@pytest.mark.parametrize("pages", [False, True])
def test_one_command_an_interface(
    router: Router, tmp_path: Path, dialect: Dialect, name: str, octets: int, pages: bool
) -> None:
    router.pages = pages
    found = ask(router, dialect, (name,), ssh(router, tmp_path))
    assert (found.reason, found.missing) == ("", ())
    assert [(row.name, row.in_octets) for row in found.interfaces] == [(name, octets)]
    assert len(router.asked) == 1


def test_all_interfaces_by_one_command(router: Router, tmp_path: Path) -> None:
    found = ask(router, "comware", None, ssh(router, tmp_path))
    assert len(found.interfaces) == 2
    assert router.asked == ["display interface"]


def test_an_interface_the_router_does_not_have(router: Router, tmp_path: Path) -> None:
    found = ask(router, "comware", ("GE9/0/9", "GE1/0/1"), ssh(router, tmp_path))
    assert [row.name for row in found.interfaces] == ["GE1/0/1"]
    assert found.missing == (
        Missing("GE9/0/9", "no_interface", "% Wrong parameter found at '^' position."),
    )


def test_why_a_router_cannot_be_asked(router: Router, tmp_path: Path) -> None:
    wanted = ("GE1/0/1",)
    unread = (Missing("GE1/0/1", "unread"),)
    wrong = ask(router, "comware", wanted, ssh(router, tmp_path, secret="no"))
    assert (wrong.reason, wrong.missing) == ("ssh_login", unread)
    unknown = ask(router, "comware", wanted, ssh(router, tmp_path, known=False))
    assert (unknown.reason, unknown.missing) == ("ssh_host_key", unread)
    assert router.asked == []
    closed = SshAccess(f"ssh://ops@127.0.0.1:{free_port()}", "comware")
    found = devicessh.poll("r1", closed, wanted, ssh(router, tmp_path), 10)
    assert (found.reason, found.missing) == ("ssh_unreachable", unread)


def test_a_router_that_says_nothing_times_out(router: Router, tmp_path: Path) -> None:
    router.outputs = {"display interface GE1/0/1": b"\n" * 10}
    router.pages = True  # and it never goes on
    router._print = lambda channel, command: None  # type: ignore[method-assign]
    found = ask(router, "comware", ("GE1/0/1",), ssh(router, tmp_path), deadline=1)
    assert found.reason == "timeout"


@needs_sshd
def test_a_linux_host_by_its_readings(lab: SshLab, server: Sshd) -> None:
    access = SshAccess(server.target, "linux")
    found = devicessh.poll("h1", access, ("lo", "nix"), lab.settings(), 20)
    (row,) = found.interfaces
    assert (row.name, row.bits, row.wide, row.index) == ("lo", 64, True, 1)
    assert 0 < row.in_octets <= int(Path("/sys/class/net/lo/statistics/rx_bytes").read_text())
    assert row.uptime
    assert found.missing == (Missing("nix", "no_interface"),)
