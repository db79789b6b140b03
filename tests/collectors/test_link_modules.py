"""Modules in YAML: blackbox_exporter's own examples, and one mistake a file in modules/invalid-*."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import modules
from collectors.link.connect import Failure
from collectors.link.httpsettings import DEFAULT_BODY, HttpModule
from collectors.link.modules import PROBERS, IcmpModule
from collectors.link.tcp import TcpModule
from collectors.strictyaml import DocumentError

FOLDER = Path(__file__).parent / "modules"
INVALID = sorted(FOLDER.glob("invalid-*.yaml"))
DEBIAN = Path("/etc/prometheus/blackbox.yml")


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem.removeprefix("invalid-"))
def test_invalid(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        modules.load(str(path))
    assert str(error.value).startswith(str(path))
    assert expected in str(error.value)
    assert "hunter2" not in str(error.value)


def test_there_are_enough_mistakes() -> None:
    assert len(INVALID) >= 30


def test_built_in() -> None:
    found = modules.load(None)
    expected = {"icmp", "icmp4", "icmp6", "http_2xx", "tcp_connect", "tls_connect", "stamp"}
    assert set(found) == expected
    assert found[modules.DEFAULT].settings == HttpModule()
    assert (found["icmp4"].preferred, found["icmp4"].falls_back) == ("ip4", False)
    assert {module.prober for module in found.values()} == {"icmp", "http", "tcp", "tls", "stamp"}


def test_a_file_adds_to_them_and_replaces_them(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "modules:\n  http_2xx: {prober: http, timeout: 3s, http: {method: HEAD}}\n  mine: {prober: icmp}\n"
    )
    found = modules.load(str(path))
    assert found["http_2xx"].settings.method == "HEAD"
    assert found["http_2xx"].timeout == 3
    assert found["mine"].settings == IcmpModule()
    assert "tcp_connect" in found


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs prometheus-blackbox-exporter")
def test_debians_examples_but_grpc() -> None:
    lines = DEBIAN.read_text().splitlines(keepends=True)
    kept: list[str] = []
    skipping = False
    for line in lines:
        if line.startswith("  ") and not line.startswith("   "):
            skipping = "grpc" in line
        if not skipping:
            kept.append(line)
    found = modules.loads("".join(kept))
    assert {"http_post_2xx", "pop3s_banner", "ssh_banner", "irc_banner", "icmp_ttl5"} <= set(found)
    irc = found["irc_banner"].settings
    assert isinstance(irc, TcpModule)
    assert irc.query_response[2].send == "PONG ${1}"
    assert found["icmp_ttl5"].settings.ttl == 5


def test_every_key_of_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIANWEI_TEST_PASSWORD", "s3cret")
    (tmp_path / "token").write_text("t0ken\n")
    path = tmp_path / "m.yaml"
    path.write_text(
        """
modules:
  all:
    prober: http
    http:
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      source_ip_address: 192.0.2.1
      valid_status_codes: [200, 301]
      valid_http_versions: [HTTP/1.1, HTTP/2.0]
      method: POST
      headers: {Host: a.example, Accept-Encoding: gzip}
      body: '{}'
      no_follow_redirects: true
      enable_http2: false
      fail_if_not_ssl: true
      fail_if_body_matches_regexp: [bad]
      fail_if_body_not_matches_regexp: [good]
      fail_if_header_matches: [{header: Via, regexp: x, allow_missing: true}]
      fail_if_header_not_matches: [{header: Server, regexp: nginx}]
      compression: gzip
      body_size_limit: 20MB
      basic_auth: {username: me, password: !env JIANWEI_TEST_PASSWORD}
      tls_config: {insecure_skip_verify: true, min_version: TLS10, server_name: b.example}
  token: {prober: http, http: {authorization: {credentials_file: token}}}
  bearer: {prober: http, http: {bearer_token: !file token}}
"""
    )
    found = modules.load(str(path))
    all_ = found["all"].settings
    assert all_.follows is False
    assert all_.limit == 20 << 20
    assert all_.host_header == "a.example"
    assert all_.credentials() == "Basic bWU6czNjcmV0"
    assert "s3cret" not in repr(all_)
    for name in ("token", "bearer"):
        assert found[name].settings.credentials() == "Bearer t0ken"
    (tmp_path / "token").write_text("an\x00other")
    with pytest.raises(Failure):
        found["token"].settings.credentials()


@pytest.mark.parametrize(
    ("text", "size"),
    [(0, DEFAULT_BODY), (100, 100), ("100", 100), ("100B", 100), ("1k", 1024), ("10MiB", 10 << 20)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert HttpModule(body_size_limit=text).limit == size


def test_every_prober_makes_modules() -> None:
    for name, kind in PROBERS.items():
        assert kind.settings.__struct_config__.forbid_unknown_fields, name
        assert kind.settings.__struct_config__.frozen, name


KEYS = st.sampled_from(
    ["modules", "prober", "http", "tcp", "icmp", "tls_config", "query_response", "labels", "a"]
)
PARTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.sampled_from(["http", "tcp", "x", "grpc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(PARTS)
def test_any_document_is_right_or_explained(part: object) -> None:
    import json

    for document in (part, {"modules": {"a": part}}, {"modules": part}):
        with suppress(DocumentError):
            modules.loads(json.dumps(document))


def test_the_handbook_has_what_is_refused() -> None:
    page = (Path(__file__).parents[2] / "docs/probes.md").read_text(encoding="utf-8")
    rows = {line for line in page.splitlines() if line.startswith("| `")}
    for key, why in modules.UNSUPPORTED.items():
        assert f"| `{key}` | {why} |" in rows
