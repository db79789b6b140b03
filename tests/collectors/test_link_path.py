"""When two traces went the same way, and the search for the path MTU, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.path import Hop, Path, PathSettings, filled, same_way, written
from collectors.link.pathjob import TraceOptions
from collectors.link.pathmtu import MtuSearch
from collectors.link.pathpackets import LEAST, Answer
from collectors.link.pathsocket import Place
from collectors.model import AddressFamily, Target
from collectors.strictyaml import DocumentError, loads


def way(text: str, reached: bool = True) -> Path:
    hops = tuple(
        Hop(ttl, () if hop == "*" else tuple(hop.split("|")))
        for ttl, hop in enumerate(text.split(), 1)
    )
    return Path("t", "t", "ipv4", "icmp", hops, reached)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a b t", "a b t", True),
        ("a b t", "a * t", True),
        ("a b t", "* * t", True),
        ("a b t", "a c t", False),
        ("a b t", "a t", False),
        ("a b t", "a b c t", False),
        ("a b t", "a b * t", True),  # the target was silent at its own distance
        ("a b|c t", "a c t", True),
        ("a b|c t", "a d t", False),
        ("a b t", "a b !", True),
        ("a b t", "a !", True),
        ("a b t", "a c !", False),
        ("a b t", "a b c d !", False),
        ("a b !", "a b c t", True),
        ("a b t", "!", True),
    ],
)
def test_what_contradicts_and_what_does_not(old: str, new: str, same: bool) -> None:
    """`!` at the end: the target was not reached."""
    one, other = (way(text.removesuffix("!"), not text.endswith("!")) for text in (old, new))
    assert same_way(one, other) is same
    assert same_way(other, one) is same


def test_a_hop_that_refuses_is_no_router_in_its_place() -> None:
    refused = Path(
        *("t", "t", "ipv4", "icmp"), (Hop(1, ("a",)), Hop(2, ("a",), reason="unreachable_admin"))
    )
    assert same_way(way("a b t"), refused)
    assert written(filled(way("a b t"), refused)) == "a → b → t"


def test_what_is_known_is_kept_over_silence() -> None:
    assert written(filled(way("a b t"), way("a * t"))) == "a → b → t"
    assert written(filled(way("a b t"), way("a", reached=False))) == "a → b → t"
    assert written(filled(way("a b t"), way("a b * t"))) == "a → b → t"
    assert written(filled(way("a b|c t"), way("a c t"))) == "a → c|b → t"
    assert filled(way("a b t"), way("a * t")).signature == way("a b t").signature


_hops = st.lists(st.sampled_from(["*", "a", "b", "c", "a|b"]), max_size=6)
_ways = st.builds(lambda hops, reached: way(" ".join([*hops, "t"]), reached), _hops, st.booleans())


@given(_ways, _ways)
def test_comparison_is_symmetric_and_reflexive(one: Path, other: Path) -> None:
    assert same_way(one, one)
    assert same_way(one, other) == same_way(other, one)
    if same_way(one, other):
        assert same_way(filled(one, other), other)


def test_settings_are_checked() -> None:
    assert loads("interval: 10m\nmethod: udp\n", PathSettings).method == "udp"
    for text in ("interval: 30s\n", "concurrency: 0\n", "method: sctp\n", "max_hop: 3\n"):
        with pytest.raises(DocumentError):
            loads(text, PathSettings)


# --- path MTU: a network in a few lines


def search(
    family: AddressFamily, device: int, links: list[tuple[int, bool]], lost: set[int], old: bool
) -> MtuSearch:
    """Links take so many bytes and say so, or do not; packets of the numbers `lost` get lost; an
    `old` router names no size."""
    address = "192.0.2.9" if family == "ipv4" else "2001:db8::9"
    own = "192.0.2.1" if family == "ipv4" else "2001:db8::1"
    job = MtuSearch(
        Target("t", address, family),
        Place(own, (address, 0)),
        TraceOptions(),
        [65536, 9000, device],
    )
    number = 0
    while probe := job.next():
        number += 1
        assert number < 2000
        size = len(probe.packet)
        if size > device:
            job.refused(probe, OSError(90, "Message too long"))
            continue
        narrow = next(((m, speaks) for m, speaks in links if size > m), None)
        if number in lost or (narrow and not narrow[1]):
            job.lost(probe.flow, probe.number)
        elif narrow:
            said = 0 if old else narrow[0]
            job.took(
                probe.flow,
                probe.number,
                Answer("too_big", probe.flow.protocol, b"", b"", mtu=said),
                "router",
                0.01,
            )
        else:
            job.took(
                probe.flow,
                probe.number,
                Answer("reply", probe.flow.protocol, b"", b""),
                address,
                0.01,
            )
    assert job.over
    return job


@given(
    st.sampled_from(["ipv4", "ipv6"]),
    st.integers(1280, 9000),
    st.lists(st.tuples(st.integers(1280, 9000), st.booleans()), max_size=4),
)
def test_the_path_mtu_is_found_to_the_byte(
    family: AddressFamily, device: int, links: list[tuple[int, bool]]
) -> None:
    job = search(family, device, links, set(), old=False)
    assert job.mtu == min([device, *(m for m, _ in links)])
    # a link is a hole if something reaches it that it swallows: sizes that spoke before are not tried
    reaching, hole = device, False
    for size, speaks in links:
        if size < reaching:
            hole |= not speaks
            reaching = size
    if not hole:
        assert not job.black_hole
    elif not any(speaks for _, speaks in links):
        assert job.black_hole
        assert job.told_by == ""


@given(st.integers(68, 1500))
def test_a_router_that_names_no_size_is_no_black_hole(narrow: int) -> None:
    job = search("ipv4", 1500, [(narrow, True)], set(), old=True)
    assert (job.mtu, job.black_hole) == (narrow, False)


def test_a_target_that_answers_no_echo_has_no_path_mtu() -> None:
    job = search("ipv4", 1500, [], set(range(1, 100)), old=False)
    assert (job.mtu, job.black_hole) == (None, False)


def test_lost_packets_are_no_black_hole() -> None:
    """Both of the largest are lost, and one in three later on."""
    job = search("ipv4", 1500, [], {1, 3, *range(5, 200, 3)}, old=False)
    assert (job.mtu, job.black_hole) == (1500, False)


@pytest.mark.parametrize("said", [0, 67, 1500, 1501, 65535])
def test_lies_about_the_size_end_the_search(said: int) -> None:
    """What is no smaller size is not taken; the search goes on by itself and ends."""
    job = MtuSearch(
        Target("t", "192.0.2.9", "ipv4"),
        Place("192.0.2.1", ("192.0.2.9", 0)),
        TraceOptions(),
        [1500],
    )
    for _ in range(2000):
        if (probe := job.next()) is None:
            break
        if len(probe.packet) > 1400:
            answer = Answer("too_big", 1, b"", b"", mtu=said)
        else:
            answer = Answer("reply", 1, b"", b"")
        job.took(probe.flow, probe.number, answer, "router", 0.01)
    assert job.over
    assert job.mtu == 1400
    assert job.black_hole is (said != 0)
    assert LEAST["ipv4"] == 68
