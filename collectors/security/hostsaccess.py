"""Who may reach services of the TCP wrapper library: /etc/hosts.allow, /etc/hosts.deny, hosts_access(5).

Kylin V10 and CentOS 7 build sshd with it; newer distributions do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File

ALLOW, DENY = File("/etc/hosts.allow"), File("/etc/hosts.deny")
_EVERYBODY = frozenset({"ALL", "0.0.0.0/0.0.0.0", "0.0.0.0/0", "[::]/0"})


class HostsAccessCollector(Collector, frozen=True):
    """`hosts_access`: rows of list (allow, deny), daemons, clients, anybody (every client is meant), source."""

    name: ClassVar[str] = "hosts_access"
    facts: ClassVar[tuple[str, ...]] = ("hosts_access",)

    def readings(self) -> tuple[File, ...]:
        return (ALLOW, DENY)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows: list[dict[str, Any]] = []
        for name, reading in (("allow", ALLOW), ("deny", DENY)):
            rows += _rows(name, reading.path, answers.maybe(reading) or "")
        yield Fact("hosts_access", rows)


def _rows(name: str, path: str, text: str) -> Iterable[dict[str, Any]]:
    before, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if before else number
        if line.endswith("\\") and len(before) < 4096:
            before += line[:-1]
            continue
        line, before = (before + line).strip(), ""
        if not line or line.startswith("#") or ":" not in line:
            continue
        daemons, _, rest = line.partition(":")
        clients = _clients(rest)
        yield {
            "list": name,
            "daemons": daemons.replace(",", " ").split(),
            "clients": clients,
            "anybody": not _EVERYBODY.isdisjoint(clients) and "EXCEPT" not in clients,
            "source": f"{path}:{start}",
        }


def _clients(rest: str) -> list[str]:
    """Up to the next colon that is not in the brackets of an IPv6 address."""
    depth = 0
    for place, character in enumerate(rest):
        if character == ":" and depth == 0:
            rest = rest[:place]
            break
        depth += {"[": 1, "]": -1}.get(character, 0)
    return rest.replace(",", " ").split()
