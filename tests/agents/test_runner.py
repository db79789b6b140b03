"""One collector that hangs or raises costs its own series only."""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from agents.runner import Runner
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    Family,
    File,
    Reading,
    gauge,
    sample,
)
from collectors.sources.local import LocalSource


class Lines(Collector, frozen=True):
    """How many lines a file has; a subclass a name, as in the catalogue."""

    name: ClassVar[str] = "lines"
    path: str = "/f"

    def readings(self) -> tuple[File]:
        return (File(self.path),)

    def parse(self, answers: Answers) -> Iterable[Family | Fact]:
        lines = answers.text(File(self.path)).count("\n")
        yield gauge(f"test_{self.name}", "Lines.", sample(lines))


class Blocked(Lines, frozen=True):
    name: ClassVar[str] = "blocked"


class AlsoBlocked(Lines, frozen=True):
    name: ClassVar[str] = "also_blocked"


class Broken(Lines, frozen=True):
    name: ClassVar[str] = "broken"
    facts: ClassVar[tuple[str, ...]] = ("broken_fact",)

    def parse(self, answers: Answers) -> Iterable[Family | Fact]:
        raise RuntimeError("a bug")


def lanes() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "lane"}


@pytest.fixture
def root(tmp_path: Path) -> Iterable[Path]:
    (tmp_path / "f").write_text("a\nb\n")
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc/fifo")  # elsewhere a FIFO is not waited for
    others = lanes()
    yield tmp_path
    # let the reader of the FIFO go, so that its thread ends
    limit = time.monotonic() + 10
    while lanes() - others and time.monotonic() < limit:
        with contextlib.suppress(OSError):
            os.close(os.open(tmp_path / "proc/fifo", os.O_WRONLY | os.O_NONBLOCK))
        time.sleep(0.01)


def test_a_blocked_reading_costs_its_own_series_only(root: Path) -> None:
    others = lanes()
    runner = Runner(LocalSource(str(root)), deadline=0.5)
    collectors = [Blocked(path="/proc/fifo"), AlsoBlocked(path="/proc/fifo"), Lines()]
    start = time.monotonic()
    blocked, also, lines = runner.observe(collectors)
    assert time.monotonic() - start < 2
    assert (blocked.failure, also.failure, lines.failure) == ("timeout", "timeout", "")
    assert lines.families[0].samples[0].value == 2

    again = time.monotonic()
    blocked, _, lines = runner.observe(collectors)
    assert time.monotonic() - again < 0.4, "what still hangs is not waited for again"
    assert blocked.failure == "timeout"
    assert lines.families
    assert len(lanes() - others) == 2, "and not started again"


def test_it_recovers_when_the_reading_ends(root: Path) -> None:
    others = lanes()
    runner = Runner(LocalSource(str(root)), deadline=0.3)
    assert runner.observe([Blocked(path="/proc/fifo")])[0].failure == "timeout"
    with open(root / "proc/fifo", "w") as writer:
        writer.write("x\n")
    limit = time.monotonic() + 5
    while runner.observe([Lines()]) and lanes() - others:
        assert time.monotonic() < limit
    (root / "proc/fifo").unlink()
    (root / "proc/fifo").write_text("x\n")
    assert runner.observe([Blocked(path="/proc/fifo")])[0].failure == ""


def test_a_bug_is_contained_and_its_facts_are_unavailable(root: Path) -> None:
    broken, lines = Runner(LocalSource(str(root))).observe([Broken(), Lines()])
    assert (broken.failure, broken.reason) == ("bug", "RuntimeError: a bug")
    assert broken.facts[0].unavailable == "bug: RuntimeError: a bug"
    assert lines.failure == ""


def test_absent_is_said(root: Path) -> None:
    (observation,) = Runner(LocalSource(str(root))).observe([Lines(path="/none")])
    assert observation.failure == "absent"


def test_concurrent_callers_share_what_is_under_way() -> None:
    class Slow:
        calls = 0

        def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
            Slow.calls += 1
            time.sleep(0.2)
            return {r: Answer("content", b"x\n") for r in readings}

    runner = Runner(Slow())
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(runner.observe([Lines()])[0].failure))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [""] * 10
    assert Slow.calls < 10


class Asked:
    """A source that remembers what it was asked."""

    def __init__(self, source: LocalSource) -> None:
        self._source = source
        self.readings: list[Reading] = []

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        self.readings += readings
        return self._source.answer(readings)


def test_what_several_want_is_read_once_a_round(root: Path) -> None:
    source = Asked(LocalSource(str(root)))
    runner = Runner(source)
    both = [Lines(), AlsoBlocked(), Broken("/other")]
    for lines in (2, 3):
        seen = runner.observe(both)
        assert [one.families[0].samples[0].value for one in seen[:2]] == [lines, lines]
        assert sorted(reading.path for reading in source.readings) == ["/f", "/other"]  # type: ignore[union-attr]
        source.readings.clear()
        (root / "f").write_text("a\nb\nc\n")
    assert runner.observe([Lines()])[0].families[0].samples[0].value == 3
