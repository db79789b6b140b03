"""What deploying needs to know of what is in a bundle: its unit, its default configuration, its size unpacked."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from typing import Final

import msgspec

from agents.errors import UserError

UNIT: Final = "share/jianwei/systemd/jianwei-agent.service"
CONFIG: Final = "share/jianwei/jianwei.yaml"
BLOCK: Final = 4096  # bytes; a file takes whole ones
MAX_BYTES: Final = 1 << 20  # of either file


class BundleFiles(msgspec.Struct, frozen=True):
    unit: str  # SHA-256
    config: bytes
    room: int  # bytes


def read(path: str) -> BundleFiles:
    """One pass over the bundle; raises UserError where it is not one that has both."""
    found: dict[str, bytes] = {}
    room = 0
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                room += -(-member.size // BLOCK) * BLOCK + BLOCK
                inside = os.path.normpath(member.name).partition("/")[2]
                if inside in (UNIT, CONFIG) and member.size <= MAX_BYTES:
                    file = archive.extractfile(member)
                    found[inside] = file.read() if file else b""
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise UserError(f"{path}: cannot be read as a bundle: {error}") from error
    for name in (UNIT, CONFIG):
        if name not in found:
            raise UserError(f"{path}: there is no {name} in it: make it with make bundle")
    return BundleFiles(hashlib.sha256(found[UNIT]).hexdigest(), found[CONFIG], room)
