"""An IPv6-only client behind a real NAT64 (tayga) and DNS64 (unbound, NSD), with an IPv4-only server.

    client — gate — server        gate translates PREFIX, and resolves for the client

The server has no IPv6 at all. Names of the zone `example.test` are those of `names`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests import netlab

PREFIX: Final = "2400:da00:64::/96"
GATE: Final = "2400:da00:1::1"  # the router and resolver of the client
CLIENT: Final = "2400:da00:1::2"
SERVER: Final = "203.0.113.2"
POOL: Final = "198.51.100.0/24"
ONLY = ("192.0.0.170", "192.0.0.171")


def unavailable() -> str:
    """Why there can be none here, empty if there can."""
    for program in ("tayga", "unbound", "nsd"):
        if not shutil.which(program):
            return f"needs {program}"
    return netlab.unavailable()


@contextlib.contextmanager
def nat64(
    lab: netlab.Lab, folder: Path, names: Mapping[str, str], dns64: bool = True
) -> Iterator[None]:
    """The namespaces `client`, `gate` and `server`; `names` → IPv4 addresses."""
    lab.namespace("client")
    lab.namespace("gate", router=True)
    lab.namespace("server")
    lab.link("client", "gate", [(f"{CLIENT}/64", f"{GATE}/64")])
    lab.link("gate", "server", [("203.0.113.1/24", f"{SERVER}/24")])
    lab.route("client", "default", "via", GATE)
    lab.route("server", POOL, "via", "203.0.113.1")
    with tayga(lab, folder), unbound(lab, folder, names, dns64):
        yield


@contextlib.contextmanager
def tayga(lab: netlab.Lab, folder: Path) -> Iterator[None]:
    """Translates PREFIX in `gate`."""
    device, made = "nat64", folder / "tayga.conf"
    made.write_text(
        f"tun-device {device}\nipv4-addr 198.51.100.1\nprefix {PREFIX}\n"
        f"dynamic-pool {POOL}\ndata-dir {folder}\n"
    )
    lab.run("gate", "tayga", "-c", str(made), "--mktun")
    lab.run("gate", "ip", "link", "set", device, "up")
    lab.route("gate", POOL, "dev", device)
    lab.route("gate", PREFIX, "dev", device)
    log = folder / "tayga.log"
    with _running(lab, log, "tayga", "-c", str(made), "-d") as process:
        # a device that nobody has opened has no carrier, and its routes are dead
        _wait(lambda: "LOWER_UP" in lab.run("gate", "ip", "link", "show", device), process, log)
        yield


@contextlib.contextmanager
def unbound(lab: netlab.Lab, folder: Path, names: Mapping[str, str], dns64: bool) -> Iterator[None]:
    """Resolves at GATE, with DNS64 or without; the zones are served by NSD beside it."""
    zones = {
        "example.test": [(f"{name}.", address) for name, address in names.items()],
        "ipv4only.arpa": [("@", address) for address in ONLY],
    }
    served = "server:\n" + _NSD.format(folder=folder)
    asked = "server:\n" + _UNBOUND.format(
        folder=folder, gate=GATE, prefix=PREFIX, dns64="dns64 " if dns64 else ""
    )
    for zone, rows in zones.items():
        records = "".join(f"{name} IN A {address}\n" for name, address in rows)
        (folder / zone).write_text(_ZONE.format(zone=zone) + records)
        served += f'zone:\n  name: {zone}\n  zonefile: "{folder}/{zone}"\n'
        asked += f"stub-zone:\n  name: {zone}\n  stub-addr: 127.0.0.1@5300\n"
    (folder / "nsd.conf").write_text(served)
    (folder / "unbound.conf").write_text(asked)
    with (
        _listening(lab, folder, "127.0.0.1:5300", "nsd", "-d", "-c", f"{folder}/nsd.conf"),
        _listening(lab, folder, f"[{GATE}]:53", "unbound", "-d", "-c", f"{folder}/unbound.conf"),
    ):
        yield


@contextlib.contextmanager
def resolv_conf(lab: netlab.Lab, name: str, server: str) -> Iterator[None]:
    """What `ip netns exec` shows as /etc/resolv.conf in a namespace; removed afterwards."""
    folder = Path("/etc/netns") / lab.full(name)
    folder.mkdir(parents=True)
    try:
        (folder / "resolv.conf").write_text(f"nameserver {server}\n")
        yield
    finally:
        shutil.rmtree(folder)


_ZONE: Final = """$ORIGIN {zone}.
$TTL 300
@ IN SOA ns hostmaster 1 7200 3600 1209600 60
@ IN NS ns
ns IN A 127.0.0.1
"""
_NSD: Final = """  ip-address: 127.0.0.1@5300
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
"""
_UNBOUND: Final = """  interface: {gate}
  access-control: ::/0 allow
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{folder}"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "{dns64}iterator"
  dns64-prefix: {prefix}
  local-zone: "test." nodefault
remote-control:
  control-enable: no
"""


@contextlib.contextmanager
def _listening(lab: netlab.Lab, folder: Path, where: str, *argv: str) -> Iterator[None]:
    """A server in `gate` that listens at `where`."""
    log = folder / f"{argv[0]}.log"
    with _running(lab, log, *argv) as process:
        _wait(lambda: where in lab.run("gate", "ss", "-Hltn"), process, log)
        yield


@contextlib.contextmanager
def _running(lab: netlab.Lab, log: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(lab.argv("gate", *argv), stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()  # they end their own children
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while not ready():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, f"{log.stem} is not ready: {log.read_text()}"
        time.sleep(0.05)
