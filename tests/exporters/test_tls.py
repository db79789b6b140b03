"""TLS of a running server: handshakes, client certificates, rotation without a restart."""

import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from collectors.strictyaml import Duration
from exporters.prometheus.settings import WebSettings
from exporters.prometheus.tls import san_allowed
from tests.exporters.certificates import Authority
from tests.exporters.httpserver import LOOPBACK, Running, running

AUTHORITY = Authority()
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
MUTUAL = f"{TLS}  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
RELOADED = "jianwei_web_config_reload_success"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    AUTHORITY.issue("server").write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.pem)
    return tmp_path


def settings(directory: Path, text: str) -> WebSettings:
    path = directory / "web.yaml"
    path.write_text(text)
    return WebSettings(listen=LOOPBACK, config_file=str(path))


def replace(path: Path, content: bytes) -> None:
    """As certificate tools do: a new file under the old name."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def serial(site: Running, authority: Authority) -> int:
    """The serial number of the certificate that a new handshake shows."""
    with (
        socket.create_connection(("127.0.0.1", site.port), 15) as plain,
        authority.client().wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        der = tls.getpeercert(binary_form=True)
        assert der
        return x509.load_der_x509_certificate(der).serial_number


def until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_https(directory: Path) -> None:
    with running(settings(directory, TLS)) as site:
        answer = site.ask("/metrics", tls=AUTHORITY.client())
        assert answer.status == 200
        assert site.server.urls()[0].startswith("https://")
        assert site.metric(RELOADED, tls=AUTHORITY.client()) == 1
        with pytest.raises((OSError, http.client.HTTPException)):
            site.ask("/metrics")  # plain text to a TLS port
        with pytest.raises(ssl.SSLCertVerificationError):
            site.ask("/metrics", tls=ssl.create_default_context())


def test_protocol_is_negotiated_as_http_1(directory: Path) -> None:
    client = AUTHORITY.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    with (
        running(settings(directory, TLS)) as site,
        socket.create_connection(("127.0.0.1", site.port), 15) as plain,
        client.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.selected_alpn_protocol() == "http/1.1"


def test_versions_and_ciphers_are_kept_to(directory: Path) -> None:
    text = (
        f"{TLS}  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"
    )
    with (
        running(settings(directory, text)) as site,
        socket.create_connection(("127.0.0.1", site.port), 15) as plain,
        AUTHORITY.client().wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.version() == "TLSv1.2"
        assert (tls.cipher() or ("",))[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    newest = AUTHORITY.client()
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    with running(settings(directory, text)) as site, pytest.raises(ssl.SSLError):
        site.ask("/metrics", tls=newest)


def test_client_certificates(directory: Path) -> None:
    known = AUTHORITY.client(AUTHORITY.issue("prometheus"), directory)
    stranger = AUTHORITY.client(Authority("Other CA").issue("prometheus"), directory)
    with running(settings(directory, MUTUAL)) as site:
        assert site.ask("/metrics", tls=known).status == 200
        for refused in (AUTHORITY.client(), stranger):
            with pytest.raises((OSError, http.client.HTTPException)):
                site.ask("/metrics", tls=refused)
        assert site.metric('jianwei_web_refused_total{reason="handshake"}', tls=known) == 2
        assert site.server.insecure() == ""


def test_optional_client_certificates(directory: Path) -> None:
    text = MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    stranger = AUTHORITY.client(Authority("Other CA").issue("prometheus"), directory)
    with running(settings(directory, text)) as site:
        assert site.ask("/metrics", tls=AUTHORITY.client()).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            site.ask("/metrics", tls=stranger)


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("prometheus.example.com"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
        x509.RFC822Name("ops@example.com"),
        x509.UniformResourceIdentifier("spiffe://example.com/prometheus"),
    ],
    ids=lambda name: type(name).__name__,
)
def test_allowed_names(directory: Path, name: x509.GeneralName) -> None:
    text = (
        f"{MUTUAL}  client_allowed_sans: [prometheus.example.com, '2001:db8::7', ops@example.com,"
        " 'spiffe://example.com/prometheus']\n"
    )
    allowed = AUTHORITY.client(AUTHORITY.issue("prometheus", name), directory)
    other = x509.DNSName("sub.prometheus.example.com")
    refused = AUTHORITY.client(AUTHORITY.issue("prometheus", other), directory)
    with running(settings(directory, text)) as site:
        assert site.ask("/metrics", tls=allowed).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            site.ask("/metrics", tls=refused)


def test_names_that_are_no_addresses() -> None:
    odd = {"subjectAltName": (("IP Address", "<invalid>"), ("othername", "a"))}
    assert not san_allowed(odd, frozenset(("<invalid>", "a")))
    assert not san_allowed({}, frozenset(("a",)))


def test_a_new_certificate_is_used_by_the_next_handshake(directory: Path) -> None:
    fresh = AUTHORITY.issue("server")
    with running(settings(directory, TLS)) as site:
        before = serial(site, AUTHORITY)
        old = site.connection(AUTHORITY.client())
        old.request("GET", "/-/healthy")
        assert old.getresponse().read() == b"Healthy.\n"
        # between the two writes the pair does not fit; the old one stays in force
        replace(directory / "server.crt", fresh.certificate)
        assert serial(site, AUTHORITY) == before
        assert site.metric(RELOADED, tls=AUTHORITY.client()) == 0
        replace(directory / "server.key", fresh.key)
        until(lambda: serial(site, AUTHORITY) == fresh.serial)
        assert site.metric(RELOADED, tls=AUTHORITY.client()) == 1
        assert old.sock.recv(1) == b""  # connections of the old certificate have ended
        old.close()


def test_a_new_client_ca_is_used_by_the_next_handshake(directory: Path) -> None:
    other = Authority("Next CA")
    first = AUTHORITY.client(AUTHORITY.issue("prometheus"), directory)
    second = AUTHORITY.client(other.issue("prometheus"), directory)
    with running(settings(directory, MUTUAL)) as site:
        assert site.ask("/metrics", tls=first).status == 200
        replace(directory / "ca.crt", other.pem)
        assert site.ask("/metrics", tls=second).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            site.ask("/metrics", tls=first)


@pytest.mark.parametrize(
    "bad",
    ["tls_server_config: [", "nonsense: 1", TLS.replace("server.crt", "missing.crt"), ""],
    ids=["not YAML", "unknown key", "missing file", "no TLS"],
)
def test_a_bad_new_file_keeps_the_old(
    directory: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(settings(directory, TLS)) as site:
        good = serial(site, AUTHORITY)
        replace(directory / "web.yaml", bad.encode())
        assert serial(site, AUTHORITY) == good
        assert site.metric(RELOADED, tls=AUTHORITY.client()) == 0
        assert "web configuration not reloaded" in caplog.text
        assert site.ask("/metrics", tls=AUTHORITY.client()).status == 200
        replace(directory / "web.yaml", TLS.encode())
        until(lambda: site.metric(RELOADED, tls=AUTHORITY.client()) == 1)


def test_tls_can_be_added_while_it_runs(directory: Path) -> None:
    with running(settings(directory, "")) as site:
        assert site.ask("/metrics").status == 200
        replace(directory / "web.yaml", TLS.encode())
        assert site.ask("/metrics", tls=AUTHORITY.client()).status == 200


def test_an_unfinished_handshake_costs_nobody_else_anything(directory: Path) -> None:
    quick = msgspec.structs.replace(settings(directory, TLS), head_timeout=Duration(1))
    with running(quick) as site, socket.create_connection(("127.0.0.1", site.port), 15) as idle:
        idle.sendall(b"\x16\x03\x01")
        assert site.ask("/metrics", tls=AUTHORITY.client()).status == 200
        assert idle.recv(1) == b""  # cut off
