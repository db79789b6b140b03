"""Interfaces of a Linux host, this one or one over SSH, from the same readings.

/sys/class/net (kernel Documentation/ABI/testing/sysfs-class-net and sysfs-class-net-statistics):
64-bit counters, `speed` in Mbit/s or -1, `operstate` of RFC 2863. /proc/uptime of proc(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from collectors.link.interfaces import Admin, InterfaceCounters, Missing, Oper, plain_text
from collectors.model import Answers, File, Glob, Reading, malformed

STATE = Glob("/sys/class/net/*", ("operstate", "speed", "ifalias", "ifindex", "flags"))
STATISTICS = Glob(
    "/sys/class/net/*/statistics",
    ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped"),
)
UPTIME = File("/proc/uptime")
READINGS: tuple[Reading, ...] = (STATE, STATISTICS, UPTIME)

MEGABIT = 1_000_000
_IFF_UP = 1
_OPERS: Final[Mapping[str, Oper]] = {
    "up": "up",
    "down": "down",
    "testing": "testing",
    "dormant": "dormant",
    "notpresent": "not_present",
    "lowerlayerdown": "lower_layer_down",
}


def rows(
    device: str, answers: Answers, wanted: Sequence[str] | None, at: float
) -> tuple[list[InterfaceCounters], list[Missing]]:
    """Rows of the interfaces wanted, or of all; raises ParseError and Unavailable."""
    found: dict[str, dict[str, str]] = {}
    for reading in (STATE, STATISTICS):
        for path, text in answers.texts(reading).items():
            parts = path.split("/")
            found.setdefault(parts[4], {})[parts[-1]] = text
    with malformed("/proc/uptime"):
        uptime = float(answers.text(UPTIME).split()[0])
    with malformed("/sys/class/net"):
        made = {
            name: _row(device, name, has, uptime, at)
            for name, has in found.items()
            if {"rx_bytes", "tx_bytes"} <= has.keys() and (wanted is None or name in wanted)
        }
    missing = [
        Missing(name, "no_counters" if name in found else "no_interface")
        for name in wanted or ()
        if name not in made
    ]
    return list(made.values()), missing


def _row(
    device: str, name: str, has: Mapping[str, str], uptime: float, at: float
) -> InterfaceCounters:
    def number(attribute: str) -> int | None:
        return int(has[attribute], 0) if attribute in has else None

    speed, flags = number("speed"), number("flags")
    admin: Admin = "unknown" if flags is None else "up" if flags & _IFF_UP else "down"
    oper = _OPERS.get(has.get("operstate", ""), "unknown")
    if oper == "unknown" and admin == "down":
        oper = "down"
    return InterfaceCounters(
        device,
        name,
        at,
        int(has["rx_bytes"]),
        int(has["tx_bytes"]),
        64,
        plain_text(has.get("ifalias", "").encode()),
        number("ifindex"),
        number("rx_errors"),
        number("tx_errors"),
        number("rx_dropped"),
        number("tx_dropped"),
        wide=True,
        oper=oper,
        admin=admin,
        speed=float(speed * MEGABIT) if speed and speed > 0 else None,
        uptime=uptime,
    )
