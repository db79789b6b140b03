"""What each option of an iptables rule says of an unsolicited packet: iptables-extensions(8); pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from collectors.firewall import ends
from collectors.firewall import packetmatch as match
from collectors.firewall.intervals import Intervals, intervals
from collectors.firewall.packetmatch import ALWAYS, NEVER, SOME, UNKNOWN, Test, fixed
from collectors.firewall.places import Family

# How many words follow an option that says nothing of an unsolicited packet.
IDLE: Final = {
    **dict.fromkeys(("--comment", "--limit", "--limit-burst", "--name"), 1),
    **dict.fromkeys(("--hashlimit-upto", "--hashlimit-burst", "--hashlimit-mode"), 1),
    **dict.fromkeys(("--hashlimit", "--hashlimit-name", "--hashlimit-srcmask"), 1),
    **dict.fromkeys(
        ("--hashlimit-dstmask", "--hashlimit-htable-size", "--hashlimit-htable-max"), 1
    ),
    **dict.fromkeys(("--hashlimit-htable-expire", "--hashlimit-htable-gcinterval"), 1),
    **dict.fromkeys(("--connlimit-upto", "--connlimit-mask", "--mask", "--seconds"), 1),
    **dict.fromkeys(("--hitcount", "--rt-segsleft"), 1),
    **dict.fromkeys(("--set", "--rsource", "--rdest", "--connlimit-saddr", "--connlimit-daddr"), 0),
    **dict.fromkeys(("--loose", "--validmark", "--accept-local", "--rttl", "--reap"), 0),
}
# Extensions that ask for something by their name alone: a header, or a socket that has it.
_PRESENT: Final[dict[str, Test]] = {
    **dict.fromkeys(("ah", "esp", "mh"), fixed(NEVER)),
    **dict.fromkeys(("dst", "frag", "rt"), match.not_plain),
    "hbh": match.has_hop_by_hop,
    **dict.fromkeys(("eui64", "socket", "unclean"), fixed(UNKNOWN)),
}
# What holds of no unsolicited packet, or of some; with how many words follow.
FIXED: Final = {
    "--hashlimit-above": (1, NEVER),
    "--connlimit-above": (1, NEVER),
    "--update": (0, NEVER),
    "--rcheck": (0, NEVER),
    "--remove": (0, NEVER),
    "-f": (0, NEVER),
    "--fragment": (0, NEVER),
    "--rt-type": (1, NEVER),
    "--rt-0-res": (0, NEVER),
    "--mac-source": (1, SOME),
}
# What who sends a packet puts into it: with the port that a server answers from he is let in as well.
_OF_THE_SENDER: Final = (
    *("--sport", "--sports", "--source-port", "--source-ports", "--length"),
    *("--ttl-lt", "--ttl-gt", "--hl-lt", "--hl-gt", "--dscp", "--dscp-class", "--tos"),
)


def _ports(given: list[str], family: Family) -> Test:
    pairs = []
    for one in given[0].split(","):
        first, colon, last = one.partition(":")
        low, high = first or "0", (last or "65535") if colon else first
        if not (low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
            return fixed(UNKNOWN)
        if len(low) > 5 or len(high) > 5:
            return fixed(UNKNOWN)
        pairs.append((int(low), int(high)))
    return match.ports(pairs)


def _protocol(given: list[str], family: Family) -> Test:
    name = given[0].lower()
    if name in ("all", "0"):
        return fixed(ALWAYS)
    if name in match.NUMBERS:
        return match.protocol_is(match.NUMBERS[name])
    # a protocol by another name is none that is followed
    return match.protocol_is(int(name) if name.isascii() and name.isdigit() else -1)


def _icmpv6(given: list[str], family: Family) -> Test:
    numbers = icmpv6_numbers(given[0])
    return fixed(UNKNOWN) if numbers is None else match.icmpv6(numbers)


_NAMES: Final = {
    **match.TYPES,
    "router-solicitation": 133,
    "router-advertisement": 134,
    "neighbour-solicitation": 135,
    "neighbor-solicitation": 135,
    "neighbour-advertisement": 136,
    "neighbor-advertisement": 136,
    "redirect": 137,
    "ttl-zero-during-transit": 0x300,
    "ttl-zero-during-reassembly": 0x301,
    "bad-header": 0x400,
    "unknown-header-type": 0x401,
    "unknown-option": 0x402,
    "no-route": 0x100,
    "communication-prohibited": 0x101,
    "beyond-scope": 0x102,
    "address-unreachable": 0x103,
    "port-unreachable": 0x104,
}


def icmpv6_numbers(text: str) -> Intervals | None:
    """`128`, `1/0`, `echo-request`, `ttl-zero-during-transit`; None of what is not known."""
    if text == "any":
        return intervals([(0, 0xFFFF)])
    number = _NAMES.get(text)
    if number is not None:
        return intervals(
            [(number, number)] if number > 0xFF else [(number << 8, number << 8 | 0xFF)]
        )
    type_text, slash, code_text = text.partition("/")
    if not all(
        it.isascii() and it.isdigit() and len(it) < 4 for it in (type_text, code_text or "0")
    ):
        return None
    type_, code = int(type_text), int(code_text or 0)
    if type_ > 255 or code > 255 or (slash and not code_text):
        return None
    return intervals([(type_ << 8 | code,) * 2 if slash else (type_ << 8, type_ << 8 | 0xFF)])


def _tracked(given: list[str], family: Family) -> Test:
    states = given[0].lower().split(",")
    # marks of translation: of none that anybody sends here
    return match.tracked_as(state for state in states if state not in ("dnat", "snat"))


def _flags(given: list[str], family: Family) -> Test:
    """A first segment has SYN alone."""
    mask, wanted = ({flag.upper() for flag in it.split(",")} - {"NONE"} for it in given)
    syn = {"SYN"} & (mask if "ALL" not in mask else {"SYN"})
    return fixed(ALWAYS if syn == wanted else NEVER)


def _type_of_target(given: list[str], family: Family) -> Test:
    names = given[0].lower().split(",")
    # an address of ours is unicast too, to ip6tables
    local = ["local"] if family == "ipv6" and "unicast" in names else []
    return ends.sent_to_a((*names, *local))


def _type_of_sender(given: list[str], family: Family) -> Test:
    names = given[0].lower().split(",")
    local = ["local"] if family == "ipv6" and "unicast" in names else []
    return ends.sent_from_a((*names, *local))


def _owner(given: list[str], family: Family) -> Test:
    return ends.of_a_process


def _members(given: list[str], family: Family) -> Test:
    """A set of addresses, of which those of packets from anywhere are none."""
    return fixed(SOME if given[1] == "src" else UNKNOWN)


def _hop_limit(given: list[str], family: Family) -> Test:
    number = given[0]
    return match.hop_limit_is(int(number) if number.isascii() and number.isdigit() else -1)


_Make = Callable[[list[str], Family], Test]
OPTIONS: Final[dict[str, tuple[int, _Make]]] = {
    **dict.fromkeys(("-m", "--match"), (1, lambda it, _: _PRESENT.get(it[0], fixed(ALWAYS)))),
    **dict.fromkeys(("-p", "--protocol", "--proto"), (1, _protocol)),
    **dict.fromkeys(("-s", "--source", "--src-range"), (1, lambda it, _: ends.sent_from(it[0]))),
    **dict.fromkeys(("-d", "--destination", "--dst-range"), (1, lambda it, _: ends.sent_to(it[0]))),
    **dict.fromkeys(("-i", "--in-interface"), (1, lambda it, _: ends.comes_by(it[0], "+"))),
    **dict.fromkeys(
        ("-o", "--out-interface"), (1, lambda it, _: ends.comes_by(it[0], "+", leaves=True))
    ),
    **dict.fromkeys(
        ("--dport", "--dports", "--destination-port", "--destination-ports"), (1, _ports)
    ),
    "--ports": (1, _ports),
    **dict.fromkeys(("--state", "--ctstate"), (1, _tracked)),
    "--icmpv6-type": (1, _icmpv6),
    "--icmp-type": (1, lambda it, _: fixed(NEVER)),
    "--tcp-flags": (2, _flags),
    "--syn": (0, lambda it, _: fixed(ALWAYS)),
    "--dst-type": (1, _type_of_target),
    "--src-type": (1, _type_of_sender),
    "--pkt-type": (1, lambda it, _: ends.comes_as([it[0].lower()])),
    **dict.fromkeys(("--uid-owner", "--gid-owner"), (1, _owner)),
    "--match-set": (2, _members),
    **dict.fromkeys(("--hl-eq", "--ttl-eq"), (1, _hop_limit)),
    **dict.fromkeys(_OF_THE_SENDER, (1, lambda it, _: match.of_the_sender)),
}
