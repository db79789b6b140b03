"""Which services load packet filters at the next boot, and what the files they load close."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.firewall import nftconf
from collectors.firewall.persistent import FirewallServicesCollector
from collectors.observe import observe
from collectors.sources.local import LocalSource
from tests.collectors.filterfacts import save

UFW = {"/etc/ufw/ufw.conf": "ENABLED=yes\n"}
INET = "table inet filter {\n chain input { type filter hook input priority 0; policy drop; }\n}\n"


@pytest.mark.parametrize(
    ("service", "files", "families"),
    [
        ("firewalld", {}, ["ipv4", "ipv6"]),
        ("firewalld", {"/etc/firewalld/firewalld.conf": "DefaultZone=drop\n"}, ["ipv4", "ipv6"]),
        ("firewalld", {"/etc/firewalld/firewalld.conf": "#D\nDefaultZone=trusted\n"}, []),
        ("firewalld", {"/etc/firewalld/zones/public.xml": '<zone target="ACCEPT"/>'}, []),
        ("firewalld", {"/etc/firewalld/zones/public.xml": "<zone/>"}, ["ipv4", "ipv6"]),
        ("firewalld", {"/etc/firewalld/zones/trusted.xml": '<zone><interface name="e"/>'}, []),
        ("ufw", {**UFW, "/etc/default/ufw": 'DEFAULT_INPUT_POLICY="ACCEPT"\n'}, []),
        # a rule for some, or one that only logs, closes nothing
        ("iptables", {"/etc/sysconfig/iptables": save("-A INPUT -j ACCEPT", policy="ACCEPT")}, []),
        ("iptables", {"/etc/sysconfig/iptables": save("-A INPUT -j ACCEPT")}, []),
        (
            "iptables",
            {"/etc/sysconfig/iptables": save("-A INPUT -s 192.0.2.1 -j DROP", policy="ACCEPT")},
            [],
        ),
        ("ip6tables", {"/etc/sysconfig/ip6tables": save("-A INPUT -j LOG", policy="ACCEPT")}, []),
        ("nftables", {"/etc/nftables.conf": INET}, ["ipv4", "ipv6"]),
        ("nftables", {"/etc/nftables.conf": INET.replace("inet", "ip6")}, ["ipv6"]),
        ("nftables", {"/etc/nftables.conf": INET.replace("inet ", "")}, ["ipv4"]),
        ("nftables", {"/etc/sysconfig/nftables.conf": INET}, ["ipv4", "ipv6"]),
        # Debian's own, which filters nothing, and one that is commented out
        ("nftables", {"/etc/nftables.conf": INET.replace(" policy drop;", "")}, []),
        ("nftables", {"/etc/nftables.conf": "#" + INET.replace("\n", "\n#")}, []),
        ("nftables", {}, []),
        ("ufw", {"/etc/ufw/ufw.conf": "ENABLED=yes\n"}, ["ipv4", "ipv6"]),
        ("ufw", {"/etc/ufw/ufw.conf": "ENABLED=yes\n", "/etc/default/ufw": "IPV6=no\n"}, ["ipv4"]),
        ("ufw", {"/etc/ufw/ufw.conf": "# ENABLED=yes\nENABLED=no\n"}, []),
        ("netfilter-persistent", {"/etc/iptables/rules.v4": save()}, ["ipv4"]),
        (
            "netfilter-persistent",
            {"/etc/iptables/rules.v4": save(policy="ACCEPT"), "/etc/iptables/rules.v6": save()},
            ["ipv6"],
        ),
        (
            "iptables",
            {"/etc/sysconfig/iptables": save("-A INPUT -j REJECT", policy="ACCEPT")},
            ["ipv4"],
        ),
        ("ip6tables", {"/etc/sysconfig/ip6tables": save()}, ["ipv6"]),
    ],
)
def test_services_that_load_rules(
    tmp_path: Path, service: str, files: dict[str, str], families: list[str]
) -> None:
    for path, content in files.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_text(content)
    source = LocalSource(str(tmp_path))
    assert at_boot(source) == []  # not enabled
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / f"{service}.service").symlink_to(f"/lib/systemd/system/{service}.service")
    (row,) = at_boot(source)
    assert (row["name"], row["families"], row["unclear"]) == (service, families, [])
    json.dumps(row)
    # nothing starts what is masked
    (tmp_path / f"etc/systemd/system/{service}.service").symlink_to("/dev/null")
    assert at_boot(source) == []


def at_boot(source: LocalSource) -> Any:
    (one,) = observe(source, [FirewallServicesCollector()])
    return {fact.name: fact.value for fact in one.facts}["firewall_services"]


def test_what_a_file_includes_or_does_not_tell_is_unclear(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(parents=True)
    (wants / "nftables.service").symlink_to("/lib/systemd/system/nftables.service")
    (wants / "iptables.service").symlink_to("/lib/systemd/system/iptables.service")
    (tmp_path / "etc/nftables.conf").write_text('include "/etc/nftables/*.nft"\n')
    (tmp_path / "etc/sysconfig").mkdir()
    (tmp_path / "etc/sysconfig/iptables").write_text("*filter\n-N x\n")
    rows = {row["name"]: row for row in at_boot(LocalSource(str(tmp_path)))}
    assert rows["nftables"]["unclear"] == ["ipv4", "ipv6"]
    assert rows["nftables"]["included"]
    assert (rows["iptables"]["families"], rows["iptables"]["unclear"]) == ([], ["ipv4"])


@pytest.mark.parametrize(
    ("text", "families"),
    [
        (INET, {"ipv4", "ipv6"}),
        (INET.replace("policy drop", "policy accept; ip saddr 192.0.2.1 drop"), set()),
        (INET.replace("policy drop;", "policy accept; counter drop"), {"ipv4", "ipv6"}),
        (
            INET.replace("policy drop;", 'policy accept; log prefix "a; b" level 4 reject'),
            {"ipv4", "ipv6"},
        ),
        (INET.replace("policy drop;", "policy drop; tcp dport { 22, 80 } accept\naccept"), set()),
        (INET.replace("hook input", "hook forward"), set()),
        (
            "table ip t {\n counter drop-me { }\n chain forward { type filter hook forward priority 0; policy drop; }\n}\n",
            set(),
        ),
        (f"{INET}flush ruleset\n", set()),
        (f"flush ruleset\n{INET}", {"ipv4", "ipv6"}),
        (
            "table ip6 t {\n chain end {\n  reject with icmpv6 admin-prohibited\n }\n"
            " chain input {\n  type filter hook input priority 0\n  jump end\n }\n}\n",
            {"ipv6"},
        ),
        (
            "add table inet t\nadd chain inet t c { type filter hook input priority 0; policy drop; }\n",
            {"ipv4", "ipv6"},
        ),
        (
            "add chain inet t c { type filter hook input priority 0; policy drop; }\n"
            "add rule inet t c accept\n",
            set(),
        ),
        ('table inet t { chain a { comment "hook input; policy drop" } }', set()),
    ],
)
def test_what_a_file_of_nft_closes(text: str, families: set[str]) -> None:
    assert nftconf.closes(text) == families


@given(st.text(alphabet='{}; \n"#\\achindroptbe', max_size=200))
def test_any_file_of_nft(text: str) -> None:
    nftconf.closes(text)


@pytest.mark.parametrize(
    "line", ["table ip t { chain c {", "}", "jump c", "{", '"', "add rule t c x"]
)
def test_ten_thousand_lines_of_nft(line: str) -> None:
    nftconf.closes(f"{line}\n" * 10_000)
