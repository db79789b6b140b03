"""The agents that are pulled, from the files that Prometheus takes them from too: file_sd_configs, JSON or YAML,
https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config.

    - targets: [192.0.2.7:9808, "[2001:db8::7]:9808"]
      labels: {department: 财政局, system: 预算一体化, region: 莲湖区, level: 三级}

Labels that begin with `__` are Prometheus's own: of them `__scheme__` alone means something here.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from collectors import strictyaml
from collectors.strictyaml import Document, DocumentError
from exporters.findings.settings import endpoint

CHINESE: Final[Mapping[str, str]] = {
    "部门": "department",
    "系统": "system",
    "区域": "region",
    "级别": "level",
}
PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
MAX_LABEL: Final = 300  # characters
MAX_LABELS: Final = 60


class Target(NamedTuple):
    """`address` is host:port; labels are without those of Prometheus's own."""

    address: str
    scheme: str
    labels: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}"


class FileState(msgspec.Struct, frozen=True):
    """How a file was last read: `problem` is why what it said before is still in force."""

    path: str
    targets: int
    problem: str = ""


class _Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    targets: tuple[str, ...] = ()
    labels: dict[str, str | int | float] = {}


class _Read(NamedTuple):
    mark: tuple[int, ...]  # of the file when it was read
    targets: tuple[Target, ...]
    problem: str


class TargetFiles:
    """Reads files again when they have changed. A bad one leaves the targets that it had."""

    def __init__(self, patterns: Sequence[str], scheme: str) -> None:
        self._patterns, self._scheme = patterns, scheme
        self._known: dict[str, _Read] = {}
        self._missing: tuple[FileState, ...] = ()

    def refresh(self) -> bool:
        """Whether any file has changed since the last time."""
        before, missing = dict(self._known), self._missing
        found: dict[str, _Read] = {}
        absent = []
        for pattern in self._patterns:
            paths = _matching(pattern)
            if not paths:
                absent.append(FileState(pattern, 0, "no such file"))
            for path in paths:
                found[path] = self._read(path)
        self._known, self._missing = found, tuple(absent)
        return before != found or missing != self._missing

    def targets(self) -> dict[str, Target]:
        """By URL. Of one that is written twice, the first counts."""
        found: dict[str, Target] = {}
        for read in self._known.values():
            for target in read.targets:
                found.setdefault(target.url, target)
        return found

    def states(self) -> tuple[FileState, ...]:
        known = (
            FileState(path, len(read.targets), read.problem) for path, read in self._known.items()
        )
        return (*known, *self._missing)

    def _read(self, path: str) -> _Read:
        before = self._known.get(path)
        try:
            status = os.stat(path)
        except OSError as error:
            return _Read((), before.targets if before else (), f"{path}: {error.strerror}")
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        if before and before.mark == mark:
            return before
        try:
            return _Read(mark, load(path, self._scheme), "")
        except DocumentError as error:
            return _Read(mark, before.targets if before else (), str(error))


def load(path: str, scheme: str) -> tuple[Target, ...]:
    """Raises DocumentError that names file, line and key."""
    content = strictyaml.read(path)
    if path.endswith(".json"):
        content = content.replace(b"\t", b"  ")  # JSON may be indented so, YAML may not
    document = Document(content, path)
    if document.data == {}:  # an empty file
        return ()
    groups = document.convert(tuple[_Group, ...])
    return tuple(
        target
        for number, group in enumerate(groups)
        for target in _of_group(document, number, group, scheme)
    )


def _of_group(document: Document, number: int, group: _Group, scheme: str) -> list[Target]:
    labels: dict[str, str] = {}
    if len(group.labels) > MAX_LABELS:
        raise document.error((number, "labels"), f"has more than {MAX_LABELS} labels")
    for name, given in group.labels.items():
        value, where = str(given), (number, "labels", name)
        if name == "__scheme__":
            if value not in PORTS:
                raise document.error(where, f"{value!r} is not one of: {', '.join(PORTS)}")
            scheme = value
        if name.startswith("__"):
            continue
        if len(value) > MAX_LABEL or not value.isprintable():
            raise document.error(
                where, f"must be {MAX_LABEL} characters or less, none of them a control character"
            )
        known = CHINESE.get(name, name)
        if labels.get(known, value) != value:
            raise document.error(where, f"{known} is there twice, and they differ")
        labels[known] = value
    return [
        Target(_address(document, (number, "targets", place), text, scheme), scheme, labels)
        for place, text in enumerate(group.targets)
    ]


def _address(document: Document, where: strictyaml.Path, text: str, scheme: str) -> str:
    """host:port as it is compared; the port of the scheme where none is written."""
    if not text.isprintable() or set(text) & set(" /?#@\\%"):
        raise document.error(
            where, f"{text!r:.80} is not host:port; a scheme is the label __scheme__"
        )
    bare = text.rpartition("]")[2].count(":") == 0 and (text.count(":") == 0 or text.endswith("]"))
    address = f"{text}:{PORTS[scheme]}" if bare else text
    try:
        host, port = endpoint(address)
    except ValueError as error:
        raise document.error(where, str(error)) from error
    return f"[{host.lower()}]:{port}" if ":" in host else f"{host.lower()}:{port}"


def _matching(pattern: str) -> list[str]:
    if "*" not in os.path.basename(pattern):
        return [pattern] if os.path.lexists(pattern) else []
    # the folder is a name and not a pattern, whatever is in it
    return sorted(
        glob.glob(os.path.join(glob.escape(os.path.dirname(pattern)), _only_star(pattern)))
    )


def _only_star(pattern: str) -> str:
    """`*` is all that a pattern has; other marks of glob(3) stand for themselves."""
    return "*".join(glob.escape(part) for part in os.path.basename(pattern).split("*"))
