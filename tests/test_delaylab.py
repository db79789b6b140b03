"""The relay of labs does what it is told, seen by iputils' ping over both families."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests import delaylab, netlab
from tests.delaylab import Delay, Way

pytestmark = pytest.mark.skipif(bool(delaylab.unavailable()), reason=delaylab.unavailable())

ADDRESSES = [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")]
PEERS = ("198.51.100.2", "2001:db8:1::2")


@pytest.fixture(scope="module")
def line() -> Iterator[tuple[netlab.Lab, Delay]]:
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        with Delay(lab, "a", "b", ADDRESSES) as made:
            yield lab, made


def ping(lab: netlab.Lab, peer: str, count: int = 4) -> str:
    argv = lab.argv("a", "ping", "-n", "-c", str(count), "-i", "0.05", "-W", "1", peer)
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30).stdout


@pytest.mark.parametrize("peer", PEERS)
def test_a_round_trip_takes_both_ways(line: tuple[netlab.Lab, Delay], peer: str) -> None:
    lab, delay = line
    delay.change(there=0.020, back=0.005)
    shown = ping(lab, peer)
    times = [float(text) for text in re.findall(r"time=([\d.]+)", shown)]
    assert len(times) == 4
    assert min(times) >= 25
    assert [count.carried for count in delay.counts()] == [4, 4]


@pytest.mark.parametrize("peer", PEERS)
def test_chosen_packets_are_doubled_lost_and_late(
    line: tuple[netlab.Lab, Delay], peer: str
) -> None:
    lab, delay = line
    delay.change(there=Way(lost=(2,)), back=Way(twice=(1,), late={0: 0.2}))
    shown = ping(lab, peer, 8)  # the late one comes while ping still sends
    assert "8 packets transmitted, 7 received, +1 duplicates" in shown
    times = [float(text) for text in re.findall(r"seq=1 .*time=([\d.]+)", shown)]
    assert times, shown
    assert min(times) >= 200
    there, back = delay.counts()
    assert (there.carried, there.lost, there.duplicated) == (7, 1, 0)
    assert (back.carried, back.lost, back.duplicated) == (7, 0, 1)


def test_everything_lost_and_everything_twice(line: tuple[netlab.Lab, Delay]) -> None:
    lab, delay = line
    delay.change(there=Way(loss=1.0))
    assert "100% packet loss" in ping(lab, PEERS[0])
    delay.change(back=Way(duplicate=1.0, jitter=0.01, apart=0.01))
    assert "+3 duplicates" in ping(lab, PEERS[1])  # ping ends at its fourth answer


def test_the_devices_end_with_the_line() -> None:
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        with Delay(lab, "a", "b", ADDRESSES, exact=True) as delay:
            assert "delay-b" in lab.run("a", "ip", "link")
            assert " 0% packet loss" in ping(lab, PEERS[0])
            child = delay._child.pid
        assert "delay-b" not in lab.run("a", "ip", "link")
        assert not os.path.exists(f"/proc/{child}")
