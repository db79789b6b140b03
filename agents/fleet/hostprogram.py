"""host.sh, the one program that runs on hosts: its parts in agents/fleet/host/, in the order in which they follow each other.

It goes to a host over standard input (hostside.py) and is in every bundle (share/jianwei/host.sh), for the console.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

PARTS: Final = (
    "opening", "look", "changing", "unpack", "configure", "activate", "uninstall", "install",
)  # fmt: skip


@functools.cache
def text() -> str:
    """The whole program."""
    folder = resources.files("agents.fleet") / "host"
    return "\n".join((folder / f"{part}.sh").read_text("utf-8") for part in PARTS)
