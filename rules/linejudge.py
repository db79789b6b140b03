"""The state of one line from the measures of its probes, with hysteresis and its time kept.

Pure: times are given. A change is dated back to the probe it began with, so the time since then is
held until it is decided: counters only grow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from collectors.link.lines import MODULES, Line, probes_of
from collectors.link.measure import Measure
from collectors.model import AddressFamily, Reason
from rules.linethresholds import Thresholds

State = Literal["up", "degraded", "down", "unknown"]
STATES: Final[tuple[State, ...]] = get_args(State)
FamilyState = Literal["up", "down", "unknown", "none"]
LineReason = Reason | Literal["loss", "rtt", "jitter", "unmeasured"]
Key: TypeAlias = tuple[str, AddressFamily, str]
Measures: TypeAlias = Mapping[Key, Measure]

# Why nobody could look: it says nothing of the line. A prober of DNS has some of them as findings.
BLIND: Final = frozenset({"permission", "no_address", "not_allowed"})
BLIND_NAMES: Final = frozenset(r for r in get_args(Reason) if r.startswith("dns_"))
GAP = 300.0  # seconds; a longer silence between two updates is time that nobody looked
_INDEX: Final[dict[State, int]] = {state: n for n, state in enumerate(STATES)}


def keys_of(line: Line, modules: Mapping[str, str] = MODULES) -> list[Key]:
    """What of the measures is about a line."""
    found: list[Key] = []
    for probe in probes_of(line, modules):
        families: Sequence[AddressFamily] = (
            ("ipv4", "ipv6") if probe.family == "both" else (probe.family,)
        )
        found += [(probe.name, family, probe.prober) for family in families]
    return found


class LineState:
    """One line. `seconds` are those in each of STATES; `held` ones are in none of them yet.

    `turned` is when the line last went down or came back; `lost` since when all that is probed is
    lost, before that is enough to be down.
    """

    __slots__ = (
        *("_bad", "_counted", "_dead", "_good", "_seen", "_updated"),
        *("keys", "limits", "line", "lost", "reason", "seconds", "since", "state", "turned"),
        "words",
    )

    def __init__(self, line: Line, keys: Sequence[Key], limits: Thresholds) -> None:
        self.line, self.keys, self.limits = line, tuple(keys), limits
        self.state: State = "unknown"
        self.since = 0.0
        self.reason: LineReason = "unmeasured"
        self.words = "no measure yet"
        self.seconds = [0.0] * len(STATES)
        self.turned = 0.0
        self.lost: float | None = None
        # of each probe: whether it is dead; None: undecided, or it could not be looked at
        self._dead: list[bool | None] = [None] * len(self.keys)
        self._seen: list[Measure | None] = [None] * len(self.keys)
        self._bad, self._good = False, 0
        self._counted: float | None = None
        self._updated = 0.0

    # --- what is known --------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        return self.state in ("up", "degraded")

    @property
    def held(self) -> float:
        """Seconds that are counted when it is decided what they were."""
        return 0.0 if self._counted is None else self._updated - self._counted

    @property
    def downtime(self) -> float:
        return self.seconds[2]

    @property
    def availability(self) -> float | None:
        """Share of the time known in which the line was there; None before any."""
        up, degraded, down, _ = self.seconds
        known = up + degraded + down
        return (up + degraded) / known if known else None

    def family(self, family: AddressFamily) -> FamilyState:
        """How the line is in one family."""
        measured, dead = False, []
        for key, gone, seen in zip(self.keys, self._dead, self._seen, strict=True):
            if key[1] == family and seen is not None and seen.reason != "no_address":
                measured = True
                if gone is not None:
                    dead.append(gone)
        if dead:
            return "down" if all(dead) else "up"
        return "unknown" if measured else "none"

    @property
    def whole(self) -> bool:
        """Whether every probe that has a measure is decided."""
        return all(
            gone is not None or seen is None or seen.reason == "no_address"
            for gone, seen in zip(self._dead, self._seen, strict=True)
        )

    def worst(
        self, family: AddressFamily | None = None
    ) -> tuple[float | None, float | None, float | None]:
        """Loss, 95th percentile and jitter of the worst probe that is looked at, in both families
        or in one."""
        seen = [
            m
            for key, m, gone in zip(self.keys, self._seen, self._dead, strict=True)
            if m and gone is not None and family in (None, key[1])
        ]
        return (
            max((m.loss for m in seen if m.loss is not None), default=None),
            max((m.p95 for m in seen if m.p95 is not None), default=None),
            max((m.jitter for m in seen if m.jitter is not None), default=None),
        )

    # --- updates --------------------------------------------------------------------------------

    def update(self, now: float, measures: Measures) -> bool:
        """Judge anew; whether the state is another one. The hot path: once a line and round."""
        limits, dead, seen, state = self.limits, self._dead, self._seen, self.state
        if self._counted is None:
            self._counted = self.since = now
        elif not 0 <= now - self._updated <= GAP:
            # suspended, or the clock was set: nobody looked
            self.seconds[3] += max(0.0, now - self._counted)
            self._counted = now
        self._updated = now
        alive = gone = open_ = losing = 0
        over, clear = False, True
        for n, key in enumerate(self.keys):
            m = seen[n] = measures.get(key)
            if m is None or not m.streak:
                dead[n] = None
                continue
            if m.streak > 0:
                if dead[n] is not False and (
                    m.streak >= limits.up_after or (dead[n] is None and state != "down")
                ):
                    dead[n] = False
            else:
                enough = m.streak <= -limits.down_after
                if (enough or dead[n] is not False) and _blind(m):
                    dead[n] = None
                    continue
                if enough:
                    dead[n] = True
                losing += 1
            if dead[n] is None:
                open_ += 1
            elif dead[n]:
                gone += 1
            else:
                alive += 1
                sent, p95, jitter = m.sent, m.p95, m.jitter
                lost = sent - m.answered if sent >= limits.least else 0
                if lost and lost > limits.loss * limits.clear * sent:
                    clear = False
                    over = over or lost > limits.loss * sent
                if p95 is not None and p95 > limits.rtt * limits.clear:
                    clear = False
                    over = over or p95 > limits.rtt
                if jitter is not None and jitter > limits.jitter * limits.clear:
                    clear = False
                    over = over or jitter > limits.jitter
        if alive:
            self._quality(over or gone > 0, clear and not gone)
            state = "degraded" if self._bad else "up"
        elif not open_:
            state = "down" if gone else "unknown"
        self.lost = self._lost() if losing and losing == alive + gone + open_ else None
        changed = state != self.state
        if changed:
            self._turn(state, now)
        self._count(now)
        if state != "up":
            self._explain()
        elif changed:
            self.reason, self.words = "", ""
        return changed

    def take(self, before: LineState) -> None:
        """Go on from what another object of the same line knew."""
        for name in self.__slots__:
            if name not in ("line", "keys", "limits"):
                setattr(self, name, getattr(before, name))

    def _quality(self, over: bool, clear: bool) -> None:
        if over:
            self._bad, self._good = True, 0
        elif self._bad:
            self._good = self._good + 1 if clear else 0
            self._bad = self._good < self.limits.recovered_after

    def _turn(self, state: State, now: float) -> None:
        since = now
        dead = [m for m, gone in self._probes() if gone]
        if state == "down":
            since = max(m.since for m in dead)
        elif state == "unknown":
            # nobody knows how it was after what was known last
            since = now if self._counted is None else self._counted
        elif not self.available:
            since = min(m.since for m, gone in self._probes() if gone is False and m.streak > 0)
        elif state == "degraded" and dead:
            since = min(m.since for m in dead)
        if self.state != "unknown":
            since = max(since, self.since)
        since = min(since, now)
        if state == "down" or not self.available:
            self.turned = since
        self._spend(since)
        if state in ("down", "unknown"):
            self._bad, self._good = False, 0
        self.state, self.since = state, since

    def _count(self, now: float) -> None:
        """Count the time of the state as far as it is decided."""
        until = now
        if self.state == "down":
            for m, gone in self._probes():
                if gone and m.streak > 0:
                    until = min(until, m.since)
        elif self.lost is not None:
            until = self.lost
        self._spend(until)

    def _spend(self, until: float) -> None:
        counted = self._counted or 0.0
        if until > counted:
            self.seconds[_INDEX[self.state]] += until - counted
            self._counted = until

    def _lost(self) -> float | None:
        return max((m.since for m in self._seen if m and m.streak < 0), default=None)

    def _probes(self) -> list[tuple[Measure, bool | None]]:
        return [(m, gone) for m, gone in zip(self._seen, self._dead, strict=True) if m]

    def _explain(self) -> None:
        """Why the state is what it is; while it only has to prove itself, the last reason stays."""
        if self.state == "unknown":
            blind = [m for m in self._seen if m and m.reason]
            measured = [m for m in self._seen if m and m.sent]
            if blind:
                self.reason, self.words = blind[0].reason, _said(blind, self.line.name)
            elif measured:
                self.reason, self.words = "unmeasured", "not enough probes yet"
            else:
                self.reason, self.words = "unmeasured", "no measure yet"
            return
        dead = [m for m, gone in self._probes() if gone and m.reason]
        if dead:
            whole: set[str] = {m.family for m in dead if self.family(m.family) == "down"}
            self.reason = dead[0].reason
            self.words = _said(dead, self.line.name, whole)
        elif self.state == "degraded":
            for m, gone in self._probes():
                if gone is False and (why := _over(m, self.limits)):
                    self.reason, words = why
                    self.words = f"{m.family}: {words}"
                    return


def _blind(m: Measure) -> bool:
    return m.reason in BLIND or (m.reason in BLIND_NAMES and m.prober != "dns")


def _over(m: Measure, limits: Thresholds) -> tuple[LineReason, str] | None:
    loss = m.loss
    if loss is not None and m.sent >= limits.least and loss > limits.loss:
        return "loss", f"loss {loss:.1%} over {limits.loss:.1%}"
    if m.p95 is not None and m.p95 > limits.rtt:
        return "rtt", f"rtt p95 {m.p95 * 1e3:.1f} ms over {limits.rtt * 1e3:.1f} ms"
    if m.jitter is not None and m.jitter > limits.jitter:
        return "jitter", f"jitter {m.jitter * 1e3:.1f} ms over {limits.jitter * 1e3:.1f} ms"
    return None


def _said(measures: Sequence[Measure], line: str, whole: Collection[str] = ()) -> str:
    """Each family with its reason; a probe by name where it is not its whole family that failed."""
    said: dict[str, None] = {}
    for m in measures:
        where = m.family if m.family in whole or m.target == line else f"{m.target} {m.family}"
        said[f"{where}: {m.reason}"] = None
    return "; ".join(list(said)[:4])
