"""A bundle for hosts, as `make bundle` makes it (docs/bundle.md): which one it is, and whether it is whole.

Its first files are the folder itself and share/jianwei/BUNDLE with name=, version= and arch=; beside the
file lies SHA256SUMS as sha256sum(1) writes it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from pathlib import Path
from typing import Final

import msgspec

from agents.errors import UserError
from agents.fleet.plan import AGENT, FULL

ARCHITECTURES: Final = ("x86_64",)
_NAMES: Final = (AGENT, FULL)
_HEAD: Final = 8  # entries; BUNDLE is the fourth
_MOST: Final = 4096  # bytes of BUNDLE
_UNPACKED: Final = 1 << 16  # bytes that those are in; a few of gzip may become very many
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,63}")
_REMEDY: Final = "make one with make bundle, or copy it again"


class Bundle(msgspec.Struct, frozen=True):
    """`sha256` in hexadecimal; `arch` as uname -m says it; `size` in bytes."""

    path: str
    name: str
    version: str
    arch: str
    sha256: str
    size: int

    @property
    def top(self) -> str:
        """The one folder that everything in it is in."""
        return f"{self.name}-{self.version}"


def opened(path: str) -> Bundle:
    """Read all of it once; raises UserError with what to do."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _compare(path, sha256)
        top, text = _head(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {_REMEDY}") from error
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    name, version, arch = (told.get(key, "") for key in ("name", "version", "arch"))
    system, _, machine = arch.partition("-")
    if name not in _NAMES or not _VERSION.fullmatch(version) or top != f"{name}-{version}":
        raise UserError(f"{path}: this is no bundle of jianwei; {_REMEDY}")
    if system != "linux" or machine not in ARCHITECTURES:
        raise UserError(
            f"{path}: this bundle is for {arch[:40]!r}; hosts need linux-{ARCHITECTURES[0]}"
        )
    return Bundle(path, name, version, machine, sha256, size)


def _head(path: str) -> tuple[str, str]:
    """The top folder and what BUNDLE says, from the archive's first entries."""
    try:
        with gzip.open(path) as file:
            first = file.read(_UNPACKED)
        with tarfile.open(fileobj=io.BytesIO(first), mode="r:") as archive:
            for _ in range(_HEAD):
                entry = archive.next()
                if not entry:
                    break
                top, _, below = entry.name.partition("/")
                if below == "share/jianwei/BUNDLE" and entry.isreg() and entry.size <= _MOST:
                    content = archive.extractfile(entry)
                    return top, content.read().decode("ascii") if content else ""
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: this is no bundle, or it is cut ({error}); {_REMEDY}") from error
    raise UserError(f"{path}: this is no bundle of jianwei; {_REMEDY}")


def _compare(path: str, sha256: str) -> None:
    """With SHA256SUMS of the same folder, where there is one that has this name."""
    sums = Path(path).with_name("SHA256SUMS")
    try:
        lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{sums}: {error.strerror}") from error
    for line in lines:
        wanted, _, name = line.partition(" ")
        if name.lstrip(" *") == Path(path).name and wanted != sha256:
            raise UserError(f"{path}: it is not as {sums} says (SHA-256 {sha256}); {_REMEDY}")
