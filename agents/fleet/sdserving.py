"""What `jianwei fleet serve-sd` serves: the targets of an inventory that is read again when it changes.

A stat of its files at each request tells. What cannot be read leaves the list in force, and says so in the log and in
the metrics: a slip of the pen must not take a province out of Prometheus.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from agents.errors import UserError
from agents.fleet.discovery import LABELS, groups_of, http_json
from agents.fleet.inventory import Inventory
from agents.fleet.inventoryfile import read
from agents.fleet.inventorylimit import limited, values_of
from agents.fleet.model import FleetHost
from collectors.model import Family, gauge, sample
from collectors.strictyaml import DocumentError
from exporters.prometheus.backend import ReloadError
from exporters.prometheus.selfmetrics import SelfMetrics

log = logging.getLogger(__name__)

RETRY = 5.0  # seconds until an inventory that could not be read is tried again
SETTLE = 0.05  # seconds within which a file can change twice and keep its times
FILTERS = ("name", "group", *LABELS, "owner")

_Signature = tuple[tuple[str, int, int, int], ...]


class _InForce(NamedTuple):
    """An inventory that was read, and its whole list as JSON."""

    hosts: tuple[FleetHost, ...]
    whole: bytes
    files: tuple[str, ...]
    read_at: float


class Targets:
    """Raises DocumentError and UserError when it is made of a bad inventory."""

    def __init__(self, path: str, limit: Collection[str] = (), group_label: bool = False) -> None:
        self._path, self._limit, self._group_label = path, limit, group_label
        self._reading = threading.Lock()
        self._own = SelfMetrics()
        self._problem = ""
        self._retry_at = 0.0
        self._signature: _Signature = ()
        self._now = self._read()
        self._signature = _settled(_sign(self._now.files), self._now.read_at)

    def answer(self, query: Mapping[str, Sequence[str]]) -> bytes:
        """The list as JSON, of the hosts that have one of the values of each key of `query`.

        Raises ValueError for a key that is none.
        """
        self.refresh()
        hosts = self._now.hosts
        if not query:
            return self._now.whole
        labels = {name for host in hosts for name in host.labels}
        for key in query:
            if key not in FILTERS and key not in labels:
                known = ", ".join((*FILTERS, *sorted(labels)))
                raise ValueError(f"targets have no {key[:60]!r}; there are: {known}")
        wanted = [(key, frozenset(values)) for key, values in query.items()]
        found = [
            host
            for host in hosts
            if all(not values.isdisjoint(values_of(host, key)) for key, values in wanted)
        ]
        return http_json(groups_of(found, self._group_label))

    def refresh(self) -> None:
        """Read the inventory again if it has changed; who comes while that is done has the list in force."""
        if not self._reading.acquire(blocking=False):
            return
        before = self._problem
        try:
            changed = _sign(self._now.files) != self._signature
            if changed or (self._problem and time.monotonic() > self._retry_at):
                self._again()
        except (DocumentError, UserError) as error:
            if str(error) != before:
                log.error("the inventory was not read again, its last targets stay: %s", error)
        finally:
            self._reading.release()

    def reload(self) -> None:
        """Read it again, changed or not. Raises ReloadError."""
        with self._reading:
            try:
                self._again()
            except (DocumentError, UserError) as error:
                raise ReloadError(str(error)) from error

    def scrape(self, include: frozenset[str], exclude: frozenset[str]) -> Sequence[Family]:
        """There are no collectors to choose from."""
        self.refresh()
        return [*self.families(), *self._own.families()]

    def families(self) -> Sequence[Family]:
        return (
            gauge(
                "jianwei_fleet_sd_targets",
                "Agents that the inventory tells Prometheus of.",
                sample(sum(1 for host in self._now.hosts if host.agent)),
            ),
            gauge(
                "jianwei_fleet_sd_inventory_success",
                "Whether the inventory was right when it was last read; if not, the targets before stay.",
                sample(0 if self._problem else 1),
            ),
            gauge(
                "jianwei_fleet_sd_inventory_timestamp_seconds",
                "When the inventory in force was read, as Unix time in seconds.",
                sample(self._now.read_at),
            ),
        )

    def ready(self) -> str:
        return ""

    def _again(self) -> None:
        """Raises DocumentError and UserError, and then leaves what is in force."""
        begin, files = time.time(), self._now.files
        try:
            self._now = self._read()
        except (DocumentError, UserError) as error:
            self._problem = str(error)
            self._retry_at = time.monotonic() + RETRY
            raise
        else:
            files, self._problem = self._now.files, ""
            log.info("%s was read again: %d hosts", self._path, len(self._now.hosts))
        finally:
            self._signature = _settled(_sign(files), begin)

    def _read(self) -> _InForce:
        begin = time.time()
        inventory = Inventory(read(self._path))
        hosts = limited(inventory.hosts, self._limit)
        whole = http_json(groups_of(hosts, self._group_label))
        return _InForce(hosts, whole, inventory.files, begin)


def _sign(paths: Sequence[str]) -> _Signature:
    """Which contents the files have, as far as a stat can tell."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            found.append((path, 0, 0, 0))
        else:
            found.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _settled(signature: _Signature, begin: float) -> _Signature:
    """Nothing, so that it is read again, where a file changed while or just before it was read."""
    recent = any(begin - SETTLE < mtime / 1e9 for _, mtime, _, _ in signature)
    return () if recent else signature
