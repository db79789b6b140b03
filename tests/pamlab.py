"""The real PAM library, asked to walk a stack of pam_debug(8) modules from a folder of its own."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, NamedTuple

SUCCESS = 0


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


_Converse = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_void_p,
)


class _Conversation(ctypes.Structure):
    _fields_ = (("converse", _Converse), ("data", ctypes.c_void_p))


class Walked(NamedTuple):
    """What each module that was reached said, in order, and whether the user was let pass."""

    said: list[str]
    passed: bool


def library() -> Any:
    """The library, or None where it is not there or too old for a folder of one's own."""
    try:
        found = ctypes.CDLL("libpam.so.0")
    except OSError:
        return None
    return found if hasattr(found, "pam_start_confdir") else None


def authenticate(folder: Path, service: str) -> Walked:
    """Walk the auth stack of a service whose file is in `folder`."""
    pam, c = library(), ctypes.CDLL(None)
    c.calloc.restype = ctypes.c_void_p
    said: list[str] = []

    def converse(count: int, messages: Any, responses: Any, _data: Any) -> int:
        said.extend(messages[i].contents.text.decode() for i in range(count))
        responses[0] = c.calloc(count, 16)
        return SUCCESS

    conversation = _Conversation(_Converse(converse), None)
    handle = ctypes.c_void_p()
    names = (service.encode(), b"root", ctypes.byref(conversation), str(folder).encode())
    assert pam.pam_start_confdir(*names, ctypes.byref(handle)) == SUCCESS
    result = pam.pam_authenticate(handle, 0)
    pam.pam_end(handle, result)
    return Walked([text.removeprefix("auth=") for text in said], result == SUCCESS)
