"""What of a month's report was delivered to whom, so that a retry delivers only the rest: `delivered-2026-10.json`.

One process at a time; each delivery is on the disk before the next begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from exporters.aside import replacing
from exporters.locks import locked
from exporters.report.delivery.plan import Parcel

_BUSY: Final = "another process delivers a report now"


class LedgerError(Exception):
    """The file cannot be used. `str()` names it and the remedy."""


class Delivered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` is that of the parcel: another one for the same receiver has other figures."""

    channel: str
    to: str
    department: str
    id: str
    at: datetime


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    month: str
    delivered: tuple[Delivered, ...] = ()


class Ledger:
    """Of one month. `note` raises OSError."""

    def __init__(self, path: Path, month: str) -> None:
        self._path, self._month = path, month
        content = _read(path) or _Content(month)
        if content.month != month:
            raise LedgerError(f"{path}: is of {content.month}, not of {month}; move it away")
        self._known = {(it.channel, it.to, it.department): it for it in content.delivered}

    def last(self, parcel: Parcel) -> Delivered | None:
        return self._known.get(parcel.key)

    def note(self, parcel: Parcel, at: datetime) -> None:
        self._known[parcel.key] = Delivered(*parcel.key, parcel.id, at)
        content = _Content(self._month, tuple(self._known.values()))
        with replacing(self._path, 0o600) as file:
            file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


@contextmanager
def ledger(folder: Path, month: str) -> Iterator[Ledger]:
    """The month's, for us alone; raises LedgerError, and OSError where the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = locked(folder / "delivery.lock", _BUSY)
    try:
        yield Ledger(folder / f"delivered-{month}.json", month)
    finally:
        os.close(lock)


def _read(path: Path) -> _Content | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Content)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerError(
            f"{path}: cannot be read: {error}; it says what was delivered: mend it, or move it away and all is"
            " delivered again"
        ) from error
