"""What a PDF is like on paper: poppler's word for it, and the ink of its pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PROGRAMS: Final = ("pdfinfo", "pdffonts", "pdftotext", "pdftoppm")
RESOLUTION: Final = 36  # dots an inch
_DARK: Final = 200  # of 255, and below


class Font(NamedTuple):
    name: str
    embedded: bool
    subset: bool


def run(program: str, *arguments: str) -> str:
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout


def info(path: Path) -> dict[str, str]:
    told = (line.partition(":") for line in run("pdfinfo", str(path)).splitlines())
    return {key: value.strip() for key, _, value in told}


def fonts(path: Path) -> list[Font]:
    lines = run("pdffonts", str(path)).splitlines()[2:]
    found = [
        re.fullmatch(r"(\S+) .* (yes|no) +(yes|no) +(yes|no) +\d+ +\d+", line) for line in lines
    ]
    return [Font(it[1], it[2] == "yes", it[3] == "yes") for it in found if it]


def texts(path: Path) -> list[str]:
    """Page by page."""
    return run("pdftotext", "-layout", str(path), "-").split("\f")[:-1]


def pictures(path: Path, folder: Path) -> list[NDArray[np.bool_]]:
    """Where each page has ink."""
    run("pdftoppm", "-gray", "-r", str(RESOLUTION), str(path), str(folder / "page"))
    return [_ink(one.read_bytes()) for one in sorted(folder.glob("page-*.pgm"))]


def _ink(content: bytes) -> NDArray[np.bool_]:
    head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", content)
    assert head
    columns, rows = int(head[1]), int(head[2])
    grey = np.frombuffer(content, np.uint8, columns * rows, head.end()).reshape(rows, columns)
    return grey < _DARK


def assert_on_paper(
    pages: list[NDArray[np.bool_]], margin: float = 8.0, least: float = 0.002
) -> None:
    """No page is blank, and none has ink nearer than `margin` mm to an edge, which is where it was cut off."""
    edge = round(margin / 25.4 * RESOLUTION)
    for number, ink in enumerate(pages, 1):
        assert ink.mean() >= least, f"page {number} is nearly blank"
        inner = ink.copy()
        inner[edge:-edge, edge:-edge] = False
        assert not inner.any(), f"page {number} has ink in its margin"
