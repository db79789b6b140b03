"""IF-MIB (RFC 2863) in numbers: which objects are asked of a device, and the row they make; pure.

ifXTable has the 64-bit octets. A device without it has 32-bit octets in ifTable. The restart
counter is snmpEngineBoots of SNMP-FRAMEWORK-MIB (RFC 3411), the uptime sysUpTime of RFC 3418.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from collectors.link.interfaces import Admin, InterfaceCounters, Missing, Oper, plain_text

T = TypeVar("T")
Oid = tuple[int, ...]
Value = int | bytes | None  # None: no such object or instance

_IF: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IFX: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
BOOTS: Oid = (1, 3, 6, 1, 6, 3, 10, 2, 1, 2, 0)

NAME: Oid = (*_IFX, 1)
DESCR: Oid = (*_IF, 2)

_SPEED, _ADMIN, _OPER = (*_IF, 5), (*_IF, 7), (*_IF, 8)
_IN_DISCARDS, _IN_ERRORS = (*_IF, 13), (*_IF, 14)
_OUT_DISCARDS, _OUT_ERRORS = (*_IF, 19), (*_IF, 20)
_IN_32, _OUT_32 = (*_IF, 10), (*_IF, 16)
_IN_64, _OUT_64 = (*_IFX, 6), (*_IFX, 10)
_HIGH_SPEED, _ALIAS, _DISCONTINUITY = (*_IFX, 15), (*_IFX, 18), (*_IFX, 19)

COLUMNS: tuple[Oid, ...] = (
    NAME,
    DESCR,
    _SPEED,
    _ADMIN,
    _OPER,
    _IN_DISCARDS,
    _IN_ERRORS,
    _OUT_DISCARDS,
    _OUT_ERRORS,
    _IN_32,
    _OUT_32,
    _IN_64,
    _OUT_64,
    _HIGH_SPEED,
    _ALIAS,
    _DISCONTINUITY,
)
MAX_GAUGE = 2**32 - 1  # ifSpeed has no larger value: ifHighSpeed tells
MEGABIT = 1_000_000

_OPERS: tuple[Oper, ...] = (
    "unknown",
    "up",
    "down",
    "testing",
    "unknown",
    "dormant",
    "not_present",
    "lower_layer_down",
)
_ADMINS: tuple[Admin, ...] = ("unknown", "up", "down", "testing")


def objects(index: int) -> list[Oid]:
    """Everything asked of one interface, in one message, so that it is of one moment."""
    return [UPTIME, BOOTS, *((*column, index) for column in COLUMNS)]


def row(
    device: str, name: str, index: int, values: Mapping[Oid, Value], at: float
) -> InterfaceCounters | Missing:
    """The row of one interface; 32-bit octets only where the 64-bit ones are absent."""

    def number(column: Oid, suffix: int = index) -> int | None:
        value = values.get((*column, suffix))
        return value if isinstance(value, int) and value >= 0 else None

    octets = number(_IN_64), number(_OUT_64)
    wide = None not in octets
    if not wide:
        octets = number(_IN_32), number(_OUT_32)
    if octets[0] is None or octets[1] is None:
        return Missing(name, "no_counters", "the device has no octet counters for it")
    alias = values.get((*_ALIAS, index))
    uptime, boots = values.get(UPTIME), values.get(BOOTS)
    discontinuity = number(_DISCONTINUITY)
    return InterfaceCounters(
        device,
        name,
        at,
        octets[0],
        octets[1],
        64 if wide else 32,
        plain_text(alias) if isinstance(alias, bytes) else "",
        index,
        number(_IN_ERRORS),
        number(_OUT_ERRORS),
        number(_IN_DISCARDS),
        number(_OUT_DISCARDS),
        wide=False,
        oper=_of(_OPERS, number(_OPER), "unknown"),
        admin=_of(_ADMINS, number(_ADMIN), "unknown"),
        speed=_speed(number(_HIGH_SPEED), number(_SPEED)),
        uptime=uptime / 100 if isinstance(uptime, int) else None,
        discontinuity=None if discontinuity is None else discontinuity / 100,
        boots=boots if isinstance(boots, int) else None,
    )


def named(values: Mapping[Oid, Value], index: int) -> tuple[str, str]:
    """ifName and ifDescr of an interface, empty where it has none."""
    name, descr = values.get((*NAME, index)), values.get((*DESCR, index))
    return (
        plain_text(name) if isinstance(name, bytes) else "",
        plain_text(descr) if isinstance(descr, bytes) else "",
    )


def locate(
    wanted: Iterable[str], names: Mapping[int, str], descrs: Mapping[int, str]
) -> tuple[dict[str, int], list[Missing]]:
    """The index of every wanted name: that of its ifName, else of its only ifDescr."""
    found: dict[str, int] = {}
    missing: list[Missing] = []
    by_name, by_descr = _inverted(names), _inverted(descrs)
    for name in wanted:
        indexes = by_name.get(name) or by_descr.get(name) or []
        if len(indexes) == 1:
            found[name] = indexes[0]
        elif indexes:
            missing.append(Missing(name, "ambiguous", f"{len(indexes)} interfaces have the name"))
        else:
            missing.append(Missing(name, "no_interface"))
    return found, missing


def every(names: Mapping[int, str], descrs: Mapping[int, str]) -> dict[str, int]:
    """All interfaces of a device by ifName, else ifDescr, else index; a name twice has its index."""
    found: dict[str, int] = {}
    for index in sorted({*names, *descrs}):
        name = names.get(index) or descrs.get(index) or str(index)
        found[name if name not in found else f"{name}#{index}"] = index
    return found


def _inverted(texts: Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, text in texts.items():
        if text:
            found.setdefault(text, []).append(index)
    return found


def _of(names: Sequence[T], number: int | None, otherwise: T) -> T:
    return names[number] if number is not None and number < len(names) else otherwise


def _speed(high: int | None, low: int | None) -> float | None:
    """bit/s. ifHighSpeed rounds to Mbit/s and is 0 below; 0 of both means that nobody knows."""
    if low and low < MAX_GAUGE and not (high and high * MEGABIT > MAX_GAUGE):
        return float(low)
    return float(high * MEGABIT) if high else None
