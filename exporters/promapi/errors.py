"""What goes wrong between us and a time-series database. `str()` of each is one line without secrets."""

from __future__ import annotations

from typing import Final

from exporters.usage.source import SourceError

UP: Final = "is it up, and is the address right?"


class TooMuch(SourceError):
    """The server (or our cap on its answer) refused the query for its size or its time: the same of fewer
    resources, or of less time, may do."""


class NotServed(SourceError):
    """The server does not have this part of the API."""


class Again(Exception):
    """A try that failed in a way that may be over the next time; `after` seconds, where the server says so.
    `remedy` is for when it is not."""

    def __init__(self, problem: str, after: float | None = None, remedy: str = UP) -> None:
        super().__init__(problem)
        self.after, self.remedy = after, remedy
