"""HTML as a run of tags and texts: the tokenizer of the WHATWG's standard (13.2.5), no tree.

A tree is what hostile HTML turns against its reader: unclosed formatting elements make 33 kB into
a DOM of more than a gigabyte. A run of tokens costs time and memory in proportion to the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_SPACE = " \t\n\r\f"
_MARKUP = re.compile(r"<(?:(/?)([A-Za-z][^\s/>]*+)(>)?|[!/?])")
# quotes that never end take the rest of the page, as the standard says
_ATTRIBUTE = re.compile(
    r"[\s/]*+(?:(>)|(=?[^\s/>=]*+)(?:\s*+(=)\s*+(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\s>]*+)))?)"
)
# their content is text whatever it looks like; noscript is read as by those without scripts
_RAW: Final = frozenset(
    {"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"}
)
_ESCAPES: Final = frozenset({"title", "textarea"})  # where &amp; is still an ampersand
MAX_ATTRIBUTES = 100
MAX_NAME = 50


class Tag(NamedTuple):
    """A start tag, or an end tag, whose name begins with `/`. Names in small letters."""

    name: str
    attributes: Mapping[str, str]


class Text(NamedTuple):
    """Text, its character references resolved; `inside` names the element if its content is raw."""

    text: str
    inside: str = ""


def tokens(page: str) -> Iterator[Tag | Text]:
    """The tags and texts of a page, whatever it is; comments and declarations are left out."""
    at, end = 0, len(page)
    while at < end:
        found = _MARKUP.search(page, at)
        begin = found.start() if found else end
        if begin > at:
            yield Text(unescape(page[at:begin]))
        if not found:
            return
        closing, named, closed = found.groups()
        if not named:
            at = _after_comment(page, begin)
            continue
        name = named[:MAX_NAME].lower()
        attributes: dict[str, str] = {}
        at = found.end()
        if not closed:
            attributes, at = _attributes(page, at)
            if at < 0:  # the page ends inside the tag
                return
        yield Tag(f"/{name}" if closing else name, attributes)
        if not closing and name in _RAW:
            stop = _raw_end(page, at, name)
            if stop > at:
                text = page[at:stop]
                yield Text(unescape(text) if name in _ESCAPES else text, name)
            at = stop


def unescape(text: str) -> str:
    """Character references resolved; of a number beyond all numbers nothing is."""
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # more digits than Python takes for an integer
        return text


def _after_comment(page: str, begin: int) -> int:
    """Behind a comment, a declaration, or what the standard calls a bogus comment."""
    if page.startswith("<!--", begin):
        if page.startswith((">", "->"), begin + 4):
            return page.index(">", begin) + 1
        stop = page.find("-->", begin + 4)
        return stop + 3 if stop >= 0 else len(page)
    stop = page.find(">", begin)
    return stop + 1 if stop >= 0 else len(page)


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    """The attributes of a tag and where it ends, −1 if it does not. The first of a name counts."""
    found: dict[str, str] = {}
    end = len(page)
    while at < end:
        one = _ATTRIBUTE.match(page, at)
        if not one or one.end() == at:  # it always fits and takes something; no loop rests on that
            break
        at = one.end()
        if one[1]:
            return found, at
        name = one[2][:MAX_NAME].lower()
        if name and name not in found and len(found) < MAX_ATTRIBUTES:
            found[name] = unescape(one[4] or one[5] or one[6] or "") if one[3] else ""
    return found, -1


def _raw_end(page: str, at: int, name: str) -> int:
    """Where the end tag of an element with raw text begins, or the page ends."""
    ends = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII)
    found = ends.search(page, at)
    return found.start() if found else len(page)
