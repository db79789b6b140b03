"""Files that people attach as evidence: what one is, is found in its bytes; what a browser or its name says counts for nothing.

Kept are PNG (W3C PNG), JPEG (T.81), PDF (ISO 32000), plain text in UTF-8, and DOCX and XLSX (ECMA-376) without macros. A file
that is two kinds at once is refused where its kind has an end. Names are cleaned and end as the kind does.
"""

from __future__ import annotations

import hashlib
import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from exporters.console.web.refusals import Invalid, TooLarge
from exporters.console.web.routing import Upload

MOST: Final = 10  # of one answer
NAME: Final = 80  # characters, without what its kind adds
_ENTRIES: Final = 5000  # of a ZIP file
_DIRECTORY: Final = 1 << 20  # bytes of its list of entries
_UNPACKED: Final = 256 << 20
_RATIO: Final = 200
_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError,
    RuntimeError, ValueError,
)  # fmt: skip
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as ECMA-376 has it
_TYPES: Final = 1 << 20  # bytes of [Content_Types].xml
_END: Final = struct.Struct("<4s4H2LH")  # of a ZIP file: end of central directory record

PNG, JPEG, PDF, TEXT = "image/png", "image/jpeg", "application/pdf", "text/plain; charset=utf-8"
_OOXML: Final = "application/vnd.openxmlformats-officedocument."
DOCX: Final = _OOXML + "wordprocessingml.document"
XLSX: Final = _OOXML + "spreadsheetml.sheet"
_ENDINGS: Final = {
    PNG: (".png",),
    JPEG: (".jpg", ".jpeg"),
    PDF: (".pdf",),
    TEXT: (".txt", ".log", ".csv", ".md"),
    DOCX: (".docx",),
    XLSX: (".xlsx",),
}
_RESERVED: Final = {"CON", "PRN", "AUX", "NUL", *(f"{it}{n}" for it in ("COM", "LPT") for n in range(10))}  # fmt: skip


class Kept(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    sha256: str
    content: bytes


def checked(files: Iterable[Upload], limit: int) -> tuple[Kept, ...]:
    """Raises Invalid and TooLarge."""
    given = tuple(files)
    if len(given) > MOST:
        raise Invalid("manual.many_files", "files", most=MOST)
    found = []
    for one in given:
        name = cleaned(one.name)
        if len(one.content) > limit:
            raise TooLarge("too_large", "files", limit=limit)
        kind = kind_of(one.content)
        if not kind:
            raise Invalid("manual.wrong_file", "files", name=name)
        digest = hashlib.sha256(one.content).hexdigest()
        found.append(Kept(_ended(name, kind), kind, digest, one.content))
    return tuple(found)


def kind_of(content: bytes) -> str:
    """Its media type; empty for what is not kept."""
    if content.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"):
        return PNG if content.endswith(b"\x00\x00\x00\x00IEND\xaeB`\x82") else ""
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG if content.rstrip(b"\0").endswith(b"\xff\xd9") else ""
    if content.startswith(b"%PDF-"):
        return PDF if b"%%EOF" in content[-1024:] else ""
    if content.startswith(b"PK\x03\x04"):
        return _of_zip(content)
    return TEXT if _is_text(content) else ""


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    begin = text.lstrip()
    # a mark-up language, or RTF, is for a program and not for a reader
    if not begin or begin.startswith(("<", "{\\rtf", "%!", "MIME-Version:")):
        return False
    return not any((one < " " and one not in "\t\n\r\f") or one == "\x7f" for one in text)


def _of_zip(content: bytes) -> str:
    """Of a ZIP file that is nothing but one: no bytes before it or behind it."""
    if len(content) < _END.size:
        return ""
    mark, disk, start, here, entries, size, _, comment = _END.unpack(content[-_END.size :])
    if (mark, disk, start, comment) != (b"PK\x05\x06", 0, 0, 0) or here != entries:
        return ""
    if entries > _ENTRIES or size > _DIRECTORY:
        return ""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _of_archive(archive, len(content))
    except _DAMAGED:
        return ""


def _of_archive(archive: zipfile.ZipFile, size: int) -> str:
    entries = archive.infolist()
    names = [one.filename for one in entries]
    lower = {name.lower() for name in names}
    if not entries or len(entries) > _ENTRIES or len(lower) != len(names):
        return ""
    if min(one.header_offset for one in entries) != 0 or any(map(_is_outside, names)):
        return ""
    unpacked = sum(one.file_size for one in entries)
    if unpacked > _UNPACKED or unpacked > _RATIO * size or any(it.flag_bits & 1 for it in entries):
        return ""
    if any("vbaproject" in name or "/activex/" in name or name.endswith((".exe", ".dll", ".js", ".vbs")) for name in lower):  # fmt: skip
        return ""
    kinds = [kind for main, kind in (("word/document.xml", DOCX), ("xl/workbook.xml", XLSX)) if main in names]  # fmt: skip
    if len(kinds) != 1 or "[Content_Types].xml" not in names:
        return ""
    if archive.getinfo("[Content_Types].xml").compress_type not in _PACKED:
        return ""
    with archive.open("[Content_Types].xml") as types:
        content = types.read(_TYPES + 1)
    if len(content) > _TYPES or b"macroenabled" in content.lower():
        return ""
    return kinds[0] if kinds[0].encode() in content else ""


def _is_outside(name: str) -> bool:
    parts = name.split("/")
    return name.startswith("/") or "\\" in name or ":" in name or ".." in parts or "\0" in name


def cleaned(name: str) -> str:
    """The last part of a path, with nothing in it that a file system or a reader takes for something else."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    text = "".join(
        "_" if one in '<>:"|?*' else one
        for one in last
        if unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    text = " ".join(text.split()).strip(". ")
    stem, dot, ending = text.rpartition(".")
    if dot and len(ending) <= 8:
        text = f"{stem[:NAME].rstrip('. ')}.{ending}"
    text = text[: NAME + 9].strip(". ") or "file"
    return f"_{text}" if text.partition(".")[0].strip().upper() in _RESERVED else text


def _ended(name: str, kind: str) -> str:
    endings = _ENDINGS[kind]
    return name if name.lower().endswith(endings) else name + endings[0]
