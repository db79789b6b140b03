"""IPv6 addresses with scope and state: /proc/net/if_inet6, and which interfaces have IPv6 at all.

Columns: address, interface index, prefix length, scope, flags, device, all but the last in hex;
flags are those of rtnetlink(7) (IFA_F_*). A kernel without IPv6 has no such file.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NamedTuple

from collectors.model import Answers, Collector, Fact, Family, File, Glob, gauge, malformed, sample

IF_INET6 = File("/proc/net/if_inet6")
DISABLED = Glob("/proc/sys/net/ipv6/conf/*", names=("disable_ipv6",))

FLAGS: Final = {
    "temporary": 0x01,
    "nodad": 0x02,
    "dadfailed": 0x08,
    "deprecated": 0x20,
    "tentative": 0x40,
    "permanent": 0x80,
}
_SCOPES: Final = {0x00: "global", 0x10: "host", 0x20: "link", 0x40: "site", 0x80: "compat"}
# Worst first: a duplicate address is tentative too.
_STATES: Final = ("dadfailed", "tentative", "deprecated")


class Address(NamedTuple):
    """One address; `scope` is the kernel's, save that fc00::/7 is `unique_local`, not global."""

    address: str
    device: str
    prefix_length: int
    scope: str
    flags: int

    @property
    def state(self) -> str:
        return next((state for state in _STATES if self.flags & FLAGS[state]), "preferred")


class Ipv6AddressesCollector(Collector, frozen=True):
    """Addresses by device, scope and state; each with its flags as a fact."""

    name: ClassVar[str] = "ipv6_addresses"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_addresses",)

    def readings(self) -> tuple[File | Glob, ...]:
        return (IF_INET6, DISABLED)

    def parse(self, answers: Answers) -> Iterable[Family | Fact]:
        addresses = parse_addresses(answers.maybe(IF_INET6) or "")
        switches = {path.split("/")[-2]: text for path, text in answers.texts(DISABLED).items()}
        enabled = any(
            text == "0" for name, text in switches.items() if name not in ("all", "default", "lo")
        )
        yield gauge(
            "jianwei_ipv6_enabled",
            "Whether IPv6 is on for at least one interface other than lo (1) or for none (0).",
            sample(float(enabled)),
        )
        counts = Counter((a.device, a.scope, a.state) for a in addresses)
        yield gauge(
            "jianwei_ipv6_addresses",
            "IPv6 addresses by device, scope and state (dadfailed: somebody else has it).",
            *(
                sample(float(count), device=device, scope=scope, state=state)
                for (device, scope, state), count in counts.items()
            ),
        )
        yield Fact("ipv6_addresses", [_row(*one) for one in enumerate(addresses, 1)])


def parse_addresses(text: str) -> list[Address]:
    """The lines of if_inet6; raises ParseError."""
    addresses = []
    with malformed(IF_INET6.path):
        for line in text.splitlines():
            packed, _, length, scope_text, flags, device = line.split()
            address = ipaddress.IPv6Address(bytes.fromhex(packed))
            scope = _SCOPES.get(int(scope_text, 16), "other")
            if scope == "global" and address.packed[0] & 0xFE == 0xFC:
                scope = "unique_local"
            addresses.append(Address(str(address), device, int(length, 16), scope, int(flags, 16)))
    return addresses


def _row(line: int, address: Address) -> dict[str, Any]:
    return {
        "address": address.address,
        "device": address.device,
        "prefix_length": address.prefix_length,
        "scope": address.scope,
        "state": address.state,
        **{flag: bool(address.flags & bit) for flag, bit in FLAGS.items()},
        "source": f"{IF_INET6.path}:{line}",
    }
