"""What the HTTP application asks of the agent. The agent implements `Backend`; nothing here does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from collectors.model import Family
from exporters.prometheus.overview import Overview


class UnknownCollector(Exception):
    """A name in `collect[]` or `exclude[]` that is no enabled collector."""

    def __init__(self, name: str, valid: Sequence[str]) -> None:
        super().__init__(f"unknown collector {name!r}; there are: {', '.join(sorted(valid))}")


class ProbeRefused(Exception):
    """A probe that is not made. `status` is the HTTP status, `str()` the reason for the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class NotYet(Exception):
    """There is no audit to show. `str()` says why."""


class ReloadError(Exception):
    """The new configuration is bad, the old one runs on. `str()` says what is wrong."""


class Managed(Protocol):
    """What every server asks of what it serves. Every method may block, each is called on a thread.

    Calls of one method may overlap, except `reload`.
    """

    def scrape(self, include: frozenset[str], exclude: frozenset[str]) -> Sequence[Family]:
        """Everything for `/metrics`; one of the two sets is empty. Raises UnknownCollector."""
        ...

    def reload(self) -> None:
        """Read the configuration again. Raises ReloadError and then changes nothing."""
        ...

    def ready(self) -> str:
        """Empty if it is ready to serve, else why not."""
        ...


class Backend(Managed, Protocol):
    """The agent, as seen from HTTP."""

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        """One probe; a text is a page for people (`debug=true`). Raises ProbeRefused.

        `query` has the first value of each parameter; names in `headers` are in lower case.
        """
        ...

    def findings(self) -> bytes:
        """The last audit as JSON; the same object until the next audit. Raises NotYet."""
        ...

    def overview(self) -> Overview:
        """What the landing page shows."""
        ...
