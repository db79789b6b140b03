"""Writes what a source answers as a recorded machine; the layout is in sources/recorded.py."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collectors.model import (
    Answer,
    Command,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    Reading,
    Source,
    Stat,
    Walk,
    describe,
)
from collectors.sources.recorded import Exceptional, RecordedCommand, RecordingError, escape

_LONGEST = 200  # bytes of an escaped name; file systems end at 255


class Recorder:
    """A source that remembers what the source under it answers. `write` makes a recording."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.answers: dict[Reading, Answer] = {}

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        answers = self.source.answer(readings)
        self.answers.update(answers)
        return answers

    def write(self, directory: str | Path, overwrite: bool = False) -> None:
        write(dict(self.answers), directory, overwrite)


def record(
    source: Source, readings: Sequence[Reading], directory: str | Path, overwrite: bool = False
) -> None:
    """Ask and write in one go; raises RecordingError."""
    recorder = Recorder(source)
    recorder.answer(readings)
    recorder.write(directory, overwrite)


def check_target(directory: str | Path, overwrite: bool) -> None:
    """Raises RecordingError where `write` would refuse the target."""
    if directory == "":
        raise RecordingError("'': is not a folder")
    target = Path(directory)
    try:
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise RecordingError(f"{target}: is not a folder")
        if target.exists() and any(target.iterdir()):
            if not overwrite:
                raise RecordingError(f"{target}: is not empty")
            if not (target / "asked.json").is_file():
                raise RecordingError(f"{target}: holds something else than a recording")
    except OSError as error:
        raise RecordingError(f"{target}: cannot be looked at: {error.strerror}") from error


def write(answers: Mapping[Reading, Answer], directory: str | Path, overwrite: bool) -> None:
    """Write a recording, whole or not at all. It is readable by its owner only."""
    target = Path(directory)
    check_target(target, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as aside:
            new = Path(aside, "new")
            new.mkdir(mode=0o700)
            _Writer(new).all(answers)
            old = Path(aside, "old")
            if target.exists():
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
    except OSError as error:
        raise RecordingError(f"{target}: cannot be written: {error.strerror}") from error


class _Writer:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, bytes] = {}
        self._exceptions: dict[tuple[str, str], Exceptional] = {}
        self._stats: dict[str, Any] = {}
        self._commands: list[RecordedCommand] = []

    def all(self, answers: Mapping[Reading, Answer]) -> None:
        # of a file that was read both ways only what is masked is kept
        for reading in sorted(answers, key=lambda it: getattr(it, "masked", False)):
            self._one(reading, answers[reading])
        for number, (path, content) in enumerate(sorted(self._files.items())):
            self._exceptions.pop(("path", path), None)
            if not self._write(f"root/{escape(path)}", content):
                name = f"odd/{number:04}"
                self._write(name, content)
                self._exceptions["path", path] = Exceptional("content", path=path, file=name)
        self._document("asked.json", sorted({describe(reading) for reading in answers}))
        self._document("stats.json", [self._stats[path] for path in sorted(self._stats)])
        self._document("commands.json", self._commands)
        self._document("exceptions.json", [it for _, it in sorted(self._exceptions.items())])

    def _one(self, reading: Reading, answer: Answer) -> None:
        match reading:
            case File(path=path):
                if answer.state != "absent":
                    self._file(path, answer)
                return
            case Command(argv=argv):
                name = ""
                if answer.state == "content":
                    name = f"commands/{len(self._commands):02}.out"
                    self._write(name, answer.content)
                self._commands.append(RecordedCommand(argv, answer.state, name, answer.reason))
                return
        if answer.state != "content":
            key = describe(reading)
            self._exceptions["reading", key] = Exceptional(
                answer.state, reading=key, reason=answer.reason
            )
            return
        match reading:
            case Glob():
                for path, child in answer.children:
                    self._file(path, child)
            case Stat():
                self._stats.update((row["path"], row) for row in _rows(answer))
            case MountUsage():
                self._document("mounts.json", _rows(answer))
            case Inventory(kind=kind):
                self._document(f"inventories/{kind}.json", _rows(answer))
            case Walk():
                self._document("inventories/walk.json", _rows(answer))
            case Handshakes():
                self._document("inventories/handshakes.json", _rows(answer))

    def _file(self, path: str, answer: Answer) -> None:
        if answer.state == "content":
            self._files[path] = answer.content
        else:
            self._exceptions["path", path] = Exceptional(
                answer.state, path=path, reason=answer.reason
            )

    def _write(self, name: str, content: bytes) -> bool:
        """False where the file system cannot have a file of that name."""
        if any(len(part) > _LONGEST for part in name.split("/")) or len(name) > 1000:
            return False
        path = self._directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            return False  # /a was a file a moment ago and is a folder now
        return True

    def _document(self, name: str, rows: Sequence[object]) -> None:
        """One row a line, so that a change can be reviewed."""
        # the standard library keeps file names that are not UTF-8 (lone surrogates)
        lines = [json.dumps(msgspec.to_builtins(row)) for row in rows]
        self._write(name, ("[\n" + ",\n".join(lines) + "\n]\n").encode())


def _rows(answer: Answer) -> list[Any]:
    try:
        rows = json.loads(answer.content)
    except ValueError as error:
        raise RecordingError(f"a structured answer is not JSON: {error}") from error
    return list(rows)
