"""Hosts and what audits say of them, by department: what the part on the baseline is made of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from math import fsum
from typing import Final, NamedTuple

from collectors.ipv6.estate.model import EstateRow
from collectors.sources.ssh.target import SshError, parse_address
from exporters.report.document import BaselineDepartment

# Packs that have parts of their own in a report.
OTHERS: Final = frozenset({"ipv6-readiness", "link-quality", "utilisation"})


class Audited(NamedTuple):
    """One host: its score in percent (None: nothing counted), its rules by how they came out, and when it was audited."""

    score: float | None
    failed: int = 0
    unknown: int = 0
    manual: int = 0
    times: tuple[datetime, ...] = ()


class Hosts:
    """Which host of the estate somebody means, by its name, address or id, and whose it is. A host that the estate does not
    have is told by the name that it gives itself, and nobody's."""

    def __init__(self, rows: Iterable[EstateRow]) -> None:
        self.departments: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for row in rows:
            if row.kind == "host":
                self.departments[row.name] = row.department
                for one in (row.name, _address(row.host or "")):
                    if one:
                        self._names.setdefault(one.lower(), row.name)
        self._ids: dict[str, str] = {}
        self._own: dict[str, list[str]] = {}

    def add(self, host: str, department: str) -> None:
        """A host that an inventory has; the estate says whose it is where it has it as well."""
        self.departments.setdefault(host, department)
        self._names.setdefault(host.lower(), host)

    def learn(self, id: str, name: str) -> None:
        """From an audit: the host of the estate that has this id."""
        if self._ids.setdefault(id, name) == name:
            own = self._own.setdefault(name, [])
            own += [id] if id not in own else []

    def found(self, *told: str) -> str:
        """The host's name; of several words the first that is known counts, else the first there is."""
        for one in told:
            if one and (known := self._names.get(one.lower()) or self._ids.get(one)):
                return known
        return next(filter(None, told), "")

    def words(self, host: str) -> list[str]:
        """Its name, and its ids as far as audits told them."""
        return [host, *self._own.get(host, ())]

    def whose(self, host: str) -> str:
        return self.departments.get(host, "")


def counts(pack: str, wanted: Collection[str]) -> bool:
    """Whether a pack is one of the baseline's."""
    return pack in wanted if wanted else pack not in OTHERS


def departments(
    hosts: Hosts,
    now: Mapping[str, Audited],
    before: Mapping[str, Audited],
    open_hits: Mapping[str, int],
) -> tuple[BaselineDepartment, ...]:
    """Worst first. A host of which there is no audit is counted, and in no score; `open_hits` are by host, of those of
    which anybody knows them."""
    names = {*hosts.departments, *now, *open_hits}
    found = []
    for department in {hosts.whose(name) for name in names}:
        own = [name for name in names if hosts.whose(name) == department]
        its = [now[name] for name in own if name in now]
        kept = [open_hits[name] for name in own if name in open_hits]
        times = [at for it in its for at in it.times]
        then = [it for name, it in before.items() if hosts.whose(name) == department]
        found.append(
            BaselineDepartment(
                name=department,
                hosts=len(own),
                audited=len(its),
                score=_mean(its),
                before=_mean(then),
                failed=sum(it.failed for it in its),
                unknown=sum(it.unknown for it in its),
                manual=sum(it.manual for it in its),
                open_hits=sum(kept) if kept else None,
                since=min(times, default=None),
                until=max(times, default=None),
            )
        )
    return tuple(
        sorted(found, key=lambda one: (-1.0 if one.score is None else one.score, one.name))
    )


def _mean(its: Iterable[Audited]) -> float | None:
    scores = [it.score for it in its if it.score is not None]
    return fsum(scores) / len(scores) if scores else None


def _address(host: str) -> str:
    """Where a host is reached, without user and port; empty where nothing is said."""
    if not host.startswith("ssh://"):
        return ""
    try:
        return parse_address(host).host
    except SshError:
        return ""


def instance_host(instance: str) -> str:
    """The host of a label `instance`: `web-01:9100`, `[2001:db8::1]:9100`, or without a port."""
    host, colon, port = instance.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        host = instance
    return host.removeprefix("[").removesuffix("]")
