"""Files of a report in a folder, each written aside and renamed: nobody reads half of one."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from exporters.aside import replacing


def check(folder: str) -> None:
    """Whether files can be written there, before anything is computed for them; raises OSError."""
    place = Path(folder or ".").absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, "nobody like you may write there", str(place))


def write(folder: str, files: Mapping[str, bytes]) -> list[str]:
    """Write all of them, then rename all of them; raises OSError and leaves nothing half done."""
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in files]
    for path in paths:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, f"{path} is a folder", path)
    with ExitStack() as aside:
        for path, content in zip(paths, files.values(), strict=True):
            _write(aside.enter_context(replacing(Path(path))), content)
    return paths


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
