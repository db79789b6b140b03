"""What the console serves, as tables: pages for people and operations of the JSON API.

A room has `PAGES` and `OPERATIONS`; routes.py joins those of all rooms. Handlers are plain functions of the asker and
one struct of parameters; they run in a thread, raise Refused, and return what is shown. A page that changes something
calls the operation's function: there is one way to do a thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from exporters.console.web.asker import Asker, Permission

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters, or no answer."""


class Upload(msgspec.Struct, frozen=True):
    """A file of a multipart form, at most settings.upload_bytes long."""

    name: str
    media_type: str  # as the browser says: not to be trusted
    content: bytes


@dataclass(frozen=True)
class Shown:
    """A page, or with htmx a part of one: a template and what it shows."""

    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class Redirect:
    """To a path of the console, with a notice (a key of the catalogue) shown there once."""

    path: str
    notice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class Cookie:
    """`max_age` in seconds, 0 to delete it. Always HttpOnly, SameSite=Lax and, over TLS, Secure."""

    name: str
    value: str
    max_age: int


@dataclass(frozen=True)
class Reply:
    """A file or stream. `name` makes it a download."""

    content: bytes | Iterator[bytes]
    media_type: str
    name: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Shown | Redirect | Reply


@dataclass(frozen=True)
class Page:
    """`takes` are its query and path parameters, and of a POST its form fields too. A POST needs the CSRF token.
    `polled`: it is asked for by a page and not by a person, who may have left; the session is not renewed."""

    path: str
    permission: Permission
    view: Callable[[Asker, Any], Answer]
    takes: type[msgspec.Struct] = Nothing
    method: Literal["GET", "POST"] = "GET"
    polled: bool = False


@dataclass(frozen=True)
class Operation:
    """One of the API, under /api/v1. `takes`: of a GET or DELETE the path and query parameters, else the path parameters
    and the JSON body together. `gives` is its answer as JSON, or Reply for a stream of `media_type`."""

    name: str  # hits.list: its operationId
    method: Method
    path: str  # /hits/{id}
    permission: Permission
    handle: Callable[[Asker, Any], Any]
    takes: type[msgspec.Struct] = Nothing
    gives: Any = Nothing
    media_type: str = "application/json"
    body_limit: int = 1 << 20  # bytes; of a push more
    admits: Callable[[Asker], None] | None = None  # raises Refused; who is no user may send so much
    raw: str = ""  # the field that takes the whole body as bytes, undecoded
