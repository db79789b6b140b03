"""What deployers did, in a file that a killed one leaves whole: JSON lines, each synced to the disk.

A line that was torn by a kill or a power cut is left out when it is read, and cut off before the next is
written. What is on a host, only `look` says; the journal says which hosts a run was about, where each was and how
it ended. Beside it are `lock`, which one deployer holds, and `logs/`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from agents.errors import UserError
from agents.fleet.model import BAD, Outcome, State, StepName
from exporters.locks import locked

MAX_BYTES: Final = 16 << 20  # then only the last run is kept
NAME: Final = "journal.jsonl"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run that began (with its `hosts`), a step that began on a host, or how one ended."""

    at: str
    what: Literal["run", "step", "end"]
    command: str = ""
    bundle: str = ""  # SHA-256
    hosts: tuple[str, ...] = ()
    host: str = ""
    step: StepName | None = None
    config: str = ""  # SHA-256
    state: State | None = None
    before: str = ""
    after: str = ""
    problem: str = ""


class Last(msgspec.Struct, frozen=True):
    """A host in the last run that was about it: `state` None where no end was written; then `step` is the one
    that had begun."""

    state: State | None = None
    step: StepName | None = None
    bundle: str = ""
    config: str = ""
    problem: str = ""
    command: str = ""

    @property
    def well(self) -> bool:
        return self.state in ("changed", "unchanged")

    def did(self, command: str, bundle: str, config: str) -> bool:
        """Whether just this ended well; a configuration that is not known is any."""
        same = (self.command, self.bundle) == (command, bundle)
        return self.well and same and (not self.config or self.config == config)

    @property
    def bad(self) -> bool:
        return self.state in BAD


class Journal:
    """The one deployer's of this folder; raises UserError where there is another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            (folder / "logs").mkdir(0o700, parents=True, exist_ok=True)
            self._lock = locked(folder / "lock", "another deployer works on it: wait for it", 0.0)
        except OSError as error:
            raise UserError(
                f"{folder}: {error.strerror}, or name another folder with --state-dir"
            ) from error
        self._writing = threading.Lock()
        self._bundle = ""
        path = folder / NAME
        self.last, self.torn = _read(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        _mend(self._file)
        if os.fstat(self._file).st_size > MAX_BYTES:
            self._shorten(path)

    def close(self) -> None:
        os.close(self._file)
        os.close(self._lock)

    def began(self, command: str, bundle: str, hosts: Sequence[str]) -> None:
        self._bundle = bundle
        self._write(what="run", command=command, bundle=bundle, hosts=tuple(hosts))

    def step(self, host: str, step: StepName, config: str) -> None:
        self._write(what="step", host=host, step=step, bundle=self._bundle, config=config)

    def ended(self, outcome: Outcome, config: str) -> None:
        self._write(
            what="end",
            host=outcome.host,
            state=outcome.state,
            before=outcome.before,
            after=outcome.after,
            problem=outcome.problem,
            bundle=self._bundle,
            config=config,
        )

    def _write(self, **entry: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode(msgspec.convert({"at": at, **entry}, Entry)) + b"\n"
        with self._writing:
            _append(self._file, line)
            os.fdatasync(self._file)

    def _shorten(self, path: Path) -> None:
        """Only how each host ended is worth keeping of what is long ago."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        aside = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        new = os.open(aside, flags, 0o600)
        for host, it in self.last.items():
            # a host without an end is one that a run was about, or a step that had begun
            what: Literal["step", "end"] = "end" if it.state else "step"
            entry = Entry(
                at=at,
                what=what,
                host=host,
                step=it.step,
                state=it.state,
                command=it.command,
                bundle=it.bundle,
                config=it.config,
                problem=it.problem,
            )
            _append(new, msgspec.json.encode(entry) + b"\n")
        os.fsync(new)
        aside.replace(path)
        os.close(self._file)
        self._file = new


def deployed(folder: Path) -> dict[str, str]:
    """Host → the SHA-256 of the configuration that the last run about it left there, for all that may read it.
    Takes no lock."""
    path = folder / NAME
    if not os.access(path, os.R_OK):
        return {}
    last, _ = _read(path)
    return {host: it.config for host, it in last.items() if it.well and it.config}


def _append(file: int, line: bytes) -> None:
    """All of it or nothing: what a full disk took a part of is cut off again. Raises OSError."""
    size, view = os.fstat(file).st_size, memoryview(line)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError:
        os.ftruncate(file, size)
        raise


def _mend(file: int) -> None:
    """A torn last line would make the next one unreadable."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")


def _read(path: Path) -> tuple[dict[str, Last], int]:
    """Each host in the last run about it, and how many lines could not be read."""
    last: dict[str, Last] = {}
    torn = 0
    decoder = msgspec.json.Decoder(Entry)
    try:
        with path.open("rb") as file:
            for line in file:
                if line == b"\n":
                    continue
                try:
                    entry = decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    torn += 1
                    continue
                _take(entry, last)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return last, torn


def _take(entry: Entry, last: dict[str, Last]) -> None:
    if entry.what == "run":
        for name in entry.hosts:
            last[name] = Last(bundle=entry.bundle, command=entry.command)
    elif entry.host:
        before = last.get(entry.host, Last())
        last[entry.host] = Last(
            state=entry.state,
            step=entry.step,
            bundle=entry.bundle,
            config=entry.config,
            problem=entry.problem,
            command=entry.command or before.command,
        )
