"""What was just done, said once on the next page: a cookie that the next answer takes away."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

NAME: Final = "jianwei_notice"
_LENGTH: Final = 500  # characters


def put(response: Response, words: str) -> None:
    value = urlsafe_b64encode(words[:_LENGTH].encode()).decode()
    response.set_cookie(NAME, value, max_age=60, httponly=True, samesite="lax")


def taken(request: Request) -> str:
    """Empty where there is none, or none of ours."""
    try:
        return urlsafe_b64decode(request.cookies.get(NAME, "").encode()).decode()[:_LENGTH]
    except ValueError:
        return ""


def clear(response: Response) -> None:
    response.delete_cookie(NAME)
