"""What can be done at a host that is connected to. Over SSH: agents/fleet/overssh.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from agents.fleet.hostlog import Write
from agents.fleet.hostside import Bundle
from agents.fleet.model import FleetHost, Seen

Progress = Callable[[int], None]  # bytes so far


class Hand(Protocol):
    """Each may raise HostError, and SshError where the connection is lost."""

    def look(self) -> Seen: ...

    def upload(self, bundle: Bundle, progress: Progress) -> None: ...

    def unpack(self, bundle: Bundle) -> None: ...

    def configure(self, files: Mapping[str, bytes], version: str) -> None: ...

    def activate(self, version: str, seconds: float) -> None: ...

    def rollback(self, seconds: float) -> None: ...

    def uninstall(self, keep_state: bool) -> None: ...


# raises SshError where the host cannot be reached; what it says there goes to the log as well
Reach = Callable[[FleetHost, Write], AbstractContextManager[Hand]]
