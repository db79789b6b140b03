"""The simulated agents: one process answers for all of them, each at an address of its own (127.0.0.0/8) on one port.

    python -m benchmarks.estateserver < estate.json       # prints its port; /stats tells what it did

The socket is bound to the loopback device, so that no other machine reaches it. HTTP/1.1 with kept connections, as much of it
as a scrape needs. Which scrape fails and who restarts follows from the numbers of agent and scrape alone.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import sys
import time
from typing import Final, Literal

import msgspec

from benchmarks.estatepages import Moment, Pages
from benchmarks.estatetemplate import Template

Fate = Literal["whole", "late", "silent", "half", "error"]
FAILURES: Final[tuple[Fate, ...]] = ("late", "silent", "half", "error")
LATE: Final = 3.0  # seconds; within every timeout that is asked for
_MIX: Final = (1 << 64) - 1


class Estate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is simulated. `churn`: the share of an agent's series that come and go, and of agents that restart in an
    hour; `failures`: the share of scrapes that are not answered, late, by half or with 500, as many of each."""

    agents: int
    series: int
    interval: float
    churn: float
    failures: float
    template: Template

    def fate(self, agent: int, scrape: int) -> Fate:
        """How an agent answers its n-th scrape."""
        drawn = _drawn(agent, scrape, 1)
        return FAILURES[int(drawn / self.failures * 4)] if drawn < self.failures else "whole"

    def restarts(self, agent: int, scrape: int) -> bool:
        """Whether it restarted just before this scrape."""
        return scrape > 0 and _drawn(agent, scrape, 2) < self.churn * self.interval / 3600


class Told(msgspec.Struct):
    """What /stats says."""

    answers: dict[str, int]
    restarts: int
    connections: int
    bytes: int
    cpu: float


def address(agent: int) -> str:
    """The address of an agent: 127.16.0.1 and so on."""
    number = agent + 1
    return f"127.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def number(address: str) -> int:
    """Whose address it is; below 0 is nobody's."""
    _, a, b, c = map(int, address.split("."))
    return ((a - 16) << 16 | b << 8 | c) - 1


def _drawn(agent: int, scrape: int, what: int) -> float:
    """A number of [0, 1) that depends on these alone (splitmix64)."""
    x = (agent * 0x9E3779B97F4A7C15 + scrape * 0xD1B54A32D192ED03 + what) & _MIX
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MIX
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MIX
    return (x ^ x >> 31) / (1 << 64)


class _Agents:
    """All of them: how often each was scraped, and since when it runs."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.pages = Pages(estate.template, estate.series, estate.churn, estate.interval)
        self._scrapes = [0] * estate.agents
        self._restarted: dict[int, int] = {}
        self.told = Told(dict.fromkeys(("whole", *FAILURES), 0), 0, 0, 0, 0.0)

    def next(self, agent: int) -> tuple[Moment, Fate]:
        scrape = self._scrapes[agent]
        self._scrapes[agent] += 1
        if self.estate.restarts(agent, scrape):
            self._restarted[agent] = scrape
            self.told.restarts += 1
        since = self._restarted.get(agent)
        moment = Moment(agent, scrape, scrape - (since or 0), since is not None)
        fate = self.estate.fate(agent, scrape)
        self.told.answers[fate] += 1
        return moment, fate


class _Connection(asyncio.Protocol):
    def __init__(self, agents: _Agents) -> None:
        self._agents = agents
        self._got = b""
        self._transport: asyncio.Transport
        self._agent = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._agent = number(transport.get_extra_info("sockname")[0])
        self._agents.told.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._agents.told.connections -= 1

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._got.endswith(b"\r\n\r\n"):  # nobody sends a second request before our answer
            return
        asked, self._got = self._got, b""
        path = asked.split(b" ", 2)[1]
        if path == b"/stats":
            self._agents.told.cpu = time.process_time()
            self._answer(200, msgspec.json.encode(self._agents.told), b"application/json")
        elif path != b"/metrics" or not 0 <= self._agent < self._agents.estate.agents:
            self._answer(404, b"nothing is here\n")
        else:
            self._scraped(asked.lower())

    def _scraped(self, asked: bytes) -> None:
        moment, fate = self._agents.next(self._agent)
        if fate == "silent":
            return  # the engine gives up and closes
        if fate == "error":
            self._answer(500, b"internal error, see the agent's log\n")
            return
        again = moment.young and moment.age == 0  # whoever restarts keeps no connection
        openmetrics = b"openmetrics" in asked
        version = b"openmetrics-text; version=1.0.0" if openmetrics else b"plain; version=0.0.4"
        kind = (b"application/" if openmetrics else b"text/") + version + b"; charset=utf-8"
        coded = b"gzip" in asked
        pages = self._agents.pages
        body = pages.gzipped(moment, openmetrics) if coded else pages.page(moment, openmetrics)
        kind += b"\r\ncontent-encoding: gzip" if coded else b""
        sent = len(body) // 2 if fate == "half" else len(body)
        told = (200, body, kind, sent, again or fate == "half")
        if fate == "late":
            asyncio.get_running_loop().call_later(LATE, self._answer, *told)
        else:
            self._answer(*told)

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: bytes = b"text/plain",
        sent: int | None = None,
        last: bool = False,
    ) -> None:
        head = b"HTTP/1.1 %d x\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % (status, kind, len(body)) + body[:sent])
        self._agents.told.bytes += len(body[:sent])
        if last:
            self._transport.close()


async def serve(estate: Estate) -> None:
    """Until SIGTERM."""
    agents = _Agents(estate)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - all of 127.0.0.0/8, and nothing beside the device lo
        listener.listen(4096)
        server = await loop.create_server(lambda: _Connection(agents), sock=listener)
        print(listener.getsockname()[1], flush=True)
        await ended.wait()
        server.close()


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(msgspec.json.decode(sys.stdin.buffer.read(), type=Estate)))


if __name__ == "__main__":
    main()
