"""The fact `lines`: one row a line, as the pack `link-quality` judges them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from collectors.link.utilisation import LineUse
from collectors.model import AddressFamily
from rules.linestate import LineStates, site_of

FACT = "lines"
FAMILIES: Final[tuple[AddressFamily, ...]] = get_args(AddressFamily)


def rows(states: LineStates, uses: Mapping[str, LineUse] | None = None) -> list[dict[str, Any]]:
    """What is not known has no key: an expression that asks for it makes its rule unknown.

    `measurement` is `whole`, or `part` where some probe could not be looked at; it is not there
    where nothing could be. Rates are bit/s, times seconds, shares 0 to 1.
    """
    found = []
    for state in states.states:
        line, pair = state.line, states.pair_of.get(state.line.name)
        loss, p95, jitter = state.worst()
        by_family = {family: state.worst(family) for family in FAMILIES}
        use = (uses or {}).get(line.name)
        used = [p for p in (use.in_p95, use.out_p95) if p is not None] if use else []
        known = state.state != "unknown"
        row: dict[str, Any] = {
            "line": line.name,
            "site": site_of(state),
            "level": line.level or "",
            "carrier": line.carrier,
            "role": line.role,
            "peer": line.peer,
            "state": state.state,
            "reason": state.words,
            "since": state.since,
            "loss": loss,
            "p95": p95,
            "jitter": jitter,
            "ipv4": state.family("ipv4"),
            "ipv6": state.family("ipv6"),
            **{f"loss_{family}": worst[0] for family, worst in by_family.items()},
            **{f"p95_{family}": worst[1] for family, worst in by_family.items()},
            "availability": state.availability,
            "measurement": ("whole" if state.whole else "part") if known else None,
            "backup_dead": bool(pair and pair.backup is state and pair.backup_dead),
            "site_cut": states.site_cut(state),
            "bandwidth": None if line.bandwidth is None else float(line.bandwidth),
            "speed": use.speed if use else None,
            "utilisation_p95": max(used, default=None),
        }
        found.append({key: value for key, value in row.items() if value is not None})
    return found
