"""What becomes of echoes: answers, losses, forgeries, streaks and statistics, without any network."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import icmppacket
from collectors.link.icmpflows import DROPS, LOST, SECOND, UNTIMED, Flow, Flows, Problem
from collectors.link.icmppacket import HEAD, Quoted
from collectors.link.metrics import families, labelled
from collectors.link.statistics import rtt_statistics, window
from collectors.model import Family, Target
from tests.collectors.echoes import DOWN, IPV4, UP, Sent, mark, some_flows
from tests.collectors.test_link_packets import error, ipv4_packet, ipv6_packet

MS = 1_000_000


def test_answers_count_once_for_the_flow_that_was_asked() -> None:
    sent = Sent()
    slots = [sent.send(n) for n in range(6)]
    for slot in (slots[0], slots[1], slots[2], slots[4]):
        sent.answer(slot, 0.001)
    sent.answer(slots[0], 0.001)
    flows = sent.flows
    assert list(flows.answered) == [3, 1]
    assert list(flows.duplicates) == [1, 0]
    assert flows.outcomes(0) == [MS, MS, MS]
    assert [flows.waiting(n) for n in (0, 1)] == [0, 2]
    assert flows.hop_limit[0] == 60
    assert flows.expire(10 * SECOND) == 0
    assert list(flows.lost) == [0, 2]
    assert flows.outcomes(1) == [MS, LOST, LOST]
    assert not flows.open


def test_losses_are_settled_when_their_time_is_up() -> None:
    sent = Sent([UP])
    sent.send(1)
    sent.send(1.5)
    assert sent.flows.expire(int(1.9 * SECOND)) == 2 * SECOND
    assert sent.flows.expire(2 * SECOND) == int(2.5 * SECOND)
    assert (sent.flows.lost[0], sent.flows.waiting(0), sent.flows.streak[0]) == (1, 1, -1)


def test_an_answer_that_overtakes_another_is_settled_behind_it() -> None:
    sent = Sent([UP])
    first, second = sent.send(1), sent.send(1.5)
    sent.answer(second, 0.002)
    assert sent.flows.answered[0] == 0
    sent.answer(first, 0.9)
    assert sent.flows.outcomes(0) == [900 * MS, 2 * MS]
    assert (sent.flows.streak[0], sent.flows.since[0]) == (2, SECOND)
    third, fourth = sent.send(2), sent.send(2.5)
    sent.answer(fourth, 0.001)
    sent.flows.expire(4 * SECOND)
    assert sent.flows.outcomes(0) == [900 * MS, 2 * MS, LOST, MS]
    assert (sent.flows.streak[0], sent.flows.since[0]) == (1, int(2.5 * SECOND))
    assert third + 1 == fourth


def test_streaks_begin_when_their_first_echo_was_sent() -> None:
    sent = Sent([UP])
    sent.answer(sent.send(1), 0.1)
    for at in (2, 3, 4):
        sent.send(at)
    sent.flows.expire(6 * SECOND)
    assert (sent.flows.streak[0], sent.flows.since[0]) == (-3, 2 * SECOND)
    sent.answer(sent.send(7), 0.1)
    assert (sent.flows.streak[0], sent.flows.since[0]) == (1, 7 * SECOND)


def test_late_is_lost_and_double_late_is_double() -> None:
    sent = Sent([UP])
    slot = sent.send(1)
    sent.answer(slot, 1.1)
    sent.answer(slot, 1.2)
    flows = sent.flows
    assert (flows.answered[0], flows.lost[0], flows.late[0], flows.duplicates[0]) == (0, 1, 1, 1)
    slot = sent.send(5)
    flows.expire(7 * SECOND)
    sent.answer(slot, 2.0)
    assert (flows.lost[0], flows.late[0]) == (2, 2)


@pytest.mark.parametrize("after", [-1.0, None])
def test_an_answer_across_a_clock_step_counts_but_its_time_does_not(after: float | None) -> None:
    sent = Sent([UP])
    sent.answer(sent.send(1), after)
    assert sent.flows.answered[0] == 1
    assert sent.flows.outcomes(0) == [UNTIMED]
    assert window(sent.flows.outcomes(0)) is None
    assert sent.flows.jitter[0] == 0


def test_jitter_is_that_of_rfc_3550() -> None:
    sent, expected, before = Sent([UP], window=3), 0.0, None
    for n, rtt in enumerate([10, 14, 11, 30, 30, 2]):
        sent.answer(sent.send(n), rtt / 1000)
        if before is not None:
            expected += (abs(rtt - before) - expected) / 16
        before = rtt
    assert sent.flows.jitter[0] / MS == pytest.approx(expected)
    assert sent.flows.outcomes(0) == [30 * MS, 30 * MS, 2 * MS]


def test_hop_limits_and_their_changes() -> None:
    sent = Sent([UP])
    for n, hops in enumerate([60, 60, 58, 60]):
        sent.answer(sent.send(n), 0.01, hops)
    assert (sent.flows.hop_limit[0], sent.flows.hop_changes[0]) == (60, 2)


def test_the_index_wraps() -> None:
    sent = Sent()
    sent.flows._first = 0xFFFFFFFE
    for n in range(40):
        sent.answer(sent.send(n), 0.01)
    assert list(sent.flows.answered) == [20, 20]


def test_what_could_not_be_sent_is_neither_sent_nor_lost() -> None:
    flows = Flows([Flow(UP)], 1.0, 1.0)
    for at in (1, 2):
        assert flows.request(7)
        flows.was_not_sent(at, Problem("no_route", "Network is unreachable"))
    assert (flows.sent(0), flows.lost[0], flows.streak[0], flows.outcomes(0)) == (0, 0, -2, [])
    assert flows.problems[0].reason == "no_route"
    assert not flows.open or flows.expire(0) == 0


def test_no_request_while_that_of_a_memory_ago_is_waited_for() -> None:
    sent = Sent([UP])
    while sent.flows.request(7):
        sent.flows.was_sent(1)
    assert sent.flows.sent(0) > 2
    sent.flows.expire(3 * SECOND)
    assert sent.flows.request(7)


@pytest.mark.parametrize("quoted", [8, 20, 64])
def test_an_error_finds_its_flow_however_short(quoted: int) -> None:
    sent = Sent()
    sent.send(1), sent.send(1), sent.send(2)
    parsed = icmppacket.parse("ipv4", error("ipv4", 3, 13, ipv4_packet(sent.packets[2][:quoted])))
    assert isinstance(parsed, Quoted)
    sent.flows.error("ipv4", parsed, bytes([198, 51, 100, 9]))
    assert sent.flows.problems == {0: Problem("unreachable_admin", "ICMP 3/13 from 198.51.100.9")}
    sent.answer(0, 0.5)  # an answer outweighs an error
    assert sent.flows.problems == {}


def test_an_error_about_another_destination_is_forged() -> None:
    sent = Sent()
    sent.send(1), sent.send(1)
    parsed = icmppacket.parse("ipv6", error("ipv6", 1, 1, ipv6_packet(sent.packets[1])))
    assert isinstance(parsed, Quoted)
    sent.flows.error("ipv6", parsed._replace(destination=bytes(16)), b"")
    sent.flows.error("ipv4", parsed, b"")
    assert sent.flows.drops["spoofed"] == 2
    assert sent.flows.problems == {}
    sent.flows.error("ipv6", parsed, b"")
    assert sent.flows.problems[1].reason == "unreachable_admin"


def test_an_address_that_changes_leaves_what_is_under_way_alone() -> None:
    sent = Sent([UP])
    old = sent.send(1)
    sent.flows.locate(0, bytes([192, 0, 2, 99]))
    new = sent.send(1.5)
    sent.answer(old, 0.1)
    sent.answer(new, 0.1)  # from the old address
    assert (sent.flows.answered[0], sent.flows.drops["spoofed"]) == (1, 1)


@given(st.data())
def test_no_message_of_a_stranger_counts(data: st.DataObject) -> None:
    sent = Sent()
    for n in range(4):
        sent.send(n)
    first = HEAD.unpack_from(sent.packets[0])[5]
    indexes = st.integers(0, 0xFFFFFFFF) | st.integers(-3, 9).map(
        lambda i: (first + i) & 0xFFFFFFFF
    )
    nonces, sources = st.integers(0, 2**64 - 1), st.sampled_from([*sent.sources, bytes(4)])
    stamps = st.none() | st.integers(-(2**62), 2**62)
    for _ in range(data.draw(st.integers(0, 5))):
        values = (data.draw(indexes), data.draw(nonces), data.draw(sources), data.draw(stamps))
        sent.flows.answer(*values, data.draw(st.integers(0, 255)))
    for _ in range(data.draw(st.integers(0, 5))):
        payload = data.draw(st.binary(max_size=40) | st.builds(mark, indexes, nonces))
        echo = icmppacket.Echo(7, data.draw(st.integers(5, 0xFFFF)), payload)
        quoted = Quoted(
            echo,
            data.draw(st.sampled_from([s[:16] for s in sent.sources]) | st.binary(max_size=16)),
            data.draw(st.integers(0, 255)),
            data.draw(st.integers(0, 255)),
        )
        sent.flows.error(data.draw(st.sampled_from(["ipv4", "ipv6"])), quoted, b"")
    flows = sent.flows
    assert [list(column) for column in (flows.answered, flows.lost, flows.duplicates)] == [
        [0, 0]
    ] * 3
    assert flows.problems == {}
    assert set(flows.drops) <= set(DROPS)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0001, 0.4)), max_size=60), st.integers(1, 9))
def test_every_echo_is_answered_or_lost(outcomes: list[tuple[bool, float]], size: int) -> None:
    sent, expected = Sent([UP, DOWN], window=size), []
    for n, (up, rtt) in enumerate(outcomes):
        sent.flows.expire(n * SECOND)
        slot = sent.send(n)
        sent.answer(sent.send(n), 0.1)
        if up:
            sent.answer(slot, rtt)
        expected.append(pytest.approx(int(rtt * SECOND), abs=1) if up else LOST)
    sent.flows.expire(len(outcomes) * SECOND + 2 * SECOND)
    flows = sent.flows
    assert flows.answered[0] + flows.lost[0] == flows.sent(0) == len(outcomes)
    assert flows.answered[1] == len(outcomes)
    assert flows.outcomes(0) == expected[-size:]
    streak = 0
    for up, _ in outcomes:
        streak = (max(streak, 0) + 1) if up else (min(streak, 0) - 1)
    assert flows.streak[0] == streak


def test_another_table_goes_on_counting() -> None:
    before = Sent([UP, DOWN], histograms=True)
    for n in range(3):
        before.answer(before.send(n), 0.01 * (n + 1))
        before.send(n)
    before.flows.expire(SECOND * 3)
    after = Sent([Target("new", "192.0.2.7", "ipv4"), DOWN, UP], window=2, histograms=True)
    after.flows.adopt(before.flows)
    flows = after.flows
    assert [flows.sent(n) for n in range(3)] == [0, 3, 3]
    assert list(flows.answered) == [0, 0, 3]
    assert list(flows.streak) == [0, -3, 3]
    assert flows.outcomes(2) == [20 * MS, 30 * MS]
    assert sum(flows.buckets[2 * 21 :]) == 3
    for _ in range(3):
        slot = after.send(10)
    after.answer(slot, 0.5)
    assert (flows.sent(2), flows.answered[2]) == (4, 4)


# --- statistics and metrics


def samples(made: Iterator[Family]) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {
            (*(value for _, value in s.labels), *filter(None, [s.suffix])): s.value
            for s in family.samples
        }
        for family in made
    }


def test_statistics() -> None:
    assert rtt_statistics([]) == {}
    assert rtt_statistics([0.4]) == dict.fromkeys(("min", "median", "p95", "max", "mean"), 0.4)
    twenty = [float(n) for n in range(20, 0, -1)]
    assert rtt_statistics(twenty) == {"min": 1, "median": 10.5, "p95": 19, "max": 20, "mean": 10.5}


@given(st.lists(st.floats(0, 1e9) | st.sampled_from([LOST, UNTIMED]), max_size=30))
def test_a_window_tells_of_what_was_answered(outcomes: list[float]) -> None:
    seen, rtts = window(outcomes), [one for one in outcomes if one >= 0]
    assert (seen is None) == (not rtts)
    if seen:
        statistics = rtt_statistics(rtts)
        assert seen[:4] == tuple(statistics[name] for name in ("min", "median", "p95", "max"))
        assert seen.pdv == seen.p95 - seen.minimum
        assert seen.ipdv is None or 0 <= seen.ipdv <= seen.maximum - seen.minimum


def test_delay_variation_is_not_measured_across_a_loss() -> None:
    seen = window([10.0, LOST, 50.0])
    assert seen is not None
    assert (seen.ipdv, seen.pdv) == (None, 40.0)


def test_flows_as_metrics() -> None:
    flows, labels = some_flows()
    made = samples(families(flows, labels))
    up, down = ("up", "ipv4", "icmp"), ("down", "ipv6", "icmp")
    assert made["jianwei_probe_success"] == {up: 1, down: 0}
    assert made["jianwei_probe_loss_ratio"] == {up: 0, down: 1}
    assert made["jianwei_probe_rtt_seconds"] == {
        (*up, "min"): 0.1,
        (*up, "median"): 0.2,
        (*up, "p95"): pytest.approx(0.3),
        (*up, "max"): pytest.approx(0.3),
    }
    assert made["jianwei_probe_delay_variation_seconds"] == {
        (*up, "pdv"): pytest.approx(0.2),
        (*up, "ipdv"): pytest.approx(0.1),
    }
    for name, of_up, of_down in (("sent", 3, 3), ("received", 3, 0), ("lost", 0, 3)):
        assert made[f"jianwei_probe_packets_{name}_total"] == {up: of_up, down: of_down}
    assert made["jianwei_probe_failure_reason"] == {(*down, "timeout"): 1}
    assert made["jianwei_probe_hop_limit"] == {up: 60}
    assert made["jianwei_probe_target_info"][(*up, IPV4)] == 1
    assert made["smokeping_requests_total"] == {
        ("up", IPV4, "", "0"): 3,
        ("down", "2001:db8::1", "", "0"): 3,
    }


def test_histograms_have_smokeping_probers_buckets() -> None:
    sent = Sent([UP], histograms=True)
    rtts = [0.00005, 0.000051, 0.0001, 0.9]
    for n, rtt in enumerate(rtts):
        sent.answer(sent.send(n), rtt)
    made = samples(families(sent.flows, labelled(sent.flows.flows, [IPV4], histograms=True)))
    histogram = made["smokeping_response_duration_seconds"]
    buckets = {float(k[4]): v for k, v in histogram.items() if k[-1] == "_bucket"}
    assert len(buckets) == 21
    assert buckets[5e-05] == 1
    assert buckets[0.0001] == 3
    assert buckets[0.0002] == 3
    assert buckets[1.6384] == buckets[math.inf] == 4
    key = ("up", IPV4, "", "0")
    assert histogram[(*key, "_count")] == 4
    assert histogram[(*key, "_sum")] == pytest.approx(sum(rtts))


def test_a_flow_that_was_never_asked_has_no_series_that_would_be_a_claim() -> None:
    flows = Flows([Flow(UP)], 1.0, 1.0)
    made = samples(families(flows, labelled(flows.flows, [""], histograms=False)))
    for name in ("success", "loss_ratio", "rtt_seconds", "jitter_seconds", "hop_limit"):
        assert made[f"jianwei_probe_{name}"] == {}
    assert made["jianwei_probe_packets_sent_total"] == {("up", "ipv4", "icmp"): 0}
