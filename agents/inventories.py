"""Slow inventories: scanned by themselves, kept in a file each, and read by audits with their age.

`STATE/inventories/COLLECTOR.json` is written aside and renamed. A walk that did not come to its end
leaves its part there, and the next scan goes on with it; until one is whole, the last whole one counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agents.config import Config
from agents.errors import UserError
from agents.owned import give
from agents.state import state_dir
from collectors import catalogue
from collectors.model import Answer, Collector, Fact, Reading, Source, Walk
from collectors.observe import observe
from collectors.rows import Walked
from collectors.sources.local import LocalSource, encode_rows

SLICE = 10.0  # seconds of a walk between two savings
NEVER = "not scanned yet; run jianwei inventory scan"
ELSEWHERE = "not scanned: an audit of another machine scans with --scan"

Told = Callable[[str], None]


class Part(msgspec.Struct, frozen=True):
    """As far as a walk got. `of` is what was walked: another walk does not go on with it."""

    of: Walk
    began: float
    walked: Walked


class Kept(msgspec.Struct, frozen=True):
    """An inventory as it is kept. Times in Unix seconds; `scanned` is when the scan of these facts
    began, 0 where there was none. `failure` is why the last scan brought nothing new, or empty."""

    root: str
    facts: tuple[Fact, ...] = ()
    scanned: float = 0.0
    seconds: float = 0.0
    complete: bool = False
    failure: str = ""
    part: Part | None = None


class Inventories:
    """The kept inventories of this machine by its configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._folder = state_dir(config) / "inventories"

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def kept(self, name: str) -> Kept | None:
        """What is kept of an inventory of this root; raises UserError where it cannot be read."""
        path = self.path(name)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: {error}; run jianwei inventory scan {name}") from error
        return found if found.root == self._config.root else None

    def facts(self, collectors: Sequence[Collector]) -> dict[str, Fact]:
        """The facts of slow collectors as they were scanned, with their age in seconds."""
        found: dict[str, Fact] = {}
        for collector in collectors:
            try:
                kept, why = self.kept(collector.name), NEVER
            except UserError as error:
                kept, why = None, f"failed: {error}"
            if kept and not kept.scanned:
                why = kept.failure or why
            known = {fact.name: fact for fact in kept.facts} if kept else {}
            for name in collector.facts:
                found[name] = known.get(name) or Fact(name, None, unavailable=why)
            if kept and kept.scanned:
                found |= {name: _aged(fact, kept.scanned) for name, fact in known.items()}
        return found

    def scan(self, name: str, told: Told) -> Kept:
        """Scan an inventory of this machine now and keep it; `told` gets how far it is. Raises
        UserError where it cannot be kept, or another scan of it is under way."""
        collector = self._config.collector(name)
        with self._alone(name):
            try:
                before = self.kept(name)
            except UserError:  # a file that was damaged: what is found now takes its place
                before = None
            keeper = _Keeper(before or Kept(self._config.root), lambda kept: self._keep(name, kept))
            return keeper.scan(LocalSource(self._config.root), collector, told)

    def _keep(self, name: str, kept: Kept) -> None:
        path, aside = self.path(name), self._folder / f".{name}.new"  # ours alone: see _alone
        try:
            aside.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(aside, flags, 0o600), "wb") as file:
                give(file.fileno(), self._folder.parent)
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        lock = self._folder / f".{name}.lock"
        try:
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700, parents=True)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            give(folder, self._folder.parent)
            os.close(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(lock, flags, 0o600)
            give(descriptor, self._folder.parent)
        except OSError as error:
            raise UserError(
                f"{lock}: cannot be written: {error.strerror}; set state_dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise UserError(f"{name} is being scanned already") from error
        finally:
            os.close(descriptor)


class _Keeper:
    """One scan: a source whose walks go on where the last one ended, saved now and then."""

    def __init__(self, before: Kept, save: Callable[[Kept], None]) -> None:
        self._before, self._save = before, save
        self._part = before.part
        self._began = time.time()

    def scan(self, source: Source, collector: Collector, told: Told) -> Kept:
        start = time.monotonic()
        (seen,) = observe(_Going(source, self._walk, told), [collector])
        seconds = time.monotonic() - start
        failure = seen.failure and f"{seen.failure}: {seen.reason}"
        before = msgspec.structs.replace(self._before, part=self._part, failure=failure)
        complete = all(_complete(fact) for fact in seen.facts)
        partial = self._part is not None
        if failure or (partial and before.complete):
            kept = before  # what was whole counts until there is something newer that is whole
        else:
            kept = Kept(
                self._before.root, seen.facts, self._began, seconds, complete, "", self._part
            )
        self._save(kept)
        return kept

    def _walk(self, source: Source, reading: Walk, told: Told) -> Answer:
        """The answer to a walk in slices, together with the parts before it."""
        merged = Walked()
        if self._part and self._part.of == reading:
            merged, self._began = self._part.walked, self._part.began
        deadline = time.monotonic() + reading.seconds
        first = merged.entries
        while True:
            left = deadline - time.monotonic()
            slice_ = msgspec.structs.replace(
                reading,
                after=merged.after,
                seconds=max(min(SLICE, left), 0.0),
                entries=max(first + reading.entries - merged.entries, 1),
            )
            answer = source.answer([slice_])[slice_]
            if answer.state != "content":
                self._part = None
                return answer
            (more,) = msgspec.json.decode(answer.content, type=tuple[Walked])
            merged = _merged(merged, more)
            told(f"{merged.entries} files")
            if not merged.after:
                self._part = None
                break
            self._part = Part(reading, self._began, merged)
            if left <= SLICE or merged.entries - first >= reading.entries:
                break
            self._save(msgspec.structs.replace(self._before, part=self._part))
        return Answer("content", encode_rows([merged]))


class _Going:
    """A source that answers walks in another way."""

    def __init__(
        self, source: Source, walk: Callable[[Source, Walk, Told], Answer], told: Told
    ) -> None:
        self._source, self._walk, self._told = source, walk, told

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        walks = [reading for reading in readings if isinstance(reading, Walk)]
        answers = dict(self._source.answer([r for r in readings if not isinstance(r, Walk)]))
        answers |= {reading: self._walk(self._source, reading, self._told) for reading in walks}
        return answers


def slow_facts(
    config: Config, names: set[str], source: Source | None, elsewhere: bool
) -> dict[str, Fact]:
    """The facts among `names` that are slow: asked of `source` now, or as they were kept.

    `elsewhere`: it is another machine that is audited, of which nothing is kept here.
    """
    collectors = catalogue.for_facts(names, config.collectors.settings, slow=True)
    if source is not None:
        return {fact.name: fact for it in observe(source, collectors) for fact in it.facts}
    if elsewhere:
        wanted = [name for one in collectors for name in one.facts]
        return {name: Fact(name, None, unavailable=ELSEWHERE) for name in wanted}
    return Inventories(config).facts(collectors)


def _complete(fact: Fact) -> bool:
    """Whether the whole was seen; a fact that says nothing of it is whole if it is there."""
    if fact.unavailable:
        return False
    return bool(fact.value.get("complete", True)) if isinstance(fact.value, dict) else True


def _aged(fact: Fact, scanned: float) -> Fact:
    if not isinstance(fact.value, dict):
        return fact
    age = max(0, int(time.time() - scanned))
    value: dict[str, Any] = {**fact.value, "age": age, "scanned": int(scanned)}
    return msgspec.structs.replace(fact, value=value)


def _merged(one: Walked, more: Walked) -> Walked:
    return Walked(
        one.noted + more.noted,
        more.after,
        one.entries + more.entries,
        (one.unread + more.unread)[:100],
        one.dropped + more.dropped,
    )
