"""Rules of iptables and ip6tables: the output of iptables-save(8), extensions by iptables-extensions(8).

Tables and chains that a packet to this host meets: PREROUTING of raw, mangle and nat, INPUT of
mangle, filter, nat and security; what it sends: OUTPUT and POSTROUTING. A word that is not known here makes its rule one that is not
understood, never one that passes or matches.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from collectors.firewall.iptablesoptions import FIXED, IDLE, OPTIONS
from collectors.firewall.packetmatch import NEVER, UNKNOWN, Test, fixed, negated
from collectors.firewall.places import Family
from collectors.firewall.walk import Base, Rule, Verdict
from collectors.model import ParseError

# whether it is on the way out
HOOKS: Final = {"PREROUTING": False, "INPUT": False, "OUTPUT": True, "POSTROUTING": True}

_VERDICTS: Final[dict[str, Verdict]] = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "drop",
    "TARPIT": "drop",
    "RETURN": "return",
}
_GOES_ON: Final = frozenset(
    (
        *(
            "LOG",
            "NFLOG",
            "ULOG",
            "MARK",
            "CONNMARK",
            "CLASSIFY",
            "DSCP",
            "TOS",
            "TTL",
            "HL",
            "SET",
        ),
        *(
            "TRACE",
            "AUDIT",
            "SECMARK",
            "CONNSECMARK",
            "CHECKSUM",
            "TCPMSS",
            "TCPOPTSTRIP",
            "RATEEST",
        ),
        *("MASQUERADE", "SNAT"),
    )
)


# Of packets that only pass through.
FORWARD: Final = {"FORWARD": False}


def parse_save(
    text: str, family: Family, tool: str, hooks: Mapping[str, bool] = HOOKS
) -> list[Base]:
    """The base chains at these hooks, those that packets to and of this host meet; raises ParseError."""
    bases: list[Base] = []
    table, chains, policies = "", dict[str, list[Rule]](), dict[str, str]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("*"):
            table, chains, policies = line[1:].strip(), {}, {}
        elif line.startswith(":"):
            name, policy = (*line[1:].split(), "", "")[:2]
            chains.setdefault(name, [])
            policies[name] = policy
        elif line.startswith(("-A", "[")) and table:
            words = _words(line, number)
            if len(words) < 2 or words[0] != "-A":
                raise ParseError(f"{tool}-save: line {number}: no rule of a chain")
            rule = _rule(words[2:], family, f"{tool} {table} {line[:200]}")
            chains.setdefault(words[1], []).append(rule)
        elif line.strip() == "COMMIT":
            bases += _bases(table, chains, policies, family, tool, hooks)
            table = ""
        elif line.strip() and not line.startswith("#"):
            raise ParseError(f"{tool}-save: line {number}: {line[:40]!r}")
    if table:
        raise ParseError(f"{tool}-save: table {table[:40]} has no end")
    return bases


def _words(line: str, number: int) -> list[str]:
    try:
        # a splitter that knows quotes is slow, and few rules of thousands have any
        words = shlex.split(line) if any(c in line for c in "\"'\\") else line.split()
    except ValueError as error:
        raise ParseError(f"iptables-save: line {number}: {error}") from error
    return words[1:] if words and words[0].startswith("[") else words  # counters, with -c


def _bases(
    table: str,
    chains: Mapping[str, list[Rule]],
    policies: Mapping[str, str],
    family: Family,
    tool: str,
    hooks: Mapping[str, bool],
) -> Iterator[Base]:
    for hook, leaves in hooks.items():
        if hook in chains:
            verdict: Verdict = "drop" if policies.get(hook) == "DROP" else "accept"
            source = f"{tool} {table} {hook} policy {verdict}"
            yield Base(
                *(table, hook, frozenset({family}), chains, verdict, source),
                filters=table != "nat",
                leaves=leaves,
            )


def _rule(words: list[str], family: Family, source: str) -> Rule:
    """One rule from its words."""
    tests: list[Test] = []
    verdict: Verdict = "next"
    target = ""
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        turned = word == "!"
        if turned and place < len(words):
            word = words[place]
            place += 1
        if word in ("-j", "--jump", "-g", "--goto"):
            target = words[place] if place < len(words) else ""
            verdict = _verdict(word, target, words[place + 1 :])
            break  # what follows is the target's
        if word in IDLE and not turned:
            place += IDLE[word]
            continue
        if word == "--invert":  # of rpfilter: only what would not go back the way it came
            tests.append(fixed(NEVER))
            continue
        if word == "--rpfilter":
            continue
        if word in FIXED:
            count, met = FIXED[word]
            test: Test = fixed(met)
        elif word in OPTIONS:
            count, make = OPTIONS[word]
            # older releases have the sign behind the option
            if words[place : place + 1] == ["!"]:
                turned, place = True, place + 1
            given = words[place : place + count]
            test = make(given, family) if len(given) == count else fixed(UNKNOWN)
        else:
            # how many words belong to it is not known either
            tests.append(fixed(UNKNOWN))
            continue
        place += count
        tests.append(negated(test) if turned else test)
    return Rule(tests, verdict, target, source, _conditions(words))


# What holds now and then, or of a count, of one and the same packet.
_FICKLE: Final = frozenset(
    ("limit", "hashlimit", "connlimit", "recent", "statistic", "quota", "quota2", "time")
)


def _conditions(words: list[str]) -> frozenset[tuple[str, ...]] | None:
    """The words before the target by option; None where it depends on more than the packet."""
    found: list[tuple[str, ...]] = []
    current: list[str] = []
    for word in words:
        if word in ("-j", "--jump", "-g", "--goto"):
            break
        if word == "!" or (word.startswith("-") and current != ["!"]):
            found.append(tuple(current))
            current = []
        current.append(word)
    found.append(tuple(current))
    if any(it[:1] in (("-m",), ("--match",)) and it[-1] in _FICKLE for it in found):
        return None
    # `-m tcp` and a comment say nothing of a packet
    idle = ("-m", "--match", "--comment")
    return frozenset(it for it in found if it and not (it[0] in idle and it[-1] not in _SAYS))


_SAYS: Final = frozenset({"socket", "rpfilter", "ah", "esp", "dst", "frag", "mh", "rt", "hbh"})


def _verdict(word: str, target: str, more: list[str]) -> Verdict:
    if target in _VERDICTS:
        return _VERDICTS[target]
    if target in _GOES_ON or (target == "CT" and "--notrack" not in more):
        return "next"
    if not target or target in _CHANGES:
        return "unknown"
    return "goto" if word in ("-g", "--goto") else "jump"


# Where it goes then, or whether it is tracked, is not followed. (A chain of that name is not known.)
_CHANGES: Final = frozenset(
    ("DNAT", "REDIRECT", "TPROXY", "NFQUEUE", "QUEUE", "NOTRACK", "CT", "NETMAP", "SYNPROXY")
)
