"""What of a report goes to whom: pure. One parcel is for one receiver, so that each is told of by itself.

Who has an excerpt has nothing of the others: neither files nor words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Literal, NamedTuple

from exporters.findings.text import neutral
from exporters.report.delivery.settings import DeliverySettings, Mailbox
from exporters.report.delivery.words import say
from exporters.report.document import Document
from rules.model import Text

Channel = Literal["folder", "smtp", "webhook"]
NOTHING = Text("", "")


class File(NamedTuple):
    """`name` is a file's name without a folder, as it is on disk; the format is its ending."""

    name: str
    content: bytes

    @property
    def format(self) -> str:
        return PurePath(self.name).suffix[1:].lower()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Edition(NamedTuple):
    """The report, or the excerpt for the department that its scope names, with what was made of it."""

    document: Document
    files: tuple[File, ...]

    @property
    def department(self) -> str | None:
        return self.document.scope.department


class Parcel(NamedTuple):
    """`to` is a folder, an address or a URL without its query. `problem`: why it cannot be sent at all."""

    channel: Channel
    to: str
    edition: Edition
    files: tuple[File, ...]
    department: str = ""  # empty: it is the whole report
    problem: Text = NOTHING

    @property
    def key(self) -> tuple[str, str, str]:
        """For whom it is, as it is kept of what was delivered."""
        return self.channel, self.to, self.department

    @property
    def id(self) -> str:
        """The same for the same figures to the same receiver."""
        scope = self.edition.document.scope
        parts = (*self.key, scope.month, scope.data_hash, scope.thresholds)
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def edition(document: Document, files: Mapping[str, bytes]) -> Edition:
    """Of what was written, by file name; raises ValueError for a name with a folder."""
    for name in files:
        if not name or name != PurePath(name).name or name in (".", ".."):
            raise ValueError(f"{name!r} is not the name of a file")
    return Edition(document, tuple(File(name, content) for name, content in files.items()))


def parcels(settings: DeliverySettings, editions: Sequence[Edition]) -> list[Parcel]:
    """Everything that is to be delivered; the edition without a department is the whole report.
    Raises ValueError where two files have one name."""
    whole = next((one for one in editions if one.department is None), None)
    by_department = {one.department: one for one in editions if one.department is not None}
    found: list[Parcel] = []
    if settings.folder and editions:
        first = whole or editions[0]
        files = tuple(file for one in editions for file in one.files)
        if len({file.name for file in files}) < len(files):
            raise ValueError("two files of the report have one name")
        found.append(Parcel("folder", settings.folder, first, files, first.department or ""))
    if smtp := settings.smtp:
        if whole:
            found += _mails(whole, smtp.to, smtp.formats)
        for department, boxes in smtp.departments.items():
            if it := by_department.get(department):
                found += _mails(it, boxes, smtp.formats)
            elif whole:
                none = say("no_department", neutral(department))
                found += [Parcel("smtp", box.address, whole, (), department, none) for box in boxes]
    if (webhook := settings.webhook) and whole:
        found.append(_parcel("webhook", webhook.shown, whole, webhook.formats))
    return list({parcel.key: parcel for parcel in found}.values())


def _mails(it: Edition, boxes: Iterable[Mailbox], formats: Sequence[str]) -> Iterator[Parcel]:
    for box in boxes:
        yield _parcel("smtp", box.address, it, formats)


def _parcel(channel: Channel, to: str, it: Edition, formats: Sequence[str]) -> Parcel:
    files = tuple(file for file in it.files if file.format in formats)
    problem = NOTHING if files else say("no_files", ", ".join(formats))
    return Parcel(channel, to, it, files, it.department or "", problem)
