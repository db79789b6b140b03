"""Hands at hosts over SSH: agents/fleet/hostside.py, and what the host says goes to its log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from agents.fleet import hostside
from agents.fleet.hands import Hand, Progress
from agents.fleet.hostlog import Write
from agents.fleet.hostside import Bundle
from agents.fleet.model import FleetHost, Seen
from agents.fleet.remote import Remote, connected


@contextlib.contextmanager
def reach(host: FleetHost, say: Write) -> Iterator[Hand]:
    """As agents.fleet.hands has it."""
    say(f"connecting to {host.address}")
    with connected(host) as remote:
        yield _Hand(remote, say)


class _Hand:
    def __init__(self, remote: Remote, say: Write) -> None:
        self._remote, self._say = remote, say

    def look(self) -> Seen:
        return hostside.look(self._remote)

    def upload(self, bundle: Bundle, progress: Progress) -> None:
        hostside.upload(self._remote, bundle, progress)

    def unpack(self, bundle: Bundle) -> None:
        hostside.unpack(self._remote, bundle)

    def configure(self, files: Mapping[str, bytes], version: str) -> None:
        self._say(f"files: {' '.join(sorted(files))}")
        hostside.configure(self._remote, files, version)

    def activate(self, version: str, seconds: float) -> None:
        hostside.activate(self._remote, version, seconds)

    def rollback(self, seconds: float) -> None:
        hostside.rollback(self._remote, seconds)

    def uninstall(self, keep_state: bool) -> None:
        for what in hostside.uninstall(self._remote, keep_state):
            self._say(f"removed: {what}")
