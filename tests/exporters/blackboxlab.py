"""What both are tried on: modules, nginx with certificates good and bad, and small TCP servers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from collectors.link import modules
from tests.collectors.servers import greeting, over_tls, receive_head, serving, silent
from tests.exporters.certificates import Authority, self_signed

EXPORTER = shutil.which("prometheus-blackbox-exporter")
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")

MODULES = """
modules:
  icmp: {prober: icmp}
  icmp4: {prober: icmp, icmp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}}
  icmp6: {prober: icmp, icmp: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}}
  http_2xx: {prober: http, timeout: 5s}
  http_4: {prober: http, http: {preferred_ip_protocol: ip4}}
  http_6: {prober: http, http: {ip_protocol_fallback: false}}
  http_head: {prober: http, http: {method: HEAD}}
  http_post:
    prober: http
    http: {method: POST, body: "a=b", headers: {Content-Type: application/x-www-form-urlencoded}}
  http_404: {prober: http, http: {valid_status_codes: [404]}}
  http_10: {prober: http, http: {valid_http_versions: [HTTP/1.0]}}
  http_11: {prober: http, http: {valid_http_versions: [HTTP/1.1, HTTP/2.0]}}
  http_stay: {prober: http, http: {follow_redirects: false, valid_status_codes: [302]}}
  http_stay_old: {prober: http, http: {no_follow_redirects: true}}
  http_not_ssl: {prober: http, http: {fail_if_ssl: true, tls_config: {ca_file: ca.pem}}}
  http_ssl: {prober: http, http: {fail_if_not_ssl: true, tls_config: {ca_file: ca.pem}}}
  http_name:
    prober: http
    http: {tls_config: {ca_file: ca.pem, server_name: portal.example}}
  http_host:
    prober: http
    http: {headers: {Host: portal.example}, tls_config: {ca_file: ca.pem}}
  http_insecure: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}
  http_tls12: {prober: http, http: {tls_config: {ca_file: ca.pem, max_version: TLS12}}}
  http_body: {prober: http, http: {fail_if_body_not_matches_regexp: ["see.*whole"]}}
  http_body_miss: {prober: http, http: {fail_if_body_not_matches_regexp: [absent]}}
  http_body_bad: {prober: http, http: {fail_if_body_matches_regexp: [absent, "see the"]}}
  http_header:
    prober: http
    http:
      fail_if_header_not_matches: [{header: server, regexp: "^nginx"}]
      fail_if_header_matches: [{header: X-Absent, regexp: x, allow_missing: true}]
  http_header_miss: {prober: http, http: {fail_if_header_matches: [{header: X-Absent, regexp: x}]}}
  http_header_bad: {prober: http, http: {fail_if_header_matches: [{header: Server, regexp: nginx}]}}
  http_gzip: {prober: http, http: {compression: gzip, headers: {Accept-Encoding: gzip}}}
  http_limit: {prober: http, http: {body_size_limit: 4B}}
  tcp: {prober: tcp, timeout: 1s}
  tls: {prober: tcp, tcp: {tls: true, tls_config: {ca_file: ca.pem}}}
  tls_insecure: {prober: tcp, tcp: {tls: true, tls_config: {insecure_skip_verify: true}}}
  ssh: {prober: tcp, timeout: 300ms, tcp: {query_response: [{expect: "^SSH-2.0-"}]}}
  echo:
    prober: tcp
    timeout: 300ms
    tcp: {query_response: [{send: "id 4711"}, {expect: "^id ([0-9]+)", send: "again ${1}"}, {expect: "^again 4711$"}]}
  smtp:
    prober: tcp
    timeout: 2s
    tcp:
      tls_config: {ca_file: ca.pem}
      query_response:
      - {expect: "^220 "}
      - {send: STARTTLS}
      - {expect: "^220"}
      - {starttls: true}
      - {send: EHLO}
      - {expect: "^250 secured"}
"""


class Lab(NamedTuple):
    """Where everything is: targets by name, blackbox_exporter, and the same modules for us."""

    targets: Mapping[str, str]
    exporter: str
    modules: modules.Modules


AUTHORITY, OTHER = Authority(), Authority("Nobody's")


def smtp(secured: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def care(connection: socket.socket) -> None:
        connection.sendall(b"220 mail\r\n")
        connection.recv(100)
        connection.sendall(b"220 go\r\n")
        secured(connection)

    return care


def welcome(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"250 secured\r\n")


def echo(connection: socket.socket) -> None:
    while data := connection.recv(100):
        connection.sendall(data)


def old(connection: socket.socket) -> None:
    receive_head(connection)
    connection.sendall(
        b"HTTP/1.0 200 OK\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\nold"
    )


PLAIN = {
    "hello": "/hello",
    "local": "LOCALHOST/hello",
    "zipped": "/zipped",
    "absent": "/absent",
    "file": "/file.txt",
    "redirect": "/redirect",
    "twice": "/twice",
    "loop": "/loop",
    "nowhere": "/nowhere",
}
SECURE = {
    "good": AUTHORITY.issue("good"),
    "expired": AUTHORITY.issue("expired", begins=-40, ends=-10),
    "early": AUTHORITY.issue("early", begins=5),
    "mismatched": AUTHORITY.issue("mismatched", x509.DNSName("portal.example")),
    "selfsigned": OTHER.issue("selfsigned"),
    "named": self_signed(
        x509.Name(
            [
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.POSTAL_CODE, "710000"),
                x509.NameAttribute(NameOID.STREET_ADDRESS, "Nanda"),
                x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "陕西"),
                x509.NameAttribute(NameOID.LOCALITY_NAME, " Xi'an;#1 "),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "One, Two"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, '#A+B "C" <D>\\'),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Three"),
                x509.NameAttribute(NameOID.COMMON_NAME, "portal.example"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, "4711"),
                x509.NameAttribute(NameOID.EMAIL_ADDRESS, "ops@portal.example"),
                x509.NameAttribute(NameOID.GIVEN_NAME, "小 微" * 30),
            ]
        ),
        x509.DNSName("portal.example"),
        x509.RFC822Name("ops@portal.example"),
        x509.DNSName("*.portal.example"),
    ),
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def nginx(folder: Path) -> Iterator[dict[str, int]]:
    """Ports by name of a server: plain, and one for each certificate."""
    ports = {name: free_port() for name in ("plain", *SECURE)}
    (folder / "html").mkdir()
    (folder / "html/file.txt").write_text("see the whole\n")
    secure = []
    for name, pair in SECURE.items():
        cert, key = pair.write(folder, name)
        secure.append(
            f"server {{ listen 127.0.0.1:{ports[name]} ssl; ssl_certificate {cert};"
            f" ssl_certificate_key {key}; location / {{ return 200 'see the whole'; }} }}"
        )
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in paths)
    (folder / "nginx.conf").write_text(
        f"""
{"user root;" if os.geteuid() == 0 else ""} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; {temporary}
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{ports["plain"]}; listen [::1]:{ports["plain"]};
    root {folder}/html;
    gzip on; gzip_min_length 1; gzip_types text/plain;
    location = /hello {{ return 200 "see the whole"; }}
    location = /zipped {{ try_files /file.txt =404; }}
    location = /redirect {{ return 302 /hello; }}
    location = /twice {{ return 301 /redirect; }}
    location = /loop {{ return 302 /loop; }}
    location = /nowhere {{ return 302 ftp://127.0.0.1/; }}
  }}
  {" ".join(secure)}
}}
"""
    )
    assert NGINX
    process = subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{ports['plain']}/hello")
        yield ports
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def blackbox(folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    assert EXPORTER
    process = subprocess.Popen(
        [EXPORTER, f"--config.file={folder}/modules.yml", f"--web.listen-address={address}"],
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        wait_for(f"http://{address}/-/healthy")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str) -> None:
    for _ in range(100):
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{url} does not answer")


@contextmanager
def laboratory(folder: Path) -> Iterator[Lab]:
    """Everything, until the end of the block."""
    (folder / "ca.pem").write_bytes(AUTHORITY.pem)
    (folder / "modules.yml").write_text(MODULES)
    with ExitStack() as stack:

        def tcp(care: Callable[[socket.socket], None]) -> str:
            return f"127.0.0.1:{stack.enter_context(serving(care))}"

        ports = stack.enter_context(nginx(folder))
        plain = ports["plain"]
        targets = {
            name: f"localhost:{plain}{path.removeprefix('LOCALHOST')}"
            if path.startswith("LOCALHOST")
            else f"http://127.0.0.1:{plain}{path}"
            for name, path in PLAIN.items()
        }
        targets["six"] = f"http://[::1]:{plain}/hello"
        targets |= {name: f"https://127.0.0.1:{ports[name]}/" for name in SECURE}
        targets |= {f"tls-{name}": f"127.0.0.1:{ports[name]}" for name in SECURE}
        targets |= {
            "old": f"http://{tcp(old)}/",
            "sshd": tcp(greeting(b"SSH-2.0-OpenSSH_9.2\r\n")),
            "silent": tcp(silent),
            "echo": tcp(echo),
            "smtp": tcp(smtp(over_tls(SECURE["good"], folder, welcome))),
            "smtp-expired": tcp(smtp(over_tls(SECURE["expired"], folder, welcome))),
            "closed": "127.0.0.1:1",
            "plain-on-tls": f"https://127.0.0.1:{plain}/",
            "tls-on-plain": f"http://127.0.0.1:{ports['good']}/",
            "nobody": "nobody.invalid",
            "nobody-tcp": "nobody.invalid:22",
            "lo4": "127.0.0.1",
            "lo6": "::1",
        }
        loaded = modules.load(str(folder / "modules.yml"))
        yield Lab(targets, stack.enter_context(blackbox(folder)), loaded)
