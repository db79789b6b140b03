"""What a PDF is set with: a Chinese font and the libraries that lay it out, looked for before anything is.

fc-list(1) tells which characters the fonts here have; FcCharSet is written as ranges in hexadecimal.
"""

from __future__ import annotations

import bisect
import ctypes
import os
import re
import subprocess
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

from collectors.sources.commands import finish

FAMILY: Final = "Noto Sans CJK SC"
PACKAGES: Final = {
    FAMILY: (
        "fonts-noto-cjk (Debian, Ubuntu) or google-noto-sans-cjk-ttc-fonts (openEuler, Kylin;"
        " on newer ones google-noto-sans-cjk-fonts)"
    )
}
_LIBRARIES: Final = {
    "libgobject-2.0.so.0": "libglib2.0-0 (Debian, Ubuntu) or glib2 (openEuler, Kylin)",
    "libfontconfig.so.1": "libfontconfig1 (Debian, Ubuntu) or fontconfig (openEuler, Kylin)",
    "libharfbuzz.so.0": "libharfbuzz0b (Debian, Ubuntu) or harfbuzz (openEuler, Kylin)",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0 (Debian, Ubuntu) or harfbuzz (openEuler, Kylin)",
    "libpango-1.0.so.0": "libpango-1.0-0 (Debian, Ubuntu) or pango (openEuler, Kylin)",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0 (Debian, Ubuntu) or pango (openEuler, Kylin)",
}
_LIST: Final = ("fc-list", "--format", r"%{family}\t%{lang}\t%{fontformat}\t%{charset}\n", ":")
_FORMATS: Final = ("TrueType", "CFF")  # which pango sets
_LANGUAGE: Final = "zh-cn"
_DEADLINE: Final = 60.0  # seconds; the first call on a machine makes fontconfig's cache
_MOST: Final = 64 << 20  # bytes
_NAME: Final = re.compile(r"[\w .-]{1,100}")
# They have no shape of their own, and what lays text out knows them.
_SHAPELESS: Final = ("Cf", "Zs", "Zl", "Zp")


class FontError(Exception):
    """A font or a library is missing. `str()` names the package to install."""


class Fonts(NamedTuple):
    """`chinese`: families that have Simplified Chinese. Characters are those of any font, as ranges in order."""

    chinese: frozenset[str]
    firsts: tuple[int, ...]
    lasts: tuple[int, ...]

    def has(self, character: str) -> bool:
        place = bisect.bisect_right(self.firsts, ord(character)) - 1
        return place >= 0 and ord(character) <= self.lasts[place]

    def settable(self, text: str) -> str:
        """The text with what no font has written as `[U+1F600]`: a box would be read as damage."""
        lost = {
            ord(one): f"[U+{ord(one):04X}]"
            for one in set(text)
            if one > "\x7e" and not self.has(one) and not _shapeless(one)
        }
        return text.translate(lost) if lost else text


def checked_name(name: str) -> str:
    """The name of a family, which goes into a style sheet; raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.120} is not the name of a font; fc-list : family lists those there are"
        )
    return name


def check_libraries() -> None:
    """Raises FontError that names the package of the first that is missing."""
    for library, package in _LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError as error:
            raise FontError(
                f"the library {library} for PDF cannot be loaded; install {package}: {error}"
            ) from error


def installed(family: str = FAMILY) -> Fonts:
    """The fonts there are; raises FontError unless `family` is among them and has Chinese."""
    fonts = parse(_listed())
    if family.casefold() not in fonts.chinese:
        raise FontError(_missing(family, fonts.chinese))
    return fonts


def parse(listed: str) -> Fonts:
    """The answer of fc-list; lines that are not as asked for are of no font that can be used."""
    chinese: set[str] = set()
    ranges: set[tuple[int, int]] = set()
    for line in listed.splitlines():
        families, languages, form, characters = (*line.split("\t"), "", "", "")[:4]
        if form not in _FORMATS:
            continue
        ranges.update(_ranges(characters))
        if _LANGUAGE in languages.split("|"):
            names = re.split(r"(?<!\\),", families)
            chinese.update(re.sub(r"\\(.)", r"\1", name).casefold() for name in names)
    firsts, lasts = _joined(ranges)
    return Fonts(frozenset(chinese), firsts, lasts)


def _listed() -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        ended = finish(_LIST, _DEADLINE, _MOST, environment, subprocess.DEVNULL)
    except OSError as error:
        raise FontError(
            f"fc-list, which tells what fonts there are, cannot be run: {error.strerror};"
            " install fontconfig"
        ) from error
    if ended.problem or ended.status:
        why = ended.problem or f"exit status {ended.status}"
        raise FontError(f"fc-list could not tell what fonts there are: {why}")
    return ended.output.decode("utf-8", "replace")


def _missing(family: str, chinese: Iterable[str]) -> str:
    if family in PACKAGES:
        return f"there is no font {family!r} for PDF; install {PACKAGES[family]}"
    there = ", ".join(sorted(chinese)[:5]) or "none"
    return (
        f"there is no font {family!r} with Chinese, as `font` of the profile names it; install it, or leave"
        f" `font` out and install {PACKAGES[FAMILY]}; Chinese fonts here: {there}"
    )


def _ranges(characters: str) -> Iterable[tuple[int, int]]:
    for part in characters.split():
        first, _, last = part.partition("-")
        try:
            yield int(first, 16), int(last or first, 16)
        except ValueError:
            continue


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    joined: list[list[int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return tuple(first for first, _ in joined), tuple(last for _, last in joined)


def _shapeless(character: str) -> bool:
    selector = "\ufe00" <= character <= "\ufe0f"
    return selector or unicodedata.category(character) in _SHAPELESS
