"""A line with delay for labs: what one namespace sends, another gets later, twice or never.

Two TUN devices (linux/if_tun.h) are opened by one child process and moved into the namespaces,
where they are `delay-PEER`; the child carries packets between them. Only unicast is carried, so
that the kernel's own solicitations and reports are not counted. The child ends with its standard
input, hence also with the test, and the devices with the child.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, cast

import msgspec

from tests import netlab

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PR_SET_TIMERSLACK = 29
SPIN = 0.0002  # seconds before a packet is due in which an exact relay does not sleep
IDLE = 0.5  # seconds
START_LIMIT = 20.0


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens in one direction; times in seconds, shares from 0 to 1.

    `jitter` is a random time added to `delay`; with `fifo` it never reorders. `late` (extra delay),
    `twice` and `lost` choose packets by their number in this direction, the first of each IP version
    being 0, counted anew by each `change`. A late packet overtakes none and holds up none. A
    duplicate comes `apart` after its original.
    """

    delay: float = 0.0
    jitter: float = 0.0
    fifo: bool = True
    loss: float = 0.0
    duplicate: float = 0.0
    apart: float = 0.0
    late: dict[int, float] = {}
    twice: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()


class Count(msgspec.Struct):
    """What was done in one direction; `carried` counts packets that were delivered, once each."""

    carried: int = 0
    lost: int = 0
    duplicated: int = 0


class Order(msgspec.Struct, frozen=True):
    """To the child; without ways only the counts are asked for."""

    ways: tuple[Way, Way] | None = None


class Start(msgspec.Struct, frozen=True):
    devices: tuple[str, str]
    namespaces: tuple[str, str]
    names: tuple[str, str]
    ways: tuple[Way, Way]
    exact: bool
    seed: int | None


def unavailable() -> str:
    """Why there can be no such line here, empty if there can."""
    return netlab.unavailable() or ("" if os.path.exists("/dev/net/tun") else "needs /dev/net/tun")


class Delay:
    """A line from `one` to `other` with pairs of addresses as for `Lab.link`.

    `there` is the way from `one` to `other`; a number is a `Way` of that delay. `exact` asks for
    real-time scheduling and spins (a core is then busy around each packet). Use it as a context
    manager inside the lab's.
    """

    def __init__(
        self,
        lab: netlab.Lab,
        one: str,
        other: str,
        addresses: Sequence[tuple[str, str]],
        there: Way | float = 0.0,
        back: Way | float = 0.0,
        exact: bool = False,
        seed: int | None = None,
    ) -> None:
        self._lab, self._names, self._addresses = lab, (one, other), addresses
        unique = f"{os.getpid() % 100000}{os.urandom(2).hex()}"
        self._start = Start(
            (f"jwt{unique}a", f"jwt{unique}b"),
            (lab.full(one), lab.full(other)),
            (f"delay-{other}"[:15], f"delay-{one}"[:15]),
            (_way(there), _way(back)),
            exact,
            seed,
        )

    def __enter__(self) -> Delay:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.delaylab", msgspec.json.encode(self._start).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        )
        try:
            self._answer()
            for index, name in enumerate(self._names):
                device = self._start.names[index]
                words = ("txqueuelen", "10000", "up")
                self._lab.run(name, "ip", "link", "set", device, *words)
                for pair in self._addresses:
                    nodad = ["nodad"] if ":" in pair[index] else []
                    self._lab.run(name, "ip", "address", "add", pair[index], "dev", device, *nodad)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def change(self, there: Way | float = 0.0, back: Way | float = 0.0) -> None:
        """Other ways from now on, and all counts from 0. What is under way arrives as it would."""
        self._ask(Order((_way(there), _way(back))))

    def counts(self) -> tuple[Count, Count]:
        """What was done there and back since the start or the last change."""
        return self._ask(Order())

    def _ask(self, order: Order) -> tuple[Count, Count]:
        pipe = cast(IO[bytes], self._child.stdin)
        pipe.write(msgspec.json.encode(order) + b"\n")
        pipe.flush()
        return self._answer()

    def _answer(self) -> tuple[Count, Count]:
        pipe = cast(IO[bytes], self._child.stdout)
        assert select.select([pipe], [], [], START_LIMIT)[0], "the relay does not answer"
        line = pipe.readline()
        assert line, "the relay has ended"
        return msgspec.json.decode(line, type=tuple[Count, Count])

    def _end(self) -> None:
        cast(IO[bytes], self._child.stdin).close()
        try:
            self._child.wait(10)
        finally:
            self._child.kill()
            self._child.wait()
            cast(IO[bytes], self._child.stdout).close()


def _way(given: Way | float) -> Way:
    return given if isinstance(given, Way) else Way(delay=given)


class _Direction:
    """One way of the relay: decides about each packet."""

    def __init__(self, way: Way, chance: random.Random) -> None:
        self._way, self._chance = way, chance
        self._seen = {4: 0, 6: 0}
        self._last = 0.0
        self.count = Count()

    def due(self, packet: bytes, now: float) -> list[float]:
        """When to deliver it: never, once or twice."""
        version = packet[0] >> 4
        if version not in self._seen or _multicast(packet, version):
            return []
        way, number, chance = self._way, self._seen[version], self._chance
        self._seen[version] += 1
        if number in way.lost or (way.loss and chance.random() < way.loss):
            self.count.lost += 1
            return []
        self.count.carried += 1
        at = now + way.delay + (chance.random() * way.jitter if way.jitter else 0.0)
        if number in way.late:
            at += way.late[number]
        elif way.fifo:
            at = self._last = max(at, self._last)
        if number in way.twice or (way.duplicate and chance.random() < way.duplicate):
            self.count.duplicated += 1
            return [at, at + way.apart]
        return [at]


def _multicast(packet: bytes, version: int) -> bool:
    return packet[16] >= 224 if version == 4 else packet[24] == 0xFF


def _relay(start: Start) -> None:
    """The child: everything until standard input ends."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    spin = 0.0
    if start.exact:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        spin = SPIN
    named = zip(start.devices, start.namespaces, start.names, strict=True)
    devices = [_tun(*which) for which in named]
    chance = random.Random(start.seed)  # noqa: S311 - chance, no secret
    directions = [_Direction(way, chance) for way in start.ways]
    waiting: list[tuple[float, int, int, bytes]] = []  # due, order, device, packet
    order = 0
    _tell(directions)
    gc.freeze()
    gc.disable()
    while True:
        rest = waiting[0][0] - time.monotonic() - spin if waiting else IDLE
        ready, _, _ = select.select([*devices, 0], [], [], min(max(rest, 0.0), IDLE))
        for index, device in enumerate(devices):
            if device not in ready:
                continue
            for _ in range(64):
                try:
                    packet = os.read(device, 65536)
                except BlockingIOError:
                    break
                for at in directions[index].due(packet, time.monotonic()):
                    order += 1
                    heapq.heappush(waiting, (at, order, 1 - index, packet))
        while waiting:
            rest = waiting[0][0] - time.monotonic()
            if rest > spin:
                break
            if rest <= 0:
                _, _, index, packet = heapq.heappop(waiting)
                os.write(devices[index], packet)
        if 0 in ready:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            asked = msgspec.json.decode(line, type=Order)
            if asked.ways:
                directions = [_Direction(way, chance) for way in asked.ways]
            _tell(directions)


def _tun(device: str, namespace: str, name: str) -> int:
    """A new device in a namespace; its descriptor stays valid when it is moved."""
    opened = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(opened, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", device, "netns", namespace, "name", name], check=True)
    return opened


def _tell(directions: Sequence[_Direction]) -> None:
    there, back = directions
    sys.stdout.buffer.write(msgspec.json.encode((there.count, back.count)) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _relay(msgspec.json.decode(sys.argv[1], type=Start))
