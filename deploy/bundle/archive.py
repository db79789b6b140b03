"""A tree as tar.gz: the same bytes for the same tree.

Format: tar(5) of GNU with names sorted, root's, one time for all; gzip of RFC 1952 without name and time.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

# First in the archive, so that who asks what it is need not read it whole (agents/fleet/bundle.py)
HEAD = "share/jianwei/BUNDLE"
_LEVEL = 6  # 9 takes three times as long for one per cent


def pack(folder: Path, top: str, into: Path, epoch: int) -> Path:
    """`into`, with everything of `folder` below a folder `top`."""
    with (
        open(into, "wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name in _names(folder):
            entry = archive.gettarinfo(folder / name, f"{top}/{name}".rstrip("/."))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = epoch
            if entry.isreg():
                with open(folder / name, "rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return into


def _names(folder: Path) -> Iterator[str]:
    head = [".", "share", "share/jianwei", HEAD]
    yield from head
    yield from (
        name
        for name in sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        if name not in head
    )
