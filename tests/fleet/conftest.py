"""Hosts that are shared by the tests here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests import fleetlab
from tests.fleetlab import Fleet, Kind

# By what is hard about them; the first three are to be deployed to.
HARD: Final = {
    "plain": Kind(),
    "plain too": Kind(),
    "right password": Kind(sudo="password"),
    "wrong password": Kind(sudo="password"),
    "no password": Kind(sudo="password"),
    "no rights": Kind(sudo="none"),
    "full disk": Kind(disk="64m"),
    "changed key": Kind(key_changed=True),
    "hangs": Kind(hangs=True),
    "read-only": Kind(read_only="opt"),
    "no systemd": Kind(systemd=False),
    "dead": Kind(),
}


@pytest.fixture(scope="session")
def hard() -> Iterator[Fleet]:
    """One host of each kind, in that order."""
    with fleetlab.fleet(kinds=tuple(HARD.values())) as hosts:
        by = dict(zip(HARD, hosts, strict=True))
        by["full disk"].shell("dd if=/dev/zero of=/fill bs=64k")  # until there is no room
        by["dead"].kill()
        yield hosts
