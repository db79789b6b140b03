"""What differs between two fetches of one page though nothing has changed: tokens, times, sessions.

A page becomes a run of lines (texts, pieces of scripts, what is linked and loaded) in which such
noise has been put out and counted by kind.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from collectors.ipv6.web.charsets import decode
from collectors.ipv6.web.htmltags import Tag, tokens

GONE: Final = "…"
MAX_LINES = 20_000  # what comes behind them counts as one line
MAX_LINE = 2_000  # characters; the rest of a longer line is a hash
_TIME = (
    r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?![\d:])"
    r"|\d{1,2}[时点]\d{1,2}分(?:\d{1,2}秒)?"
    r"|(?<![\w.])1\d{9}(?:\d{3}|\.\d{1,9})?(?!\w|\.\d)"
)
_QUERY = (
    r"(?<=[?&;])(?:_|t|ts|_t|r|rnd|rand|random|time|timestamp|nonce|sid|cb|hash|sign|signature"
    r"|jsessionid|phpsessid|session_?id|token|[a-z_]{0,20}csrf[a-z_]{0,20})=[^&#\"'\s<>]*+"
)
_TOKEN = r"[A-Za-z0-9_-]{16,}+={0,2}"  # noqa: S105 - no password
_NOISE = re.compile(f"(?P<query>{_QUERY})|(?P<time>{_TIME})|(?P<token>{_TOKEN})", re.IGNORECASE)
_PIECES = re.compile(r"[\n\r;{}]+")
_SECRET_NAME = re.compile(r"csrf|xsrf|nonce|token|session|viewstate", re.IGNORECASE)
_SHOWN: Final = ("href", "src", "srcset", "action", "data", "poster", "alt", "placeholder", "value")


class Lines(NamedTuple):
    """A page as lines without noise, and how much noise of which kind there was."""

    title: str
    lines: tuple[str, ...]
    removed: Counter[str]


def read_lines(body: bytes, content_type: str) -> Lines:
    """The lines of a page. Never raises, whatever the bytes."""
    removed: Counter[str] = Counter()
    lines: list[str] = []
    rest = hashlib.sha256()
    title = ""
    for line in _lines(decode(body, content_type), removed):
        clean = without_noise(line, removed)
        if line.startswith("<title> ") and not title:
            title = clean.removeprefix("<title> ")
        if len(lines) < MAX_LINES:
            lines.append(_shortened(clean))
        else:
            rest.update(clean.encode("utf-8", "surrogatepass"))
    if len(lines) == MAX_LINES:
        lines.append(f"the rest: {rest.hexdigest()}")
    return Lines(title, tuple(lines), removed)


def without_noise(text: str, removed: Counter[str] | None = None) -> str:
    """A text with its noise put out; `removed` counts it."""

    def put_out(found: re.Match[str]) -> str:
        kind, text = found.lastgroup or "", found[0]
        if kind == "token" and not _random(text):
            return text
        if removed is not None:
            removed[kind] += 1
        return f"{text.partition('=')[0]}={GONE}" if kind == "query" else GONE

    return _NOISE.sub(put_out, text)


def _random(token: str) -> bool:
    """Whether a word is made by chance: a hash, a UUID, base64; no name of a thing, no number."""
    bare = token.rstrip("=").replace("-", "").replace("_", "")
    digits = sum("0" <= c <= "9" for c in bare)
    if not digits or digits == len(bare):
        return False
    if all(c in "0123456789abcdefABCDEF" for c in bare):
        return True
    # chance changes between capitals, small letters and digits all the time; who names things not
    kinds = ["0" if c <= "9" else "A" if c <= "Z" else "a" for c in bare]
    changes = sum(one != other for one, other in pairwise(kinds))
    return len(bare) >= 20 and len(set(kinds)) == 3 and 3 * changes >= len(bare)


def _lines(page: str, removed: Counter[str]) -> Iterator[str]:
    for token in tokens(page):
        if isinstance(token, Tag):
            yield from _of_tag(token, removed)
        elif token.inside in ("script", "style"):
            for piece in _PIECES.split(token.text):
                if line := piece.strip():
                    yield line
        else:
            for piece in token.text.splitlines():
                if line := " ".join(piece.split()):
                    yield f"<{token.inside}> {line}" if token.inside == "title" else line


def _of_tag(tag: Tag, removed: Counter[str]) -> Iterator[str]:
    """What of a tag is content: not its looks, not its secrets."""
    attributes = tag.attributes
    if "nonce" in attributes:
        removed["nonce"] += 1
    named = attributes.get("name", "") or attributes.get("id", "")
    if tag.name == "input" and attributes.get("type", "").strip().lower() == "hidden":
        removed["hidden input"] += 1
        yield f"<input hidden {named}>"
        return
    if tag.name == "meta":
        named = attributes.get("name", "") or attributes.get("property", "")
        content = attributes.get("content", "")
        if named and _SECRET_NAME.search(named):
            removed["secret"] += 1
            content = GONE
        if content:
            yield f"<meta {named}> {content}"
        return
    for name in _SHOWN:
        if value := attributes.get(name):
            yield f"<{tag.name} {name}> {' '.join(value.split())}"


def _shortened(line: str) -> str:
    if len(line) <= MAX_LINE:
        return line
    return f"{line[:MAX_LINE]}… {hashlib.sha256(line.encode('utf-8', 'surrogatepass')).hexdigest()}"
