"""Which services load packet filters at the next boot, and whether what they load filters.

systemd's links of services that start at boot; nft(8) and iptables-restore(8) files of Debian and of the RPM
family, ufw(8), firewalld.conf(5), firewalld.zone(5). A file filters a family where what no rule names is
dropped on the way in; what the rules are in detail is judged by what runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NamedTuple

from collectors.firewall import nftconf
from collectors.firewall.baseline import policy_of
from collectors.firewall.iptables import parse_save
from collectors.firewall.kernelfamilies import READINGS as FAMILY_READINGS
from collectors.firewall.kernelfamilies import kernel_families
from collectors.firewall.parity import ROUTE, devices
from collectors.firewall.places import Family
from collectors.firewall.report import report
from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    ParseError,
    Reading,
    Stat,
)
from collectors.rows import FileStat

_WANTS = "/etc/systemd/system/*.wants"


class Service(NamedTuple):
    """`files` that it loads; the family counts for those of iptables alone."""

    name: str
    files: tuple[tuple[str, Family], ...]

    @property
    def wanted(self) -> Stat:
        return Stat(f"{_WANTS}/{self.name}.service")

    @property
    def unit(self) -> Stat:
        """Where it is a link to /dev/null it is masked."""
        return Stat(f"/etc/systemd/system/{self.name}.service")


SERVICES = (
    Service("firewalld", ()),
    Service("ufw", (("/etc/ufw/ufw.conf", "ipv4"), ("/etc/default/ufw", "ipv4"))),
    Service("nftables", (("/etc/nftables.conf", "ipv4"), ("/etc/sysconfig/nftables.conf", "ipv4"))),
    Service(
        "netfilter-persistent",
        (("/etc/iptables/rules.v4", "ipv4"), ("/etc/iptables/rules.v6", "ipv6")),
    ),
    Service("iptables", (("/etc/sysconfig/iptables", "ipv4"),)),
    Service("ip6tables", (("/etc/sysconfig/ip6tables", "ipv6"),)),
)
FILES = {path: File(path) for service in SERVICES for path, _ in service.files}
FIREWALLD = File("/etc/firewalld/firewalld.conf")
ZONES = Glob("/etc/firewalld/zones/*.xml")
_ZONE = re.compile(r"^\s*DefaultZone\s*=\s*(\S+)", re.MULTILINE)
_ACCEPTS = re.compile(r"<zone\b[^>]*\btarget\s*=\s*[\"']ACCEPT[\"']")
_BOUND = re.compile(r"<(?:interface|source)\b")
_BOTH: Final[tuple[Family, Family]] = ("ipv4", "ipv6")
_COMMENT = re.compile(r"#.*")
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INCLUDE = re.compile(r"^\s*include\b", re.MULTILINE)


class FirewallServicesCollector(Collector, frozen=True):
    """`firewall_services`: rows of name, families (of which it closes what no rule names), unclear (families
    of which that is not known), included (its file includes others, which are not read), source; of those
    enabled at boot, and not masked, alone. `ip_families`: rows of name, of what the kernel speaks.
    """

    name: ClassVar[str] = "firewall_services"
    facts: ClassVar[tuple[str, ...]] = ("firewall_services", "ip_families")

    def readings(self) -> tuple[Reading, ...]:
        return (
            *(service.wanted for service in SERVICES),
            *(service.unit for service in SERVICES),
            *FILES.values(),
            FIREWALLD,
            ZONES,
            ROUTE,
            *FAMILY_READINGS,
        )

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield Fact("ip_families", [{"name": family} for family in kernel_families(answers)])
        rows = []
        for service in SERVICES:
            links = answers.rows(service.wanted, FileStat)
            masks = answers.rows(service.unit, FileStat)
            if links and not any(it.target == "/dev/null" for it in masks):
                rows.append(_row(service, answers, links[0].path))
        yield Fact("firewall_services", rows)


def _row(service: Service, answers: Answers, link: str) -> dict[str, Any]:
    texts = {
        path: text for path, _ in service.files if (text := answers.maybe(FILES[path])) is not None
    }
    families: set[Family] = set()
    unclear: set[Family] = set()
    included = False
    if service.name == "firewalld":
        families = set() if _trusts(answers) else set(_BOTH)
    elif service.name == "ufw":
        default = texts.get("/etc/default/ufw", "")
        if (
            _setting(texts.get("/etc/ufw/ufw.conf", ""), "ENABLED") == "yes"
            and _setting(default, "DEFAULT_INPUT_POLICY") != "accept"
        ):
            families = {"ipv4"} if _setting(default, "IPV6") == "no" else set(_BOTH)
    elif service.name == "nftables":
        for text in texts.values():
            included |= bool(_INCLUDE.search(_COMMENT.sub("", text)))
            families |= nftconf.closes(text)
        if included:
            unclear = set(_BOTH) - families
    else:
        for path, family in service.files:
            policy = _saved(texts[path], family, answers) if path in texts else "none"
            families |= {family} if policy == "drop" else set()
            unclear |= {family} if policy == "unknown" else set()
    return {
        "name": service.name,
        "families": sorted(families),
        "unclear": sorted(unclear),
        "included": included,
        "source": next(iter(texts), link),
    }


def _trusts(answers: Answers) -> bool:
    """Whether firewalld's zone for what comes in accepts all; without a file it is `public`."""
    found = _ZONE.search(answers.maybe(FIREWALLD) or "")
    default = found[1] if found else "public"
    texts = {
        path.rpartition("/")[2].removesuffix(".xml"): _XML_COMMENT.sub("", text)
        for path, text in answers.texts(ZONES).items()
    }
    if default == "trusted" or _ACCEPTS.search(texts.get(default, "")):
        return True
    # one that somebody gave an interface or a sender
    return any(
        (name == "trusted" or _ACCEPTS.search(text)) and _BOUND.search(text)
        for name, text in texts.items()
    )


def _saved(text: str, family: Family, answers: Answers) -> str:
    """What iptables-restore's file does with what no rule names."""
    try:
        bases = parse_save(text, family, "iptables")
        return policy_of(report(bases, [], devices(answers), hostile=True), family)
    except ParseError:  # which iptables-restore may read, or not
        return "unknown"


def _setting(text: str, name: str) -> str:
    """The last assignment of a shell variable."""
    value = ""
    for line in text.splitlines():
        key, equals, it = line.strip().partition("=")
        if equals and key == name:
            value = it.strip().strip("\"'").lower()
    return value
