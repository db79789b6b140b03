"""The way to a target: its hops, when two ways are the same one, and a change from old to new.

A router that is silent for once says nothing about the way, so a silent hop is never a difference.
Pure; the packets are in traceroute.py and pathmtu.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from collectors.model import AddressFamily, Reason
from collectors.strictyaml import Duration

Method = Literal["icmp", "udp", "tcp"]


class PathSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every target is traced once in `interval`, and when there is cause to, but never twice within
    `minimum`; `concurrency` children at once."""

    enabled: bool = True
    method: Method = "icmp"
    interval: Duration = Duration(3600)
    minimum: Duration = Duration(60)
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    max_hops: Annotated[int, msgspec.Meta(ge=1, le=64)] = 30
    mtu: bool = True

    def __post_init__(self) -> None:
        if self.minimum > self.interval:
            raise ValueError(
                f"minimum ({self.minimum:g} s) must be within interval ({self.interval:g} s)"
            )


class Hop(msgspec.Struct, frozen=True):
    """Who answered at one distance. No address: nobody did.

    Several addresses are alternatives that a load balancer chose between. `names` has one entry for
    each address, empty where it has none, or no entry where nobody looked. `rtt` is the smallest in
    seconds. `reason` is what was said instead of "time exceeded"; empty of the target's own answer.
    """

    ttl: int
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    rtt: float | None = None
    reason: Reason = ""


class Path(msgspec.Struct, frozen=True):
    """One trace. Without an answer from the target the silent hops at the end are left out.

    `reason` is empty where the target was reached, `detail` says which hop said so. `mtu` is the
    size in bytes of the largest packet that passes whole, None where it is not known;
    `mtu_black_hole` that something on the way drops larger ones without a word; `mtu_source` who
    named a smaller size than our own link's. `time` is the Unix time of the end.
    """

    target: str
    address: str
    family: AddressFamily
    method: Method
    hops: tuple[Hop, ...] = ()
    reached: bool = False
    reason: Reason = ""
    detail: str = ""
    mtu: int | None = None
    mtu_black_hole: bool = False
    mtu_source: str = ""
    time: float = 0.0

    @property
    def signature(self) -> str:
        """A short hash of the routers in their places. A silent hop is a place without a router, so
        equal signatures are equal ways, and unequal ones are for `same_way` to judge."""
        return hashlib.sha256(written(self).encode()).hexdigest()[:16]


class PathChange(msgspec.Struct, frozen=True):
    """Another way to a target. `why` says what made us look."""

    target: str
    family: AddressFamily
    time: float
    old: Path
    new: Path
    why: str = ""

    @property
    def ttl(self) -> int:
        """The first hop that differs."""
        return next(_differences(self.old, self.new), 0)


def written(path: Path) -> str:
    """The addresses in a line: `192.0.2.1 → * → 198.51.100.1|198.51.100.5`."""
    return " → ".join("|".join(hop.addresses) or "*" for hop in path.hops)


def same_way(old: Path, new: Path) -> bool:
    """Whether nothing seen contradicts that both went the same way."""
    return next(_differences(old, new), 0) == 0


def filled(old: Path, new: Path) -> Path:
    """All that is known of a way seen twice: the new trace, its silent hops as they were before."""
    known = {hop.ttl: hop for hop in old.hops if _is_router(hop)}
    hops = {hop.ttl: hop for hop in new.hops if _is_router(hop)}
    lengths = [len(path.hops) for path in (old, new) if path.reached]
    last = min(lengths) if lengths else max([*hops, *known], default=0)
    merged = []
    for ttl in range(1, last + 1):
        one, before = hops.get(ttl, Hop(ttl)), known.get(ttl)
        if before and not one.addresses:
            one = before
        elif before:  # balanced ways are known better the longer they are looked at
            extra = tuple(a for a in before.addresses if a not in one.addresses)
            one = msgspec.structs.replace(one, addresses=one.addresses + extra, names=())
        merged.append(one)
    return msgspec.structs.replace(new, hops=tuple(merged), reached=new.reached or old.reached)


def _is_router(hop: Hop) -> bool:
    """A hop that refuses stands for the next one, whose place it takes only in the trace."""
    return not hop.reason


def _differences(old: Path, new: Path) -> Iterator[int]:
    """The hops at which two traces contradict each other."""
    before = {hop.ttl: set(hop.addresses) for hop in old.hops if _is_router(hop)}
    for hop in new.hops:
        known = before.get(hop.ttl)
        if known and hop.addresses and _is_router(hop) and not known & set(hop.addresses):
            yield hop.ttl
    for one, other in ((old, new), (new, old)):
        # where one met the target the other met a router; a target that is silent for once at its
        # true distance, and then answers at a larger one, is none
        length = len(one.hops)
        routers = other.hops[length - 1 : len(other.hops) - other.reached]
        if one.reached and any(hop.addresses and _is_router(hop) for hop in routers):
            yield length
