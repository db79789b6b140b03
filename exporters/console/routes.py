"""What the console serves, all of it: the pages and operations of every room. The role matrix is tested from here."""

from __future__ import annotations

from typing import Final

from exporters.console.notify import operations as notify_operations
from exporters.console.notify import pages as notify
from exporters.console.overview import pages as overview
from exporters.console.people import pages as people
from exporters.console.web.routing import Operation, Page

PAGES: Final[tuple[Page, ...]] = (
    *notify.PAGES,
    *overview.PAGES,
    *people.PAGES,
)
OPERATIONS: Final[tuple[Operation, ...]] = (*notify_operations.OPERATIONS,)
