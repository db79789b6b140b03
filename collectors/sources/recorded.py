"""A recorded machine as a source: a folder that `jianwei record` or a person wrote.

    root/PATH              contents of files (odd bytes in a name as %XX)
    stats.json             rows of `FileStat`
    mounts.json            rows of `Mount`
    inventories/KIND.json  rows of that inventory; walk.json: one row of `Walked`;
                           handshakes.json: rows of `TlsListener`
    commands.json          [{argv, state, file | reason}], outputs in commands/NN.out
    exceptions.json        [{path | reading, state, reason}]: what was denied or failed
    asked.json             `describe()` of each reading that was recorded; ["*"] = everything is here

What was not asked has failed as "not recorded", which is not the same as absent.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from collectors.model import (
    Answer,
    Command,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    ParseError,
    Reading,
    Stat,
    State,
    Walk,
    describe,
)
from collectors.rows import FileStat, Mount
from collectors.sources import bounds
from collectors.sources.local import reduced, without_secrets
from collectors.sources.mounts import wanted
from collectors.sources.patterns import part_matcher, path_matches

NOT_RECORDED = Answer("failed", reason="not recorded")
ABSENT = Answer("absent", reason="no such file")
DIRECTORY = Answer("failed", reason=os.strerror(errno.EISDIR))
EVERYTHING = "*"

T = TypeVar("T")
Tree = dict[str, "Tree"]


class RecordingError(Exception):
    """A folder that is no recording, or a recording that cannot be written."""


class RecordedCommand(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    argv: tuple[str, ...]
    state: State
    file: str = ""
    reason: str = ""


class Exceptional(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is not simply a file under root/. `path` of a file, else `reading` as described.

    State content with `file` is a file whose path cannot be a path under root/.
    """

    state: State
    path: str = ""
    reading: str = ""
    reason: str = ""
    file: str = ""


class RecordedSource:
    """Answers from the recording in `directory`; raises RecordingError where it is malformed."""

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        if not self._directory.is_dir():
            raise RecordingError(f"{directory}: is not a folder")
        if not self._has("asked.json"):
            raise RecordingError(f"{directory}: is not a recording (asked.json is missing)")
        self._asked = frozenset(self._load("asked.json", list[str]))
        self._stats = self._load("stats.json", list[FileStat])
        self._commands = {c.argv: c for c in self._load("commands.json", list[RecordedCommand])}
        exceptions = self._load("exceptions.json", list[Exceptional])
        self._odd = {it.path: it for it in exceptions if it.path}
        self._refused = {it.reading: it for it in exceptions if it.reading}
        self._files = dict(self._walk(self._directory / "root"))
        self._tree: Tree = {}
        for path in (*self._files, *self._odd):
            node = self._tree
            for part in path.strip("/").split("/"):
                node = node.setdefault(part, {})

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return {reading: self._one(reading) for reading in readings}

    def _one(self, reading: Reading) -> Answer:
        match reading:
            case File(path=path, limit=limit):
                missing = ABSENT if self._was_asked(reading) else NOT_RECORDED
                answer = self._file(path, limit) or missing
                return without_secrets(answer) if reading.masked else answer
            case Command():
                return self._command(reading)
        if refused := self._refused.get(describe(reading)):
            return Answer(refused.state, reason=refused.reason)
        if not self._was_asked(reading):
            return NOT_RECORDED
        match reading:
            case Glob() | Stat():
                try:
                    return self._glob(reading) if isinstance(reading, Glob) else self._stat(reading)
                except ParseError as error:
                    return Answer("failed", reason=str(error))
            case MountUsage():
                return self._mounts(reading)
            case Inventory(kind=kind):
                return self._inventory(kind)
            case Walk():
                return self._inventory("walk")
            case Handshakes():
                return self._inventory("handshakes")

    def _inventory(self, kind: str) -> Answer:
        name = f"inventories/{kind}.json"
        return _rows(self._load(name, list[Any])) if self._has(name) else ABSENT

    def _was_asked(self, reading: Reading) -> bool:
        return EVERYTHING in self._asked or describe(reading) in self._asked

    def _file(self, path: str, limit: int) -> Answer | None:
        where: Path | None
        if odd := self._odd.get(path):
            if odd.state != "content":
                return Answer(odd.state, reason=odd.reason)
            where = self._directory / odd.file
        else:
            where = self._files.get(path)
        if where is not None:
            content = self._bytes(where)
            if len(content) > limit:
                return Answer("failed", reason=f"longer than {limit} bytes")
            return Answer("content", content)
        return DIRECTORY if _walk_to(self._tree, path) else None

    def _stat(self, reading: Stat) -> Answer:
        found = [row for row in self._stats if path_matches(row.path, reading.pattern)]
        bounds.check_matches(found)
        found.sort(key=_by_component)
        return _rows(found)

    def _glob(self, reading: Glob) -> Answer:
        matches = _expand(self._tree, reading.pattern)
        bounds.check_matches(matches)
        return bounds.of_children(self._children(reading, matches))

    def _children(self, reading: Glob, matches: list[str]) -> Iterator[tuple[str, Answer]]:
        for match in matches:
            for path in [f"{match}/{name}" for name in reading.names] or [match]:
                answer = self._file(path, reading.limit)
                if answer is not None and not (reading.names and answer.state == "absent"):
                    answer = reduced(answer) if reading.certificates else answer
                    yield path, without_secrets(answer) if reading.masked else answer

    def _command(self, reading: Command) -> Answer:
        recorded = self._commands.get(reading.argv)
        if recorded is None:
            reason = f"no program {reading.argv[0]}"
            return Answer("absent", reason=reason) if EVERYTHING in self._asked else NOT_RECORDED
        if recorded.state != "content":
            return Answer(recorded.state, reason=recorded.reason)
        content = self._bytes(self._directory / recorded.file)
        if len(content) > reading.limit:
            return Answer("failed", reason=f"output longer than {reading.limit} bytes")
        return Answer("content", content)

    def _mounts(self, reading: MountUsage) -> Answer:
        if not self._has("mounts.json"):
            return ABSENT
        return _rows(wanted(self._load("mounts.json", list[Mount]), reading))

    def _has(self, name: str) -> bool:
        return (self._directory / name).exists()

    def _load(self, name: str, as_type: type[list[T]]) -> list[T]:
        path = self._directory / name
        if not self._has(name):
            return []
        try:
            # the standard library keeps file names that are not UTF-8 (lone surrogates)
            return msgspec.convert(json.loads(self._bytes(path)), as_type)
        except (ValueError, RecursionError) as error:
            raise RecordingError(f"{path}: {error}") from error

    def _bytes(self, path: Path) -> bytes:
        try:
            # a recording may come from elsewhere: it must not lead to this machine's files
            if not path.resolve().is_relative_to(self._directory.resolve()) or not path.is_file():
                raise RecordingError(f"{path}: is not a file of the recording")
            return path.read_bytes()
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror}") from error

    def _walk(self, root: Path) -> Iterator[tuple[str, Path]]:
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                yield "/" + unescape(str(path.relative_to(root))), path


def escape(path: str) -> str:
    """A path as a safe relative file name: every odd byte as %XX, `.` and `..` as well."""
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-.+:@=,~#"

    def component(name: str) -> str:
        if name in ("", ".", ".."):
            return name.replace(".", "%2E") or "%"
        return "".join(chr(b) if b in safe else f"%{b:02X}" for b in os.fsencode(name))

    return "/".join(component(name) for name in path.removeprefix("/").split("/"))


def unescape(name: str) -> str:
    """The path of a file name under root/."""
    parts = name.split("/")
    return "/".join("" if p == "%" else unquote(p, errors="surrogateescape") for p in parts)


def _by_component(row: FileStat) -> list[str]:
    return row.path.split("/")


def _rows(rows: Sequence[object]) -> Answer:
    return Answer("content", msgspec.json.encode(rows))


def _expand(tree: Tree, pattern: str) -> list[str]:
    found = [("", tree)]
    for part in pattern.strip("/").split("/"):
        matches = part_matcher(part)
        found = [
            (f"{base}/{name}", node[name])
            for base, node in found
            for name in sorted(node)
            if matches(name)
        ]
    return [path for path, _ in found]


def _walk_to(tree: Tree, path: str) -> Tree | None:
    node: Tree | None = tree
    for part in path.strip("/").split("/"):
        node = node.get(part) if node else None
    return node
