"""The monthly report as one HTML file that asks for nothing else: no script, no font, no picture, and a
Content-Security-Policy (W3C CSP 3) that lets in its own style alone. It is what the PDF is made of as well (CSS Paged Media 3).

Whatever comes from clouds and files is escaped, in one line and short. Part by part it is made by the `*.html.j2` here.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Final

from exporters.report import fonts
from exporters.report.document import Document
from exporters.report.html.view import View

SCREEN: Final = (("<!--screen-->", "<!--/screen-->"), ("/*screen*/", "/*/screen*/"))


def html(document: Document, language: str, font: str = fonts.FAMILY) -> str:
    """The report in `zh` or `en`, set in a font family; raises ValueError where that is no name of one."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("exporters.report.html")

    def source(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    style = source("report.css").replace(fonts.FAMILY, fonts.checked_name(font))
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(source),
    )
    view = View(document, language, font)
    environment.globals |= view.names()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
    )


def paper(page: str) -> str:
    """The page without what is on screen alone: what is printed is made faster of it, and without complaints."""
    for begin, end in SCREEN:
        first, *others = page.split(begin)
        page = first + "".join(other.partition(end)[2] for other in others)
    return page
