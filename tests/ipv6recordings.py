"""Recorded hosts, one for each state of an IPv6 address, made in network namespaces.

    python -m tests.ipv6recordings      make tests/fixtures/machines/ipv6-STATE anew, as root

A host with eth0 on a cable to a router that has 2400:da00:5::1 and, on every side, fixed MAC
addresses. What is recorded is what the collectors of addresses, routes, neighbours, settings,
counters and tunnels read.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from collectors.ipv6.addresses import Ipv6AddressesCollector
from collectors.ipv6.neighbours import Ipv6NeighboursCollector
from collectors.ipv6.routes import Ipv6RoutesCollector
from collectors.ipv6.sysctl import Ipv6SysctlCollector
from collectors.ipv6.traffic import Ipv6CountersCollector
from collectors.ipv6.tunnels import Ipv6TunnelsCollector
from collectors.model import Collector
from collectors.sources.local import LocalSource
from collectors.sources.recorder import record
from tests import netlab
from tests.netlab import Lab

MACHINES = Path(__file__).parent / "fixtures/machines"
COLLECTORS: tuple[Collector, ...] = (
    Ipv6AddressesCollector(),
    Ipv6RoutesCollector(),
    Ipv6NeighboursCollector(),
    Ipv6SysctlCollector(),
    Ipv6CountersCollector(),
    Ipv6TunnelsCollector(),
)
ADDRESS = "2400:da00:5::5/64"
ROUTER = "2400:da00:5::1"
ROUTER_LOCAL = "fe80::ff:fe00:1"
_PATIENCE = 10.0


class Host:
    """The host under the hands of one of the states."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        lab.namespace("router", router=True)
        lab.namespace("host")
        lab.link("host", "router", [])
        for name, device, mac in (("router", "to-host", "1"), ("host", "to-router", "5")):
            down = ("ip", "link", "set", device, "down")
            lab.run(name, *down)
            lab.run(name, "ip", "link", "set", device, "address", f"02:00:00:00:00:0{mac}")
        lab.run("host", "ip", "link", "set", "to-router", "name", "eth0")
        lab.run("host", "ip", "link", "set", "eth0", "up")
        lab.run("router", "ip", "link", "set", "to-host", "up")
        lab.run("router", "ip", "address", "add", f"{ROUTER}/64", "dev", "to-host", "nodad")
        self._until("router", "to-host", ROUTER_LOCAL)

    def sysctl(self, **settings: int) -> None:
        for name, value in settings.items():
            self._lab.sysctl("host", f"net.ipv6.conf.eth0.{name}={value}")

    def add(self, *words: str) -> None:
        self._lab.run("host", "ip", "address", "add", ADDRESS, "dev", "eth0", *words)

    def until(self, words: str) -> None:
        """Wait until `ip address` shows an address of the host so."""
        self._until("host", "eth0", words)

    def router(self) -> None:
        """A default route, over which a packet went."""
        self._lab.route("host", "default", "via", ROUTER_LOCAL, "dev", "eth0")
        self._lab.run("host", "ping", "-6", "-n", "-c", "1", "-W", "5", f"{ROUTER_LOCAL}%eth0")

    def duplicate(self) -> None:
        self._lab.run("router", "ip", "address", "add", ADDRESS, "dev", "to-host", "nodad")

    def record(self, target: Path) -> None:
        argv = self._lab.argv("host", sys.executable, "-m", __spec__.name, str(target))
        subprocess.run(argv, check=True, cwd=Path(__file__).parent.parent, timeout=60)

    def _until(self, name: str, device: str, words: str) -> None:
        end = time.monotonic() + _PATIENCE
        while words not in self._lab.run(name, "ip", "-6", "address", "show", "dev", device):
            assert time.monotonic() < end, f"no {words} on {device}"
            time.sleep(0.05)


def permanent(host: Host) -> None:
    host.add()
    host.router()


def tentative(host: Host) -> None:
    host.sysctl(accept_dad=1, dad_transmits=20)
    host.add()


def dadfailed(host: Host) -> None:
    host.duplicate()
    host.sysctl(accept_dad=1)
    host.add()
    host.until("dadfailed")


def deprecated(host: Host) -> None:
    host.add("valid_lft", "3600", "preferred_lft", "1", "nodad")
    host.until("deprecated")
    host.router()


def preferred_lft_0(host: Host) -> None:
    host.add("preferred_lft", "0", "nodad")
    host.router()


def temporary(host: Host) -> None:
    host.sysctl(use_tempaddr=2)
    host.add("mngtmpaddr", "nodad")
    host.until("temporary")
    host.router()


def link_local_only(host: Host) -> None:
    host.until("fe80::")


def no_ipv6(host: Host) -> None:
    host.sysctl(disable_ipv6=1)


STATES: dict[str, Callable[[Host], None]] = {
    "permanent": permanent,
    "tentative": tentative,
    "dadfailed": dadfailed,
    "deprecated": deprecated,
    "preferred-lft-0": preferred_lft_0,
    "temporary": temporary,
    "link-local-only": link_local_only,
    "no-ipv6": no_ipv6,
}


def make(state: str, directory: Path) -> None:
    """Record a host in that state."""
    with Lab() as lab:
        host = Host(lab)
        STATES[state](host)
        host.record(directory)


def _inside(directory: str) -> None:
    """Record this namespace."""
    readings = {reading: None for collector in COLLECTORS for reading in collector.readings()}
    record(LocalSource(), list(readings), directory, overwrite=True)


def main() -> None:
    if len(sys.argv) > 1:
        _inside(sys.argv[1])
        return
    if why := netlab.unavailable():
        sys.exit(why)
    for state in STATES:
        make(state, MACHINES / f"ipv6-{state}")
        print(f"ipv6-{state}")


if __name__ == "__main__":
    main()
