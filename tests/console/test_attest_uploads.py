"""Files that people attach: what they are is in their bytes; names lead nowhere."""

from __future__ import annotations

import io
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.console.attest import uploads
from exporters.console.attest.uploads import DOCX, JPEG, PDF, PNG, TEXT, XLSX
from exporters.console.web.refusals import Invalid, TooLarge
from exporters.console.web.routing import Upload

A_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01" + b"\x00\x00\x00\x00IEND\xaeB`\x82"
A_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\xff\xd9"
A_PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def office(
    main: str = "word/document.xml", kind: str = DOCX, more: dict[str, bytes] | None = None
) -> bytes:
    types = f'<Types><Override PartName="/{main}" ContentType="{kind}.main+xml"/></Types>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr(main, "<x/>")
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return out.getvalue()


def plain_zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def encrypted() -> bytes:
    """The flag of encryption, in both places."""
    content = bytearray(office())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + at] |= 1
            place = content.find(mark, place + 4)
    return bytes(content)


KEPT = {
    "png": (A_PNG, PNG),
    "jpeg": (A_JPEG, JPEG),
    "jpeg filled up": (A_JPEG + b"\0\0", JPEG),
    "pdf": (A_PDF, PDF),
    "text": ("门禁登记完整\r\n\t- 2026-11\n".encode(), TEXT),
    "text with a mark": (b"\xef\xbb\xbfa,b\n", TEXT),
    "docx": (office(), DOCX),
    "xlsx": (office("xl/workbook.xml", XLSX), XLSX),
}
REFUSED = {
    "nothing": b"",
    "spaces": b" \n",
    "exe": b"MZ\x90\x00\x03\x00\x00\x00",
    "elf": b"\x7fELF\x02\x01\x01",
    "html": b"<!doctype html><script>alert(1)</script>",
    "html behind spaces": b"\xef\xbb\xbf \n<html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "xml": b"<?xml version='1.0'?><x/>",
    "rtf": b"{\\rtf1 x}",
    "mhtml": b"MIME-Version: 1.0\r\nContent-Type: multipart/related",
    "postscript": b"%!PS-Adobe-3.0",
    "gif": b"GIF89a\x01\x00\x01\x00",
    "latin-1": b"caf\xe9",
    "utf-16": "text".encode("utf-16"),
    "text with nul": b"a\x00b",
    "text with escape": b"a\x1b[31mb",
    "png and zip": A_PNG + plain_zip(a=b"x"),
    "png and html": A_PNG + b"<script>alert(1)</script>",
    "png cut off": A_PNG[:20],
    "jpeg and php": A_JPEG + b"<?php system($_GET[0]);",
    "pdf behind html": b"<html>" + A_PDF,
    "pdf without end": A_PDF[:30],
    "zip": plain_zip(a=b"x"),
    "jar": plain_zip(**{"META-INF/MANIFEST.MF": b"x"}),
    "zip behind a program": b"MZ" + office(),
    "zip with bytes behind": office() + b"<script>",
    "zip with bytes before": A_JPEG[:-2] + office(),
    "docx with macros": office(more={"word/vbaProject.bin": b"x"}),
    "docm by its type": office(kind="application/vnd.ms-word.document.macroEnabled"),
    "docx and xlsx": office(more={"xl/workbook.xml": b"x"}),
    "docx with a program": office(more={"word/embeddings/a.exe": b"MZ"}),
    "path upwards": office(more={"../../etc/passwd": b"x"}),
    "path from the root": office(more={"/etc/passwd": b"x"}),
    "path of windows": office(more={"C:\\x": b"x"}),
    "bomb": office(more={"word/media/a.bin": bytes(30 << 20)}),
    "many entries": office(more={f"word/{n}": b"" for n in range(5001)}),
    "wrong type of the main part": office(kind="text/html"),
    "without types": plain_zip(**{"word/document.xml": b"<x/>"}),
    "zip cut off": office()[:-10],
    "encrypted": encrypted(),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name: str) -> None:
    content, kind = KEPT[name]
    assert uploads.kind_of(content) == kind


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    assert uploads.kind_of(REFUSED[name]) == ""
    with pytest.raises(Invalid):
        uploads.checked([Upload("evidence.png", "image/png", REFUSED[name])], 64 << 20)


@given(st.binary(max_size=300), st.sampled_from([b"", *(one for one, _ in KEPT.values())]))
def test_any_bytes_are_looked_at_without_harm(some: bytes, before: bytes) -> None:
    assert uploads.kind_of(before + some) in {"", PNG, JPEG, PDF, TEXT, DOCX, XLSX}


@given(st.binary(min_size=1, max_size=8), st.integers(0, 400))
def test_a_damaged_office_file_is_looked_at_without_harm(some: bytes, at: int) -> None:
    content = bytearray(office())
    content[at : at + len(some)] = some
    assert uploads.kind_of(bytes(content)) in {"", DOCX}


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a.png", "a.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("../..", "file"),
        ("....", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie_ x=1.png"),
        ('a";filename="b.exe', "a_;filename=_b.exe"),
        ("gpj\u202egnp.exe", "gpjgnp.exe"),
        ("a\x00.png", "a.png"),
        ("CON.txt", "_CON.txt"),
        ("nul", "_nul"),
        ("登记簿 2026.pdf", "登记簿 2026.pdf"),
        ("x" * 500 + ".pdf", "x" * 80 + ".pdf"),
        ("a. .txt", "a.txt"),
    ],
)
def test_names(name: str, clean: str) -> None:
    assert uploads.cleaned(name) == clean


@given(st.text(max_size=400))
def test_a_name_is_always_one_that_leads_nowhere(name: str) -> None:
    clean = uploads.cleaned(name)
    assert 0 < len(clean) <= 100
    assert not set(clean) & set('/\\<>:"|?*\0\r\n')
    assert not clean.startswith(".")
    assert clean == clean.strip()
    assert all(unicodedata.category(one) not in ("Cc", "Cf", "Cs") for one in clean)
    clean.encode()


def test_names_end_as_their_kind() -> None:
    (kept,) = uploads.checked([Upload("evil.html", "text/html", b"plain words")], 100)
    assert (kept.name, kept.media_type) == ("evil.html.txt", TEXT)
    (kept,) = uploads.checked([Upload("PHOTO.JPG", "", A_JPEG)], 100)
    assert kept.name == "PHOTO.JPG"


def test_sizes_and_numbers_are_bounded() -> None:
    with pytest.raises(TooLarge):
        uploads.checked([Upload("a.txt", "", b"x" * 101)], 100)
    with pytest.raises(Invalid):
        uploads.checked([Upload("a.txt", "", b"x")] * 11, 100)
