"""A log file for each host: what was done there and when, and what the host said, made harmless.

Lines are `time  text` in UTC (RFC 3339); secrets are `***`. A file above MAX_BYTES becomes `.1` before a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from exporters.findings.text import neutral

MAX_BYTES: Final = 1 << 20
MAX_LINE: Final = 4096  # characters of one thing a host said
MAX_NAME: Final = 200  # bytes of a file's name, before `.log.1`
SHORTEST: Final = 4  # characters; what is shorter is in every other word

Write = Callable[[str], None]
Mask = Callable[[str], str]


def masking(secrets: Collection[str]) -> Mask:
    """A function that takes the secrets out of a text, and each of their lines, also as `neutral` shows them."""
    parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
    known = parts | {neutral(part) for part in parts}
    longest = sorted((s for s in known if len(s) >= SHORTEST), key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in longest:
            text = text.replace(secret, "***")
        return text

    return mask


def file_name(host: str) -> str:
    """A name of a file that no other host has and that leads nowhere else."""
    name = re.sub(r"[^\w.-]", lambda match: f"%{ord(match[0]):x}", host)
    if len(name.encode()) > MAX_NAME:
        name = f"{name[:40]}%{hashlib.sha256(host.encode()).hexdigest()[:16]}"
    return f"{name}.log"


@contextlib.contextmanager
def opened(folder: Path, host: str, mask: Mask) -> Iterator[Write]:
    """Write lines to the host's log while in the `with`."""
    path = folder / file_name(host)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > MAX_BYTES:
            path.replace(f"{path}.1")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:

        def write(text: str) -> None:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            for line in mask(text)[-64 * MAX_LINE :].splitlines() or [""]:
                os.write(descriptor, f"{now}  {neutral(line[:MAX_LINE])}\n".encode())

        yield write
    finally:
        os.close(descriptor)
