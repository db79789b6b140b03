"""LibreOffice without a screen, to compute a workbook anew; and what is inside a workbook, as it is stored."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

OFFICE = shutil.which("soffice")
_CACHED = re.compile(r"(</f>)<v>[^<]*</v>")
_STRING = re.compile(r'(<c [^>]*) t="str"([^>]*><f>)')


def computed(folder: Path, books: Mapping[str, bytes]) -> dict[str, bytes]:
    """The workbooks with every formula computed: the values that they came with are taken out before."""
    if OFFICE is None:
        pytest.skip("LibreOffice is not installed (package libreoffice-calc)")
    (folder / "out").mkdir()
    paths = []
    for name, content in books.items():
        path = folder / f"{name}.xlsx"
        path.write_bytes(without_values(content))
        paths.append(str(path))
    subprocess.run(
        [
            *(OFFICE, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"),
            *("--norestore", "--convert-to", "xlsx", "--outdir", str(folder / "out"), *paths),
        ],
        check=True,
        capture_output=True,
        timeout=100,
    )
    return {name: (folder / "out" / f"{name}.xlsx").read_bytes() for name in books}


def without_values(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.startswith("xl/worksheets/sheet"):
                text = _STRING.sub(r"\1\2", _CACHED.sub(r"\1", part.decode()))
                assert "</f><v>" not in text
                part = text.encode()
            new.writestr(name, part)
    return out.getvalue()


def parts(content: bytes) -> dict[str, str]:
    """Every file in it, as text."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {name: book.read(name).decode() for name in book.namelist()}
