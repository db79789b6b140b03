"""A link with routers and DHCPv6 servers, good ones and rogues: radvd, dnsmasq, and forged packets.

    host — good, host — rogue       all on one bridge in the namespace `switch`

Neither radvd nor dnsmasq writes outside of the folder given.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests import netlab

PREFIX: Final = "2400:da00:a::/64"
ROGUE_PREFIX: Final = "2400:da00:bad::/64"
DEVICE: Final = "to-switch"  # of every station


def unavailable(*programs: str) -> str:
    """Why there can be none here, empty if there can."""
    for program in programs or ("radvd", "dnsmasq"):
        if not shutil.which(program):
            return f"needs {program}"
    return netlab.unavailable()


def switched(lab: netlab.Lab, *names: str, routers: Sequence[str] = ()) -> None:
    """Namespaces on one link; `routers` of them forward."""
    lab.namespace("switch")
    lab.run("switch", "ip", "link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
    lab.run("switch", "ip", "link", "set", "br0", "up")
    for name in names:
        lab.namespace(name, router=name in routers)
        lab.link(name, "switch", [])
        lab.run("switch", "ip", "link", "set", f"to-{name}", "master", "br0")
    _until(lambda: all(link_local(lab, name) for name in names))


def link_local(lab: netlab.Lab, name: str) -> str:
    """The address that its advertisements come from."""
    shown = lab.run(name, "ip", "-6", "-o", "address", "show", "dev", DEVICE, "scope", "link")
    return shown.split()[3].partition("/")[0] if "inet6" in shown else ""


def station(lab: netlab.Lab, name: str) -> str:
    """Its hardware address."""
    return lab.run(name, "cat", f"/sys/class/net/{DEVICE}/address").strip()


@contextlib.contextmanager
def radvd(
    lab: netlab.Lab,
    name: str,
    folder: Path,
    prefix: str = PREFIX,
    preference: str = "medium",
    more: str = "",
) -> Iterator[None]:
    """Advertises every 3 to 4 s and when solicited; `more` are lines of the interface's section."""
    config = folder / f"radvd-{name}.conf"
    config.write_text(
        f"interface {DEVICE} {{\n  AdvSendAdvert on;\n  MinRtrAdvInterval 3;\n"
        f"  MaxRtrAdvInterval 4;\n  AdvDefaultPreference {preference};\n  {more}\n"
        f"  prefix {prefix} {{ }};\n}};\n"
    )
    config.chmod(0o644)
    argv = ("radvd", "-C", str(config), "-n", "-m", "stderr", "-p", f"{config}.pid")
    with running(lab, name, folder / f"radvd-{name}.log", *argv):
        yield


@contextlib.contextmanager
def dhcpv6(lab: netlab.Lab, name: str, folder: Path, prefix: str = PREFIX) -> Iterator[None]:
    """A DHCPv6 server (dnsmasq) that offers addresses of a prefix, and itself for DNS."""
    base = prefix.partition("::/")[0]
    lab.run(name, "ip", "address", "add", f"{base}::53/64", "dev", DEVICE, "nodad")
    argv = (
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv"),
        *("--port=0", f"--interface={DEVICE}", "--bind-interfaces", "--user=root"),
        *(f"--dhcp-range={base}::1000,{base}::1fff,64,1h", f"--dhcp-leasefile={folder}/{name}"),
        *(f"--dhcp-option=option6:dns-server,[{base}::53]", f"--pid-file={folder}/{name}.pid"),
        "--log-facility=-",
    )
    with running(lab, name, folder / f"dnsmasq-{name}.log", *argv):
        _until(lambda: ":547" in lab.run(name, "ss", "-Hlun"))
        yield


@contextlib.contextmanager
def forging(lab: netlab.Lab, name: str, packet: str) -> Iterator[Callable[[], None]]:
    """What is given sends Ethernet frames from a namespace, once a namespace `host` listens.

    They are an expression of scapy, or of a list of them. Known are scapy's names, `mac` of the sender,
    and `RA(**fields)`, a right advertisement's end.
    """
    code = (
        "from scapy.all import *\n"
        "from scapy.layers.inet6 import *\n"
        f"mac = get_if_hwaddr({DEVICE!r})\n"
        "def RA(**fields):\n"
        "    option = ICMPv6NDOptSrcLLAddr(lladdr=mac)\n"
        "    return ICMPv6ND_RA(**fields) / option\n"
        "ether = Ether(src=mac, dst='33:33:00:00:00:01')\n"
        f"frames = list({packet})\n"
        "print('ready', flush=True)\n"
        "if sys.stdin.readline():\n"
        f"    sendp(frames, iface={DEVICE!r}, verbose=False)\n"
    )
    argv = lab.argv(name, sys.executable, "-W", "ignore", "-c", f"import sys\n{code}")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as sender:

        def send() -> None:
            _until(lambda: _captures(lab))
            _, errors = sender.communicate("go\n")
            assert sender.returncode == 0, errors

        try:
            assert sender.stdout
            assert sender.stdout.readline() == "ready\n"
            yield send
        finally:
            sender.kill()


def _captures(lab: netlab.Lab) -> bool:
    """Whether somebody in `host` listens for IPv6 packets (a socket is of protocol 0 until it is bound)."""
    return " 86dd " in lab.run("host", "cat", "/proc/net/packet")


@contextlib.contextmanager
def running(lab: netlab.Lab, name: str, log: Path, *argv: str) -> Iterator[None]:
    """A server in a namespace, ended at the end; that it ends before is the test's failure."""
    with log.open("wb") as output:
        process = subprocess.Popen(lab.argv(name, *argv), stdout=output, stderr=output)
        try:
            time.sleep(0.1)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < end, "not ready within 10 s"
        time.sleep(0.05)
