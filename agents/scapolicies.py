"""Wazuh SCA policies among the packs of an audit: found, read for, judged.

What one reading costs is its own: on this machine several are answered at once, each late one alone
has failed when the time is over.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agents.errors import UserError
from collectors import strictyaml
from collectors.model import Answer, Command, Reading, Source
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from rules.model import PackResult
from rules.packfile import Read, path_of
from rules.sca.evaluate import MAX_ROUNDS, Judging
from rules.sca.kind import policy_of
from rules.sca.policy import Policy, parse
from rules.sca.regex import Semantics
from rules.sca.results import Options
from rules.sca.trust import distrust

LANES = 4
SOON = 10.0  # seconds for what is not a command, which has a deadline of its own
PATIENCE = 0.5  # seconds beyond its own timeout that a command under way is waited for
MAX_SIZE = 256 << 20  # bytes that policies read of this machine
LATE = Answer("failed", reason="no answer in time")
FULL = Answer("failed", reason=f"not read: more than {MAX_SIZE >> 20} MiB were read before")


class Sorted(NamedTuple):
    """The names of packs, and the policies; `distrusted` says by id why commands must not be run."""

    packs: list[str]
    policies: list[Policy]
    distrusted: dict[str, str]


def sort(names: Iterable[str], semantics: Semantics = 5, reader: Read = strictyaml.read) -> Sorted:
    """Tell policies and packs apart and load the policies; raises DocumentError and UserError."""
    found = Sorted([], [], {})
    for name in names:
        content = policy_of(name, reader)
        if content is None:
            found.packs.append(name)
            continue
        policy = parse(content, path_of(name), semantics)
        if any(policy.id == known.id for known in found.policies):
            raise UserError(f"two packs are named {policy.id!r}")
        found.policies.append(policy)
        found.distrusted[policy.id] = distrust(policy.path, content)
    return found


def check(names: Iterable[str], reader: Read = strictyaml.read) -> list[str]:
    """The names that are of packs; the policies are checked. Raises DocumentError and UserError."""
    return sort(names, reader=reader).packs


class Asking:
    """The policies of one audit on one source; `root` is where a local host is seen.

    `source` is the one that facts are to be asked of: of a host over SSH its first call asks for what
    the policies read as well, so that they cost no trip of their own.
    """

    def __init__(self, found: Sorted, source: Source, allow_commands: bool, root: str) -> None:
        self._judging = [
            Judging(policy, _options(policy, found, source, allow_commands, root))
            for policy in found.policies
        ]
        near = not found.policies or isinstance(source, (LocalSource, RecordedSource))
        self.source = source if near else _Ahead(source, self._wanted({}))

    def results(self, host: str, seconds: float) -> tuple[PackResult, ...]:
        """How they come out; `host` is its id, `seconds` the time for reading on this machine."""
        end = time.monotonic() + seconds
        answers: dict[Reading, Answer] = {}
        for _ in range(MAX_ROUNDS):
            wanted = self._wanted(answers)
            if not wanted:
                break
            commands = [it for it in wanted if isinstance(it, Command)]
            others = [it for it in wanted if not isinstance(it, Command)]
            soon = min(end, time.monotonic() + SOON)
            answers.update(answer(self.source, others, soon, size_of(answers)))
            answers.update(answer(self.source, commands, end, size_of(answers)))
        return tuple(one.result(host) for one in self._judging)

    def _wanted(self, answers: Mapping[Reading, Answer]) -> list[Reading]:
        return list(dict.fromkeys(it for one in self._judging for it in one.wants(answers)))


class _Ahead:
    """A source that is asked for more than is needed now, once; it keeps what came."""

    def __init__(self, source: Source, more: Sequence[Reading]) -> None:
        self._source, self._more = source, more
        self._known: dict[Reading, Answer] = {}

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        asked = [it for it in dict.fromkeys((*readings, *self._more)) if it not in self._known]
        self._more = ()
        if asked:
            self._known.update(self._source.answer(asked))
        return {it: self._known[it] for it in readings}


def _options(
    policy: Policy, found: Sorted, source: Source, allow_commands: bool, root: str
) -> Options:
    local, recorded = isinstance(source, LocalSource), isinstance(source, RecordedSource)
    refused = ""
    if not allow_commands:
        refused = Options().commands
    elif not local and not recorded:
        refused = "commands of a policy are not run over SSH"
    elif local and root.rstrip("/"):
        refused = f"commands would not run in {root}"
    elif local and found.distrusted[policy.id]:
        refused = f"commands of a policy are not run: {found.distrusted[policy.id]}"
    return Options(policy.semantics, refused, remote=not local and not recorded)


def answer(
    source: Source, readings: Sequence[Reading], end: float, size: int = 0
) -> Mapping[Reading, Answer]:
    """Answers to all readings; on this machine until `end` (monotonic) at most. `size` is how much was
    read already."""
    if not readings:
        return {}
    if not isinstance(source, LocalSource):
        return source.answer(readings)
    lanes = _Lanes(source, readings, end, size)
    return lanes.answers()


def size_of(answers: Mapping[Reading, Answer]) -> int:
    return sum(_size(it) for it in answers.values())


def _size(found: Answer) -> int:
    return len(found.content) + sum(len(child.content) for _, child in found.children)


class _Lanes:
    """A few daemon threads that take readings from a queue; one that hangs is left behind."""

    def __init__(self, source: Source, readings: Sequence[Reading], end: float, size: int) -> None:
        self._source, self._end, self._size = source, end, size
        self._left = deque(readings)
        self._readings = readings
        self._answers: dict[Reading, Answer] = {}
        self._commands: dict[Reading, float] = {}  # under way: when each is over
        self._changed = threading.Condition()

    def answers(self) -> Mapping[Reading, Answer]:
        for _ in range(min(LANES, len(self._readings))):
            threading.Thread(target=self._lane, daemon=True).start()
        with self._changed:
            while len(self._answers) < len(self._readings):
                now = time.monotonic()
                # a command is never left behind running: its own deadline ends it
                last = max((self._end, *self._commands.values()))
                if now >= last:
                    break
                self._changed.wait(last - now)
            self._left.clear()
            return {it: self._answers.get(it, LATE) for it in self._readings}

    def _lane(self) -> None:
        for reading in self._taken():
            full = self._size > MAX_SIZE
            found = FULL if full else self._source.answer([reading])[reading]
            with self._changed:
                self._size += _size(found)
                self._answers[reading] = found
                self._commands.pop(reading, None)
                self._changed.notify()

    def _taken(self) -> Iterator[Reading]:
        while True:
            with self._changed:
                now = time.monotonic()
                if not self._left or now >= self._end:
                    return
                reading = self._left.popleft()
                if isinstance(reading, Command):
                    self._commands[reading] = now + reading.timeout + PATIENCE
            yield reading


def merged(packs: tuple[PackResult, ...], more: tuple[PackResult, ...]) -> tuple[PackResult, ...]:
    """All results; raises UserError where a policy has the name of a pack."""
    for result in more:
        if any(result.pack == pack.pack for pack in packs):
            raise UserError(f"two packs are named {result.pack!r}")
    return (*packs, *more)
