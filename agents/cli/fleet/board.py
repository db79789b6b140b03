"""What goes on, on standard error: a table that is painted over on a terminal, else a line an event.

The table is bounded by the screen: counts by state, and the hosts at work that fit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from typing import Final

import click

from agents.cli.fleet import words
from agents.cli.fleet.said import said
from agents.fleet.model import BAD, Outcome, State
from agents.fleet.plan import mebibytes
from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral

EVERY: Final = 0.2  # seconds from one painting to the next
NAME: Final = 32  # columns of a host's name
MAX_BAD: Final = 20  # hosts that fail are told above the live table; all are in the one at the end
_ENDED: Final[tuple[State, ...]] = (
    "changed",
    "unchanged",
    "failed",
    "refused",
    "unreachable",
    "skipped",
)


class _Row:
    """A host at work."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.step = "connect"
        self.sent = 0


class Board:
    """As agents.fleet.working has it, for `count` hosts; `size` bytes are a whole upload; `looking`: nothing is to be
    changed. Use it in a `with`."""

    def __init__(
        self, count: int, language: str, size: int = 0, quiet: bool = False, looking: bool = False
    ) -> None:
        self._count, self._language, self._size = count, language, size
        self._quiet, self._looking = quiet, looking
        self._bad = 0
        self._live = sys.stderr.isatty() and not quiet
        self._rows: dict[str, _Row] = {}
        self._states: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._painted, self._lines = 0.0, 0

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._wipe()

    def began(self, host: str) -> None:
        with self._lock:
            self._rows[host] = _Row()

    def step(self, host: str, name: str, why: str) -> None:
        with self._lock:
            if row := self._rows.get(host):
                row.step = name
        if why:
            self._line(
                f"{neutral(host)}: {self._word(name)} ({neutral(said(why, self._language))})"
            )

    def sent(self, host: str, count: int) -> None:
        if row := self._rows.get(host):
            row.sent = count

    def ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._rows.pop(outcome.host, None)
            self._states[outcome.state] += 1
            bad = outcome.state in BAD
            self._bad += bad
            shown = bad and self._bad <= MAX_BAD
        if shown or not self._live:
            done = f"{neutral(outcome.host)}: {self._state(outcome.state)} {outcome.seconds:.1f} s"
            self._say(f"{done}  {neutral(said(outcome.problem, self._language))}".rstrip())
        elif bad and self._bad == MAX_BAD + 1:
            self._say(words.MORE_FAIL.of(self._language))

    def note(self, text: str) -> None:
        """A line that stays."""
        self._say(text)

    def tick(self) -> None:
        """Paint if it is time."""
        now = time.monotonic()
        if not self._live or now - self._painted < EVERY:
            return
        with self._lock:
            self._painted = now
            self._wipe()
            lines = self._table(now)
            click.echo("\n".join(lines), err=True)
            self._lines = len(lines)

    def _table(self, now: float) -> list[str]:
        columns, height = _screen()
        ended = sum(self._states.values())
        states = [
            f"{self._state(state)} {self._states[state]}" for state in _ENDED if self._states[state]
        ]
        waiting = self._count - ended - len(self._rows)
        states.append(f"{self._state('running')} {len(self._rows)}")
        states.append(f"{self._state('waiting')} {waiting}")
        head = f"{ended}/{self._count}  {'  '.join(states)}"
        shown = list(self._rows.items())[: max(height - 3, 0)]
        cells = [
            (
                cut(neutral(host), NAME),
                self._word(row.step),
                self._bytes(row),
                f"{now - row.start:.0f} s",
            )
            for host, row in shown
        ]
        lines = [head, *aligned(cells)]
        if more := len(self._rows) - len(shown):
            lines.append(words.MORE.of(self._language).format(more))
        return [cut(line, columns - 1) for line in lines]

    def _bytes(self, row: _Row) -> str:
        if row.step != "upload":
            return ""
        of = f" / {mebibytes(self._size)}" if self._size else ""
        return f"{mebibytes(row.sent)}{of}"

    def _state(self, state: State) -> str:
        looked = self._looking and state == "unchanged"
        return (words.LOOKED if looked else words.STATES[state]).of(self._language)

    def _word(self, step: str) -> str:
        return words.STEPS[step].of(self._language)

    def _line(self, text: str) -> None:
        if not self._live:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        with self._lock:
            self._wipe()
            click.echo(text, err=True)

    def _wipe(self) -> None:
        if self._lines:
            click.echo(f"\x1b[{self._lines}A\r\x1b[J", err=True, nl=False)
            self._lines = 0


def _screen() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24
