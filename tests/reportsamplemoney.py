"""Showback of a made-up city: virtual CPUs and memory have a price, storage has none, and memory had none at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exporters.report.document import Cost, Showback
from rules.model import Text
from tests.reportsampleresources import GIB, HOURS, Placed

_VCPU: Final = 0.12
_MEMORY: Final = 0.035
_TITLES: Final = {
    "vcpu": (Text("vCPU", "vCPU"), Text("核·时", "core hours")),
    "memory": (Text("内存", "Memory"), Text("GiB·时", "GiB hours")),
    "disk": (Text("存储", "Storage"), Text("GiB·时", "GiB hours")),
}


def showback(some: Sequence[Placed]) -> Showback:
    """A tenth of the memory's hours had no price in force; the use of memory is known of a part."""
    hours = sum(it.granted for it in some)
    used = sum(it.used for it in some)
    known = sum(it.known for it in some)
    whole = all(it.known == it.granted for it in some)
    amounts = [it.judgement.granted for it in some if it.judgement.kind != "host"]
    memory = sum(it.memory or 0 for it in amounts) / GIB * HOURS
    disk = sum(it.disk or 0 for it in amounts) / GIB * HOURS
    vcpus = sum(
        it.judgement.free.vcpus or 0.0
        for it in some
        if it.judgement.advice in ("reclaim", "shrink")
    )
    return _of(
        (
            _cost("vcpu", hours, used, hours * _VCPU, used * _VCPU, 0.0, whole, known * _VCPU),
            _cost("memory", memory, None, 0.9 * memory * _MEMORY, None, 0.1 * memory, False, None),
            _cost("disk", disk, None, None, None, disk, False, None),
        ),
        vcpus * HOURS * _VCPU,
    )


def together(parts: Sequence[Showback]) -> Showback:
    """The sum of all."""
    items = zip(*(it.lines for it in parts), strict=True)
    lines = tuple(
        _cost(
            one[0].item,
            sum(it.granted for it in one),
            _added([it.used for it in one]),
            _added([it.granted_cost for it in one]),
            _added([it.used_cost for it in one]),
            sum(it.unpriced for it in one),
            all(it.used_known for it in one),
            _added([it.known_cost for it in one]),
        )
        for one in items
    )
    return _of(lines, _added([it.reclaimable_cost for it in parts]))


def _of(lines: tuple[Cost, ...], reclaimable: float | None) -> Showback:
    granted, used = ([it.granted_cost for it in lines], [it.used_cost for it in lines])
    known = _added([it.known_cost for it in lines])
    costs = (_added(granted), _added(used), reclaimable)
    return Showback("CNY", lines, *costs, complete=False, known_cost=known)


def _cost(
    item: str,
    granted: float,
    used: float | None,
    granted_cost: float | None,
    used_cost: float | None,
    unpriced: float,
    used_known: bool,
    known_cost: float | None,
) -> Cost:
    prices = {"vcpu": ("0.12/h (2026-01-01 → )",), "memory": ("0.035/h (2026-10-04 → )",)}
    title, unit = _TITLES[item]
    return Cost(
        item=item,
        title=title,
        unit=unit,
        granted=granted,
        used=used,
        granted_cost=granted_cost,
        used_cost=used_cost,
        unpriced=unpriced,
        used_known=used_known,
        prices=prices.get(item, ()),
        known_cost=known_cost,
    )


def _added(values: Sequence[float | None]) -> float | None:
    known = [it for it in values if it is not None]
    return sum(known) if known else None
