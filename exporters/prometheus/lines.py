"""States of lines as metric families. Series of lines are columns; labels are what is configured."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from collectors.columns import PLAIN, Columns, Field, Things
from collectors.model import Family, Kind, counter, gauge, sample
from rules.linejudge import STATES
from rules.linestate import LineStates, site_of

_STATES = tuple(Field(label=("state", state)) for state in STATES)


class LineFamilies:
    """Families of the states of one file; its labels are made once."""

    def __init__(self, states: LineStates) -> None:
        self._states = states
        shared: dict[tuple[str, str], tuple[str, str]] = {}

        def pair(name: str, value: str) -> tuple[str, str]:
            """One object for all that are equal: there are ten thousand lines, and five levels."""
            return shared.setdefault((name, value), (name, value))

        own = {state.line.name: (("line", state.line.name),) for state in states.states}
        self._lines = Things(list(own.values()))
        self._info = Things(
            [
                (
                    *own[state.line.name],
                    ("site", site_of(state)),
                    pair("level", state.line.level or ""),
                    pair("carrier", state.line.carrier),
                    pair("role", state.line.role),
                    pair("peer", state.line.peer),
                )
                for state in states.states
            ]
        )
        self._paired = Things(
            [(("line", s.line.name),) for p in states.pairs for s in (p.main, p.backup)]
        )
        self._mains = Things([(("line", p.main.line.name),) for p in states.pairs])
        self._backups = Things([(("line", p.backup.line.name),) for p in states.pairs])

    def families(self) -> Iterator[Family]:
        """What is known now."""
        yield from self._of_lines()
        yield from self._of_pairs()
        yield from self._of_levels()

    def _of_lines(self) -> Iterator[Family]:
        states, things = self._states.states, self._lines

        def of(name: str, kind: Kind, help: str, values: array[float], *fields: Field) -> Family:
            return Family(
                f"jianwei_line_{name}", kind, help, Columns(things, values, fields or PLAIN)
            )

        yield Family(
            "jianwei_line_info",
            "gauge",
            "What is written of the line.",
            Columns(self._info, array("d", [1.0]) * len(self._info)),
        )
        yield of(
            "state",
            "gauge",
            "1 for the state the line is in: up, degraded, down or unknown.",
            array("d", (1.0 if s.state == one else math.nan for s in states for one in STATES)),
            *_STATES,
        )
        yield of(
            "state_seconds_total",
            "counter",
            "Time in each state. What is not decided yet is counted once it is.",
            array("d", (seconds for s in states for seconds in s.seconds)),
            *_STATES,
        )
        yield of(
            "availability_ratio",
            "gauge",
            "Share of the time in which the line was up or degraded; unknown time is left out.",
            array("d", (_or_nan(s.availability) for s in states)),
        )
        yield of(
            "downtime_seconds_total",
            "counter",
            "Time in which the line was down, from the first probe that was lost.",
            array("d", (s.downtime for s in states)),
        )
        yield gauge(
            "jianwei_line_reason",
            "Why the line is not up; only where it is not.",
            *(sample(1.0, line=s.line.name, reason=s.reason) for s in states if s.reason),
        )

    def _of_pairs(self) -> Iterator[Family]:
        pairs = self._states.pairs

        def of(name: str, kind: Kind, help: str, things: Things, values: array[float]) -> Family:
            return Family(f"jianwei_line_{name}", kind, help, Columns(things, values))

        yield of(
            "active",
            "gauge",
            "Whether the line is the one of its pair that carries the traffic.",
            self._paired,
            array("d", (float(p.active is s) for p in pairs for s in (p.main, p.backup))),
        )
        yield of(
            "backup_dead",
            "gauge",
            "Whether the backup line is down while its main line works.",
            self._backups,
            array("d", (float(p.backup_dead) for p in pairs)),
        )
        for name, word, counts, times in (
            (
                "failover",
                "from the first lost probe of the main line until its backup was active",
                (p.failovers for p in pairs),
                (p.failover_seconds for p in pairs),
            ),
            (
                "failback",
                "from the first answered probe of the main line until it was active again",
                (p.failbacks for p in pairs),
                (p.failback_seconds for p in pairs),
            ),
        ):
            yield of(
                f"{name}s_total",
                "counter",
                f"How often there was a {name}, by main line.",
                self._mains,
                array("d", counts),
            )
            yield of(
                f"{name}_seconds",
                "gauge",
                f"How long the last {name} took: {word}.",
                self._mains,
                array("d", map(_or_nan, times)),
            )

    def _of_levels(self) -> Iterator[Family]:
        sums = self._states.levels()
        yield gauge(
            "jianwei_level_availability_ratio",
            "Availability of all lines of the level together.",
            *(sample(s.availability, level=s.level) for s in sums if s.availability is not None),
        )
        yield counter(
            "jianwei_level_downtime_seconds_total",
            "Downtime of all lines of the level together.",
            *(sample(s.downtime, level=s.level) for s in sums),
        )
        yield gauge(
            "jianwei_level_access_ratio",
            "Connected units of the level by all its units. A unit is connected when one of its"
            " lines is up or degraded.",
            *(sample(s.access, level=s.level) for s in sums if s.access is not None),
        )
        yield gauge(
            "jianwei_level_sites",
            "Sites of the level: connected, cut (every line is down) or unknown.",
            *(
                sample(float(count), level=s.level, state=state)
                for s in sums
                for state, count in s.sites.items()
            ),
        )


def families(states: LineStates) -> Iterator[Family]:
    """What is known of the lines now."""
    return LineFamilies(states).families()


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
