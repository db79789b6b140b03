"""The ports that sshd listens on: Port and ListenAddress of sshd_config(5), names of services(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from collectors.model import Answers, File, ParseError

SERVICES: Final = File("/etc/services", 1 << 20)
_SSH: Final = 22  # what every services(5) has
# `[::1]:22`, `host:22`; an IPv6 address alone has no port
_WITH_PORT = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*):([^:]+)")


def listening(ports: Iterable[int | str], addresses: Sequence[str], answers: Answers) -> list[int]:
    """Each address has a port of its own or every one of Port; without addresses Port counts."""
    numbers = [_number(port, answers) for port in ports]
    found: list[int] = []
    for address in addresses:
        own = _WITH_PORT.fullmatch(address)
        found += [_number(own[1], answers)] if own else numbers
    return list(dict.fromkeys(found if addresses else numbers))


def _number(port: int | str, answers: Answers) -> int:
    if isinstance(port, int):
        return port
    if port.isascii() and port.isdigit() and len(port) < 6:
        return int(port)
    if port == "ssh":
        return _SSH
    for line in (answers.maybe(SERVICES) or "").split("\n"):
        words = line.partition("#")[0].split()
        if len(words) > 1 and port in (words[0], *words[2:]):
            number, _, protocol = words[1].partition("/")
            if protocol == "tcp" and number.isascii() and number.isdigit() and len(number) < 6:
                return int(number)
    raise ParseError(f"port {port[:40]!r} is in no {SERVICES.path}")
