"""Passwords of sudo over many hosts: one that was refused is not tried on the next, or accounts get locked
(faillock(8)) where hosts share a directory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from agents.fleet.model import FleetHost
from collectors.sources.ssh.target import LoginError, SshError


class SudoPasswordError(LoginError):
    """sudo on a host does not take the password."""


class NotTried(Exception):
    """A host is not begun, because another refused its password. `str()` is one line."""


class Passwords:
    """Of one run. The first host with a password tries it alone; once a host took it, it is right, and a host
    that refuses it is one host that differs."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._taken: set[str] = set()
        self._refused: dict[str, str] = {}  # and by which host

    def check(self, host: FleetHost) -> None:
        """Raises NotTried."""
        if where := self._refused.get(_password(host)):
            raise NotTried(f"not begun: {where} does not take the password of sudo")

    @contextlib.contextmanager
    def first(self, host: FleetHost) -> Iterator[None]:
        """Around the first use of sudo on a host. Raises NotTried."""
        password = _password(host)
        if password and password not in self._taken:
            with self._locks.setdefault(password, threading.Lock()):
                self.check(host)
                if password not in self._taken:
                    with self._noting(host, password):
                        yield
                    return
        yield

    @contextlib.contextmanager
    def _noting(self, host: FleetHost, password: str) -> Iterator[None]:
        try:
            yield
        except SudoPasswordError:
            self._refused[password] = host.name
            raise
        except SshError:
            raise  # nobody knows
        except Exception:
            self._taken.add(password)
            raise
        self._taken.add(password)


def _password(host: FleetHost) -> str:
    if host.rise == "sudo" and host.sudo_password is not None:
        return host.sudo_password.reveal()
    return ""
