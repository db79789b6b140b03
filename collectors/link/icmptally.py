"""What was sent in one round of echoes, what came back, and what it means. No I/O.

Each request is a slot: `echo * len(targets) + target`. It carries a 32-bit index, which is the
slot counted over all rounds, and a random nonce of its own. An answer counts once: from the address
that was asked, with that nonce, within the timeout.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from collectors.link import icmppacket
from collectors.link.icmppacket import Echo, Quoted, Received, SocketMode
from collectors.model import AddressFamily, ProbeResult, Reason, Target

SECOND: Final = 1_000_000_000
MASK: Final = 0xFFFFFFFF
_MARK = struct.Struct("!I8s")
_NONCE = 8

# Why a message was not counted as an answer.
Drop = Literal["", "stray", "spoofed", "late", "duplicate"]


class EchoOptions(msgspec.Struct, frozen=True):
    """`count` echoes to each target, `spacing` seconds apart, answered within `timeout` seconds.

    `rate` bounds packets a second over all targets and stretches the spacing where need be.
    `payload` is the size of the echo data in bytes.
    """

    count: int = 5
    spacing: float = 0.2
    timeout: float = 3.5
    rate: int = 20_000
    payload: int = 56

    def __post_init__(self) -> None:
        if not _MARK.size <= self.payload <= 1400:
            raise ValueError(f"payload must be {_MARK.size} to 1400 bytes")
        if self.count < 1 or self.rate < 1 or self.spacing < 0 or self.timeout <= 0:
            raise ValueError("count, rate and timeout must be above 0, spacing not below")


class Problem(NamedTuple):
    reason: Reason
    detail: str


class _Line:
    """One target with what its answers said. `source` is where they must come from."""

    __slots__ = ("duplicates", "hop_limit", "last", "late", "problem", "rtts", "source")

    def __init__(self) -> None:
        self.source: tuple[str, int] = ("", 0)
        self.problem: Problem | None = None
        self.late = self.duplicates = self.last = 0
        self.rtts: list[float] = []
        self.hop_limit: int | None = None


class Tally:
    """One round. `open` slots are neither answered nor failed."""

    def __init__(self, options: EchoOptions, targets: Sequence[Target], first: int) -> None:
        self._options, self._targets, self._first = options, targets, first
        self.slots = self.open = len(targets) * options.count
        self._lines = [_Line() for _ in targets]
        self._nonces = os.urandom(_NONCE * self.slots)
        self._sent = [0] * self.slots
        self._settled = bytearray(self.slots)
        self._timeout = int(options.timeout * SECOND)
        self._filling = bytes(i & 0xFF for i in range(options.payload - _MARK.size))
        self._by_destination: dict[bytes, list[int]] = {}

    # --- sending

    def expect(self, number: int, source: tuple[str, int]) -> None:
        """Answers of target `number` come from this address and scope."""
        self._lines[number].source = source
        packed = ipaddress.ip_address(source[0]).packed
        self._by_destination.setdefault(packed, []).append(number)

    def request(self, slot: int, identifier: int) -> bytes:
        """The echo request of a slot."""
        index = (self._first + slot) & MASK
        payload = _MARK.pack(index, self._nonce(slot)) + self._filling
        family = self._targets[slot % len(self._targets)].family
        return icmppacket.request(family, identifier, index & 0xFFFF, payload)

    def sent(self, slot: int, at: int) -> None:
        """A request was sent, at `at` nanoseconds by the monotonic clock."""
        self._sent[slot] = at

    def failed(self, slot: int, problem: Problem) -> None:
        """A request could not be sent."""
        self._lines[slot % len(self._lines)].problem = problem
        self._settle(slot)

    def _settle(self, slot: int) -> None:
        self._settled[slot] = 1
        self.open -= 1

    def _nonce(self, slot: int) -> bytes:
        return self._nonces[slot * _NONCE : (slot + 1) * _NONCE]

    # --- receiving

    def take(self, family: AddressFamily, received: Received, now: int) -> Drop:
        """Count a message; empty, or why it is not counted."""
        match received.message:
            case Echo() as echo:
                return self._answer(echo, received, now)
            case Quoted() as quoted:
                return self._error(family, quoted, received.source[0])
            case None:
                return "stray"

    def _slot(self, echo: Echo) -> int | Drop:
        """The slot whose index and nonce an echo carries."""
        if len(echo.payload) < _MARK.size:
            return "stray"
        index, nonce = _MARK.unpack_from(echo.payload)
        slot: int = (index - self._first) & MASK
        if slot >= self.slots:
            return "stray"
        return slot if nonce == self._nonce(slot) and self._sent[slot] else "spoofed"

    def _answer(self, echo: Echo, received: Received, now: int) -> Drop:
        slot = self._slot(echo)
        if isinstance(slot, str):
            return slot
        line = self._lines[slot % len(self._lines)]
        if received.source != line.source:
            return "spoofed"
        if self._settled[slot]:
            line.duplicates += 1
            return "duplicate"
        self._settle(slot)
        took, elapsed = received.at - self._sent[slot], now - self._sent[slot]
        if not 0 <= took <= elapsed:  # the wall clock stepped between stamp and receive
            took = elapsed
        if took > self._timeout:
            line.late += 1
            return "late"
        line.rtts.append(took / SECOND)
        line.last = max(line.last, self._sent[slot] + took)
        line.hop_limit = received.hop_limit
        return ""

    def _error(self, family: AddressFamily, quoted: Quoted, offender: str) -> Drop:
        """An error tells why. It does not end the wait, for it is easier to forge than an answer."""
        slot = self._slot(quoted.echo)
        if isinstance(slot, int):
            number = slot % len(self._lines)
            if number not in self._by_destination.get(quoted.destination, ()):
                return "spoofed"
        elif len(quoted.echo.payload) < _MARK.size:  # routers need not quote more than a header
            found = self._by_sequence(quoted)
            if found is None:
                return "stray"
            number = found
        else:
            return slot
        if self._targets[number].family != family:
            return "spoofed"
        reason = icmppacket.reason(family, quoted.type, quoted.code)
        what = f"ICMP {quoted.type}/{quoted.code}"
        self._lines[number].problem = Problem(reason, f"{what} from {offender}")
        return ""

    def _by_sequence(self, quoted: Quoted) -> int | None:
        """The target that an error without index and nonce is about."""
        for number in self._by_destination.get(quoted.destination, ()):
            for slot in range(number, self.slots, len(self._lines)):
                sequence = (self._first + slot) & 0xFFFF
                if sequence == quoted.echo.sequence and self._sent[slot]:
                    return number
        return None

    # --- results

    def results(
        self, modes: Mapping[AddressFamily, SocketMode], now: int, final: bool
    ) -> list[ProbeResult]:
        """One result a target. Before the final one, echoes that may still be answered are left
        out, and a target without any outcome has neither success nor a reason."""
        return [
            self._result(number, target, modes.get(target.family, ""), now, final)
            for number, target in enumerate(self._targets)
        ]

    def _result(
        self, number: int, target: Target, mode: SocketMode, now: int, final: bool
    ) -> ProbeResult:
        line = self._lines[number]
        slots = [s for s in range(number, self.slots, len(self._lines)) if self._sent[s]]
        waiting = sum(not self._settled[s] and now - self._sent[s] < self._timeout for s in slots)
        sent, received = len(slots) - (0 if final else waiting), len(line.rtts)
        reason: Reason = ""
        detail = ""
        if not received and line.problem:
            reason, detail = line.problem
        elif not received and sent:
            reason, detail = "timeout", f"{line.late} too late" if line.late else ""
        end = line.last if received == len(slots) else now
        return ProbeResult(
            target=target.name,
            address=target.address,
            family=target.family,
            prober="icmp",
            sent=sent,
            received=received,
            rtts=tuple(line.rtts),
            reason=reason,
            duration=(end - self._sent[slots[0]]) / SECOND if slots else 0.0,
            detail=detail,
            hop_limit=line.hop_limit,
            late=line.late,
            duplicates=line.duplicates,
            mode=mode,
        )
