"""How the kernel tracks ICMPv6, which packetmatch.py takes for granted."""

from __future__ import annotations

import json

import pytest

from tests import netlab
from tests.firewalllab import World
from tests.netlab import Lab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

# type → the state that packetmatch.py takes it for
TRACKED = {
    "destination-unreachable": "related",
    "echo-request": "new",
    "echo-reply": "established",
    "nd-neighbor-solicit": "untracked",
    "nd-neighbor-advert": "untracked",
}


def test_how_the_kernel_tracks_icmpv6() -> None:
    with Lab() as lab, World(lab) as world:
        _track(world)


def _track(world: World) -> None:
    states = ("new", "established", "related", "untracked", "invalid")
    rules = "\n".join(
        f'icmpv6 type {type_} ct state {state} counter comment "{type_} {state}"'
        for type_ in TRACKED
        for state in states
    )
    world.load(
        f"table inet f {{\nchain in {{\ntype filter hook input priority 0\n{rules}\n}}\n}}\n"
    )
    assert world.pings(), "an echo request"
    world.provoke()
    told = json.loads(world.nft("-j", "list", "ruleset"))["nftables"]
    counts = {
        rule["comment"]: next(s["counter"]["packets"] for s in rule["expr"] if "counter" in s)
        for rule in (one["rule"] for one in told if "rule" in one)
    }
    seen = {tuple(name.split()) for name, packets in counts.items() if packets}
    assert seen == set(TRACKED.items())
