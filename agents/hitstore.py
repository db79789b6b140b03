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
from agents.state import state_dir
from rules import hits, waivers
from rules.hits import Ledger
from rules.model import AuditResult, Host

_SAFE = re.compile(r"[0-9A-Za-z_.-]{1,100}")


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

    def all(self) -> Iterator[Ledger]:
        """The ledgers of all hosts, by id."""
        names = []
        with contextlib.suppress(FileNotFoundError):
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        for name in names:
            yield self.read(Host(name[:-5]))

    def change(self, host: Host, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Read, change and write a host's ledger while nobody else does."""
        path = self._path(host.id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self._folder / f".{host.id}.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                ledger = change(self.read(host))
                self._write(path, msgspec.json.encode(ledger))
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from error
        return ledger

    def _write(self, path: Path, content: bytes) -> None:
        aside = path.with_suffix(".tmp")  # its writer holds the lock
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

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
        return msgspec.structs.replace(result, hits=ledger.hits, changes=ledger.untold)
