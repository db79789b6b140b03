"""The packet filters of both families as the security baseline judges them; they are followed as in parity.py.

By default closed, open to anybody or not, by state, without rules that are dead, and what passes through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from collectors.firewall.deadrules import dead_rules
from collectors.firewall.kernelfamilies import READINGS as FAMILY_READINGS
from collectors.firewall.kernelfamilies import kernel_families
from collectors.firewall.packetmatch import Kind
from collectors.firewall.parity import FORWARDINGS, READINGS, devices, forwards, gather, told
from collectors.firewall.places import Family
from collectors.firewall.report import report
from collectors.firewall.walk import Base, State, segments
from collectors.model import Answers, Collector, Fact, Reading

_FAMILIES: Final[tuple[Family, Family]] = ("ipv4", "ipv6")
_MANY: Final = 1024  # ports in a row, from which on it is as good as all
_COMMENT = re.compile(r"""\s#\s.*$|--comment\s+("[^"]*"|\S+)""")
_STATE = re.compile(r"(?:ct state|--ctstate|--state)\b.*?established", re.IGNORECASE)


class FirewallCollector(Collector, frozen=True):
    """`firewall`: active, tools, families, open, unclear, dead (all rows), dead_known.

    families: those that the kernel speaks: name (ipv4, ipv6), policy (accept, drop, none: nothing filters, unknown), stateful (a rule
    for what comes in names established connections), forwards (the host passes packets on), forward (what
    becomes of these: open, closed, restricted, unknown), source.
    open: ports that anybody reaches though others are closed: key (ipv6/tcp/22), family, protocol, first,
    last, wide (a thousand ports or more), source. dead: rule, by, source. Needs root.
    """

    name: ClassVar[str] = "firewall"
    facts: ClassVar[tuple[str, ...]] = ("firewall",)

    def readings(self) -> tuple[Reading, ...]:
        return (*dict.fromkeys((*READINGS, FORWARDINGS["ipv4"], *FAMILY_READINGS)),)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with told(answers):
            yield Fact("firewall", _value(answers))


def _value(answers: Answers) -> dict[str, Any]:
    bases, tools = gather(answers)
    by_device = devices(answers)
    told_of = report(bases, tools, by_device, hostile=True)
    passing, _ = gather(answers, forward=True)
    families = kernel_families(answers)
    dead, dead_known = dead_rules([*bases, *passing])
    return {
        "active": told_of["active"],
        "tools": tools,
        "families": [
            {
                "name": family,
                "policy": policy_of(told_of, family),
                "stateful": any(_by_state(base) for base in bases if family in base.families),
                "forwards": forwards(answers, family),
                "forward": _passing(passing, family, by_device[family]),
                "source": f"firewall {family}",
            }
            for family in families
        ],
        "open": [row for row in _open(told_of) if row["family"] in families],
        "unclear": [
            {**row, "key": f"{row['family']}/{row['key']}"}
            for row in told_of["not_understood"]
            if not row["key"].startswith("icmpv6/") and row["family"] in families
        ],
        "dead": dead,
        "dead_known": dead_known,
    }


def _by_state(base: Base) -> bool:
    """Whether some rule on the way in asks for established connections; comments say nothing."""
    if not base.filters or base.leaves:
        return False
    return any(
        _STATE.search(_COMMENT.sub("", rule.source))
        for name in _reached(base)
        for rule in base.chains[name]
    )


def _reached(base: Base) -> set[str]:
    """The chains that the base chain leads to."""
    found: set[str] = set()
    waiting = [base.name]
    while waiting:
        name = waiting.pop()
        if name in base.chains and name not in found:
            found.add(name)
            waiting += [rule.target for rule in base.chains[name] if rule.target]
    return found


def _passing(bases: Sequence[Base], family: Family, device: str) -> State:
    """What becomes of packets from anywhere that no rule names, on their way through."""
    (*_, last) = segments(bases, [Kind(family, "other", device, hostile=True)])
    return last.outcomes[0].state


def policy_of(told_of: Mapping[str, Any], family: Family) -> str:
    """Drop only where ports that no rule names are shut for TCP and for UDP."""
    states = {by_family[family] for by_family in told_of["defaults"].values()}
    if told_of["policy"][family] == "none":
        return "none"
    return "accept" if "open" in states else "unknown" if "unknown" in states else "drop"


def _open(told_of: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in told_of["ports"]:
        for family in _FAMILIES:
            default = told_of["defaults"][row["protocol"]][family]
            if row[f"{family}_state"] == "open" and default != "open":
                yield {
                    "key": f"{family}/{row['key']}",
                    "family": family,
                    "protocol": row["protocol"],
                    "first": row["first"],
                    "last": row["last"],
                    "wide": row["last"] - row["first"] >= _MANY - 1,
                    "source": row[f"{family}_source"],
                }
