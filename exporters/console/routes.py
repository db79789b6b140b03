"""What the console serves, all of it: the pages and operations of every room. The role matrix is tested from here."""

from __future__ import annotations

from typing import Final

from exporters.console.overview import pages as overview
from exporters.console.people import pages as people
from exporters.console.review import operations as review_operations
from exporters.console.review import pages as review
from exporters.console.web.routing import Operation, Page

PAGES: Final[tuple[Page, ...]] = (
    *overview.PAGES,
    *people.PAGES,
    *review.PAGES,
)
OPERATIONS: Final[tuple[Operation, ...]] = (*review_operations.OPERATIONS,)
