"""What a network device tells of its interfaces: rows, and the outcome of asking one device.

Counters are those of IF-MIB (RFC 2863) whatever way they came: octets with framing, errors and
discards of each direction.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Bits = Literal[32, 64]
Oper = Literal["up", "down", "testing", "unknown", "dormant", "not_present", "lower_layer_down"]
Admin = Literal["up", "down", "testing", "unknown"]

DeviceReason = Literal[
    "",
    "timeout",
    "no_address",
    "unreachable",
    "refused",
    "community",
    "unknown_user",
    "wrong_digest",
    "decryption",
    "security_level",
    "time_window",
    "not_permitted",
    "no_interfaces",
    "snmp_error",
    "ssh_unreachable",
    "ssh_host_key",
    "ssh_login",
    "command",
    "malformed",
    "error",
]

# Why an interface is not among the rows of a device that answered.
InterfaceReason = Literal["no_interface", "ambiguous", "no_counters", "unread"]


class InterfaceCounters(msgspec.Struct, frozen=True, gc=False):
    """One interface at one moment. None is what the device does not tell.

    `bits` is the width of the octet counters; errors and discards have 32 bits unless `bits` is 64
    and `wide` says that all counters have them (a Linux host, a router's command line). `speed` is
    in bit/s; `uptime` and `discontinuity` are seconds on the device's clock, the latter the uptime
    at which counters last started anew; `boots` counts its restarts; `at` is this machine's
    monotonic clock when the answer came.
    """

    device: str
    name: str
    at: float
    in_octets: int
    out_octets: int
    bits: Bits = 64
    alias: str = ""
    index: int | None = None
    in_errors: int | None = None
    out_errors: int | None = None
    in_discards: int | None = None
    out_discards: int | None = None
    wide: bool = False
    oper: Oper = "unknown"
    admin: Admin = "unknown"
    speed: float | None = None
    uptime: float | None = None
    discontinuity: float | None = None
    boots: int | None = None


class Missing(msgspec.Struct, frozen=True):
    """An interface that was wanted and could not be read."""

    name: str
    reason: InterfaceReason
    detail: str = ""


class DevicePoll(msgspec.Struct, frozen=True):
    """One device asked once. `reason` is empty where it answered; then rows may still be missing."""

    device: str
    reason: DeviceReason = ""
    detail: str = ""
    seconds: float = 0.0
    interfaces: tuple[InterfaceCounters, ...] = ()
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()


def plain_text(raw: bytes, limit: int = 255) -> str:
    """A name or description that a device sent: UTF-8, or GB 18030 as Chinese devices have it."""
    raw = raw.rstrip(b"\0")
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = raw.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text[:limit]).strip()
