"""Interfaces of network devices by SNMP v2c (RFC 3416) and v3 with USM (RFC 3414); by pysnmp.

Names are walked with GETBULK; what is wanted of one interface is one GET, so that counters and
uptime are of one moment. All devices are asked from one event loop. An agent says nothing to a
wrong community, and the answer to a discovery message of SNMPv3 tells it from a device that is off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from collectors.link import ifmib
from collectors.link.devices import BandwidthSettings, SnmpAccess
from collectors.link.ifmib import Oid, Value
from collectors.link.interfaces import (
    DevicePoll,
    DeviceReason,
    InterfaceCounters,
    Missing,
    plain_text,
)
from collectors.link.snmpdiscovery import discover
from collectors.link.snmpengines import Engines, auth_of

REPETITIONS = 25  # rows a message of a walk; the answer still fits into one packet
MAX_INTERFACES = 4096  # of one device
RETRIES = 1

_USM: Mapping[str, DeviceReason] = {
    "UnknownUserName": "unknown_user",
    "UnknownSecurityName": "unknown_user",
    "WrongDigest": "wrong_digest",
    "AuthenticationFailure": "wrong_digest",
    "AuthenticationError": "wrong_digest",
    "DecryptionError": "decryption",
    "EncryptionError": "decryption",
    "UnsupportedSecurityLevel": "security_level",
    "NotInTimeWindow": "time_window",
    "NoSuchContext": "not_permitted",
}
_FORBIDDEN = frozenset({"authorizationError", "noAccess"})


class SnmpError(Exception):
    """Why a device could not be asked."""

    def __init__(self, reason: DeviceReason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Asked(NamedTuple):
    """One device to ask, at a literal address. `wanted` None: all interfaces; `hints` are the
    indexes that they had last."""

    device: str
    access: SnmpAccess
    wanted: Sequence[str] | None = None
    hints: Mapping[str, int] = {}


async def poll(asked: Asked, engines: Engines, settings: BandwidthSettings) -> DevicePoll:
    """Ask one device; never raises for what it or the network does."""
    from pysnmp.error import PySnmpError

    start = time.monotonic()
    rows: list[InterfaceCounters] = []
    missing: list[Missing] = []
    reason: DeviceReason = ""
    detail = ""
    try:
        async with asyncio.timeout(settings.deadline):
            await _interfaces(asked, engines, settings, rows, missing)
    except TimeoutError:
        reason, detail = "timeout", f"not all was answered within {settings.deadline:g} s"
    except SnmpError as error:
        reason, detail = error.reason, error.detail
    except (PySnmpError, OSError) as error:
        reason, detail = "snmp_error", str(error)
    if reason and asked.wanted:
        known = {row.name for row in rows} | {one.name for one in missing}
        missing += (Missing(name, "unread") for name in asked.wanted if name not in known)
    return DevicePoll(
        asked.device, reason, detail, time.monotonic() - start, tuple(rows), tuple(missing)
    )


async def _interfaces(
    asked: Asked,
    engines: Engines,
    settings: BandwidthSettings,
    rows: list[InterfaceCounters],
    missing: list[Missing],
) -> None:
    session = await _Session.open(asked.access, engines, settings)

    async def read(name: str, index: int, values: Mapping[Oid, Value] | None = None) -> None:
        if values is None:
            values = await session.get(ifmib.objects(index))
        made = ifmib.row(asked.device, name, index, values, time.monotonic())
        (rows if isinstance(made, InterfaceCounters) else missing).append(made)  # type: ignore[arg-type]

    left = None if asked.wanted is None else list(asked.wanted)
    for name in [name for name in left or () if name in asked.hints]:
        index = asked.hints[name]
        values = await session.get(ifmib.objects(index))
        if name in ifmib.named(values, index):
            await read(name, index, values)
            left = [other for other in left or () if other != name]
    if left == []:
        return
    names, descrs = await session.walk(ifmib.NAME, ifmib.DESCR)
    if not names and not descrs:
        raise SnmpError("no_interfaces", "the device shows none: is IF-MIB in the view?")
    if left is None:
        found = ifmib.every(names, descrs)
    else:
        found, lost = ifmib.locate(left, names, descrs)
        missing += lost
    for name, index in found.items():
        await read(name, index)


class _Session:
    """Requests to one device."""

    def __init__(
        self, engine: Any, auth: Any, target: Any, access: SnmpAccess, patience: float
    ) -> None:
        self._engine, self._auth, self._target = engine, auth, target
        self._access, self._patience = access, patience

    @classmethod
    async def open(
        cls, access: SnmpAccess, engines: Engines, settings: BandwidthSettings
    ) -> _Session:
        from pysnmp.hlapi.v3arch.asyncio import Udp6TransportTarget, UdpTransportTarget

        kind = Udp6TransportTarget if ":" in access.address else UdpTransportTarget
        target = await kind.create((access.address, access.port), settings.timeout, RETRIES)
        return cls(engines.engine_of(access), auth_of(access), target, access, settings.timeout)

    async def get(self, oids: Sequence[Oid]) -> dict[Oid, Value]:
        """Values of objects; those the device does not have are None."""
        from pysnmp.entity.rfc3413.cmdgen import GetCommandGenerator

        status, found = await self._ask(GetCommandGenerator(), (), oids)
        if status == "tooBig" and len(oids) > 1:
            half = len(oids) // 2
            return {**await self.get(oids[:half]), **await self.get(oids[half:])}
        if status != "noError":
            raise SnmpError(_refusal(status), status)
        return dict(found)

    async def walk(self, *columns: Oid) -> list[dict[int, str]]:
        """The texts of columns by index."""
        from pysnmp.entity.rfc3413.cmdgen import BulkCommandGenerator

        found: list[dict[int, str]] = [{} for _ in columns]
        at: dict[int, Oid] = dict(enumerate(columns))
        repetitions = REPETITIONS
        while at:
            status, answer = await self._ask(
                BulkCommandGenerator(), (0, repetitions), list(at.values())
            )
            if status == "tooBig" and repetitions > 1:
                repetitions //= 2
                continue
            if status != "noError":
                raise SnmpError(_refusal(status), status)
            live, moved = list(at), set[int]()
            for place, (oid, value) in enumerate(answer):
                column = live[place % len(live)]
                if column not in at:
                    continue
                index = oid[len(columns[column]) :]
                # out of the column, or a device that goes in circles
                if oid[:-1] != columns[column] or not isinstance(value, bytes) or oid <= at[column]:
                    del at[column]
                    continue
                at[column] = oid
                moved.add(column)
                found[column][index[0]] = plain_text(value)
                if len(found[column]) > MAX_INTERFACES:
                    raise SnmpError("malformed", f"more than {MAX_INTERFACES} interfaces")
            for column in live:
                if column not in moved:
                    at.pop(column, None)
        return found

    async def _ask(
        self, generator: Any, bulk: tuple[int, ...], oids: Sequence[Oid]
    ) -> tuple[str, list[tuple[Oid, Value]]]:
        """The error status by name and what was answered; raises SnmpError."""
        from pyasn1.error import PyAsn1Error
        from pyasn1.type.univ import Null
        from pysnmp.hlapi.v3arch.asyncio.lcd import CommandGeneratorLcdConfigurator

        context = self._access.context.encode()
        answered: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def receive(_engine: Any, _handle: Any, *answer: Any) -> None:
            if not answered.done():
                answered.set_result(answer)

        # the engine's own tables know a target that was configured before
        name, _ = CommandGeneratorLcdConfigurator().configure(
            self._engine, self._auth, self._target, context
        )
        null = Null("")
        objects = [(oid, null) for oid in oids]
        generator.send_varbinds(self._engine, name, None, context, *bulk, objects, receive)
        indication, status, _, binds, _ = await answered
        if indication is not None:
            raise await self._failure(indication)
        try:
            return status.prettyPrint() if hasattr(status, "prettyPrint") else "noError", [
                (tuple(oid), _value(value)) for oid, value in binds
            ]
        except (PyAsn1Error, ValueError, TypeError) as error:
            raise SnmpError("malformed", str(error)) from error

    async def _failure(self, indication: Any) -> SnmpError:
        kind = type(indication).__name__
        if kind != "RequestTimedOut":
            return SnmpError(_USM.get(kind, "snmp_error"), str(indication))
        host, port = self._target.transport_address[:2]
        seen = await discover(host, port, self._patience)
        if seen.reason:
            return SnmpError(seen.reason, seen.detail)
        if not seen.answered:
            v2c = self._access.version == "v2c"
            return SnmpError(
                "timeout", "no answer: device off, filtered, or community wrong" if v2c else ""
            )
        if self._access.version == "v2c":
            return SnmpError("community", "the agent answers, but not to this community")
        if self._access.context:
            words = "the agent answers, but not with this context or privacy secret"
            return SnmpError("not_permitted", words)
        if self._access.priv != "none":
            return SnmpError("decryption", "the agent answers, but not what is encrypted so")
        return SnmpError("timeout", "the agent answers a discovery, but not the request")


def _refusal(status: str) -> DeviceReason:
    return "not_permitted" if status in _FORBIDDEN else "snmp_error"


def _value(value: Any) -> Value:
    """A value as plain Python; what is no number and no text is nothing."""
    from pyasn1.type.univ import Integer, OctetString

    if isinstance(value, OctetString):
        return bytes(value)
    return int(value) if isinstance(value, Integer) else None
