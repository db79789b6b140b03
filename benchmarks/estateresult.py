"""What a run of the estate's simulation found, as rows of Markdown and in words."""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.estatequeries import Timed

TARGET: Final = (2000, 600, 15.0, 10.0)  # agents, series, seconds, minutes


class Scrapes(NamedTuple):
    """Of the window, as the engine wrote them (`up`). `meant` the simulation made fail, `surprises` it did not."""

    done: int
    failed: int
    meant: int
    surprises: int
    missed: int  # moments at which there should have been one
    lost: int  # samples that were scraped, and not kept
    early: int  # scrapes that failed before the window: while the engine learned the series
    p99: float  # seconds
    slowest: float


class Cost(NamedTuple):
    """Cores, over the window; MB at most."""

    engine: float
    resident: float
    simulator: float
    others: float


class Disk(NamedTuple):
    """Bytes a sample of data; bytes of names and labels; bytes a sample of the write-ahead log."""

    data: float
    names: float
    log: float


class Result(NamedTuple):
    name: str
    estate: tuple[int, int, float, float, float]  # agents, series, interval, churn, failures
    begun: float  # seconds until it knew all series
    minutes: float
    scrapes: Scrapes
    problems: tuple[str, ...]
    answers: dict[str, int]
    restarts: int
    samples: float
    series: int
    cost: Cost
    disk: Disk
    queries: tuple[Timed, ...]

    @staticmethod
    def head() -> str:
        names = (
            "engine", "agents × series", "every", "minutes", "scrapes", "failed (of them meant)", "missed", "lost",
            "samples/s", "series", "cores", "RSS", "scrape p99", "bytes/sample", "simulator", "others",
        )  # fmt: skip
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def row(self) -> str:
        agents, series, interval, _, _ = self.estate
        done = self.scrapes
        cells = (
            self.name, f"{agents:,} × {series}", f"{interval:g} s", f"{self.minutes:.1f}", f"{done.done:,}",
            f"{done.failed} ({done.meant})", str(done.missed), f"{done.lost:,}", f"{self.samples:,.0f}", f"{self.series:,}",
            f"{self.cost.engine:.2f}", f"{self.cost.resident:,.0f} MB", f"{done.p99 * 1e3:.0f} ms",
            f"{self.disk.data:.2f}", f"{self.cost.simulator:.2f} cores", f"{self.cost.others:.2f} cores",
        )  # fmt: skip
        return "| " + " | ".join(cells) + " |"

    def told(self) -> str:
        agents, series, interval, churn, failures = self.estate
        done = self.scrapes
        lines = [
            f"{self.name}: {agents:,} agents × {series} series every {interval:g} s for {self.minutes:.1f} minutes, "
            f"churn {churn:g}, failures {failures:g}",
            f"  scrapes: {done.done:,} by the engine, {sum(self.answers.values()):,} by the agents "
            f"({', '.join(f'{count} {fate}' for fate, count in self.answers.items() if count)}); "
            f"{self.restarts} restarts",
            f"  failed: {done.failed}, of them meant to {done.meant}, not meant {done.surprises}; missed: {done.missed}; "
            f"samples lost: {done.lost:,}",
            f"  before: {self.begun:.0f} s until it knew all series, in which {done.early} scrapes failed",
            *(f"  the last errors: {problem}" for problem in self.problems),
            f"  a scrape takes at the 99th percentile {done.p99 * 1e3:.0f} ms, at most {done.slowest * 1e3:.0f} ms",
            f"  {self.samples:,.0f} samples/s, {self.series:,} series",
            f"  engine: {self.cost.engine:.2f} cores, RSS {self.cost.resident:,.0f} MB; simulator: "
            f"{self.cost.simulator:.2f} cores; others on this machine: {self.cost.others:.2f} cores",
            f"  disk: {self.disk.data:.2f} bytes/sample, index {self.disk.names / 1e6:.1f} MB, "
            f"write-ahead log {self.disk.log:.2f} bytes/sample",
            *(
                f"  {it.name}: {it.middle * 1e3:.0f} ms, at most {it.slowest * 1e3:.0f} ms, {it.rows} rows"
                + (f"; not answered: {it.failed}" if it.failed else "")
                for it in self.queries
            ),
        ]
        return "\n".join(lines)


def verdict(result: Result) -> str:
    """Against the figure that is asked for, in one line; of a smaller run what it is worth."""
    agents, series, interval, _, _ = result.estate
    size, done = f"{agents:,} × {series} every {interval:g} s", result.scrapes
    bad = done.surprises + done.missed + done.lost
    if bad:
        what = f"{done.surprises} scrapes failed that should not have, {done.missed} were not made, {done.lost:,} samples were lost"
        if result.cost.engine + result.cost.simulator + result.cost.others > 1.9:
            what += "; the machine had no core left"
        return f"{result.name}: {size} does not fit: {what}"
    whole = (agents, series) >= TARGET[:2] and interval <= TARGET[2] and result.minutes >= TARGET[3]
    short = (
        "" if whole else f" (the figure is {TARGET[0]:,} × {TARGET[1]} every 15 s for 10 minutes)"
    )
    what = (
        "without a failed scrape" if not done.failed else "without one that was not meant to fail"
    )
    return f"{result.name}: {size} for {result.minutes:.1f} minutes {what}: {'met' if whole else 'fits'}{short}"
