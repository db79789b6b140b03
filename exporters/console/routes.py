"""What the console serves, all of it: the pages and operations of every room. The role matrix is tested from here."""

from __future__ import annotations

from typing import Final

from exporters.console.attest import operations as attest_operations
from exporters.console.attest import pages as attest
from exporters.console.hosts import operations as hosts_operations
from exporters.console.hosts import pages as hosts
from exporters.console.notify import operations as notify_operations
from exporters.console.notify import pages as notify
from exporters.console.overview import operations as overview_operations
from exporters.console.overview import pages as overview
from exporters.console.people import operations as people_operations
from exporters.console.people import pages as people
from exporters.console.people.directory import pages as directory
from exporters.console.pull import operations as pull_operations
from exporters.console.pull import pages as pull
from exporters.console.reports import operations as reports_operations
from exporters.console.reports import pages as reports
from exporters.console.review import operations as review_operations
from exporters.console.review import pages as review
from exporters.console.web.routing import Operation, Page

PAGES: Final[tuple[Page, ...]] = (
    *attest.PAGES,
    *directory.PAGES,
    *hosts.PAGES,
    *notify.PAGES,
    *overview.PAGES,
    *people.PAGES,
    *pull.PAGES,
    *reports.PAGES,
    *review.PAGES,
)
OPERATIONS: Final[tuple[Operation, ...]] = (
    *attest_operations.OPERATIONS,
    *hosts_operations.OPERATIONS,
    *notify_operations.OPERATIONS,
    *overview_operations.OPERATIONS,
    *people_operations.OPERATIONS,
    *pull_operations.OPERATIONS,
    *reports_operations.OPERATIONS,
    *review_operations.OPERATIONS,
)
