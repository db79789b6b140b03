"""Whose the files in the state folder are, where root writes them for the agent's user."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def give(descriptor: int, folder: Path) -> None:
    """What root keeps in the folder for an agent that is another user is that user's: the folder's owner's."""
    if os.geteuid() != 0:
        return
    owner, mine = os.stat(folder), os.fstat(descriptor)
    # a hard link that the agent's user made leads to a file of somebody else
    if mine.st_uid != owner.st_uid and (stat.S_ISDIR(mine.st_mode) or mine.st_nlink == 1):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
