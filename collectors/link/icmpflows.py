"""What was sent to many targets, what came back, and what it means. No I/O.

A flow is one target in one family. Flows are asked in turn, for ever: request number `slot` goes to
flow `slot % flows`. A request carries the slot as a 32-bit index and a random nonce of its own. An
answer counts once: from the address that was asked, with that nonce, within the timeout. What became
of a request is settled in the order of sending, so that streaks and jitter are right where answers
overtake each other; an answer is settled at once, a loss when its time is up.

Columns rather than objects: forty thousand flows are some megabytes, and an answer costs about a
microsecond.
"""

from __future__ import annotations

import functools
import ipaddress
import math
import os
import socket
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from collectors.link import icmppacket
from collectors.link.icmppacket import HEAD, MARK, REQUEST, Quoted
from collectors.model import AddressFamily, Reason, Target

SECOND: Final = 1_000_000_000
MASK: Final = 0xFFFFFFFF
BUCKETS: Final = 20  # smokeping_prober's: 50 µs and its doubles
BUCKET: Final = 50_000  # nanoseconds
MAX_SLOTS = 4_000_000  # that are remembered
LOST, UNTIMED = -1.0, -2.0  # in a window, in place of a round-trip time

# Why a message was not counted as an answer.
Drop = Literal["stray", "spoofed", "late", "duplicate"]
DROPS: Final[tuple[Drop, ...]] = ("stray", "spoofed", "late", "duplicate")

_FREE, _WAITING, _ANSWERED, _LATE, _GONE, _FAILED = range(6)


class Problem(NamedTuple):
    """Why nothing is sent, or why nothing comes back."""

    reason: Reason
    detail: str = ""


class Flow(msgspec.Struct, frozen=True, gc=False):
    """A target in one family and its packets: `payload` bytes of echo data, DSCP, hop limit (0: the
    system's), source address and device (empty: the system chooses)."""

    target: Target
    payload: int = 56
    dscp: int = 0
    hop_limit: int = 0
    source: str = ""
    device: str = ""

    @property
    def key(self) -> tuple[str, AddressFamily]:
        return self.target.name, self.target.family


class Flows:
    """Flows and their outcomes. `spacing` and `timeout` in seconds: between two requests of a flow,
    and until an answer is late. `window` is how many outcomes are kept for statistics."""

    def __init__(
        self,
        flows: Sequence[Flow],
        timeout: float,
        spacing: float,
        window: int = 20,
        histograms: bool = False,
    ) -> None:
        self.flows = tuple(flows)
        self.timeout = int(timeout * SECOND)
        self.window = window
        self.drops: Counter[Drop] = Counter()
        count = len(flows)
        # requests that may still be answered, and as many again whose answers are known to be late
        rounds = 2 * math.ceil(timeout / max(spacing, 1e-6)) + 2
        rounds = min(rounds, max(2, MAX_SLOTS // max(count, 1)))
        self._slots = max(count, 1) * rounds
        self.next = 0  # the slot that is sent next
        self._oldest = 0  # every slot before is settled
        self._first = int.from_bytes(os.urandom(4), "big")
        self._random: Iterator[int] = iter(())
        # by slot
        self._state = bytearray(self._slots)
        self._sent_at = array("q", bytes(8 * self._slots))
        self._rtts = array("d", bytes(8 * self._slots))
        self._nonces = array("Q", bytes(8 * self._slots))
        self._asked = [b""] * self._slots
        # by flow
        zeros = bytes(8 * count)
        self.answered, self.lost, self.failed = (array("Q", zeros) for _ in range(3))
        self._sent_before, self._began = array("Q", zeros), array("q", zeros)
        self.late, self.duplicates = array("Q", zeros), array("Q", zeros)
        self.streak, self.since = array("q", zeros), array("q", zeros)
        self.jitter, self._before = array("d", zeros), array("d", [LOST]) * count
        self.hop_limit, self.hop_changes = array("H", bytes(2 * count)), array("L", zeros)
        self.kept = array("Q", zeros)  # outcomes that went into the window, ever
        self.rtts = array("d", [LOST]) * (count * window)
        self.buckets = array("L", bytes(8 * count * (BUCKETS + 1) if histograms else 0))
        self.sums = array("d", zeros if histograms else b"")
        self.histograms = histograms
        self.problems: dict[int, Problem] = {}
        self._settle_next = array("Q", range(count))
        self._sources = [b""] * count
        self.fillings = [_filling(flow.payload) for flow in flows]
        # the kernel fills in the checksum of ICMPv6, which covers IPv6 addresses
        self._kinds = [(REQUEST[f.target.family], f.target.family == "ipv4") for f in flows]
        self._by_destination: dict[bytes, list[int]] = {}

    def __len__(self) -> int:
        return len(self.flows)

    @property
    def open(self) -> bool:
        """Whether any request may still be answered."""
        return self._oldest < self.next

    # --- sending

    def locate(self, number: int, source: bytes) -> None:
        """Answers of a flow come from this address from now on: packed, of IPv6 with the scope."""
        if self._sources[number]:
            self._by_destination[self._sources[number][:16]].remove(number)
        self._sources[number] = source
        self._by_destination.setdefault(source[:16], []).append(number)

    def request(self, identifier: int) -> bytes:
        """The echo request of the next slot; empty while that of a whole memory ago is waited for."""
        slot = self.next
        place = slot % self._slots
        if self._state[place] == _WAITING:
            return b""
        nonce = next(self._random, 0)
        if not nonce:
            self._random = iter(array("Q", os.urandom(4096)))
            nonce = next(self._random)
        number = slot % len(self.flows)
        self._nonces[place] = nonce
        index, sequence = (self._first + slot) & MASK, slot & 0xFFFF
        filling, filled = self.fillings[number]
        kind, summed = self._kinds[number]
        # the ones' complement sum of 16-bit words is the number itself modulo 0xffff
        check = -(kind + identifier + sequence + index + nonce + filled) % 0xFFFF if summed else 0
        return HEAD.pack(kind, 0, check, identifier, sequence, index, nonce) + filling

    def was_sent(self, at: int) -> None:
        """The next slot was sent, at `at` nanoseconds by the monotonic clock."""
        slot, count = self.next, len(self.flows)
        place, number = slot % self._slots, slot % count
        self._sent_at[place] = at
        self._state[place] = _WAITING
        self._asked[place] = self._sources[number]
        if slot < count:
            self._began[number] = at
        self.next = slot + 1

    def together(self) -> int:
        """How many of the next requests are for flows in a row, and remembered in a row."""
        count = len(self.flows)
        return min(count - self.next % count, self._slots - self.next % self._slots)

    def write(self, many: int, packets: bytearray, stride: int, identifier: int) -> bool:
        """The next requests into a packet for each flow, `stride` bytes apart, which has its filling
        already. False while one of a whole memory ago is waited for. No more than `together`."""
        slot, count = self.next, len(self.flows)
        place, number = slot % self._slots, slot % count
        if _WAITING in self._state[place : place + many]:
            return False
        nonces = self._nonces[place : place + many] = array("Q", os.urandom(8 * many))
        kind, summed = self._kinds[number]
        index, at, pack, first = (self._first + slot) & MASK, number * stride, HEAD.pack_into, slot
        base, check = kind + identifier, 0
        for nonce, (_, filled) in zip(nonces, self.fillings[number : number + many], strict=True):
            sequence = first & 0xFFFF
            if summed:
                check = -(base + sequence + index + nonce + filled) % 0xFFFF
            pack(packets, at, kind, 0, check, identifier, sequence, index, nonce)
            at += stride
            first += 1
            index = index + 1 & MASK
        return True

    def were_sent(self, many: int, at: int, apart: float) -> None:
        """The next slots were sent from `at` on, `apart` nanoseconds each."""
        slot, count = self.next, len(self.flows)
        place, number = slot % self._slots, slot % count
        moments = array("q", [at + int(step * apart) for step in range(many)])
        self._sent_at[place : place + many] = moments
        self._state[place : place + many] = bytes((_WAITING,)) * many
        self._asked[place : place + many] = self._sources[number : number + many]
        if slot < count:
            self._began[number : number + many] = moments
        self.next = slot + many

    def sent(self, number: int) -> int:
        """How many requests of a flow were sent."""
        count = len(self.flows)
        slots = (self.next - number + count - 1) // count
        return self._sent_before[number] + slots - self.failed[number]

    def was_not_sent(self, at: int, problem: Problem) -> None:
        """The next slot could not be sent."""
        slot = self.next
        place, number = slot % self._slots, slot % len(self.flows)
        self._state[place], self._sent_at[place] = _FAILED, at
        self.failed[number] += 1
        self.problems[number] = problem
        self.next = slot + 1
        self._settle(number)

    def expire(self, now: int) -> int:
        """Give up what has waited too long; the moment at which the next one has, or 0."""
        oldest, state, slots = self._oldest, self._state, self._slots
        while oldest < self.next:
            place = oldest % slots
            if state[place] == _WAITING:
                due = self._sent_at[place] + self.timeout
                if due > now:
                    self._oldest = oldest
                    return due
                self._lose(oldest % len(self.flows), place)
            oldest += 1
        self._oldest = oldest
        return 0

    # --- receiving

    def stray(self) -> None:
        self.drops["stray"] += 1

    def answer(
        self, index: int, nonce: int, source: bytes, at: int | None, hop_limit: int | None
    ) -> None:
        following = self.next
        age = (self._first + following - index) & MASK
        slot = following - age
        if not 0 < age <= self._slots or slot < 0:
            self.drops["stray"] += 1
            return
        place = slot % self._slots
        state = self._state[place]
        if nonce != self._nonces[place] or source != self._asked[place] or state == _FAILED:
            self.drops["spoofed"] += 1
            return
        count = len(self.flows)
        number = slot % count
        if state == _WAITING:
            sent_at = self._sent_at[place]
            rtt = UNTIMED
            if at is not None:
                rtt = float(at - sent_at)
                if rtt > self.timeout:
                    self._lose(number, place)
                    self._was_late(number, place)
                    return
                if rtt < 0:  # the wall clock was set in between
                    rtt = UNTIMED
            self._state[place] = _ANSWERED
            self._rtts[place] = rtt
            if hop_limit != self.hop_limit[number] and hop_limit:
                if self.hop_limit[number]:
                    self.hop_changes[number] += 1
                self.hop_limit[number] = hop_limit
            if self._settle_next[number] == slot:
                self._settle_next[number] = slot + count
                self._was_answered(number, sent_at, rtt)
                if slot + count < following:  # it was overtaken
                    self._settle(number)
        elif state == _GONE:
            self._was_late(number, place)
        else:
            self.duplicates[number] += 1
            self.drops["duplicate"] += 1

    def error(self, family: AddressFamily, quoted: Quoted, offender: bytes) -> None:
        """An error tells why. It does not end the wait, for it is easier to forge than an answer."""
        number = self._blamed(quoted)
        if number is None:
            return
        if self.flows[number].target.family != family:
            self.drops["spoofed"] += 1
            return
        reason = icmppacket.reason(family, quoted.type, quoted.code)
        who = f" from {_text(offender)}" if offender else ""
        self.problems[number] = Problem(reason, f"ICMP {quoted.type}/{quoted.code}{who}")

    def _blamed(self, quoted: Quoted) -> int | None:
        """The flow that an error is about; None, and counted, where it is none of ours."""
        payload, destination = quoted.echo.payload, quoted.destination
        numbers = self._by_destination.get(destination, ())
        if len(payload) < MARK.size:  # routers need not quote more than a header
            for slot in range(max(self.next - self._slots, 0), self.next) if numbers else ():
                place = slot % self._slots
                if slot & 0xFFFF == quoted.echo.sequence and self._asked[place][:16] == destination:
                    return slot % len(self.flows)
            self.drops["stray"] += 1
            return None
        index, nonce = MARK.unpack_from(payload)
        age: int = (self._first + self.next - index) & MASK
        if not 0 < age <= min(self._slots, self.next):
            self.drops["stray"] += 1
            return None
        place = (self.next - age) % self._slots
        if nonce != self._nonces[place] or self._asked[place][:16] != destination:
            self.drops["spoofed"] += 1
            return None
        return (self.next - age) % len(self.flows)

    # --- settling

    def _was_late(self, number: int, place: int) -> None:
        self._state[place] = _LATE
        self.late[number] += 1
        self.drops["late"] += 1

    def _lose(self, number: int, place: int) -> None:
        self._state[place] = _GONE
        self.lost[number] += 1
        self._settle(number)

    def _settle(self, number: int) -> None:
        """Take over, in order, what has become of the requests of a flow."""
        count = len(self.flows)
        slot = self._settle_next[number]
        while slot < self.next:
            place = slot % self._slots
            state = self._state[place]
            if state == _WAITING:
                break
            if state == _ANSWERED:
                self._was_answered(number, self._sent_at[place], self._rtts[place])
            else:
                self._was_missed(number, self._sent_at[place], state != _FAILED)
            slot += count
        self._settle_next[number] = slot

    def _was_answered(self, number: int, sent_at: int, rtt: float) -> None:
        self.answered[number] += 1
        kept = self.kept[number]
        self.rtts[number * self.window + kept % self.window] = rtt
        self.kept[number] = kept + 1
        streak = self.streak[number]
        if streak > 0:
            self.streak[number] = streak + 1
        else:
            self.streak[number], self.since[number] = 1, sent_at
            self.problems.pop(number, None)
        if rtt < 0:
            return
        before = self._before[number]
        self._before[number] = rtt
        if before >= 0:  # RFC 3550 section 6.4.1
            jitter = self.jitter[number]
            self.jitter[number] = jitter + (abs(rtt - before) - jitter) / 16
        if self.histograms:
            bucket = min(((int(rtt) - 1) // BUCKET).bit_length(), BUCKETS) if rtt >= 1 else 0
            self.buckets[number * (BUCKETS + 1) + bucket] += 1
            self.sums[number] += rtt

    def _was_missed(self, number: int, at: int, sent: bool) -> None:
        if sent:
            kept = self.kept[number]
            self.rtts[number * self.window + kept % self.window] = LOST
            self.kept[number] = kept + 1
        if self.streak[number] < 0:
            self.streak[number] -= 1
        else:
            self.streak[number], self.since[number] = -1, at

    # --- reading

    def outcomes(self, number: int) -> list[float]:
        """The last outcomes of a flow, the oldest first: nanoseconds, LOST or UNTIMED."""
        window, kept = self.window, self.kept[number]
        row = self.rtts[number * window : (number + 1) * window]
        if kept < window:
            return row[:kept].tolist()
        turn = kept % window
        return row[turn:].tolist() + row[:turn].tolist()

    def duration(self, number: int, now: int) -> int:
        """Nanoseconds from the first request to the last answer, or until now where some lack one."""
        if not self._began[number]:
            return 0
        place = (self._settle_next[number] - len(self.flows)) % self._slots
        complete = self.answered[number] == self.sent(number) and self._rtts[place] >= 0
        end = self._sent_at[place] + int(self._rtts[place]) if complete else now
        return end - self._began[number]

    def waiting(self, number: int) -> int:
        """Requests of a flow that may still be answered."""
        return self.sent(number) - self.answered[number] - self.lost[number]

    def adopt(self, before: Flows) -> None:
        """Go on counting where flows of the same name and family were counted before."""
        known = {flow.key: number for number, flow in enumerate(before.flows)}
        for number, flow in enumerate(self.flows):
            old = known.get(flow.key)
            if old is None:
                continue
            for name in (
                *("answered", "lost", "failed", "late", "duplicates", "streak", "since"),
                *("jitter", "_before", "hop_limit", "hop_changes"),
            ):
                getattr(self, name)[number] = getattr(before, name)[old]
            # of what is still under way nothing will be known
            settled = before.answered[old] + before.lost[old]
            self._sent_before[number] = settled + before.failed[old]
            if old in before.problems:
                self.problems[number] = before.problems[old]
            outcomes = before.outcomes(old)[-self.window :]
            start = number * self.window
            self.rtts[start : start + len(outcomes)] = array("d", outcomes)
            self.kept[number] = len(outcomes)
            if self.histograms and before.histograms:
                size = BUCKETS + 1
                row = before.buckets[old * size : (old + 1) * size]
                self.buckets[number * size : (number + 1) * size] = row
                self.sums[number] = before.sums[old]
        self.drops.update(before.drops)


@functools.lru_cache(16)
def _filling(payload: int) -> tuple[bytes, int]:
    """The rest of a payload, and what it adds to a checksum."""
    filling = bytes(i & 0xFF for i in range(payload - MARK.size))
    padded = filling + bytes(len(filling) & 1)
    return filling, int.from_bytes(padded, sys.byteorder) % 0xFFFF


def _text(packed: bytes) -> str:
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return str(ipaddress.ip_address(socket.inet_ntop(family, packed[:16])))
