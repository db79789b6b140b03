"""Web sites in a network of their own: one nginx with many sites, each as broken as a test wants.

    with SiteLab(folder, [WebSite("www.good.cn", files={"/": "<title>Hello</title>"})]) as lab:
        facts = lab.check("www.good.cn")            # check_web from the client's namespace, by name
        facts = lab.inside(lambda: …)               # anything else there

Names are known by `lab.look_up` alone, a LookUp. The client has 203.0.113.1 and 2400:da00::1.
Sites are served at `SERVER`; what `a` and `aaaa` say is only what look-ups tell. Python backends
listen on Unix sockets: `@NAME@` in nginx directives is the URL of the backend of that name.
Many sites can share pages: `both="location / { root /folder; }"` in place of `files`.
Outside 203.0.113.0/24 and 2400:da00::/64 the client is told that there is no route.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from cryptography import x509

from collectors.ipv6.model import Site, SiteAddress
from collectors.ipv6.web.check import check_web
from collectors.ipv6.web.settings import WebSettings
from collectors.link import weburl
from collectors.link.connect import Deadline
from collectors.link.resolve import NotAnAddress, Resolved, literal
from collectors.model import AddressFamily, Fact
from tests import netlab, unixbackend
from tests.collectors.servers import Care, serving_on
from tests.exporters.certificates import Authority, self_signed
from tests.unixbackend import Answer

T = TypeVar("T")
NGINX: Final = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
SERVER: Final = ("203.0.113.2", "2400:da00::2")  # nginx
REFUSING: Final = ("203.0.113.3", "2400:da00::3")  # nobody listens there
SILENT: Final = ("203.0.113.4", "2400:da00::4")  # whatever is sent there is dropped
_FIRST_OF_ITS_OWN = 10  # last part of the first address that `own` gives away


def unavailable() -> str:
    """Why there can be no lab here, empty if there can."""
    return netlab.unavailable() or ("" if NGINX else "needs nginx")


@dataclass(frozen=True)
class WebSite:
    """A site. `files` are pages by path, `files6` those that differ over IPv6. `both`, `ipv4` and
    `ipv6` are nginx directives of its server blocks. Certificates by name: good, expired, future,
    wrong (of another name), own (self-signed). Without `tls` it is on port 80 alone."""

    host: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    files6: Mapping[str, str | bytes] = field(default_factory=dict)
    both: str = ""
    ipv4: str = ""
    ipv6: str = ""
    a: tuple[str, ...] = (SERVER[0],)
    aaaa: tuple[str, ...] = (SERVER[1],)
    tls: bool = False
    certificate: str = "good"
    certificate6: str = ""


class SiteLab:
    """nginx and whatever else answers, a client, and names. Use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        sites: Sequence[WebSite] = (),
        backends: Mapping[str, Answer] | None = None,
    ) -> None:
        self.folder, self.sites = folder, {one.host: one for one in sites}
        self.net = netlab.Lab()
        self.authority = Authority()
        self._backends = dict(backends or {})
        self._stack = ExitStack()
        self._own = _FIRST_OF_ITS_OWN
        self.names: dict[tuple[str, AddressFamily], tuple[str, ...]] = {}
        for one in sites:
            self.names[one.host, "ipv4"], self.names[one.host, "ipv6"] = one.a, one.aaaa

    def __enter__(self) -> SiteLab:
        with self._stack as stack:  # undone if any of it fails
            stack.enter_context(self.net)
            self._network()
            for name, answer in self._backends.items():
                stack.callback(unixbackend.serve(str(self.folder / f"{name}.sock"), answer))
            (self.folder / "ca.pem").write_bytes(self.authority.pem)
            self._nginx()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def look_up(self, name: str, family: AddressFamily) -> Resolved:
        """The names of the lab."""
        try:
            address, own = literal(name)
        except NotAnAddress:
            found = self.names.get((name, family), ())
            known = any(key[0] == name for key in self.names)
            return Resolved(found, 0.0, "" if found else "no_address" if known else "dns_nxdomain")
        return Resolved(
            (address,) if own == family else (), 0.0, "" if own == family else "no_address"
        )

    def inside(self, call: Callable[[], T]) -> T:
        """What `call` returns on a thread in the client's namespace."""
        return self.net.inside("client", call)

    def site(self, url: str) -> Site:
        parsed = weburl.parse(url)
        return Site(url, url, parsed.host, parsed.connects_to, parsed.tls)

    def url(self, host: str) -> str:
        tls = host in self.sites and self.sites[host].tls
        return f"{'https' if tls else 'http'}://{host}/"

    def addresses(self, host: str) -> list[SiteAddress]:
        """What DNS tells of a name; kinds as far as the checks of the web need them."""
        return [
            SiteAddress(address, family, "global", "lab")
            for family in ("ipv4", "ipv6")
            for address in self.names.get((host, family), ())
        ]

    def settings(self, **changed: Any) -> WebSettings:
        """Settings that trust the lab's authority; durations in seconds."""
        return WebSettings(**{"ca_file": str(self.folder / "ca.pem"), **changed})

    def check(
        self, host: str, settings: WebSettings | None = None, seconds: float = 60
    ) -> dict[str, Fact]:
        """The facts of a site by name, or of a URL."""
        url = host if "://" in host else self.url(host)
        site = self.site(url)

        def run() -> list[Fact]:
            known = settings or self.settings()
            addresses = self.addresses(site.host)
            return check_web(site, addresses, self.look_up, known, Deadline(seconds))

        return {fact.name: fact for fact in self.net.begin("client", run).end(seconds + 10)}

    def own(self, host: str, care: Care, care6: Care | None = None, port: int = 80) -> None:
        """A site of a small server of ours, at addresses of its own: what no nginx would do."""
        last, self._own = self._own, self._own + 1
        pair = f"203.0.113.{last}", f"2400:da00::{last:x}"
        for address, serves in zip(pair, (care, care6 or care), strict=True):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            prefix, more = (64, ["nodad"]) if ":" in address else (24, [])
            argv = ["ip", "address", "add", f"{address}/{prefix}", "dev", "to-client", *more]
            self.net.run("server", *argv)
            listening = self.net.inside(
                "server",
                lambda at=address, of=family: socket.create_server(  # type: ignore[misc]
                    (at, port), family=of, backlog=64
                ),
            )
            self._stack.enter_context(serving_on(listening, serves))
        self.names[host, "ipv4"], self.names[host, "ipv6"] = (pair[0],), (pair[1],)

    def _network(self) -> None:
        net = self.net
        net.namespace("client")
        net.namespace("server", router=True)
        net.link(
            "client",
            "server",
            [("203.0.113.1/24", f"{SERVER[0]}/24"), ("2400:da00::1/64", f"{SERVER[1]}/64")],
        )
        for last in ("3", "4"):
            net.run("server", "ip", "address", "add", f"203.0.113.{last}/24", "dev", "to-client")
            net.run(
                "server",
                "ip",
                "address",
                "add",
                f"2400:da00::{last}/64",
                "dev",
                "to-client",
                "nodad",
            )
        for address in SERVER:  # whatever else there is: nowhere
            net.route("client", "default", "via", address)
        net.nft(
            "server",
            "table inet lab { chain i { type filter hook input priority 0;"
            f" ip daddr {SILENT[0]} drop; ip6 daddr {SILENT[1]} meta l4proto tcp drop; }}; }}",
        )

    def _nginx(self) -> None:
        folder = self.folder
        paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in paths)
        certificates = self._certificates()
        blocks = "\n".join(
            block for one in self.sites.values() for block in self._blocks(one, certificates)
        )
        for name in self._backends:
            blocks = blocks.replace(f"@{name}@", f"http://unix:{folder}/{name}.sock:")
        (folder / "nginx.conf").write_text(
            f"""
user root; daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 8192; }}
http {{
  access_log off; {temporary} server_names_hash_bucket_size 128; server_names_hash_max_size 4096;
  default_type text/html; charset_types none/none; types {{ text/css css; }}
  gzip on; gzip_min_length 200;
  server {{ listen {SERVER[0]}:80 default_server; listen [{SERVER[1]}]:80 default_server; return 404; }}
  {blocks}
}}
"""
        )
        assert NGINX
        argv = self.net.argv("server", NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"))
        process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        self._stack.callback(_ended, process)
        self.inside(lambda: _wait_for(SERVER[1], 80, process, folder))

    def _certificates(self) -> dict[str, tuple[Path, Path]]:
        """Files by name; all sites share one certificate of each kind."""
        names = [x509.DNSName(host) for host in self.sites] or [x509.DNSName("nobody.cn")]
        issue = self.authority.issue
        made = {
            "good": issue("good", *names),
            "other": issue("another good one", *names),
            "expired": issue("expired", *names, begins=-30, ends=-1),
            "future": issue("future", *names, begins=1),
            "wrong": issue("wrong", x509.DNSName("wrong.cn")),
            "own": self_signed(x509.Name([]), *names),
        }
        return {name: pair.write(self.folder, name) for name, pair in made.items()}

    def _blocks(self, site: WebSite, certificates: Mapping[str, tuple[Path, Path]]) -> list[str]:
        blocks = []
        for family, address in zip(("ipv4", "ipv6"), SERVER, strict=True):
            at = f"[{address}]" if ":" in address else address
            root = self._root(site, family)
            six = family == "ipv6"
            name = site.certificate6 or site.certificate if six else site.certificate
            cert, key = certificates[name]
            listens = (
                f"listen {at}:443 ssl; ssl_certificate {cert}; ssl_certificate_key {key};"
                if site.tls
                else f"listen {at}:80;"
            )
            more = f"{site.both} {site.ipv6 if six else site.ipv4}"
            blocks.append(
                f"server {{ {listens} server_name {site.host}; root {root}; index index.html;"
                f" proxy_set_header X-Family {family}; {more} }}"
            )
            if site.tls:
                blocks.append(
                    f"server {{ listen {at}:80; server_name {site.host};"
                    " return 301 https://$host$request_uri; }"
                )
        return blocks

    def _root(self, site: WebSite, family: str) -> Path:
        root = self.folder / "sites" / site.host / family
        root.mkdir(parents=True)
        files = {**site.files, **(site.files6 if family == "ipv6" else {})}
        for path, content in files.items():
            file = root / (path.strip("/") or "index.html")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return root


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(100):
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            assert process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not answer")


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
