"""Whether commands of a policy file may be run: only if nobody but root can have written it.

Commands run with the agent's rights, so whoever can write the policy has them. As sshd's StrictModes
has it: file and every folder above belong to root and are not writable by group or others.
"""

from __future__ import annotations

import os
import stat

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def distrust(path: str, content: bytes) -> str:
    """Why commands of a policy, read from `path` as `content`, must not be run; empty: they may."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        return f"{path} cannot be checked: {error.strerror}"
    try:
        # what is open cannot be exchanged for another one while it is looked at
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return f"{real} is no regular file"
        if problem := _writable(real, status):
            return problem
        with os.fdopen(os.dup(descriptor), "rb") as file:
            if file.read(len(content) + 1) != content:
                return f"{path} changed while it was read"
        return _folders(real)
    except OSError as error:
        return f"{path} cannot be checked: {error.strerror}"
    finally:
        os.close(descriptor)


def _folders(path: str) -> str:
    folder = os.path.dirname(path)
    while True:
        if problem := _writable(folder, os.stat(folder)):
            return problem
        if folder == "/":
            return ""
        folder = os.path.dirname(folder)


def _writable(path: str, status: os.stat_result) -> str:
    if status.st_uid != 0:
        return f"{path} does not belong to root"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        # in a sticky folder such as /tmp nobody may exchange what belongs to root
        if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
            return ""
        return f"{path} may be written by others than root"
    return ""
