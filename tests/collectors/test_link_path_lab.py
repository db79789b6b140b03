"""Traces on real networks of their own, as root. The oracle is Debian's traceroute."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from collectors.link.path import Method, Path, same_way, written
from collectors.link.pathjob import TraceOptions
from collectors.link.traceroute import Tracer
from collectors.model import AddressFamily, Target
from tests import netlab
from tests.pathlab import chain, diamond, four, six

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
METHODS: tuple[Method, ...] = ("icmp", "udp", "tcp")
QUICK = TraceOptions(timeout=0.4, spacing=0.002, seed=b"a machine")


def targets(link: int, host: int = 2) -> list[Target]:
    return [
        Target("there", four(link, host), "ipv4"),
        Target("there", six(link, host), "ipv6"),
    ]


def trace(lab: netlab.Lab, to: list[Target], options: TraceOptions = QUICK) -> list[Path]:
    return lab.inside("a", lambda: Tracer(options).trace(to))


@pytest.fixture(scope="module")
def line() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        chain(made, "abcde")
        yield made


@pytest.fixture
def lab(line: netlab.Lab) -> Iterator[netlab.Lab]:
    yield line
    line.no_rules()


def with_options(**changes: object) -> TraceOptions:
    import msgspec

    return msgspec.structs.replace(QUICK, **changes)


def hops_of(path: Path) -> list[tuple[str, ...]]:
    return [hop.addresses for hop in path.hops]


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_is_complete_in_both_families(lab: netlab.Lab, method: Method) -> None:
    found = trace(lab, targets(4), with_options(method=method))
    for path, address in zip(found, (four, six), strict=True):
        assert hops_of(path) == [(address(n, 2),) for n in (1, 2, 3, 4)]
        assert (path.reached, path.reason, path.detail) == (True, "", "")
        assert all(hop.rtt and 0 < hop.rtt < 0.4 for hop in path.hops)
