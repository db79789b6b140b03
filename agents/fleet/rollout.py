"""Many hosts, some at a time: batches, a canary before them, an end where too many fail.

What is done on a host is the caller's `work`; here is only when it begins. There are as many threads
as hosts at once, however long the inventory is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

import msgspec

from agents.fleet.model import FleetHost, Outcome

TICK: Final = 0.2  # seconds
Work = Callable[[FleetHost], Outcome]


class Share(msgspec.Struct, frozen=True):
    """A number of hosts, or so many of a hundred: `20`, `10%`."""

    number: float
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Share:
        digits = text.strip()
        percent = digits.endswith("%")
        try:
            number = float(digits[:-1]) if percent else int(digits)
        except ValueError as error:
            raise ValueError(f"{text!r} is no number of hosts; write 20 or 10%") from error
        if not (0 <= number <= (100 if percent else 10_000_000)):
            raise ValueError(f"{text!r} is out of range; write for example 20 or 10%")
        return cls(number, percent)

    def of(self, count: int) -> int:
        """Of so many hosts; a part of one is one."""
        return math.ceil(count * self.number / 100) if self.percent else int(self.number)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """`canary` hosts come first and must all end well, else nobody else begins; then `batch` at a time,
    0 for all; more than `max_failures` failed hosts after the canary, and no more begin."""

    parallel: int = 16
    canary: int = 0
    batch: int = 0
    max_failures: int | None = None


class Halt:
    """Whether more may begin. Threads and signal handlers say so, with a reason; so there is no lock that
    a handler could find held."""

    def __init__(self) -> None:
        self.why = ""

    def __call__(self, why: str) -> None:
        self.why = self.why or why

    def __bool__(self) -> bool:
        return bool(self.why)


def batches(hosts: Sequence[FleetHost], pace: Pace) -> Iterator[tuple[bool, Sequence[FleetHost]]]:
    """Groups that are begun one after the other, and whether it is the canary."""
    if canary := hosts[: pace.canary]:
        yield True, canary
    rest = hosts[len(canary) :]
    size = pace.batch or max(len(rest), 1)
    for start in range(0, len(rest), size):
        yield False, rest[start : start + size]


def roll(
    hosts: Sequence[FleetHost],
    work: Work,
    pace: Pace,
    halt: Halt,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """How each host ended, as it ends; those that never began come last, as `skipped`. `tick` is called
    several times a second by the thread that iterates."""
    begun: set[str] = set()
    failed = 0
    with ThreadPoolExecutor(max(1, min(pace.parallel, len(hosts))), "fleet") as pool:
        for is_canary, batch in batches(hosts, pace):
            for outcome in _batch(pool, batch, work, pace.parallel, halt, begun, tick):
                if is_canary and outcome.state not in ("changed", "unchanged"):
                    halt(f"the canary {outcome.host} did not end well")
                elif not is_canary and outcome.state in ("failed", "refused"):
                    failed += 1
                    if pace.max_failures is not None and failed > pace.max_failures:
                        halt(f"{failed} hosts failed, {pace.max_failures} may")
                yield outcome
            if halt:
                break
    for host in hosts:
        if host.name not in begun:
            yield Outcome(host=host.name, state="skipped", problem=f"not begun: {halt.why}")


def _batch(
    pool: ThreadPoolExecutor,
    batch: Sequence[FleetHost],
    work: Work,
    parallel: int,
    halt: Halt,
    begun: set[str],
    tick: Callable[[], None],
) -> Iterator[Outcome]:
    """No host waits in the pool, so that none begins after a halt."""
    waiting: set[Future[Outcome]] = set()
    left = iter(batch)
    while True:
        while len(waiting) < parallel and not halt and (host := next(left, None)):
            begun.add(host.name)
            waiting.add(pool.submit(work, host))
        if not waiting:
            return
        done, waiting = wait(waiting, TICK, FIRST_COMPLETED)
        tick()
        while done:
            yield done.pop().result()
