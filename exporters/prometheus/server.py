"""The HTTP server: several listen addresses, TLS that follows its files, limits, signals.

Our own accept loop around uvicorn's protocol: every new connection gets the TLS context in force,
a handshake that is not finished in time costs nobody else anything, and connections above the
limit are told so (503) or, far above it, closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

from uvicorn.server import ServerState

from collectors.model import Family, gauge, sample
from exporters.prometheus import listen
from exporters.prometheus.app import Application
from exporters.prometheus.backend import Backend, ReloadError
from exporters.prometheus.gate import Gate, Refusals
from exporters.prometheus.liveconfig import LiveWebConfig
from exporters.prometheus.management import Management, Own
from exporters.prometheus.protocol import Connection, configuration
from exporters.prometheus.settings import WebSettings

log = logging.getLogger(__name__)

RESERVE = 32  # connections above the limit that are answered 503; further ones are closed
ACCEPT_PAUSE = 1.0  # seconds without accepting when file descriptors run out
GRACE = 5.0  # seconds for requests under way when the server stops


class Server:
    """Serves pages. `bind`, then `run`; `stop` from any thread or by SIGTERM or SIGINT.

    Raises DocumentError for a bad web configuration file.
    """

    def __init__(self, pages: Callable[[Own], Management], settings: WebSettings) -> None:
        self._settings = settings
        self._live = LiveWebConfig(settings.config_file)
        self._refusals = Refusals()
        self._state = ServerState()
        self._app = pages(self)
        gate = Gate(self._app, self._live, settings, self._refusals, self._retire)
        self._uvicorn = configuration(gate, settings)
        self._sockets: list[socket.socket] = []
        self._loopback = True
        self._regular: list[tuple[float, Callable[[], None]]] = []
        self._handshakes: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def bind(self) -> list[str]:
        """Listen on all addresses; returns them as URLs. Raises listen.ListenError."""
        try:
            for address in self._settings.listen:
                self._sockets += listen.listen(address, self._settings.backlog)
        except listen.ListenError:
            self._close_sockets()
            raise
        self._loopback = all(listen.is_loopback(one) for one in self._sockets)
        if why := self.insecure():
            log.warning("served elsewhere than on loopback %s: see web.config_file", why)
        return self.urls()

    def urls(self) -> list[str]:
        """Where it listens, with the ports that port 0 became."""
        scheme = "https" if self._live.config.context else "http"
        return [f"{scheme}://{listen.shown(one)}" for one in self._sockets]

    def insecure(self) -> str:
        """What is missing where strangers can connect; empty on loopback or if nothing is."""
        if self._loopback:
            return ""
        config = self._live.config
        missing = [
            *(() if config.context else ("TLS",)),
            *(() if config.authenticates else ("authentication",)),
        ]
        return f"without {' and '.join(missing)}" if missing else ""

    def families(self) -> Sequence[Family]:
        """The server's own metrics."""
        return (
            gauge(
                "jianwei_web_insecure",
                "Whether it is served elsewhere than on loopback without TLS or authentication.",
                sample(1 if self.insecure() else 0),
            ),
            gauge(
                "jianwei_web_connections",
                "Open connections of clients.",
                sample(len(self._state.connections) + len(self._handshakes)),
            ),
            self._refusals.family(),
            *self._live.families(),
        )

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Have this called on the event loop at once and then so often, until it raises; before `run`."""
        self._regular.append((seconds, call))

    def run(self) -> None:
        """Serve until stopped."""
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serve until stopped; requests under way get `GRACE` seconds to end."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        # one line for every malformed request of a stranger is too much
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        with self._signals():
            for one in self._sockets:
                self._loop.add_reader(one, self._accept, one)
            for seconds, call in self._regular:
                self._tick(self._loop, seconds, call)
            try:
                await self._stopping.wait()
            finally:
                await self._wind_up()

    def stop(self) -> None:
        """End `serve`; may be called from any thread."""
        if self._loop and self._stopping:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)

    def _tick(
        self, loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[[], None]
    ) -> None:
        call()
        loop.call_later(seconds, self._tick, loop, seconds, call)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Handle signals, if this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self._reload,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _reload(self) -> None:
        def reload() -> None:
            try:
                self._app.reload()
            except ReloadError as error:
                log.error("not reloaded: %s", error)

        threading.Thread(target=reload, name="reload", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(self._settings.backlog):
            try:
                client, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of file descriptors or memory
                log.error("cannot accept connections: %s", error)
                self._pause(listener)
                return
            open_now = len(self._state.connections) + len(self._handshakes)
            if open_now >= self._settings.max_connections + RESERVE:
                self._refusals.count("connections")
                client.close()
                continue
            client.setblocking(False)
            over = open_now >= self._settings.max_connections
            task = asyncio.create_task(self._connect(client, over))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _pause(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def resume() -> None:
            if listener.fileno() >= 0:
                loop.add_reader(listener, self._accept, listener)

        loop.call_later(ACCEPT_PAUSE, resume)

    async def _connect(self, client: socket.socket, over: bool) -> None:
        if self._live.refresh():
            self._retire()
        config = self._live.config
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(
                    self._uvicorn, self._state, self._settings, self._refusals, config.sans, over
                ),
                client,
                ssl=config.context,
                ssl_handshake_timeout=self._settings.head_timeout if config.context else None,
                ssl_shutdown_timeout=1.0 if config.context else None,
            )
        except OSError as error:  # TLS errors are among them
            self._refusals.count("handshake")
            log.debug("no connection: %s", error)

    def _retire(self) -> None:
        """After their present request, connections made under the old TLS context end."""
        for connection in list(self._state.connections):
            connection.shutdown()

    async def _wind_up(self) -> None:
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.remove_reader(one)
        self._close_sockets()
        for task in list(self._handshakes):
            task.cancel()
        self._retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                while self._state.connections:
                    await asyncio.sleep(0.02)
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _close_sockets(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets.clear()


class WebServer(Server):
    """Serves the agent."""

    def __init__(self, backend: Backend, settings: WebSettings) -> None:
        super().__init__(lambda own: Application(backend, own), settings)
