"""Virtual machines that move between hypervisors, which are looked at side by side: which host tells of one that
several have, and how long one that none has may be on its way.

A machine that has moved can leave its definition behind, shut off. One that moves while the hosts are
asked may have left the one before it was asked, and reach the other after that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from collectors.cloud.held import RUNS
from collectors.cloud.model import CloudView
from collectors.cloud.spans import Identity, Known

UNSEEN: Final = 3600.0  # seconds for which a machine may be on a host that cannot be asked


class Hosts(NamedTuple):
    """`tellers` are the libvirt clouds that tell of each domain. `seen` is when each resource was
    last seen before this round; one missing for less than `patience` seconds may be on its way, and so may
    those in `just_missed`, which no look before this one has missed."""

    tellers: Mapping[str, str] = {}
    seen: Mapping[str, float] = {}
    patience: float = 0.0
    just_missed: frozenset[str] = frozenset()

    def on_its_way(self, id: str, at: float) -> bool:
        if id in self.tellers:
            return True
        patience = UNSEEN if id in self.just_missed else self.patience
        return id in self.seen and 0 <= at - self.seen[id] < patience


def hosts(
    views: Iterable[CloudView],
    known: Known,
    seen: Mapping[str, float],
    interval: float,
    last: Mapping[str, float] | None = None,
) -> Hosts:
    """Of the views of one round; rounds are `interval` seconds apart, and `last` is when each cloud was looked
    at before: a round can be lost."""
    looks = last or {}
    libvirts = [view for view in views if view.kind == "libvirt"]
    blind = {view.cloud for view in libvirts if not view.whole("servers")}
    patience = 1.5 * interval if len(libvirts) > 1 else 0.0  # missing in two looks
    if blind and len(libvirts) > 1:
        patience = max(patience, UNSEEN)
    at = max((view.began for view in libvirts), default=0.0)
    blind = {cloud for cloud in blind if at - looks.get(cloud, at) < UNSEEN}
    just_missed = frozenset(
        id
        for (id, aspect), span in known.items()
        if len(libvirts) > 1
        and aspect == "identity"
        and isinstance(span.value, Identity)
        and id in seen
        and seen[id] >= looks.get(span.value.cloud, math.inf)
    )
    return Hosts(_tellers(libvirts, blind, known), seen, patience, just_missed)


def _tellers(views: Iterable[CloudView], blind: set[str], known: Known) -> dict[str, str]:
    """The host on which it runs; of two alike the one that told of it before."""
    found: dict[str, tuple[int, bool, str]] = {}
    for view in views:
        for it in view.resources:
            span = known.get((it.id, "identity"))
            before = span.value.cloud if span and isinstance(span.value, Identity) else ""
            runs = RUNS.get(it.state, 0)
            if not runs and before in blind and before != view.cloud:
                continue  # it may run where it was
            best = found.get(it.id)
            if best is None or (runs, view.cloud == before) > best[:2]:
                found[it.id] = runs, view.cloud == before, view.cloud
    return {id: cloud for id, (_, _, cloud) in found.items()}
