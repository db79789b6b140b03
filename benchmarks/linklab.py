"""Two network namespaces and a cable between them; the far one has every address of two networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests import netlab

NEAR, FAR = "a", "b"
DEVICE = f"to-{FAR}"


def address(number: int, version: int) -> str:
    """The `number`-th address of the far side (RFC 2544's range, and the documentation's)."""
    if version == 4:
        return f"198.19.{number >> 8 & 255}.{number & 255}"
    return f"2001:db8:50::{number + 1:x}"


@contextlib.contextmanager
def network() -> Iterator[netlab.Lab]:
    """Up to 65,536 targets of each version, that answer."""
    if why := netlab.unavailable():
        raise SystemExit(why)
    with netlab.Lab() as lab:
        lab.namespace(NEAR)
        lab.namespace(FAR)
        lab.link(
            NEAR,
            FAR,
            [("198.18.0.1/24", "198.18.0.2/24"), ("2001:db8:49::1/64", "2001:db8:49::2/64")],
        )
        lab.run(FAR, "ip", "route", "add", "local", "198.19.0.0/16", "dev", "lo")
        lab.run(FAR, "ip", "-6", "route", "add", "local", "2001:db8:50::/64", "dev", "lo")
        lab.route(NEAR, "198.19.0.0/16", "via", "198.18.0.2")
        lab.route(NEAR, "2001:db8:50::/64", "via", "2001:db8:49::2")
        yield lab


def targets_file(folder: Path, count: int, version: int) -> Path:
    """One address a line."""
    path = folder / f"targets-{version}"
    path.write_text("".join(f"{address(n, version)}\n" for n in range(count)))
    return path


def lines_file(folder: Path, count: int) -> Path:
    """Lines of two targets each, one of each version."""
    path = folder / f"lines-{count}.csv"
    rows = (f"line-{n:05d},county,{address(n, 4)};{address(n, 6)}\n" for n in range(count))
    path.write_text("name,level,targets\n" + "".join(rows))
    return path
