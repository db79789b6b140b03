"""A report in the formats that were asked for, as files by their names."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

from exporters.report import fonts
from exporters.report.document import Document
from exporters.usage.amounts import department

log = logging.getLogger(__name__)

Format = Literal["html", "pdf", "xlsx", "csv", "json"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_UNSAFE: Final = re.compile(r"[^\w-]+")
_LONGEST: Final = 40  # characters of a department in the name of a file


def ready(formats: Collection[Format], font: str = "") -> None:
    """Raises FontError or PdfError where what a format needs is missing, before anything is computed."""
    if "pdf" in formats:
        from exporters.report import pdf

        pdf.ready(font or fonts.FAMILY)


def stem(document: Document, language: str) -> str:
    """`report-2026-10.zh`, of an excerpt `report-2026-10-市财政局.zh`: nothing that leads elsewhere."""
    whose = document.scope.department
    part = "" if whose is None else f"-{safe(department(whose, language))}"
    return f"report-{document.scope.month}{part}.{language}"


def safe(name: str) -> str:
    return _UNSAFE.sub("_", name)[:_LONGEST].strip("_") or "_"


def render(
    document: Document,
    formats: Collection[Format],
    language: str,
    font: str = "",
    watch: Callable[[str], None] = lambda _: None,
) -> dict[str, bytes]:
    """Raises PdfError, and ValueError of names that no workbook takes. `watch` gets the format under way."""
    from exporters.report import jsonform, tables
    from exporters.report.html.page import html, paper
    from exporters.report.xlsx.workbook import xlsx

    name, found = stem(document, language), {}
    page = html(document, language) if {"html", "pdf"} & {*formats} else ""
    with _setting(paper(page), font or fonts.FAMILY, "pdf" in formats) as paged:
        for one in FORMATS:
            if one not in formats:
                continue
            watch(one)
            match one:
                case "html":
                    found[f"{name}.html"] = page.encode()
                case "xlsx":
                    found[f"{name}.xlsx"] = xlsx(document, language)
                case "csv":
                    csvs = tables.csvs(document, language)
                    found |= {f"{name}.{table}": content for table, content in csvs.items()}
                case "json":
                    found[f"{name}.json"] = jsonform.encode(document)
        if "pdf" in formats:
            watch("pdf")
            found[f"{name}.pdf"] = paged()
    return found


@contextmanager
def _setting(page: str, family: str, wanted: bool) -> Iterator[Callable[[], bytes]]:
    """Sets a page in a process of its own meanwhile, which takes most of the time of a report: it is two cores'
    work, and WeasyPrint's memory leaves with it."""
    if not wanted:
        yield lambda: b""
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from exporters.report import pdf

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        made = pool.submit(pdf.make, page, family)

        def content() -> bytes:
            try:
                it = made.result()
            except BrokenProcessPool as error:
                raise pdf.PdfError(
                    "the process that sets the pages was killed; is memory short?"
                ) from error
            for warning in it.warnings:
                log.warning("PDF: %s", warning)
            return it.content

        yield content
