"""Which services load packet filters at the next boot, and whether what they load filters.

systemd's links of services that start at boot; nft(8) and iptables-restore(8) files of Debian and of the RPM
family, ufw(8), firewalld.conf(5). What the rules are in detail is judged by what runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, Reading, Stat
from collectors.rows import FileStat

_WANTS = "/etc/systemd/system/*.wants"


class Service(NamedTuple):
    """`files` that it loads, for one family or, with an empty one, for what they name."""

    name: str
    files: tuple[tuple[str, str], ...]

    @property
    def wanted(self) -> Stat:
        return Stat(f"{_WANTS}/{self.name}.service")


SERVICES = (
    Service("firewalld", ()),
    Service("ufw", (("/etc/ufw/ufw.conf", ""), ("/etc/default/ufw", ""))),
    Service("nftables", (("/etc/nftables.conf", ""), ("/etc/sysconfig/nftables.conf", ""))),
    Service(
        "netfilter-persistent",
        (("/etc/iptables/rules.v4", "ipv4"), ("/etc/iptables/rules.v6", "ipv6")),
    ),
    Service("iptables", (("/etc/sysconfig/iptables", "ipv4"),)),
    Service("ip6tables", (("/etc/sysconfig/ip6tables", "ipv6"),)),
)
FILES = {path: File(path) for service in SERVICES for path, _ in service.files}
_NFT_TABLE = re.compile(r"^\s*table\s+(?:(inet|ip|ip6)\s)?", re.MULTILINE)
_NFT_CLOSES = re.compile(r"\b(?:drop|reject)\b")
_CLOSES = re.compile(r"^:INPUT DROP|^-A INPUT .*-j (?:DROP|REJECT)|^-A INPUT -j ", re.MULTILINE)
_COMMENT = re.compile(r"#.*")
_INCLUDE = re.compile(r"^\s*include\b", re.MULTILINE)


class FirewallServicesCollector(Collector, frozen=True):
    """`firewall_services`: rows of name, families (for which it loads rules that close something), included
    (its file includes others, which are not read), source; of those enabled at boot alone.
    """

    name: ClassVar[str] = "firewall_services"
    facts: ClassVar[tuple[str, ...]] = ("firewall_services",)

    def readings(self) -> tuple[Reading, ...]:
        return (*(service.wanted for service in SERVICES), *FILES.values())

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = []
        for service in SERVICES:
            links = answers.rows(service.wanted, FileStat)
            if links:
                rows.append(_row(service, answers, links[0].path))
        yield Fact("firewall_services", rows)


def _row(service: Service, answers: Answers, link: str) -> dict[str, Any]:
    texts = {
        path: text for path, _ in service.files if (text := answers.maybe(FILES[path])) is not None
    }
    families: set[str] = set()
    included = False
    if service.name == "firewalld":
        families = {"ipv4", "ipv6"}  # every zone but trusted refuses what it does not name
    elif service.name == "ufw":
        if _setting(texts.get("/etc/ufw/ufw.conf", ""), "ENABLED") == "yes":
            default = texts.get("/etc/default/ufw", "")
            families = {"ipv4", *(["ipv6"] if _setting(default, "IPV6") != "no" else [])}
    elif service.name == "nftables":
        for text in texts.values():
            text = _COMMENT.sub("", text)
            included |= bool(_INCLUDE.search(text))
            if _NFT_CLOSES.search(text):
                families |= _nft_families(text)
    else:
        families = {
            family
            for path, family in service.files
            if _CLOSES.search(_COMMENT.sub("", texts.get(path, "")))
        }
    return {
        "name": service.name,
        "families": sorted(families),
        "included": included,
        "source": next(iter(texts), link),
    }


def _nft_families(text: str) -> set[str]:
    names = {found[1] or "ip" for found in _NFT_TABLE.finditer(text)}
    return {family for family, own in (("ipv4", "ip"), ("ipv6", "ip6")) if {own, "inet"} & names}


def _setting(text: str, name: str) -> str:
    """The last assignment of a shell variable."""
    value = ""
    for line in text.splitlines():
        key, equals, it = line.strip().partition("=")
        if equals and key == name:
            value = it.strip().strip("\"'").lower()
    return value
