"""The homepage over IPv4 and IPv6 side by side, with what is noise left out.

IPv4, IPv6, IPv4 again: whatever changes by itself meanwhile also differs between the two of IPv4,
and what those differ in is no difference of the families.
"""

from __future__ import annotations

from typing import NamedTuple

from collectors.ipv6.model import Content
from collectors.ipv6.web.abreast import Pace
from collectors.ipv6.web.difference import compare, readable
from collectors.ipv6.web.fetch import Fetched, fetch, fetch_patiently
from collectors.ipv6.web.noise import Lines, read_lines, without_noise
from collectors.ipv6.web.page import WebPage, read_page
from collectors.ipv6.web.session import Web
from collectors.link.weburl import Url
from collectors.model import AddressFamily


class _Look(NamedTuple):
    got: Fetched
    lines: Lines


class SideBySide(NamedTuple):
    """`content` is None where an answer is missing, which `why` tells; `pages` came, IPv4 first."""

    content: Content | None
    pages: tuple[WebPage, ...]
    why: str = ""


def side_by_side(web: Web, url: Url, ipv4: str, ipv6: str, pace: Pace) -> SideBySide:
    """The homepage at an address of each family, empty where there is none; raises Spent."""
    pages: list[WebPage] = []
    looks: list[_Look] = []
    missing: list[str] = []
    turns: list[tuple[AddressFamily, str]] = [("ipv4", ipv4), ("ipv6", ipv6), ("ipv4", ipv4)]
    for turn, (family, address) in enumerate(turns):
        if not address or (turn == 2 and (missing or not ipv6)):
            continue

        def ask(family: AddressFamily = family, address: str = address) -> Fetched:
            pace.wait(web)
            return fetch(web, url, family, address)

        got = fetch_patiently(ask)
        if got.ok and turn < 2:
            pages.append(read_page(got.body, got.content_type, got.url))
        if got.reason not in ("", "http_status"):  # a piece of a page compares with nothing
            missing.append(f"{family}: {got.reason} {got.detail}")
        lines = read_lines(got.body, got.content_type)
        got.body = b""
        looks.append(_Look(got, lines))
    if missing or len(looks) < 3:
        return SideBySide(None, tuple(pages), "; ".join(missing))
    return SideBySide(_content(*looks), tuple(pages))


def _content(before: _Look, other: _Look, after: _Look) -> Content:
    compared = compare(before.lines.lines, other.lines.lines, after.lines.lines)
    told = {key: _told(key, before, other, after) for key in ("status", "redirects", "title")}
    told["certificate"] = _told("certificate", before, other, after)
    removed = before.lines.removed
    notes = [
        f"{name} {_value(before, name) or 'none'} / {_value(other, name) or 'none'}"
        for name, same in told.items()
        if not same
    ]
    if removed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(removed.items()))
        notes.append(f"removed: {kinds}")
    if compared.difference is None:
        notes.append("never the same: most of it differs between two fetches over IPv4")
    elif compared.noise:
        notes.append(f"ignored: {compared.noise} lines that differ between two fetches over IPv4")
    if before.got.cut or other.got.cut:
        notes.append("the beginning of a longer page")
    return Content(
        same_status=told["status"],
        same_redirects=told["redirects"],
        same_title=told["title"],
        same_certificate=told["certificate"],
        difference=compared.difference and round(compared.difference, 4),
        removed=sum(removed.values()) + compared.noise,
        differences=compared.differences,
        detail="; ".join(notes),
    )


def _told(name: str, before: _Look, other: _Look, after: _Look) -> bool:
    """Whether IPv6 has what IPv4 had at one time or the other."""
    return _value(other, name) in (_value(before, name), _value(after, name))


def _value(look: _Look, name: str) -> str:
    got = look.got
    if name == "status":
        return str(got.status)
    if name == "redirects":
        return " → ".join(map(without_noise, got.hops))
    if name == "title":
        return readable(look.lines.title)
    return got.fingerprint
