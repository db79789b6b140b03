"""The page of a report as PDF: A4, fonts embedded, tagged (ISO 14289-1, PDF/UA), with an outline. WeasyPrint sets it.

Title, author, date and language are from the page's head, so that the same page is the same bytes. Nothing is
fetched: neither network nor files; only `data:` is read.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from exporters.report import fonts
from exporters.report.fonts import FAMILY

log = logging.getLogger(__name__)

VARIANT: Final = "pdf/ua-1"
_NOT_SET: Final = ".notdef glyph"
_NOT_LOADED: Final = "Failed to load"
_SHOWN: Final = 5  # messages


class PdfError(Exception):
    """The page cannot be set as it is meant. `str()` says why."""


class Made(NamedTuple):
    """`warnings` are what the page has that does not count in print."""

    content: bytes
    pages: int
    warnings: tuple[str, ...]


def pdf(page: str, family: str = FAMILY) -> bytes:
    """The PDF of a page that names `family` in its style sheet; raises FontError and PdfError."""
    made = make(page, family)
    for warning in made.warnings:
        log.warning("PDF: %s", warning)
    return made.content


def make(page: str, family: str = FAMILY) -> Made:
    """As `pdf`, with what was told meanwhile."""
    text = ready(family).settable(page)
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    identifier = hashlib.sha256(text.encode()).hexdigest()[:32].encode()
    with _told() as told:
        fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
        document = HTML(string=text, url_fetcher=fetcher).render(pdf_variant=VARIANT)
        _forget_styles(document)
        content: bytes = document.write_pdf(pdf_variant=VARIANT, pdf_identifier=identifier)
    wrong = [one for one in told if one.startswith((_NOT_SET, _NOT_LOADED))]
    if wrong:
        raise PdfError(_summed(wrong))
    return Made(content, len(document.pages), tuple(dict.fromkeys(told)))


def ready(family: str = FAMILY) -> fonts.Fonts:
    """The fonts there are; raises FontError where the font or a library is missing, naming the package. To be asked
    before anything is computed."""
    fonts.check_libraries()
    return fonts.installed(family)


def _forget_styles(document: Any) -> None:
    """Painting does not look at the styles of elements, a fifth of all memory by then, that the first inline picture
    keeps hold of for all. These are not of WeasyPrint's public face: where they are otherwise, nothing is saved."""
    for page in document.pages:
        root = getattr(page, "_page_box", None)
        for box in root.descendants() if root is not None else ():
            context = getattr(getattr(box, "replacement", None), "_context", None)
            if context is not None:
                context.style_for = None
                return


def _summed(wrong: list[str]) -> str:
    few = list(dict.fromkeys(wrong))
    more = f" and {len(few) - _SHOWN} more" if len(few) > _SHOWN else ""
    return f"the page cannot be made a PDF: {'; '.join(few[:_SHOWN])}{more}"


class _Listener(logging.Handler):
    """What one thread tells."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.told.append(record.getMessage())


@contextmanager
def _told() -> Iterator[list[str]]:
    """What WeasyPrint says, here instead of on the terminal."""
    logger = logging.getLogger("weasyprint")
    listener, propagate = _Listener(), logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield listener.told
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagate
