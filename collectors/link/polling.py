"""All devices asked once, side by side: SNMP from one event loop, the others on daemon threads.

What one device does costs its own rows only. Names of devices are resolved first, all at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from collectors.link import hostinterfaces
from collectors.link.devices import BandwidthSettings, Device, SnmpAccess
from collectors.link.interfaces import DevicePoll, Missing
from collectors.link.resolve import Resolver
from collectors.model import AddressFamily, Answers, ParseError, Source, Unavailable
from collectors.sources.ssh.settings import SshSettings

log = logging.getLogger(__name__)

Wanted = Mapping[str, Sequence[str] | None]
Hints = Mapping[str, Mapping[str, int]]

SSH_THREADS = 16
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")


class Poller:
    """How devices are asked: bounds, the SSH settings, and the source of this host's readings."""

    def __init__(self, settings: BandwidthSettings, ssh: SshSettings, host: Source) -> None:
        self._settings, self._ssh, self._host = settings, ssh, host

    def poll(
        self, devices: Mapping[str, Device], wanted: Wanted, hints: Hints | None = None
    ) -> list[DevicePoll]:
        """One outcome a device, in their order, within the interval; `wanted` None: all interfaces.

        `hints` are the indexes that interfaces had when they were last read.
        """
        return asyncio.run(self._poll(devices, wanted, hints or {}))

    async def _poll(
        self, devices: Mapping[str, Device], wanted: Wanted, hints: Hints
    ) -> list[DevicePoll]:
        asyncio.get_running_loop().set_exception_handler(_odd_packet)
        addresses = _addresses([d.snmp for d in devices.values() if d.snmp], self._settings)
        snmp = asyncio.Semaphore(self._settings.concurrency)
        ssh = asyncio.Semaphore(SSH_THREADS)
        async with contextlib.AsyncExitStack() as stack:
            asking = self._snmp(stack, addresses)
            tasks = {
                name: asyncio.create_task(
                    self._one(
                        name, device, wanted.get(name), hints.get(name, {}), asking, snmp, ssh
                    )
                )
                for name, device in devices.items()
            }
            if tasks:
                await asyncio.wait(tasks.values(), timeout=self._settings.interval)
            polls = [
                msgspec.structs.replace(
                    _outcome(name, task, wanted.get(name)), notes=tuple(devices[name].warnings())
                )
                for name, task in tasks.items()
            ]
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return polls

    def _snmp(
        self, stack: contextlib.AsyncExitStack, addresses: Mapping[str, str | DevicePoll]
    ) -> Callable[..., Awaitable[DevicePoll]]:
        """How one device is asked by SNMP; the library is loaded for the first."""
        engines = None

        async def ask(
            name: str, access: SnmpAccess, names: Sequence[str] | None, hints: Mapping[str, int]
        ) -> DevicePoll:
            nonlocal engines
            from collectors.link import snmp
            from collectors.link.snmpengines import Engines

            if engines is None:
                engines = Engines()
                stack.callback(engines.close)
            address = addresses[access.address]
            if isinstance(address, DevicePoll):
                return msgspec.structs.replace(address, device=name, missing=_unread(names))
            access = msgspec.structs.replace(access, address=address)
            return await snmp.poll(snmp.Asked(name, access, names, hints), engines, self._settings)

        return ask

    async def _one(
        self,
        name: str,
        device: Device,
        wanted: Sequence[str] | None,
        hints: Mapping[str, int],
        asking: Callable[..., Awaitable[DevicePoll]],
        snmp: asyncio.Semaphore,
        ssh: asyncio.Semaphore,
    ) -> DevicePoll:
        if device.snmp is not None:
            async with snmp:
                return await asking(name, device.snmp, wanted, hints)
        async with ssh:
            return await _on_thread(lambda: self._blocking(name, device, wanted))

    def _blocking(self, name: str, device: Device, wanted: Sequence[str] | None) -> DevicePoll:
        if device.ssh is not None:
            from collectors.link import devicessh

            return devicessh.poll(name, device.ssh, wanted, self._ssh, self._settings.deadline)
        start = time.monotonic()
        try:
            answers = Answers(self._host.answer(hostinterfaces.READINGS))
            rows, missing = hostinterfaces.rows(name, answers, wanted, time.monotonic())
        except (ParseError, Unavailable) as error:
            return DevicePoll(name, "malformed", str(error), missing=_unread(wanted))
        seconds = time.monotonic() - start
        return DevicePoll(name, "", "", seconds, tuple(rows), tuple(missing))


def _outcome(name: str, task: asyncio.Task[DevicePoll], wanted: Sequence[str] | None) -> DevicePoll:
    if not task.done():
        detail = "the round ended before it was done"
        return DevicePoll(name, "timeout", detail, missing=_unread(wanted))
    if error := task.exception():
        log.error("asking %s failed", name, exc_info=error)
        return DevicePoll(
            name, "error", f"{type(error).__name__}: {error}"[:200], missing=_unread(wanted)
        )
    return task.result()


def _unread(wanted: Sequence[str] | None) -> tuple[Missing, ...]:
    return tuple(Missing(name, "unread") for name in wanted or ())


def _addresses(
    accesses: Sequence[SnmpAccess], settings: BandwidthSettings
) -> dict[str, str | DevicePoll]:
    """A literal address for every address or name, or why there is none."""
    names = {access.address for access in accesses}
    found = Resolver().resolve(
        [(name, family) for name in sorted(names) for family in FAMILIES], settings.timeout
    )
    chosen: dict[str, str | DevicePoll] = {}
    for name in names:
        answers = [found[name, family] for family in FAMILIES]
        usable = [address for answer in answers for address in answer.addresses]
        why = next((a.detail for a in answers if a.reason not in ("", "no_address")), "")
        chosen[name] = (
            usable[0] if usable else DevicePoll("", "no_address", f"{name}: {why or 'no address'}")
        )
    return chosen


async def _on_thread(call: Callable[[], DevicePoll]) -> DevicePoll:
    """What `call` returns or raises, from a daemon thread, which may outlive the loop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[DevicePoll] = loop.create_future()

    def settle(result: DevicePoll | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        elif result is not None:
            done.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as caught:  # noqa: BLE001 - raised where the result is awaited
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="device", daemon=True).start()
    return await done


def _odd_packet(_loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
    """A packet that the SNMP library chokes on is one that nobody answered; its request times out."""
    log.debug("%s: %r", context.get("message"), context.get("exception"))
