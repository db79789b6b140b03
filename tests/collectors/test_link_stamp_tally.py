"""Which datagrams are answers of a STAMP session, and what they say of each direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import stamppacket
from collectors.link.clockstate import ClockState
from collectors.link.datagram import Datagram
from collectors.link.stamppacket import Request
from collectors.link.stampsummary import Summary, families, summarise
from collectors.link.stamptally import Tally

PEER = ("192.0.2.1", 862, 0)
START = 1_790_000_000_000_000_000
MS = 1_000_000
FIRST = 1 << 20
LIMIT = 1.0
THERE, STAY, BACK = 5 * MS, 1 * MS, 25 * MS


def at(index: int) -> int:
    """When a packet is sent."""
    return START + index * 20 * MS


def session(count: int, key: bytes | None = None) -> Tally:
    tally = Tally(PEER, FIRST, LIMIT, key)
    for index in range(count):
        tally.sent(at(index), 0)
    return tally


def answer(
    index: int,
    number: int,
    there: int = THERE,
    back: int = BACK,
    stay: int = STAY,
    stamp: bytes | None = None,
) -> Datagram:
    """An answer to packet `index` to which the reflector gives `number`."""
    request = Request(FIRST + index, stamppacket.ntp(at(index)) if stamp is None else stamp, 0)
    received = at(index) + there
    data = stamppacket.pack_reply(number, received, received + stay, 0x8001, request, 250, None)
    return Datagram(data, PEER, received + stay + back, 60)


def of(count: int, *answers: Datagram) -> Summary:
    tally = session(count)
    for one in answers:
        tally.take(one, 0)
    return summarise(tally)


def test_each_direction_has_its_own_delay() -> None:
    seen = of(3, *(answer(i, i, there=THERE + i * MS) for i in range(3)))
    assert (seen.sent, seen.received, seen.stateful) == (3, 3, True)
    assert seen.forward.delays == pytest.approx((0.005, 0.006, 0.007))
    assert seen.backward.delays == pytest.approx((0.025,) * 3)
    assert seen.round_trip.delays == pytest.approx((0.030, 0.031, 0.032))  # without the stay
    assert seen.residence == pytest.approx((0.001,) * 3)
    assert seen.forward.jitter == pytest.approx(0.001)
    assert seen.backward.jitter == pytest.approx(0)
    assert (seen.forward_ttl, seen.hop_limit) == (250, 60)
    assert seen.reflector == (True, False, 2**-32)


def lost(seen: Summary) -> tuple[int | None, int | None, int]:
    return seen.forward.lost, seen.backward.lost, seen.unattributed


def test_loss_there_is_not_counted_by_the_reflector() -> None:
    # 1 and 2 of 0 to 5 never came to the reflector
    seen = of(6, *(answer(i, n) for n, i in enumerate((0, 3, 4, 5))))
    assert lost(seen) == (2, 0, 0)
    assert (seen.forward.loss, seen.backward.loss) == (2 / 6, 0)
    assert seen.round_trip.lost == 2


def test_loss_back_is_counted_by_the_reflector() -> None:
    seen = of(6, *(answer(i, i) for i in (0, 3, 4, 5)))
    assert lost(seen) == (0, 2, 0)
    assert (seen.forward.loss, seen.backward.loss) == (0, 2 / 6)


def test_loss_both_ways_and_after_the_last_answer() -> None:
    # sent 0 to 9; 1 lost there, the answers to 3 and 4 lost back, nothing heard after 5
    seen = of(10, answer(0, 0), answer(2, 1), answer(5, 4))
    assert lost(seen) == (1, 2, 4)
    assert seen.forward.loss == 1 / 6
    assert seen.backward.loss == 2 / 5


def test_a_stateless_reflector_cannot_tell() -> None:
    seen = of(6, *(answer(i, FIRST + i) for i in (0, 3, 4, 5)))
    assert seen.stateful is False
    assert lost(seen) == (None, None, 2)
    assert (seen.forward.loss, seen.forward.reordered, seen.round_trip.loss) == (None, None, 2 / 6)
    assert seen.forward.delays  # the times are there all the same


def test_without_an_answer_nothing_is_known() -> None:
    seen = of(3)
    assert (seen.stateful, seen.round_trip.loss, seen.reflector) == (None, 1.0, None)
    assert lost(seen) == (None, None, 3)
    assert {f.name for f in families(seen, ClockState(True, 0.001))} >= {
        "jianwei_probe_stamp_packets",
        "jianwei_probe_stamp_lost_packets",
    }


def test_a_reflector_that_goes_on_counting() -> None:
    """A port that is used again is the same session to a reflector."""
    seen = of(4, *(answer(i, 1000 + n) for n, i in enumerate((0, 2, 3))))
    assert lost(seen) == (1, 0, 0)


def test_duplicates_of_either_direction() -> None:
    there = of(3, answer(0, 0), answer(0, 1), answer(1, 2), answer(2, 3))
    back = of(3, answer(0, 0), answer(0, 0), answer(1, 1), answer(2, 2))
    for seen in (there, back):
        assert (seen.received, seen.duplicates) == (3, 1)
        assert lost(seen) == (0, 0, 0)


def test_reordering_of_either_direction() -> None:
    there = of(3, answer(1, 0), answer(0, 1), answer(2, 2))
    assert (there.forward.reordered, there.backward.reordered) == (1, 0)
    back = of(3, answer(1, 1), answer(0, 0), answer(2, 2))
    assert (back.forward.reordered, back.backward.reordered) == (0, 1)
    assert there.round_trip.reordered == back.round_trip.reordered == 1
    assert lost(there) == lost(back) == (0, 0, 0)


def test_a_late_answer_is_not_received_and_not_lost_on_the_way() -> None:
    seen = of(2, answer(0, 0, back=1200 * MS), answer(1, 1))
    assert (seen.received, seen.late, seen.round_trip.lost) == (1, 1, 1)
    assert lost(seen) == (0, 0, 0)
    assert len(seen.round_trip.delays) == 1


def test_clocks_that_differ_shift_the_directions_and_not_the_round_trip() -> None:
    hour = 3600 * 1000 * MS
    seen = of(1, Datagram(*answer(0, 0, there=hour + THERE)[:2], at(0) + THERE + STAY + BACK, 60))
    assert seen.round_trip.delays == pytest.approx((0.030,))
    assert seen.forward.delays == pytest.approx((3600.005,))
    assert seen.backward.delays == pytest.approx((-3599.975,))


def test_times_across_a_clock_step_are_left_out() -> None:
    tally = session(2)
    tally.take(answer(0, 0), 0)
    tally.take(answer(1, 1, back=-10_000 * MS), -10_000 * MS)
    seen = summarise(tally)
    assert (seen.received, seen.clock_steps, len(seen.round_trip.delays)) == (2, 1, 1)


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (answer(0, 0)._replace(source=("192.0.2.2", 862, 0)), "spoofed"),
        (answer(0, 0)._replace(source=("192.0.2.1", 863, 0)), "spoofed"),
        (answer(0, 0)._replace(data=b"too short"), "malformed"),
        (answer(7, 0), "unasked"),
        (answer(-1, 0), "unasked"),
        (answer(0, 0, stamp=stamppacket.ntp(at(0) + 1)), "unasked"),
        (answer(0, 0, stay=-1 * MS), "implausible"),
        (answer(0, 0, stay=80 * MS, back=-75 * MS), "implausible"),
    ],
)
def test_what_is_no_answer_is_dropped_and_counted(datagram: Datagram, why: str) -> None:
    tally = session(2)
    assert tally.take(datagram, 0) == why
    seen = summarise(tally)
    assert (seen.received, seen.duplicates, seen.drops) == (0, 0, {why: 1})


def test_a_wrong_key() -> None:
    tally = session(1, key=b"ours")
    request = Request(FIRST, stamppacket.ntp(at(0)), 0)
    data = stamppacket.pack_reply(0, at(0), at(0), 1, request, 9, b"theirs")
    assert tally.take(Datagram(data, PEER, at(0) + MS, 1), 0) == "authentication"


NUMBERS = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1))
TIMES = st.integers(-(1 << 62), 1 << 62).map(lambda value: value % (1 << 62))
ANSWERS = st.builds(
    lambda index, number, received, sent, error, ttl, came: Datagram(
        stamppacket.pack_reply(
            number,
            received,
            sent,
            error,
            Request(FIRST + index, stamppacket.ntp(at(index)), 0),
            ttl,
            None,
        ),
        PEER,
        came,
        ttl,
    ),
    *(st.integers(0, 6), NUMBERS, TIMES, TIMES, st.integers(0, 65535), st.integers(0, 255), TIMES),
)


@given(
    st.lists(st.one_of(ANSWERS, st.binary(max_size=120).map(lambda d: Datagram(d, PEER, START))))
)
def test_whatever_comes_there_is_a_sound_summary(datagrams: list[Datagram]) -> None:
    tally = session(7)
    for one in datagrams:
        tally.take(one, 0)
    seen = summarise(tally)
    assert seen.received + (seen.round_trip.lost or 0) == 7
    assert seen.received + seen.late + seen.duplicates + sum(seen.drops.values()) == len(datagrams)
    if seen.stateful:
        assert (seen.forward.lost or 0) >= 0
        assert (seen.backward.lost or 0) >= 0
        gone = 7 - seen.received - seen.late
        assert (seen.forward.lost or 0) + (seen.backward.lost or 0) + seen.unattributed == gone
    for family in families(seen, ClockState(False, 16.0)):
        assert family.samples
