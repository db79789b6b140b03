"""Calls of libvirt: counted, bounded in time, and their answers in the words of `virsh domstats`.

API: https://libvirt.org/html/libvirt-libvirt-domain.html. One call (getAllDomainStats) tells everything
where the driver has it (QEMU, Xen); others (LXC, test) are asked domain by domain.
A call cannot be ended: one that hangs is left behind in a daemon thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from collectors.cloud.domains import Stats
from collectors.cloud.domainxml import DomainXml

T = TypeVar("T")

# memoryStats() of a domain, and the same in domstats
MEMORY = {
    "actual": "balloon.current",
    "last_update": "balloon.last-update",
    **{
        name: f"balloon.{name}"
        for name in (
            *("swap_in", "swap_out", "major_fault", "minor_fault", "unused", "available"),
            *("usable", "disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail", "rss"),
        )
    },
}
BLOCK = ("rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes")
NET = tuple(f"{way}.{what}" for way in ("rx", "tx") for what in ("bytes", "pkts", "errs", "drop"))


class Calls:
    """The calls of one look; safe to share between threads."""

    def __init__(self, deadline: float, timeout: float) -> None:
        self._ends = time.monotonic() + deadline
        self._timeout = timeout
        self._lock = threading.Lock()
        self.requests = 0
        self.seconds = 0.0

    def left(self) -> float:
        """Seconds that a call begun now may take."""
        return min(self._timeout, max(0.0, self._ends - time.monotonic()))

    def made(self, call: Callable[..., T], *arguments: object) -> T:
        """The call in this thread, for as long as it takes."""
        began = time.monotonic()
        try:
            return call(*arguments)
        finally:
            with self._lock:
                self.requests += 1
                self.seconds += time.monotonic() - began

    def within(self, work: Callable[[], T]) -> T:
        """Some calls in a thread of their own; TimeoutError where they do not end in time."""
        ended: Future[T] = Future()

        def run() -> None:
            try:
                ended.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                ended.set_exception(error)

        seconds = self.left()
        if not seconds:
            raise TimeoutError("there is no time left")
        threading.Thread(target=run, daemon=True, name="libvirt").start()
        try:
            return ended.result(seconds)
        except TimeoutError:
            raise TimeoutError(f"no answer within {seconds:.3g} s") from None


def not_supported(libvirt: Any, error: Exception) -> bool:
    """Whether a driver or a domain has no such figure: it is not known, and nothing is wrong."""
    return error.get_error_code() in (  # type: ignore[attr-defined]
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_INVALID_ARG,
    )


def gone(libvirt: Any, error: Exception) -> bool:
    code = error.get_error_code()  # type: ignore[attr-defined]
    return bool(code == libvirt.VIR_ERR_NO_DOMAIN)


def words(error: Exception) -> str:
    """An error in one line of bounded length: servers, and guests, may have a say in it."""
    return " ".join(str(error).split())[:300]


def told(stats: dict[str, Any]) -> dict[str, int | str]:
    """What an answer has of numbers and texts."""
    return {key: value for key, value in stats.items() if type(value) in (int, str)}


def all_stats(libvirt: Any, calls: Calls, connection: Any, use: bool) -> dict[str, Stats]:
    """Of all domains by UUID, without waiting for those that are busy with another job."""
    answer = calls.made(connection.getAllDomainStats, *_asked(libvirt, use))
    return {domain.UUIDString(): told(stats) for domain, stats in answer}


def stats_of(
    libvirt: Any, calls: Calls, connection: Any, domain: Any, use: bool
) -> dict[str, int | str]:
    """As all_stats, of one domain."""
    answer = calls.made(connection.domainListGetStats, [domain], *_asked(libvirt, use))
    return told(answer[0][1]) if answer else {}


def _asked(libvirt: Any, use: bool) -> tuple[int, int]:
    """Which statistics (0 are all that there are), and how."""
    groups = 0 if use else libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BLOCK
    return groups, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def one_by_one(
    libvirt: Any, calls: Calls, domain: Any, xml: DomainXml | None
) -> tuple[dict[str, int | str], list[str]]:
    """The statistics of a domain by single calls, and what went wrong with some of them; without
    its XML no disk or interface is known. Raises libvirtError where the domain is gone."""
    stats: dict[str, int | str] = {}
    wrong: list[str] = []

    def put(prefix: str, figures: Iterator[tuple[str, int]]) -> None:
        try:
            stats.update((f"{prefix}{key}", value) for key, value in figures)
        except libvirt.libvirtError as error:
            if gone(libvirt, error):
                raise
            if not not_supported(libvirt, error):
                wrong.append(words(error))

    for part in (_general, _vcpus, _memory):
        put("", part(calls, domain))
    if xml is not None:
        stats["block.count"], stats["net.count"] = len(xml.disks), len(xml.interfaces)
        for n, disk in enumerate(xml.disks):
            stats[f"block.{n}.name"] = disk.target
            put(f"block.{n}.", _disk(calls, domain, disk.target))
            put(f"block.{n}.", _capacity(calls, domain, disk.target))
        for n, interface in enumerate(xml.interfaces):
            if interface.target:
                stats[f"net.{n}.name"] = interface.target
                put(f"net.{n}.", _interface(calls, domain, interface.target))
    return stats, wrong


def _general(calls: Calls, domain: Any) -> Iterator[tuple[str, int]]:
    state, most, memory, vcpus, nanoseconds = calls.made(domain.info)
    yield from (("state.state", state), ("cpu.time", nanoseconds), ("vcpu.current", vcpus))
    yield from (("balloon.maximum", most), ("balloon.current", memory))


def _vcpus(calls: Calls, domain: Any) -> Iterator[tuple[str, int]]:
    for n, state, nanoseconds, _ in calls.made(domain.vcpus)[0]:
        yield from ((f"vcpu.{n}.state", state), (f"vcpu.{n}.time", nanoseconds))


def _memory(calls: Calls, domain: Any) -> Iterator[tuple[str, int]]:
    for name, value in calls.made(domain.memoryStats).items():
        if name in MEMORY and value >= 0:
            yield MEMORY[name], value


def _disk(calls: Calls, domain: Any, target: str) -> Iterator[tuple[str, int]]:
    """libvirt says -1 for what it does not know."""
    figures = calls.made(domain.blockStats, target)
    yield from ((key, it) for key, it in zip(BLOCK, figures, strict=False) if it >= 0)


def _capacity(calls: Calls, domain: Any, target: str) -> Iterator[tuple[str, int]]:
    capacity, allocation, physical = calls.made(domain.blockInfo, target)
    yield from (("capacity", capacity), ("allocation", allocation), ("physical", physical))


def _interface(calls: Calls, domain: Any, target: str) -> Iterator[tuple[str, int]]:
    figures = calls.made(domain.interfaceStats, target)
    yield from ((key, it) for key, it in zip(NET, figures, strict=False) if it >= 0)
