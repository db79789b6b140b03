"""A report in the formats that were asked for, as files by their names."""

from __future__ import annotations

import gc
import hashlib
import logging
import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Final, Literal, get_args

from exporters.report import fonts
from exporters.report.document import Document

log = logging.getLogger(__name__)

Format = Literal["html", "pdf", "xlsx", "csv", "json"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_UNSAFE: Final = re.compile(r"[^\w-]+")
_LONGEST: Final = 40  # characters of a department in the name of a file
NOBODY: Final = "unassigned"


def ready(formats: Collection[Format], font: str = "") -> None:
    """Raises FontError or PdfError where what a format needs is missing, before anything is computed."""
    if "pdf" in formats:
        from exporters.report import pdf

        pdf.ready(font or fonts.FAMILY)


def stem(document: Document, language: str) -> str:
    """`report-2026-10.zh`, of an excerpt `report-2026-10-市财政局.zh`: nothing that leads elsewhere, and no two
    departments have one."""
    whose = document.scope.department
    part = "" if whose is None else f"-{named(whose)}"
    return f"report-{document.scope.month}{part}.{language}"


def named(department: str) -> str:
    """The part of a file's name that says whose excerpt it is; no two departments have one."""
    if not department:
        return NOBODY
    name = _UNSAFE.sub("_", department)[:_LONGEST]
    if name != department or name == NOBODY:
        name += f"-{hashlib.sha256(department.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return name


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
    page = html(document, language, font or fonts.FAMILY) if {"html", "pdf"} & {*formats} else ""
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
    from exporters.report.pdf import PdfError

    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    setter = context.Process(target=_set, args=(sender, page, family), name="pages")
    setter.start()
    sender.close()

    def content() -> bytes:
        try:
            made = receiver.recv()
        except EOFError as error:
            raise PdfError(
                "the process that sets the pages was killed; is memory short?"
            ) from error
        if isinstance(made, Exception):
            raise made
        for warning in made.warnings:
            log.warning("PDF: %s", warning)
        found: bytes = made.content
        return found

    try:
        yield content
    finally:
        setter.kill()
        setter.join()


def _set(sender: Connection, page: str, family: str) -> None:
    from exporters.report import pdf

    _end_with_parent()
    gc.set_threshold(
        100_000, 50, 1000
    )  # trees of boxes that all stay: looking for cycles is a twelfth
    try:
        sender.send(pdf.make(page, family))
    except (fonts.FontError, pdf.PdfError) as error:
        sender.send(error)


def _end_with_parent() -> None:
    """Nobody wants the pages of somebody who was killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
