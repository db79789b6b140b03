"""Hits on disk: one JSON file a host in `state_dir/hits`, written aside, synced and renamed, so that a
kill at any moment leaves the old file or the new one. rules/hits.py says what is in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from agents.config import Config
from agents.errors import UserError
from agents.owned import give
from agents.state import state_dir
from rules import hits, waivers
from rules.hits import Ledger
from rules.model import AuditResult, Host

_SAFE = re.compile(r"[0-9A-Za-z_.-]{1,100}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class HitStore:
    """The ledgers of hosts. Raises UserError where they cannot be read or written."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "hits"

    def read(self, host: Host) -> Ledger:
        """The ledger of a host, an empty one where there is none yet."""
        path = self._path(host.id)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Ledger)
        except FileNotFoundError:
            return Ledger(host)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(
                f"{path}: is damaged: {error}; hits are kept as they are until you move the file "
                "away, after which all begin as new"
            ) from error

    def all(self, told: Callable[[str], None]) -> Iterator[Ledger]:
        """The ledgers of all hosts, by id. `told` gets why a file is left out: it is damaged, or none of ours. A
        file whose name is no id, or the id of another host than its own, is nobody's ledger."""
        names = []
        with contextlib.suppress(FileNotFoundError):
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        for name in names:
            host = name.removesuffix(".json")
            if not _SAFE.fullmatch(host):
                continue
            try:
                ledger = self.read(Host(host))
            except UserError as error:
                told(str(error))
                continue
            if ledger.host.id == host:
                yield ledger

    def change(self, host: Host, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Read, change and write a host's ledger while nobody else does."""
        path = self._path(host.id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = os.open(self._folder, _FOLDER)
            try:
                give(folder, self._folder.parent)
                with self._locked(host.id, folder):
                    ledger = change(self.read(host))
                    self._write(path.name, msgspec.json.encode(ledger), folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from error
        return ledger

    @contextlib.contextmanager
    def _locked(self, host: str, folder: int) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(f".{host}.lock", flags, 0o600, dir_fd=folder)
        try:
            give(lock, self._folder.parent)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, name: str, content: bytes, folder: int) -> None:
        aside = f"{name}.tmp"  # its writer holds the lock
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(aside, flags, 0o600, dir_fd=folder)
        try:
            with open(descriptor, "wb") as file:
                give(descriptor, self._folder.parent)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:  # a full disk is not filled further
            with contextlib.suppress(OSError):
                os.unlink(aside, dir_fd=folder)
            raise
        os.fsync(folder)

    def _path(self, host: str) -> Path:
        if not _SAFE.fullmatch(host):
            raise UserError(f"{host!r} is no id of a host")
        return self._folder / f"{host}.json"


class HitKeeper:
    """Keeps the hits of audits by a configuration; raises DocumentError for its waivers."""

    def __init__(self, config: Config) -> None:
        self._store = HitStore(state_dir(config))
        path = config.audit.waivers_file
        self._waivers = waivers.load(os.path.expanduser(path)) if path else ()

    def kept(self, result: AuditResult, told: int = 0) -> AuditResult:
        """The audit with the hits after it and the changes not told; those up to `told` were. Where they
        cannot be kept, the audit with the problem: its verdicts are as good as ever."""
        try:
            ledger = self._store.change(
                result.host, lambda known: hits.after(known.told(told), result, self._waivers)
            )
        except UserError as error:
            return msgspec.structs.replace(result, hits_problem=str(error))
        return msgspec.structs.replace(
            result, hits=ledger.hits, changes=ledger.untold, hits_lost=ledger.lost
        )
