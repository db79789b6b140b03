"""What comes with a request. Few large bodies are in memory at once; how long one may take is the connection's to say."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

import anyio
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from exporters.console.web.refusals import TooLarge, TooMany
from exporters.console.web.routing import Operation, Page, Upload

SMALL: Final = 1 << 16  # bytes of a body that anybody may send
AT_ONCE: Final = 2  # bodies that are longer
TURN: Final = 10.0  # seconds that another one waits
_AGAIN: Final = 5  # seconds until it may be sent again


class Given(NamedTuple):
    """Read before a thread is taken for it."""

    pairs: list[tuple[str, Any]]
    body: bytes
    csrf: str


class Bodies:
    """Reads them. One for each console; `upload_bytes` is how long one file of a form may be."""

    def __init__(self, upload_bytes: int) -> None:
        self._upload_bytes = upload_bytes
        self._large: anyio.Semaphore | None = None  # a loop must run to make one

    async def given(
        self, request: Request, served: Page | Operation, limit: int, held: AsyncExitStack
    ) -> Given:
        """All that came, with a body of at most `limit` bytes; a large one has its place until `held` ends.
        Raises TooLarge, TooMany, ClientDisconnect."""
        pairs: list[tuple[str, Any]] = [*request.query_params.multi_items()]
        pairs += request.path_params.items()
        csrf = request.headers.get("x-csrf-token", "")
        whole = await self._whole(request, limit, held) if limit else b""
        if isinstance(served, Operation) or not limit:
            return Given(pairs, whole, csrf)
        form = await _form(request, whole)
        for name, value in form.multi_items():
            if name == "csrf" and isinstance(value, str):
                csrf = csrf or value
            elif isinstance(value, UploadFile):
                content = await value.read()
                if len(content) > self._upload_bytes:
                    raise TooLarge("too_large", name, limit=self._upload_bytes)
                if value.filename:
                    upload = Upload(value.filename, value.content_type or "", content)
                    pairs.append((name, upload))
            else:
                pairs.append((name, value))
        return Given(pairs, b"", csrf)

    async def _whole(self, request: Request, limit: int, held: AsyncExitStack) -> bytes:
        parts, length = [], 0
        async for part in request.stream():
            if length <= SMALL < length + len(part):
                await self._turn(held)
            length += len(part)
            if length > limit:
                raise TooLarge("too_large", limit=limit)
            parts.append(part)
        return b"".join(parts)

    async def _turn(self, held: AsyncExitStack) -> None:
        large = self._large = self._large or anyio.Semaphore(AT_ONCE)
        with anyio.move_on_after(TURN):
            await large.acquire()
            held.callback(large.release)
            return
        raise TooMany("too_many", _AGAIN)


async def _form(request: Request, whole: bytes) -> FormData:
    """The form in a body that was read already, within its limit."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": whole, "more_body": False}

    return await Request(request.scope, receive).form(max_files=10, max_fields=10_000)
