"""Python packages as they are installed beside the running interpreter, checked against the lock and RECORD.

Formats: pip's requirements with hashes (`pip install --require-hashes`); RECORD as the specification of
recording installed projects has it: path, sha256=URL-safe base64, size.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from deploy.bundle.errors import BuildError


class Locked(NamedTuple):
    """One line of the lock."""

    name: str
    version: str
    hashes: tuple[str, ...]  # SHA-256, hexadecimal


class Installed(NamedTuple):
    """One package: `files` are path below site-packages → where it is; `licences` are of them or beside."""

    name: str
    version: str
    licence: str
    files: dict[str, str]
    licences: dict[str, str]


def locked(text: str) -> dict[str, Locked]:
    """The packages of a lock by name; raises BuildError."""
    found = {}
    for block in re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*$", "", text)).splitlines():
        words = block.split()
        if not words:
            continue
        pinned = re.fullmatch(r"([a-z0-9][a-z0-9._-]*)==([^\s;]+)", words[0])
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        if not pinned or not hashes:
            raise BuildError(f"the lock has a line without version or hash: {words[0]:.80}")
        found[pinned[1]] = Locked(pinned[1], pinned[2], hashes)
    return found


def installed(wanted: Locked) -> Installed:
    """Raises BuildError unless it is here in the lock's version with every file as RECORD says."""
    try:
        found = metadata.distribution(wanted.name)
    except metadata.PackageNotFoundError:
        raise BuildError(f"{wanted.name} is not installed; run make dev") from None
    if found.version != wanted.version:
        raise BuildError(
            f"{wanted.name} {found.version} is installed, the lock has {wanted.version}; run make dev"
        )
    root = Path(str(found.locate_file("")))
    files, licences = {}, {}
    for path, sha256 in _record(found.read_text("RECORD") or "", wanted.name):
        where = root / path
        if _sha256(where) != sha256:
            raise BuildError(f"{where} is not as it was installed; make clean dev mends it")
        if ".dist-info/" not in path or path.endswith("/METADATA"):
            files[path] = str(where)
        elif re.search(
            r"licen[cs]e|copying|notice|authors", path.rpartition(".dist-info/")[2], re.I
        ):
            licences[path.rpartition(".dist-info/")[2].removeprefix("licenses/")] = str(where)
    return Installed(wanted.name, found.version, _licence(found), files, licences)


def _record(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Path and hash of what a wheel brought: not what pip made beside it."""
    for row in csv.reader(io.StringIO(text)):
        path, hashed = row[0], row[1]
        if path.startswith("../") or path.endswith((".pyc", "/RECORD")):
            continue
        if not hashed.startswith("sha256="):
            raise BuildError(f"{name}: RECORD has no SHA-256 of {path}")
        yield path, hashed.removeprefix("sha256=")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _licence(found: metadata.Distribution) -> str:
    """Its SPDX expression or what it says instead; empty if it says nothing."""
    told = found.metadata
    if "License-Expression" in told:
        return told["License-Expression"]
    classified = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    text = told["License"].strip() if "License" in told else ""
    return text if text and "\n" not in text and len(text) < 60 else ", ".join(classified)
