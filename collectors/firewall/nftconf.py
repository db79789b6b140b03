"""What a file of nft rules closes on the way in, by its text: nft(8); pure.

Only chains at the hook input count, and of these what decides of a packet that no rule names: the first
rule without a condition, else the policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from collectors.firewall.places import Family

_TOKEN: Final = re.compile(r'"[^"\n]*"?|#[^\n]*|\\\n|[{};\n]|[^\s{};"#\\]+|\\')
_BLOCKS: Final = frozenset(
    (
        "table",
        "chain",
        "set",
        "map",
        "flowtable",
        "counter",
        "quota",
        "limit",
        "secmark",
        "synproxy",
    )
)
_FAMILIES: Final[Mapping[str, frozenset[Family]]] = {
    "inet": frozenset({"ipv4", "ipv6"}),
    "ip": frozenset({"ipv4"}),
    "ip6": frozenset({"ipv6"}),
    **{name: frozenset[Family]() for name in ("arp", "bridge", "netdev")},
}
_VERBS: Final = frozenset({"add", "create", "insert"})
# A rule without a condition; quoted texts are words of two marks.
_ALWAYS: Final = re.compile(
    r"(?:counter(?: packets \d+ bytes \d+| name \S+)? |log(?: (?:prefix|level|flags|group|snaplen"
    r"|queue-threshold) \S+)* )*(?:(accept|drop|reject)\b.*|(?:jump|goto) (\S+))"
)
_DEPTH: Final = 16
_Key = tuple[str, str, str]  # family, table, chain


def closes(text: str) -> frozenset[Family]:
    """The families of which what no rule names is dropped on the way in."""
    rules: dict[_Key, list[str]] = {}
    for path, statement in _statements(text):
        if statement == "flush ruleset" and not path:
            rules.clear()
            continue
        words = statement.split()
        inside = [word for block in path for word in block]
        if words[:1] and words[0] in _VERBS:
            words = words[1:]
        if words[:1] == ["rule"] and not path:
            inside, words = ["chain", *words[1:]], []
        key, rest = _chain([*inside, *words] if not words or inside else words)
        if key is not None and rest:
            rules.setdefault(key, []).append(" ".join(rest))
    found: set[Family] = set()
    for key, own in rules.items():
        if any(re.match(r"type filter hook input\b", rule) for rule in own) and _shut(
            key, rules, 0
        ):
            found |= _FAMILIES[key[0]]
    return frozenset(found)


def _chain(words: Sequence[str]) -> tuple[_Key | None, list[str]]:
    """Of `table inet t chain c …`, or of `chain inet t c …`, the chain and what is said in it."""
    left = list(words)
    table = ["ip", ""]
    if left[:1] == ["table"]:
        table, left = _table(left[1:])
    if left[:1] != ["chain"]:
        return None, []
    if not table[1]:
        table, left = _table(left[1:])
        left = ["chain", *left]
    return ((table[0], table[1], left[1]), left[2:]) if len(left) > 1 else (None, [])


def _table(words: list[str]) -> tuple[list[str], list[str]]:
    family = words[0] if words[:1] and words[0] in _FAMILIES else ""
    words = words[1:] if family else words
    return [family or "ip", "".join(words[:1])], words[1:]


def _shut(key: _Key, rules: Mapping[_Key, Sequence[str]], depth: int) -> bool | None:
    """Whether what no rule names is dropped; None where it goes through to the end."""
    policy: bool | None = None
    for rule in rules.get(key, ()) if depth < _DEPTH else ():
        if found := re.match(r"policy (\S+)", rule):
            policy = found[1] == "drop"
        elif found := _ALWAYS.fullmatch(rule):
            if found[1]:
                return found[1] != "accept"
            if (ended := _shut((*key[:2], found[2]), rules, depth + 1)) is not None:
                return ended
    return policy


def _statements(text: str) -> Iterator[tuple[list[list[str]], str]]:
    """Statements with the heads of the blocks around them; a set in braces is part of its statement."""
    path: list[list[str]] = []
    words: list[str] = []
    sets = 0
    for part in (it[0] for it in _TOKEN.finditer(text)):
        if part[0] in "#\\":
            continue
        if part == "{":
            head = words[1:] if words[:1] and words[0] in _VERBS else words
            if not sets and head[:1] and head[0] in _BLOCKS and not _in_chain(path):
                path.append(head)
                words = []
            else:
                sets += 1
                words.append(part)
        elif part == "}":
            if sets:
                sets -= 1
                words.append(part)
                continue
            if words:
                yield path, " ".join(words)
            words = []
            path = path[:-1]
        elif part in ";\n":
            if words and not sets:
                yield path, " ".join(words)
                words = []
        else:
            words.append("''" if part[0] == '"' else part)
    if words:
        yield path, " ".join(words)


def _in_chain(path: Sequence[Sequence[str]]) -> bool:
    return bool(path) and path[-1][:1] == ["chain"]
