"""What becomes of every packet of a kind in the chains of a packet filter; pure, nft and iptables.

All ports are followed at once, as sets. A packet ends at the first verdict; an accept ends only its
own base chain, a drop ends it for good, so the order of base chains does not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from collectors.firewall.intervals import (
    EVERYTHING,
    LAST,
    NOTHING,
    Intervals,
    both,
    either,
    intervals,
    without,
)
from collectors.firewall.packetmatch import Kind, Test, all_of
from collectors.firewall.places import Family
from collectors.model import ParseError

Verdict = Literal["accept", "drop", "jump", "goto", "return", "next", "unknown"]
State = Literal["closed", "unknown", "restricted", "open"]  # the first of two chains' counts
ORDER: Final[tuple[State, ...]] = ("closed", "unknown", "restricted", "open")

DEPTH = 16  # as deep as the kernel of nftables follows
STEPS = 60_000  # rules looked at for one kind of packets; many intervals count as further ones


class Rule(NamedTuple):
    """`source` says where it is, for people; `target` is the chain of a jump or goto. `conditions` are
    what `tests` came of, all of which must hold; None where that is not so simple."""

    tests: Sequence[Test]
    verdict: Verdict
    target: str = ""
    source: str = ""
    conditions: frozenset[tuple[str, ...]] | None = None


class Base(NamedTuple):
    """A chain at a hook, with the chains of its table. `devices`: only what comes in by these, or
    goes out where it `leaves`."""

    table: str
    name: str
    families: frozenset[Family]
    chains: Mapping[str, Sequence[Rule]]
    policy: Verdict
    source: str
    filters: bool = True  # false of address translation
    devices: frozenset[str] = frozenset()
    leaves: bool = False

    @property
    def does_something(self) -> bool:
        """Whether it is there to filter, and not empty with everything accepted."""
        return self.filters and (self.policy != "accept" or bool(self.chains.get(self.name)))


class Piece(NamedTuple):
    """The numbers that ended alike, or for which there is a `restricted`, `chosen` (open to who sends
    what a rule asks for), `may_open`, `may_close`."""

    numbers: Intervals
    what: str
    source: str


class Outcome(NamedTuple):
    state: State
    source: str


# packets under way: any, as a hostile sender chooses, of certain senders, perhaps
_World = Literal["", "chosen", "some", "maybe"]


class Walk:
    """One kind of packets through one base chain."""

    def __init__(self, base: Base, kind: Kind, numbers: Intervals) -> None:
        self._base, self._kind = base, kind
        self._steps = STEPS
        self.policy = base.source
        self.pieces: list[Piece] = []
        self.hints: list[Piece] = []
        self._hinted: dict[str, Intervals] = {}
        end = self._chain(base.name, numbers, "", 0)
        self._settle(end, base.policy, base.source, "")

    def _chain(self, name: str, here: Intervals, world: _World, depth: int) -> Intervals:
        """Those that come out at the end, or by a return."""
        rules = self._base.chains.get(name)
        if rules is None or depth > DEPTH:
            self._settle(here, "unknown", f"chain {name[:50]}", world)
            return NOTHING
        left: Intervals = NOTHING
        for rule in rules:
            if not here:
                break
            self._steps -= 1 + len(here) // 64
            if self._steps < 0:
                raise ParseError("too many rules to follow")
            sure, some, maybe, chosen = all_of(rule.tests, self._kind)
            if some and world != "maybe":
                self._aside(rule, both(some, here), "some", depth)
            if maybe:
                self._aside(rule, both(maybe, here), "some" if world == "some" else "maybe", depth)
            # nobody chooses to be dropped
            if chosen and rule.verdict != "drop":
                self._aside(rule, both(chosen, here), world or "chosen", depth)
            met = both(sure, here)
            if not met or rule.verdict == "next":
                continue
            here = without(here, met)
            if rule.verdict == "jump":
                here = either(here, self._chain(rule.target, met, world, depth + 1))
            elif rule.verdict == "goto":
                left = either(left, self._chain(rule.target, met, world, depth + 1))
            elif rule.verdict == "return":
                left = either(left, met)
            else:
                self._settle(met, rule.verdict, rule.source, world)
        return either(left, here)

    def _aside(self, rule: Rule, met: Intervals, world: _World, depth: int) -> None:
        """What a rule does to packets that are not those from anywhere, or perhaps: these go on."""
        if not met or rule.verdict == "next":
            return
        if rule.verdict in ("jump", "goto"):
            back = self._chain(rule.target, met, world, depth + 1)
            if rule.verdict == "jump":
                return
        elif rule.verdict == "return":
            back = met
        else:
            self._settle(met, rule.verdict, rule.source, world)
            return
        if world in ("maybe", "chosen"):  # they would go on elsewhere, and not here
            self._settle(back, "unknown", rule.source, "maybe")

    def _settle(self, met: Intervals, verdict: Verdict, source: str, world: _World) -> None:
        if not met:
            return
        if world == "":
            self.pieces.append(Piece(met, verdict, source))
        elif world == "some":
            if verdict != "drop":
                self._hint(met, "restricted", source)
        elif world == "chosen":
            if verdict != "drop":
                self._hint(met, "chosen" if verdict == "accept" else "may_open", source)
        else:
            if verdict != "drop":
                self._hint(met, "may_open", source)
            if verdict != "accept":
                self._hint(met, "may_close", source)

    def _hint(self, met: Intervals, what: str, source: str) -> None:
        """The first of a kind is enough for each number."""
        before = self._hinted.get(what, NOTHING)
        if new := without(met, before):
            self._hinted[what] = either(before, new)
            self.hints.append(Piece(new, what, source))


class Segment(NamedTuple):
    """Numbers that fare alike in each of the kinds asked for, in their order."""

    first: int
    last: int
    outcomes: tuple[Outcome, ...]


def segments(bases: Sequence[Base], kinds: Sequence[Kind]) -> list[Segment]:
    """All numbers in order, none left out; raises ParseError for more rules than can be followed."""
    walks = [[Walk(base, kind, EVERYTHING) for base in _met(bases, kind)] for kind in kinds]
    starts = {0}
    for walk in (walk for of_kind in walks for walk in of_kind):
        for piece in (*walk.pieces, *walk.hints):
            for first, last in piece.numbers:
                starts |= {first, last + 1}
    cuts = sorted(starts - {LAST + 1})
    index = {cut: place for place, cut in enumerate((*cuts, LAST + 1))}
    by_kind = [_outcomes(of_kind, index) for of_kind in walks]
    made: list[Segment] = []
    for place, (first, after) in enumerate(zip(cuts, (*cuts[1:], LAST + 1), strict=True)):
        outcomes = tuple(of_kind[place] for of_kind in by_kind)
        if made and made[-1].outcomes == outcomes:
            made[-1] = made[-1]._replace(last=after - 1)
        else:
            made.append(Segment(first, after - 1, outcomes))
    return made


def outcomes_of(bases: Sequence[Base], kind: Kind, numbers: Sequence[int]) -> dict[int, Outcome]:
    """What becomes of these numbers; raises ParseError for more rules than can be followed."""
    asked = intervals((number, number) for number in numbers)
    walks = [Walk(base, kind, asked) for base in _met(bases, kind)]
    index = {cut: place for place, cut in enumerate(sorted({*numbers, *(n + 1 for n in numbers)}))}
    found = _outcomes(walks, index)
    return {number: found[index[number]] for number in numbers}


def _met(bases: Sequence[Base], kind: Kind) -> list[Base]:
    return [
        base
        for base in bases
        if kind.family in base.families
        and base.leaves == kind.leaves
        # connections that we begin are not followed, and only those are translated
        and (base.filters or not kind.leaves)
        and (not base.devices or kind.device in base.devices)
    ]


def _outcomes(walks: Sequence[Walk], index: Mapping[int, int]) -> list[Outcome]:
    """Of all base chains together, for each stretch between two cuts."""
    found = [_UNTOUCHED] * (len(index) - 1)
    for walk in walks:
        ended, hints = _painted(walk.pieces, index), _painted(walk.hints, index)
        for place, before in enumerate(found):
            outcome = _judged(ended[place], hints[place])
            worse = ORDER.index(outcome.state) < ORDER.index(before.state)
            # of two that let it in, one that says so tells more than one that does not object
            by_rule = outcome.state == before.state == "open" and outcome.source != walk.policy
            if worse or by_rule or before is _UNTOUCHED:
                found[place] = outcome
    return found


_UNTOUCHED = Outcome("open", "")


def _painted(pieces: Sequence[Piece], index: Mapping[int, int]) -> list[dict[str, str]]:
    """What pieces say, and where it is written, by stretch."""
    told: list[dict[str, str]] = [{} for _ in range(len(index) - 1)]
    for piece in pieces:
        for first, last in piece.numbers:
            for place in range(index[first], index[last + 1]):
                told[place][piece.what] = piece.source
    return told


def _judged(ended: Mapping[str, str], hints: Mapping[str, str]) -> Outcome:
    if "unknown" in ended or not ended:
        return Outcome("unknown", ended.get("unknown", ""))
    if "drop" in ended:
        if "chosen" in hints and "may_close" not in hints:
            return Outcome("open", hints["chosen"])
        if "chosen" in hints or "may_open" in hints:
            return Outcome("unknown", hints.get("may_open") or hints["chosen"])
        if "restricted" in hints:
            return Outcome("restricted", hints["restricted"])
        return Outcome("closed", ended["drop"])
    if "may_close" in hints:
        return Outcome("unknown", hints["may_close"])
    return Outcome("open", ended["accept"])
