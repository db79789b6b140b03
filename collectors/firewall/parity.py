"""Whether the packet filters of both families let the same in: nftables, iptables and ip6tables.

What counts is what an unsolicited packet from anywhere meets on its way to this host. Rules that
iptables put into nftables are taken from iptables-save, which has their own words; the rules of
firewalld and ufw are rules of these two. All needs root. See packetmatch.py for what a packet is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, NamedTuple

from collectors.firewall.iptables import FORWARD as FORWARD_CHAIN
from collectors.firewall.iptables import HOOKS as CHAINS
from collectors.firewall.iptables import parse_save
from collectors.firewall.nftables import FORWARD as FORWARD_HOOK
from collectors.firewall.nftables import HOOKS, Ruleset, Table, parse_ruleset
from collectors.firewall.places import Family
from collectors.firewall.report import report
from collectors.firewall.walk import Base
from collectors.ipv6.routes import IPV6_ROUTE, REJECT, UP, parse_default_routes
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Command,
    Fact,
    File,
    ParseError,
    Reading,
    Unavailable,
    malformed,
)

ROUTE = File("/proc/net/route")
NFT = Command(("nft", "-j", "list", "ruleset"), timeout=5.0, limit=16 << 20)
SAVES: Final[dict[Family, Command]] = {
    "ipv4": Command(("iptables-save",), timeout=5.0),
    "ipv6": Command(("ip6tables-save",), timeout=5.0),
}
# Rules of before nftables live beside its own; iptables-save of nftables does not show them.
OLD_SAVES: Final[dict[Family, Command]] = {
    "ipv4": Command(("iptables-legacy-save",), timeout=5.0),
    "ipv6": Command(("ip6tables-legacy-save",), timeout=5.0),
}
FORWARDINGS: Final[dict[Family, File]] = {
    "ipv4": File("/proc/sys/net/ipv4/ip_forward"),
    "ipv6": File("/proc/sys/net/ipv6/conf/all/forwarding"),
}
STATUS = File("/proc/self/status")  # read where a program failed: whether it could do better
_NET_ADMIN: Final = 1 << 12  # capability.h
FORWARDING = FORWARDINGS["ipv6"]
OLD_TABLES: Final[dict[Family, File]] = {
    "ipv4": File("/proc/net/ip_tables_names"),
    "ipv6": File("/proc/net/ip6_tables_names"),
}
_TOOLS: Final[dict[Family, str]] = {"ipv4": "iptables", "ipv6": "ip6tables"}
_NFT_FAMILIES: Final[dict[Family, str]] = {"ipv4": "ip", "ipv6": "ip6"}
_NFT_MARK = "(nf_tables)"
# A table of other programs: iptables-save says so, and then tells an empty one of that name.
_FOREIGN: Final = re.compile(
    r"^# Table `([^'\n]{1,256})' (?:is|contains) incompatible", re.MULTILINE
)


READINGS: tuple[Reading, ...] = (
    *(NFT, *SAVES.values(), *OLD_SAVES.values()),
    *(*OLD_TABLES.values(), ROUTE, IPV6_ROUTE, FORWARDINGS["ipv6"]),
)


class Gathered(NamedTuple):
    """Base chains of both families, and which programs made them."""

    bases: list[Base]
    tools: list[str]


class Ipv6FirewallCollector(Collector, frozen=True):
    """`ipv6_firewall`: active, tools, device, policy, ports, parity, icmpv6, understood,
    not_understood; see report.py."""

    name: ClassVar[str] = "ipv6_firewall"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_firewall",)

    def readings(self) -> tuple[Reading, ...]:
        return READINGS

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with told(answers):
            bases, tools = gather(answers)
            yield Fact(
                "ipv6_firewall", report(bases, tools, devices(answers), forwards(answers, "ipv6"))
            )


class told:
    """Errors get a word for what is the matter: permission, no_program, error."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def __enter__(self) -> None:
        return None

    def __exit__(self, *raised: object) -> None:
        match raised[1]:
            case ParseError() as error:
                error.code = "error"
            case Unavailable() as error if not error.code:
                with told(self._answers):  # what tells why may be odd itself
                    raise _why(self._answers, error.reading) from error


def gather(answers: Answers, forward: bool = False) -> Gathered:
    """What packets to and of this host meet; `forward`: what those meet that only pass."""
    chains, hooks = (FORWARD_CHAIN, FORWARD_HOOK) if forward else (CHAINS, HOOKS)
    ruleset = _ruleset(answers, hooks)
    texts = {family: answers.maybe(reading) for family, reading in SAVES.items()}
    if ruleset is None and not any(text is not None for text in texts.values()):
        raise Unavailable(
            NFT, Answer("absent", reason="neither nft nor iptables-save is there"), "no_program"
        )
    bases: list[Base] = []
    shown_by_save: set[Table] = set()
    tools: set[str] = set()
    for family, text in texts.items():
        found = parse_save(text or "", family, _TOOLS[family], chains)
        if _NFT_MARK in (text or ""):
            old = _old(answers, family)
            native = ruleset.native if ruleset else frozenset()
            shown = {
                Table(_NFT_FAMILIES[family], line[1:].strip())
                for line in (text or "").splitlines()
                if line.startswith("*")
            } - native
            shown -= {Table(_NFT_FAMILIES[family], name) for name in _FOREIGN.findall(text or "")}
            shown_by_save |= shown
            found = [b for b in found if Table(_NFT_FAMILIES[family], b.table) in shown]
            found += parse_save(old, family, _TOOLS[family], chains)
        elif text is None and (answers.maybe(OLD_TABLES[family]) or "").split():
            reason = f"{OLD_TABLES[family].path} names tables, and no iptables-save is there"
            raise Unavailable(SAVES[family], Answer("absent", reason=reason), "no_program")
        bases += found
        tools |= {_TOOLS[family] for base in found if base.does_something}
        tools |= {"ufw" for base in found for name in base.chains if name.startswith("ufw")}
    for table, of_table in (ruleset.bases if ruleset else {}).items():
        if table in shown_by_save:
            continue
        bases += of_table
        if any(base.does_something for base in of_table):
            tools.add("firewalld" if table.name.startswith("firewalld") else "nft")
    return Gathered(bases, sorted(tools))


def _why(answers: Answers, reading: Reading) -> Unavailable:
    """With a word for what is the matter: a program tells only that it did not end well."""
    answer = answers.answer(reading)
    if answer.state == "denied":
        return Unavailable(reading, answer, "permission")
    if answer.state == "absent":
        return Unavailable(reading, answer, "no_program")
    if not (isinstance(reading, Command) and "exit status" in answer.reason):
        return Unavailable(reading, answer, "error")
    if _may_administer(answers):
        return Unavailable(reading, answer, "error")
    reason = f"{answer.reason}: it needs CAP_NET_ADMIN (root)"
    return Unavailable(reading, Answer(answer.state, reason=reason), "permission")


def _may_administer(answers: Answers) -> bool:
    """By what the kernel says of us; where it says nothing, that is not what is the matter."""
    answer = answers.answer(STATUS)
    for line in answer.content.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            with malformed(STATUS.path):
                return bool(int(value, 16) & _NET_ADMIN)
    return True


def _ruleset(answers: Answers, hooks: Mapping[str, bool]) -> Ruleset | None:
    answer = answers.answer(NFT)
    if answer.state == "absent":
        return None
    return parse_ruleset(answers.content(NFT), hooks)


def _old(answers: Answers, family: Family) -> str:
    """Rules of before nftables, where the kernel has any."""
    if not (answers.maybe(OLD_TABLES[family]) or "").split():
        return ""
    return answers.text(OLD_SAVES[family])


def forwards(answers: Answers, family: Family) -> bool:
    """Whether packets that are not for this host pass it."""
    return (answers.maybe(FORWARDINGS[family]) or "").strip() not in ("", "0")


def devices(answers: Answers) -> dict[Family, str]:
    """By which device packets from anywhere come in: that of the default route, of the other
    family where there is none."""
    best: dict[Family, str] = {"ipv4": "", "ipv6": ""}
    with malformed(ROUTE.path):
        rows = [line.split() for line in (answers.maybe(ROUTE) or "").splitlines()[1:]]
        usable = [
            (int(row[6]), row[0])
            for row in rows
            if not int(row[1], 16) and not int(row[7], 16) and int(row[3], 16) & (UP | REJECT) == UP
        ]
    if usable:
        best["ipv4"] = min(usable, key=lambda pair: pair[0])[1]
    routes = parse_default_routes(answers.maybe(IPV6_ROUTE) or "")
    if routes:
        best["ipv6"] = min(routes, key=lambda route: route.metric).device
    return {
        "ipv4": best["ipv4"] or best["ipv6"],
        "ipv6": best["ipv6"] or best["ipv4"],
    }
