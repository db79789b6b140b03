"""Name servers in a lab: a real one (NSD), and one that answers what a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509

from collectors.link.dns import DnsModule, probe
from collectors.model import AddressFamily, ProbeResult, Target
from tests import netlab
from tests.agentlab import eventually
from tests.exporters.certificates import Authority

ZONE = """$ORIGIN example.test.
$TTL 300
@ IN SOA ns1 hostmaster 2026112501 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2
@ IN MX 10 mail
@ IN TXT "v=spf1 -all"
ns1 IN A 192.0.2.1
ns2 IN AAAA 2001:db8:53::2
www IN A 192.0.2.10
www IN A 192.0.2.11
www IN AAAA 2001:db8::10
alias IN CNAME www
"""
LONG = "".join(f'big IN TXT "{number:03d} {"x" * 200}"\n' for number in range(20))

Answerer = Callable[[bytes], Sequence[bytes]]


@contextlib.contextmanager
def nsd(
    lab: netlab.Lab, name: str, folder: Path, addresses: Sequence[str], pair: tuple[Path, Path]
) -> Iterator[None]:
    """NSD with the zone example.test on ports 53 and 853 (TLS) of these addresses."""
    (folder / "zone").write_text(ZONE + LONG)
    listen = "".join(f"  ip-address: {a}\n  ip-address: {a}@853\n" for a in addresses)
    (folder / "nsd.conf").write_text(
        f"""server:
{listen}  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  logfile: "{folder}/nsd.log"
  server-count: 1
  minimal-responses: no
  refuse-any: no
  rrl-ratelimit: 0
  tls-port: 853
  tls-service-pem: "{pair[0]}"
  tls-service-key: "{pair[1]}"
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
"""
    )
    process = subprocess.Popen(lab.argv(name, "nsd", "-d", "-c", str(folder / "nsd.conf")))
    try:

        def listens() -> bool:
            assert process.poll() is None, (folder / "nsd.log").read_text()
            shown = lab.run(name, "ss", "-Hltn")
            return all(f"{a}]:853" in shown or f"{a}:853" in shown for a in addresses)

        eventually(listens)
        yield
    finally:
        process.terminate()
        process.wait(10)


class ScriptedServer:
    """A name server on UDP and TCP of one address that answers a query with what `answer` makes
    of it: any number of messages, raw. `asker` is who asked last by UDP."""

    def __init__(self, lab: netlab.Lab, name: str, address: str, port: int = 53) -> None:
        self.answer: Answerer = lambda query: [query]
        self.asker: tuple[Any, ...] = ()
        self._stop = threading.Event()
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET

        def opened(how: socket.SocketKind) -> socket.socket:
            made = socket.socket(kind, how)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.settimeout(0.1)
            return made

        self._udp, self._tcp = lab.inside(
            name, lambda: (opened(socket.SOCK_DGRAM), opened(socket.SOCK_STREAM))
        )
        self._tcp.listen()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._by_udp, self._by_tcp)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def _by_udp(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                query, self.asker = self._udp.recvfrom(4096)
                for message in self.answer(query):
                    self._udp.sendto(message, self.asker)

    def _by_tcp(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._tcp.accept()
            except TimeoutError:
                continue
            # whoever asks may be gone before the answer
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                query = connection.recv(4096)[2:]
                for message in self.answer(query):
                    connection.sendall(message)
                while not self._stop.is_set() and connection.recv(4096):
                    pass


def framed(message: bytes) -> bytes:
    """As over TCP."""
    return len(message).to_bytes(2, "big") + message


PAIRS = [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")]
REAL: dict[AddressFamily, str] = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:1::2"}
SCRIPTED: dict[AddressFamily, str] = {"ipv4": "198.51.100.3", "ipv6": "2001:db8:1::3"}
SILENT: dict[AddressFamily, str] = {"ipv4": "198.51.100.4", "ipv6": "2001:db8:1::4"}
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")


class Line:
    """a asks; b has NSD on `REAL`, what a test wants on `SCRIPTED`, and nothing on `SILENT`."""

    def __init__(
        self, lab: netlab.Lab, ca: Path, scripted: dict[AddressFamily, ScriptedServer]
    ) -> None:
        self.lab, self.ca, self.scripted = lab, ca, scripted

    def probe(
        self,
        module: DnsModule,
        where: dict[AddressFamily, str],
        family: AddressFamily = "ipv6",
        timeout: float = 3.0,
        host: str = "",
        port: int = 0,
    ) -> ProbeResult:
        target = Target("t", where[family], family, port=port, host=host)
        return self.lab.inside("a", lambda: probe(target, module, timeout))

    def scripts(self, answer: Callable[[bytes], Sequence[bytes]]) -> None:
        for server in self.scripted.values():
            server.answer = answer


@contextlib.contextmanager
def name_servers(folder: Path) -> Iterator[Line]:
    """The lab with its servers."""
    authority = Authority()
    (folder / "ca.pem").write_bytes(authority.pem)
    pair = authority.issue("ns", x509.DNSName("ns1.example.test")).write(folder, "ns")
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        lab.link("a", "b", PAIRS)
        for address in (*SCRIPTED.values(), *SILENT.values()):
            nodad = ["nodad"] if ":" in address else []
            lab.run("b", "ip", "address", "add", address, "dev", "to-a", *nodad)
        with nsd(lab, "b", folder, list(REAL.values()), pair):
            servers = {family: ScriptedServer(lab, "b", SCRIPTED[family]) for family in FAMILIES}
            try:
                yield Line(lab, folder / "ca.pem", servers)
            finally:
                for server in servers.values():
                    server.close()


def value(result: ProbeResult, name: str, **labels: str) -> float | None:
    for family in result.families:
        if family.name == name:
            for sample in family.samples:
                if dict(sample.labels) == labels:
                    return sample.value
    return None
