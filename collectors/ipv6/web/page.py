"""What one page is made of: its title, where it links to, and what it loads from where."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from collectors.ipv6.web.charsets import decode
from collectors.ipv6.web.htmltags import Tag, Text, tokens
from collectors.link import weburl
from collectors.link.weburl import Url

MAX_LINKS = 2000  # of one page that are looked at
MAX_RESOURCES = 2000
MAX_TITLE = 300
# what a browser loads for a page, by element and attribute
_LOADED: Final = {
    "img": ("src", "srcset"),
    "script": ("src",),
    "iframe": ("src",),
    "frame": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "source": ("src", "srcset"),
    "audio": ("src",),
    "video": ("src", "poster"),
    "track": ("src",),
    "input": ("src",),
    "form": ("action",),
    "body": ("background",),
    "table": ("background",),
    "td": ("background",),
}
_RELATIONS: Final = frozenset(
    {"stylesheet", "icon", "shortcut", "preload", "modulepreload", "manifest", "apple-touch-icon"}
)
_CSS = re.compile(
    r"url\(\s{0,9}[\"']?([^\"')\s]{1,2000})|@import\s{1,9}[\"']([^\"'\s]{1,2000})", re.I
)
_REFRESH = re.compile(
    r"\s{0,9}[\d.]{0,9}\s{0,9}[;,]\s{0,9}(?:url\s{0,9}=\s{0,9})?[\"']?([^\"']{1,2000})", re.I
)


class WebPage(msgspec.Struct):
    """`links` and `resources` are URLs without fragment, each once, in the order of the page; `url` is
    where it came from, after redirects."""

    url: Url
    title: str
    links: tuple[Url, ...]
    resources: tuple[tuple[Url, int], ...]  # and how often


class _Reference(NamedTuple):
    url: str
    loaded: bool


def read_page(body: bytes, content_type: str, url: Url) -> WebPage:
    """A page that came from `url`. Never raises, whatever the bytes."""
    title, base = "", url
    based = False
    links: dict[Url, int] = {}
    resources: dict[Url, int] = {}
    raw: dict[str, Url | None] = {}
    for token in tokens(decode(body, content_type)):
        if isinstance(token, Text):
            if token.inside == "title" and not title:
                title = " ".join(token.text[: 10 * MAX_TITLE].split())[:MAX_TITLE]
        elif token.name == "base" and not based and (href := token.attributes.get("href")):
            based = True
            base = _joined(url, href) or url
        for one in _references(token):
            if one.url not in raw:
                if len(raw) >= MAX_LINKS + MAX_RESOURCES:
                    continue
                raw[one.url] = _joined(base, one.url)
            found = raw[one.url]
            kept, most = (resources, MAX_RESOURCES) if one.loaded else (links, MAX_LINKS)
            if found and (found in kept or len(kept) < most):
                kept[found] = kept.get(found, 0) + 1
    return WebPage(url, title, tuple(links), tuple(resources.items()))


def _references(token: Tag | Text) -> Iterator[_Reference]:
    """The URLs in a tag or text, as they are written."""
    if isinstance(token, Text):
        if token.inside == "style":
            yield from _in_css(token.text)
        return
    attributes = token.attributes
    for name in _LOADED.get(token.name, ()):
        if not (value := attributes.get(name, "").strip()):
            continue
        if name == "srcset":
            for candidate in value[:20_000].split(",")[:50]:
                yield _Reference(candidate.strip().partition(" ")[0], loaded=True)
        else:
            yield _Reference(value, loaded=True)
    if style := attributes.get("style"):
        yield from _in_css(style)
    href = attributes.get("href", "").strip()
    if token.name in ("a", "area") and href:
        yield _Reference(href, loaded=False)
    elif token.name == "link" and href:
        if _RELATIONS & set(attributes.get("rel", "").lower().split()[:20]):
            yield _Reference(href, loaded=True)
    elif token.name == "meta" and attributes.get("http-equiv", "").lower() == "refresh":
        leads = _REFRESH.match(attributes.get("content", ""))
        yield _Reference(leads[1].strip() if leads else "", loaded=False)


def _in_css(text: str) -> Iterator[_Reference]:
    if "url(" in text or "URL(" in text or "@import" in text:
        for found in _CSS.finditer(text):
            yield _Reference(found[1] or found[2], loaded=True)


def _joined(base: Url, written: str) -> Url | None:
    """A URL of http or https, or None: whatever else is written there is no page."""
    written = written.strip()
    if not written or written.startswith(("#", "data:", "javascript:", "mailto:", "tel:")):
        return None
    if written.startswith("/"):  # the same from every page of the host
        base = base._replace(path="/")
    return _join(base, written)


@functools.lru_cache(4096)  # pages of one site link to the same pages
def _join(base: Url, written: str) -> Url | None:
    try:
        plain = (
            "".join(c for c in written if c not in "\t\n\r")
            if not written.isprintable()
            else written
        )
        return weburl.join(base, plain.replace(" ", "%20"))
    except ValueError:
        return None
