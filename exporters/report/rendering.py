"""A report in the formats that were asked for, as files by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Literal, get_args

from exporters.report import fonts
from exporters.report.document import Document
from exporters.usage.amounts import department

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
    from exporters.report.pdf import pdf
    from exporters.report.xlsx.workbook import xlsx

    name, found = stem(document, language), {}
    page = html(document, language) if {"html", "pdf"} & {*formats} else ""
    for one in FORMATS:
        if one not in formats:
            continue
        watch(one)
        match one:
            case "html":
                found[f"{name}.html"] = page.encode()
            case "pdf":
                found[f"{name}.pdf"] = pdf(paper(page), font or fonts.FAMILY)
            case "xlsx":
                found[f"{name}.xlsx"] = xlsx(document, language)
            case "csv":
                csvs = tables.csvs(document, language)
                found |= {f"{name}.{table}": content for table, content in csvs.items()}
            case "json":
                found[f"{name}.json"] = jsonform.encode(document)
    return found
