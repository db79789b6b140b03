"""JSON of OpenStack's APIs: bytes into typed structs, pages, times. Pure.

What is not read is ignored; a wrong type, a negative size, half a body is a ParseError that names the
place and never quotes a value.
"""

from __future__ import annotations

import functools
import urllib.parse
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec

from collectors.model import ParseError

MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
T = TypeVar("T")
Amount = Annotated[float, msgspec.Meta(ge=0)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
PathId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z_-]{1,64}\Z")]  # goes into a URL


class Page(msgspec.Struct, Generic[T]):
    """The rows of one answer, and from where the next one goes on."""

    rows: list[T]
    marker: str | None = None


def decode(content: bytes, as_type: type[T]) -> T:
    """JSON as `as_type`; raises ParseError."""
    decoder: msgspec.json.Decoder[T] = _decoder(cast(Any, as_type))  # a class is hashable
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise ParseError(f"the answer is not in the API's format: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = content.lstrip()[:1]
        what = "HTML" if start == b"<" else "no whole JSON" if start in (b"{", b"[") else "no JSON"
        raise ParseError(f"the answer is {what}") from error


@functools.cache
def _decoder(as_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(as_type)


class Link(msgspec.Struct):
    rel: str = ""
    href: str = ""


def marker(links: list[Link]) -> str | None:
    """That of the next page. Its address is not used: a token goes nowhere an answer names."""
    for link in links:
        if link.rel == "next":
            try:
                query = urllib.parse.urlsplit(link.href).query
                fields = dict(urllib.parse.parse_qsl(query, max_num_fields=100))
            except ValueError as error:
                raise ParseError("the link to the next page is no URL") from error
            if not fields.get("marker"):
                raise ParseError("the link to the next page has no marker")
            return fields["marker"]
    return None


def moment(text: str | None) -> float | None:
    """ISO 8601; Cinder leaves out that it is UTC. A time that cannot be is not known."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ParseError("a time is not in ISO 8601") from error
