"""What a handler answered as a response: files that are kept under their names (RFC 6266), and cookies."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from exporters.console.people import sessions
from exporters.console.web.routing import Cookie, Reply


def set_cookie(response: Response, cookie: Cookie, *, secure: bool) -> None:
    name = sessions.cookie_name(secure) if cookie.name == sessions.COOKIE else cookie.name
    response.set_cookie(
        name, cookie.value, max_age=cookie.max_age, httponly=True, samesite="lax", secure=secure
    )  # fmt: skip


def replied(reply: Reply) -> Response:
    headers = dict(reply.headers)
    if reply.name:
        headers["Content-Disposition"] = attached(reply.name)
    if isinstance(reply.content, bytes):
        return Response(reply.content, reply.status, headers, reply.media_type)
    return StreamingResponse(reply.content, reply.status, headers, reply.media_type)


def attached(name: str) -> str:
    """Both forms: programs that do not know the second keep it under a name in ASCII."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
