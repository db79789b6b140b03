"""One connection: uvicorn's HTTP/1.1 with a deadline for everything a client may leave undone.

A client that does not finish its request, does not read the answer or stays idle is cut off; it
occupies no thread meanwhile. HTTP/1.1: RFC 9112.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporters.prometheus.gate import Refusals
from exporters.prometheus.settings import WebSettings
from exporters.prometheus.tls import san_allowed

log = logging.getLogger(__name__)

_ANSWER = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_WHOLE = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class Connection(H11Protocol):
    """A connection whose client has `settings.head_timeout` to finish each request.

    `over`: it is beyond the limit of connections, so its request is refused.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        settings: WebSettings,
        refusals: Refusals,
        sans: frozenset[str],
        over: bool,
    ) -> None:
        super().__init__(config, state, {"over": over})
        self._settings, self._refusals, self._sans = settings, refusals, sans
        self._head: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()
        tls = transport.get_extra_info("ssl_object")
        if self._sans and not (tls and san_allowed(tls.getpeercert() or {}, self._sans)):
            log.warning("client %s: no allowed name in its certificate", self.client)
            self._refusals.count("handshake")
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in _WHOLE:
            self._disarm()
        elif self._head is None:
            self._arm()

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.resume_writing()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self.loop.call_later(self._settings.send_timeout, self._cut)

    def resume_writing(self) -> None:
        if self._sending:
            self._sending.cancel()
            self._sending = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for a client that does not read

    def send_400_response(self, msg: str) -> None:
        if len(self.conn.trailing_data[0]) > self._settings.max_header_bytes:
            self._refusals.count("size")
            self._end(b"431 Request Header Fields Too Large")
        else:
            self._end(b"400 Bad Request")

    def _arm(self) -> None:
        self._head = self.loop.call_later(self._settings.head_timeout, self._too_slow)

    def _disarm(self) -> None:
        if self._head:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if self.transport.is_closing():
            return
        self._refusals.count("slow")
        self._end(b"408 Request Timeout" if self.conn.trailing_data[0] else b"")

    def _end(self, status: bytes) -> None:
        """Close, with an answer if one is still due."""
        if status and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_ANSWER % status)
        self.transport.close()
        self.loop.call_later(1, self.transport.abort)

    def _cut(self) -> None:
        self._refusals.count("slow")
        self.transport.abort()


def configuration(app: Any, settings: WebSettings) -> Config:
    """uvicorn's configuration of a lean server: no access log, no websockets, no proxy headers."""
    config = Config(
        app,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=settings.idle_timeout,  # type: ignore[arg-type]  # a float will do
        h11_max_incomplete_event_size=settings.max_header_bytes,
    )
    config.load()
    return config
