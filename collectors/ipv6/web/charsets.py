"""The text of a page: its character set by byte order mark, header, meta element, or by its bytes.

After the WHATWG's Encoding standard, as far as pages in Chinese need it: GB2312 and GBK are read as
GB18030, which has both. Names of sets are looked up in a list of ours: Python's own has codecs that
are no character sets (zip, punycode).
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SETS: Final = {
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8"), "utf-8"),
    **dict.fromkeys(
        ("gb2312", "gbk", "gb18030", "gb_2312-80", "x-gbk", "chinese", "csgb2312", "cp936"),
        "gb18030",
    ),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(
        ("iso-8859-1", "latin1", "us-ascii", "ascii", "windows-1252", "cp1252"), "cp1252"
    ),
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "windows-1251": "cp1251",
    "koi8-r": "koi8_r",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_NAMED = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_:.+-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,500}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_-]{1,40})", re.I)
PRESCAN = (
    4096  # bytes in which a meta element may name the set; the standard's 1024 are too few here
)


def decode(body: bytes, content_type: str = "") -> str:
    """The text; bytes that mean nothing become U+FFFD."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    return body.decode(_told(body, content_type) or _guessed(body), "replace")


def _told(body: bytes, content_type: str) -> str:
    """The set that header or meta element name, empty where they name none that is known."""
    named = _NAMED.search(content_type)
    if named and (known := _SETS.get(named[1].lower())):
        return known
    meta = _META.search(body, 0, PRESCAN)
    known = _SETS.get(meta[1].decode("ascii").lower(), "") if meta else ""
    return "utf-8" if known.startswith("utf-16") else known  # the meta element was ASCII


def _guessed(body: bytes) -> str:
    """UTF-8 if it is that, else GB18030. The end may be cut inside a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"
