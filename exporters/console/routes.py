"""What the console serves, all of it: the pages and operations of every room. The role matrix is tested from here."""

from __future__ import annotations

from typing import Final

from exporters.console.overview import pages as overview
from exporters.console.people import operations as people_operations
from exporters.console.people import pages as people
from exporters.console.people.directory import pages as directory
from exporters.console.reports import operations as reports_operations
from exporters.console.reports import pages as reports
from exporters.console.web.routing import Operation, Page

PAGES: Final[tuple[Page, ...]] = (
    *directory.PAGES,
    *overview.PAGES,
    *people.PAGES,
    *reports.PAGES,
)
OPERATIONS: Final[tuple[Operation, ...]] = (
    *people_operations.OPERATIONS,
    *reports_operations.OPERATIONS,
)
