"""What goes wrong between us and a time-series database. `str()` of each is one line without secrets."""

from __future__ import annotations

from exporters.usage.source import SourceError


class TooMuch(SourceError):
    """The server (or our cap on its answer) refused the query for its size or its time: the same of fewer
    resources, or of less time, may do."""


class NotServed(SourceError):
    """The server does not have this part of the API."""


class Again(Exception):
    """A try that failed in a way that may be over the next time; `after` seconds, where the server says so."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after
