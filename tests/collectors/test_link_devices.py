"""Settings of devices: one way to ask, sound users, warnings about weak ciphers, lines that match."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.link.devices import BandwidthSettings, InterfaceRef, wanted_of
from collectors.link.lines import metered
from collectors.link.linesfile import load
from collectors.strictyaml import DocumentError, Duration

SECRETS = {"COMMUNITY": "all", "GOOD": "long-enough", "SHORT": "short"}


LINES = "lines:\n  - {name: a, targets: [192.0.2.1]}\n"


def written(folder: Path, device: str, more: str = LINES) -> str:
    path = folder / "devices.yaml"
    path.write_text(f"devices:\n  r1: {{{device}}}\n{more}")
    return str(path)


V2C = "snmp: {address: 192.0.2.1, community: !env COMMUNITY}"
V3 = "snmp: {address: r1.example, version: v3, user: u, auth: SHA-256, auth_secret: !env GOOD"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "device",
    [
        V2C,
        V3 + "}",
        V3 + ", priv: AES-256, priv_secret: !env GOOD, context: c, port: 1161}",
        "ssh: {host: 'ssh://ops@[2001:db8::1]:22', dialect: vrp}",
        "local: true",
    ],
)
def test_devices_that_are_right(tmp_path: Path, device: str) -> None:
    (found,) = load(written(tmp_path, device)).devices.values()
    assert not list(found.warnings())
    assert "long-enough" not in repr(found)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("", "exactly one of"),
        (f"{V2C}, local: true", "exactly one of"),
        ("snmp: {address: 192.0.2.1}", "needs a community"),
        ("snmp: {address: 'a b', community: !env COMMUNITY}", "no address and no DNS name"),
        ("snmp: {address: 192.0.2.1, community: plain}", "a secret is not written here"),
        ("snmp: {address: 192.0.2.1, community: !env COMMUNITY, user: u}", "are for v3"),
        ("snmp: {address: 192.0.2.1, version: v3}", "needs a user"),
        ("snmp: {address: 192.0.2.1, version: v3, user: u, community: !env GOOD}", "is for v2c"),
        ("snmp: {address: 192.0.2.1, version: v3, user: u, auth: SHA}", "needs auth_secret"),
        (
            "snmp: {address: a.b, version: v3, user: u, priv: AES, priv_secret: !env GOOD}",
            "priv needs auth",
        ),
        (V3.replace("GOOD", "SHORT") + "}", "fewer than 8 characters"),
        (V3 + ", priv: 3DES}", "is not one of"),
        ("ssh: {host: 'ssh://a b', dialect: ios}", "is not ssh://"),
        ("ssh: {host: r1, dialect: junos}", "is not one of"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, device: str, words: str) -> None:
    path = written(tmp_path, device)
    with pytest.raises(DocumentError) as told:
        load(path)
    assert words in str(told.value)
    assert str(told.value).startswith(f"{path}:2: ")


def test_weak_ciphers_are_warned_about(tmp_path: Path) -> None:
    weak = V3.replace("SHA-256", "MD5") + ", priv: DES, priv_secret: !env GOOD}"
    (device,) = load(written(tmp_path, weak)).devices.values()
    assert len(list(device.warnings())) == 2


def test_lines_name_devices_that_exist(tmp_path: Path) -> None:
    line = (
        "  - {name: a, targets: [192.0.2.1], interface: {device: %s, name: ge0}, bandwidth: 100M}\n"
    )
    found = load(written(tmp_path, V2C, "lines:\n" + line % "r1"))
    assert wanted_of(metered(found), found.devices) == {"r1": ("ge0",)}
    with pytest.raises(DocumentError, match=r":4: .*no device 'r2'"):
        load(written(tmp_path, V2C, "lines:\n" + line % "r2"))
    with pytest.raises(ValueError, match="no name of an interface"):
        InterfaceRef("r1", "ge0; reload")


def test_bounds_hold_together() -> None:
    assert BandwidthSettings().samples == 60
    for wrong in (
        {"interval": Duration(0.5), "deadline": Duration(0.4), "timeout": Duration(0.1)},
        {"deadline": Duration(90)},
        {"timeout": Duration(20)},
        {"window": Duration(30)},
        {"window": Duration(60 * 2881)},
    ):
        with pytest.raises(ValueError, match=r"must|renew"):
            BandwidthSettings(**wrong)  # type: ignore[arg-type]
