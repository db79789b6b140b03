import base64
import getpass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.sources.ssh.knownhosts import entries, fingerprint, judge
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import Address, Hop, SshError, parse_address, route


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://root@gov-node-01:2222", Address("gov-node-01", "root", 2222)),
        ("ssh://gov-node-01", Address("gov-node-01")),
        ("ssh://gov-node-01/", Address("gov-node-01")),
        ("gov-node-01", Address("gov-node-01")),
        ("audit@10.1.2.3", Address("10.1.2.3", "audit")),
        ("ssh://root@[2001:db8::1]:22", Address("2001:db8::1", "root", 22)),
        ("[fe80::1%eth0]", Address("fe80::1%eth0")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh://",
        "root@",
        "a:b",
        "2001:db8::1",
        "[2001:db8::1",
        "http://a",
        "a:0",
        "a:70000",
        "-oProxyCommand=x",
        "a b",
        "ssh://a/path",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(SshError, match="is not ssh://user@host:port"):
        parse_address(text)


@given(st.text())
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        assert parse_address(text).host
    except SshError:
        return


def test_what_is_said_nearest_counts_first(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n User everybody\n Port 2200\nHost a\n HostName 10.0.0.1\n")
    settings = SshSettings(config_file=str(config))
    assert str(route("a", settings)[-1]) == "everybody@10.0.0.1:2200"
    assert str(route("root@a:22", settings)[-1]) == "root@10.0.0.1:22"
    ours = SshSettings(config_file=str(config), user="audit", port=2022)
    assert str(route("a", ours)[-1]) == "audit@10.0.0.1:2022"
    assert str(route("root@a", ours)[-1]) == "root@10.0.0.1:2022"


def test_without_a_word_it_is_as_ssh_has_it() -> None:
    hops = route("gov-node-01", SshSettings(config_file=""))
    assert hops == [Hop("gov-node-01", 22, getpass.getuser(), "gov-node-01")]
    assert str(Hop("2001:db8::1", 22, "root", "x")) == "root@[2001:db8::1]:22"


def test_jumps_come_in_order(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host a\n ProxyJump c\nHost direct\n ProxyJump none\n")
    settings = SshSettings(config_file=str(config), user="u")
    assert [hop.host for hop in route("a", settings)] == ["c", "a"]
    assert [hop.host for hop in route("direct", settings)] == ["direct"]
    ours = SshSettings(config_file=str(config), jump="x@one:22,[::2]:23")
    assert [(h.host, h.port) for h in route("a", ours)[:2]] == [("one", 22), ("::2", 23)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host a\n ProxyCommand nc %h %p\n", "ProxyCommand is not run"),
        ("Match exec true\n User x\n", "Match exec is not run"),
        ("Host a\n Port many\n", "a: invalid literal"),
    ],
)
def test_what_an_ssh_config_may_not_say(text: str, message: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    with pytest.raises(SshError, match=message):
        route("a", SshSettings(config_file=str(config), user="u"))


KEY, OTHER = b"one key", b"another"


def line(names: str, key: bytes = KEY, marker: str = "") -> str:
    return f"{marker} {names} ssh-ed25519 {base64.b64encode(key).decode()} comment\n"


@pytest.mark.parametrize(
    ("text", "host", "port", "judgement"),
    [
        (line("gov"), "gov", 22, "known"),
        (line("gov"), "GOV", 22, "known"),
        (line("gov"), "gov", 2222, "unknown"),
        (line("[gov]:2222"), "gov", 2222, "known"),
        (line("[gov]:2222"), "gov", 22, "unknown"),
        (line("a,gov,10.0.0.1"), "10.0.0.1", 22, "known"),
        (line("*.gov.cn"), "a.gov.cn", 22, "known"),
        (line("*.gov.cn,!b.gov.cn"), "b.gov.cn", 22, "unknown"),
        (line("10.0.0.?"), "10.0.0.1", 22, "known"),
        (line("[*]:2222"), "gov", 2222, "known"),
        (line("[2001:db8::1]:2222"), "2001:db8::1", 2222, "known"),
        (line("g[o]v"), "gov", 22, "unknown"),
        (line("gov", OTHER), "gov", 22, "changed"),
        (line("gov", OTHER) + line("gov"), "gov", 22, "known"),
        (line("gov") + line("*", KEY, "@revoked"), "gov", 22, "revoked"),
        (line("gov") + line("*", OTHER, "@revoked"), "gov", 22, "known"),
        (line("*", KEY, "@cert-authority"), "gov", 22, "unknown"),
        ("# " + line("gov"), "gov", 22, "unknown"),
        ("gov ssh-ed25519 !!!\n", "gov", 22, "unknown"),
        ("|1|x|y ssh-ed25519 AAAA\n|1|\n|1|!!|!! a b\n", "gov", 22, "unknown"),
    ],
)
def test_known_hosts(text: str, host: str, port: int, judgement: str) -> None:
    assert judge(entries([("known_hosts", text)], host, port), KEY)[0] == judgement


def test_a_fingerprint_is_as_ssh_keygen_prints_it() -> None:
    # printf 'one key' | openssl dgst -sha256 -binary | base64
    assert fingerprint(KEY) == "SHA256:++iEBe3qmZKMCvgfcAgnKyeJnIdPlfR2CUJV54JpKtM"


@given(st.text())
def test_any_known_hosts_file_can_be_read(text: str) -> None:
    assert judge(entries([("f", text)], "gov", 22), KEY)[0] in ("unknown", "changed")
