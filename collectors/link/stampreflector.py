"""STAMP session-reflector: answers test packets with the times at which they came and left.

RFC 8762, stateless or stateful, unauthenticated or with HMAC-SHA-256. Only allowed networks are
answered, with no more bytes than they sent, and no packet that another reflector may have sent: it
can neither amplify nor be set against itself. The receive time is the kernel's (SO_TIMESTAMPNS).
"""

from __future__ import annotations

import ipaddress
import logging
import os
import select
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from collectors.link import clockstate, stamppacket
from collectors.link.reflectorsocket import Arrived, ReflectorSocket, parse_listen
from collectors.link.stampsessions import Sessions
from collectors.model import Family, counter, gauge, sample
from collectors.strictyaml import Secret

log = logging.getLogger(__name__)

Outcome = Literal["reflected", "not_allowed", "malformed", "authentication", "loop", "unsent"]
OUTCOMES: Final[tuple[Outcome, ...]] = (
    *("reflected", "not_allowed", "malformed", "authentication", "loop", "unsent"),
)
RETRY = 10.0  # seconds until an address that could not be had is tried again
_BATCH = 256  # packets of one socket before the others get their turn
_CLOCK = 1.0  # seconds for which the clock's state is remembered
_STOP = 5.0  # seconds


class ReflectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the reflector, which is off by default and then on loopback only.

    `allow`: networks whose packets are answered. With a `key` (any length) only packets signed
    with it. A `stateful` reflector counts the packets of each sender, which tells loss there from
    loss back; a stateless one copies the sender's number.
    """

    enable: bool = False
    listen: tuple[str, ...] = ("127.0.0.1:862", "[::1]:862")
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    key: Secret | None = None
    stateful: bool = True

    def __post_init__(self) -> None:
        for address in self.listen:
            parse_listen(address)
        for entry in self.allow:
            ipaddress.ip_network(entry)
        if self.enable and not self.listen:
            raise ValueError("there is no address to listen on")
        if self.key is not None and not self.key.reveal():
            raise ValueError("the key is empty")


class Reflector:
    """Answers on a daemon thread from `start` to `stop`; not to be started again."""

    def __init__(self, settings: ReflectorSettings) -> None:
        self._settings = settings
        self._key = None if settings.key is None else settings.key.reveal().encode()
        self._networks = [ipaddress.ip_network(entry) for entry in settings.allow]
        self._sessions = Sessions() if settings.stateful else None
        self._counts: Counter[Outcome] = Counter()
        self._opened: dict[str, ReflectorSocket] = {}
        self._clock = clockstate.clock_state()
        self._clock_at = 0.0
        self._wake = -1
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="stamp-reflector", daemon=True)

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where it answers: address and port by the entry of `listen` that asked for it."""
        return {entry: opened.address for entry, opened in self._opened.copy().items()}

    def start(self) -> None:
        """What cannot be listened on is said in the log and tried again later."""
        self._open()
        self._wake = os.eventfd(0)
        self._thread.start()

    def stop(self) -> None:
        """Every address is free again afterwards. Only after `start`."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(_STOP)
        if not self._thread.is_alive():
            for opened in self._opened.values():
                opened.close()
            os.close(self._wake)

    def families(self) -> Sequence[Family]:
        opened = self._opened.copy()
        return (
            counter(
                "jianwei_stamp_reflector_packets_total",
                "Test packets that came, by what became of them.",
                *(sample(float(self._counts[one]), result=one) for one in OUTCOMES),
            ),
            gauge(
                "jianwei_stamp_reflector_up",
                "Whether the reflector listens on an address.",
                *(sample(float(one in opened), listen=one) for one in self._settings.listen),
            ),
            gauge(
                "jianwei_stamp_reflector_sessions",
                "Senders whose packets are counted; 0 for a stateless reflector.",
                sample(float(len(self._sessions) if self._sessions else 0)),
            ),
        )

    def _open(self) -> None:
        for entry in self._settings.listen:
            if entry in self._opened:
                continue
            try:
                self._opened = {**self._opened, entry: ReflectorSocket(*parse_listen(entry))}
            except PermissionError:
                log.warning("stamp_reflector: %s: ports below 1024 need a privilege", entry)
            except OSError as error:
                log.warning("stamp_reflector: cannot listen on %s: %s", entry, error.strerror)

    def _work(self) -> None:
        tried = time.monotonic()
        while not self._stopping:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            by_number = {opened.fileno(): opened for opened in self._opened.values()}
            for number in by_number:
                poll.register(number, select.POLLIN)
            missing = len(by_number) < len(set(self._settings.listen))
            while not self._stopping:
                ready = poll.poll(RETRY * 1000 if missing else None)
                for number, _ in ready:
                    if opened := by_number.get(number):
                        self._serve(opened)
                if missing and time.monotonic() - tried >= RETRY:
                    break
            if missing and not self._stopping:
                tried = time.monotonic()
                self._open()

    def _serve(self, opened: ReflectorSocket) -> None:
        for _ in range(_BATCH):
            try:
                arrived = opened.receive()
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about an earlier answer
            outcome = self._reflect(opened, arrived)
            self._counts[outcome] += 1

    def _reflect(self, opened: ReflectorSocket, arrived: Arrived) -> Outcome:
        address, port = arrived.source[0].partition("%")[0], arrived.source[1]
        if arrived.broadcast or not self._allowed(address):
            return "not_allowed"
        if port in (stamppacket.PORT, opened.address[1]):
            return "loop"
        request = stamppacket.parse_request(arrived.data, self._key)
        if isinstance(request, str):
            return request
        number = request.sequence
        if self._sessions:
            number = self._sessions.next((opened.fileno(), *arrived.source), time.monotonic())
        error = stamppacket.error_word(*self._clock_state())
        padding = arrived.data[stamppacket.size(self._key) :]
        ttl = arrived.ttl or 0
        now = time.time_ns()
        packet = stamppacket.pack_reply(
            number, min(arrived.at, now), now, error, request, ttl, self._key
        )
        try:
            opened.answer(packet + padding, arrived)
        except OSError:  # no way back, or a full buffer: counted, and the sender sees a loss
            return "unsent"
        return "reflected"

    def _allowed(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)

    def _clock_state(self) -> clockstate.ClockState:
        now = time.monotonic()
        if now - self._clock_at >= _CLOCK:
            self._clock, self._clock_at = clockstate.clock_state(), now
        return self._clock
