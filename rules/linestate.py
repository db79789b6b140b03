"""States of all lines: each line, pairs, sites and levels, from one round of measures to the next.

Pure: no I/O, no clock. Thresholds come from the pack `link-quality` (rules/linethresholds.py); how
one line is judged is in rules/linejudge.py, pairs in rules/linepairs.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

from collectors.link.lines import LEVELS, Level, Lines
from rules.linejudge import LineState, Measures, keys_of
from rules.linepairs import Event, Pair
from rules.linethresholds import Thresholds

SiteState = Literal["connected", "cut", "unknown"]
SITE_STATES: Final[tuple[SiteState, ...]] = get_args(SiteState)
Uses = Mapping[str, tuple[float, float]]  # line → bit/s in and out


class LevelSum(NamedTuple):
    """One level: seconds of all its lines, its sites by state, and how many units it has."""

    level: Level
    available: float
    downtime: float
    unknown: float
    sites: Mapping[SiteState, int]
    units: int

    @property
    def availability(self) -> float | None:
        known = self.available + self.downtime
        return self.available / known if known else None

    @property
    def access(self) -> float | None:
        """Share of the units that are connected."""
        return self.sites["connected"] / self.units if self.units else None


class LineStates:
    """All lines of a file, in its order. `thresholds` are by level, "" for lines without one."""

    def __init__(self, lines: Lines, thresholds: Mapping[str, Thresholds]) -> None:
        self.lines = lines
        self.states = tuple(
            LineState(line, keys_of(line, lines.modules), thresholds[line.level or ""])
            for line in lines.lines
        )
        self.by_name = {state.line.name: state for state in self.states}
        self.pairs = tuple(self._pairs())
        self.pair_of = {s.line.name: pair for pair in self.pairs for s in (pair.main, pair.backup)}
        self._sites: dict[str, list[LineState]] = {}
        for state in self.states:
            self._sites.setdefault(site_of(state), []).append(state)
        self._site_states: dict[str, SiteState] = dict.fromkeys(self._sites, "unknown")

    def _pairs(self) -> list[Pair]:
        pairs: list[Pair] = []
        taken: set[int] = set()
        for state in self.states:
            peer = self.by_name.get(state.line.peer)
            # either line may be the one that names the other
            if peer is None or peer is state or taken & {id(state), id(peer)}:
                continue
            main, backup = (peer, state) if state.line.role == "backup" else (state, peer)
            if (main.line.role, backup.line.role) == ("main", "backup"):
                pairs.append(Pair(main, backup))
                taken |= {id(state), id(peer)}
        return pairs

    def update(self, now: float, measures: Measures, uses: Uses | None = None) -> list[Event]:
        """Judge anew at the Unix time `now`; what changed, lines first."""
        events: list[Event] = []
        for state in self.states:
            before = state.state
            if state.update(now, measures):
                events.append(
                    Event(
                        *(now, "state", state.line.name, before, state.state),
                        *(state.since, state.words),
                    )
                )
        for pair in self.pairs:
            events.extend(pair.update(now, uses or {}))
        events.extend(self._site_events(now))
        return events

    def adopt(self, before: LineStates) -> None:
        """Go on, after a reload, from what was known of the lines that are as they were."""
        for name, state in self.by_name.items():
            old = before.by_name.get(name)
            if old is not None and old.line == state.line and old.keys == state.keys:
                state.take(old)
        for pair in self.pairs:
            old_pair = before.pair_of.get(pair.main.line.name)
            if old_pair and (old_pair.main.line, old_pair.backup.line) == (
                pair.main.line,
                pair.backup.line,
            ):
                pair.take(old_pair)
        for site in self._site_states:
            self._site_states[site] = self._site_state(site)

    def site_cut(self, state: LineState) -> bool:
        """Whether every line of a line's site is down."""
        return self._site_states[site_of(state)] == "cut"

    def levels(self) -> list[LevelSum]:
        """Every level that has lines or units, from the top."""
        sums = []
        for level in LEVELS:
            lines = [state for state in self.states if state.line.level == level]
            units = getattr(self.lines.units, level)
            if not lines and units is None:
                continue
            # in order, without doubles
            sites = dict.fromkeys(site_of(state) for state in lines)
            by_state: dict[SiteState, int] = dict.fromkeys(SITE_STATES, 0)
            for site in sites:
                by_state[self._site_states[site]] += 1
            up, degraded, down, unknown = (
                sum(state.seconds[n] for state in lines) for n in range(4)
            )
            count = len(sites) if units is None else units
            sums.append(LevelSum(level, up + degraded, down, unknown, by_state, count))
        return sums

    def _site_events(self, now: float) -> list[Event]:
        events = []
        for site, before in self._site_states.items():
            after = self._site_state(site)
            if after == before:
                continue
            self._site_states[site] = after
            lines = self._sites[site]
            if after == "cut":
                since = max(state.since for state in lines)
                events.append(Event(now, "site", site, before, after, since, lines[0].words))
            elif before == "cut":
                back = [state.turned for state in lines if state.available]
                events.append(Event(now, "site", site, before, after, min(back, default=now)))
        return events

    def _site_state(self, site: str) -> SiteState:
        states = {state.state for state in self._sites[site]}
        if states & {"up", "degraded"}:
            return "connected"
        return "cut" if states == {"down"} else "unknown"


def site_of(state: LineState) -> str:
    """What a line connects."""
    return state.line.site or state.line.name
