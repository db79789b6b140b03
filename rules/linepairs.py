"""Pairs of main and backup: which carries the traffic, and how long a change of it took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from rules.linejudge import LineState

Kind = Literal["state", "failover", "failback", "backup_dead", "site"]


CLEARLY = 2.0  # times the traffic of the active line that the other must carry to be the active one


class Event(NamedTuple):
    """Something that changed. `name` is a line, or the site where `kind` is `site`.

    `since` is when it began, `seconds` how long a failover or failback took.
    """

    time: float
    kind: Kind
    name: str
    before: str
    after: str
    since: float
    reason: str = ""
    seconds: float | None = None


class Pair:
    """A main line and its backup. `active` is the one that carries, None where neither does; `by`
    says whether traffic or the states tell it."""

    def __init__(self, main: LineState, backup: LineState) -> None:
        self.main, self.backup = main, backup
        self.active: LineState | None = None
        self.by: Literal["state", "traffic"] = "state"
        self.failovers = self.failbacks = 0
        self.failover_seconds: float | None = None
        self.failback_seconds: float | None = None
        self.backup_dead = False
        self._carried: LineState | None = None  # the last one that was active

    def take(self, before: Pair) -> None:
        """Go on from the same pair of another object."""
        same = {id(before.main): self.main, id(before.backup): self.backup}
        self.active, self._carried = same.get(id(before.active)), same.get(id(before._carried))
        self.by, self.backup_dead = before.by, before.backup_dead
        self.failovers, self.failbacks = before.failovers, before.failbacks
        self.failover_seconds = before.failover_seconds
        self.failback_seconds = before.failback_seconds

    def update(self, now: float, uses: Mapping[str, tuple[float, float]]) -> Iterable[Event]:
        """What changed."""
        main, backup = self.main, self.backup
        active = self._by_traffic(uses)
        self.by = "state" if active is None else "traffic"
        self.active = active or self._by_state()
        if self.active and self.active is not self._carried:
            if self._carried is not None:
                yield self._changed(now, self.active)
            self._carried = self.active
        dead = backup.state == "down" and main.available
        if "unknown" in (backup.state, main.state) and not backup.available:
            dead = self.backup_dead  # not to know is no news
        if dead != self.backup_dead:
            self.backup_dead = dead
            words = ("", "dead") if dead else ("dead", backup.state)
            name, reason = backup.line.name, backup.words
            yield Event(now, "backup_dead", name, *words, backup.since, reason)

    def _by_traffic(self, uses: Mapping[str, tuple[float, float]]) -> LineState | None:
        """The line that carries more; None where that says nothing. Rates are those of the last
        poll: they may be from before the line was cut."""
        main, backup = uses.get(self.main.line.name), uses.get(self.backup.line.name)
        if main is None or backup is None or sum(main) == sum(backup):
            return None
        more, less = max(sum(main), sum(backup)), min(sum(main), sum(backup))
        busier = self.main if sum(main) > sum(backup) else self.backup
        if busier is not self._carried and self._carried and more < CLEARLY * less:
            busier = self._carried
        return None if busier.state == "down" else busier

    def _by_state(self) -> LineState | None:
        main, backup = self.main, self.backup
        if main.available:
            return main
        if main.state == "unknown":
            return backup if self._carried is backup and backup.state != "down" else main
        return backup if backup.available else None

    def _changed(self, now: float, active: LineState) -> Event:
        main = self.main
        if active is self.backup:
            began = main.turned if main.state == "down" else main.lost
            self.failovers += 1
            self.failover_seconds = took = None if began is None else now - began
            names = main.line.name, self.backup.line.name
        else:
            began = main.turned if main.available else None
            self.failbacks += 1
            self.failback_seconds = took = None if began is None else now - began
            names = self.backup.line.name, main.line.name
        kind: Kind = "failover" if active is self.backup else "failback"
        since = now if began is None else began
        return Event(now, kind, main.line.name, *names, since, main.words, took)
