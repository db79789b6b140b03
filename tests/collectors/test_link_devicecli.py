"""Routers' command lines: outputs written from the vendors' documentation, not recorded on a device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import cli
from collectors.link.devices import Dialect, valid_interface
from collectors.link.interfaces import InterfaceCounters

COMWARE7 = """\
GigabitEthernet1/0/1
Current state: UP
Line protocol state: UP
Description: to-county 主用
Bandwidth: 64 kbps
Maximum transmission unit: 1500
1000Mbps-speed mode, full-duplex mode
Link speed type is autonegotiation, link duplex type is autonegotiation
Last clearing of counters: Never
 Last 300 seconds input:  17 packets/sec 3016 bytes/sec 0%
 Last 300 seconds output:  62 packets/sec 64173 bytes/sec 0%
 Input (total):  12347 packets, 20709230860 bytes
         11963 unicasts, 192 broadcasts, 192 multicasts, 0 pauses
 Input (normal):  12347 packets, - bytes
 Input:  7 input errors, 0 runts, 0 giants, 0 throttles
         0 CRC, 0 frame, - overruns, 0 aborts
 Output (total): 69920 packets, 59922317108 bytes
 Output: 3 output errors, - underruns, - buffer failures

GigabitEthernet1/0/2
Current state: Administratively DOWN
Line protocol state: DOWN
Unknown-speed mode, unknown-duplex mode
 Input (total):  0 packets, 0 bytes
 Output (total): 0 packets, 0 bytes
"""
COMWARE5 = """\
 Vlan-interface1 current state: DOWN
 Line protocol current state: DOWN
 Description: Vlan-interface1 Interface
    Last 300 seconds input rate: 0 bytes/sec, 0 bits/sec, 0 packets/sec
    5 packets input, 600 bytes, 2 drops
    6 packets output, 700 bytes, 1 drops
"""
VRP_SWITCH = """\
GigabitEthernet0/0/1 current state : UP
Line protocol current state : UP
Description:to-town
Switch Port, PVID :    1, TPID : 8100(Hex), The Maximum Frame Length is 9216
Speed : 100,  Loopback: NONE
Duplex: FULL,  Negotiation: ENABLE
Last 300 seconds input rate 23513 bits/sec, 2 packets/sec
Input peak rate 26099 bits/sec, Record time: 2026-01-01 00:00:00
Input:  182525 packets, 183126871 bytes
  Unicast:              55,  Multicast:          160762
  Discard:               4,  Pause:                   0
  Total Error:           5
Output:  244628 packets, 509287017 bytes
  Unicast:              53,  Multicast:          243990
  Discard:               6,  Pause:                   0
  Total Error:           0
"""
VRP_ROUTER = """\
GigabitEthernet0/1/1 current state : UP (ifindex: 6)
Line protocol current state : DOWN
Route Port,The Maximum Transmit Unit is 9600
Port BW: 10G, Transceiver max BW: 10G
      Input: 183126871 bytes, 182525 packets
      Output: 509287017 bytes, 244628 packets
    Input:
      Unicast: 55 packets, Multicast: 160762 packets
    Output:
      Unicast: 53 packets, Multicast: 243990 packets
"""
IOS = """\
GigabitEthernet0/1 is up, line protocol is up (connected)
  Description: to-city
  MTU 1500 bytes, BW 64 Kbit/sec, DLY 10 usec,
     reliability 255/255, txload 1/255, rxload 1/255
  Full-duplex, 100Mb/s, media type is RJ45
  Input queue: 0/75/9/0 (size/max/drops/flushes); Total output drops: 8
  5 minute input rate 16000 bits/sec, 18 packets/sec
     627443870 packets input, 91227676106 bytes, 0 no buffer
     2 input errors, 0 CRC, 0 frame, 0 overrun, 0 ignored
     621614154 packets output, 201910001121 bytes, 0 underruns
 --More-- \x08\x08\x08\x08\x08\x08\x08\x08\x08        \x08\x08\x08\x08\x08\x08\x08\x08\x08     1 output errors, 0 collisions
GigabitEthernet0/2 is administratively down, line protocol is down
     0 packets input, 0 bytes, 0 no buffer
     0 packets output, 0 bytes, 0 underruns
"""

Told = tuple[object, ...]
NONE = (None,) * 4


def told(row: InterfaceCounters) -> Told:
    counters = row.in_octets, row.out_octets, row.in_errors, row.out_errors
    return (row.name, row.oper, row.admin, row.speed, *counters, row.in_discards, row.out_discards)


@pytest.mark.parametrize(
    ("dialect", "output", "expected"),
    [
        (
            "comware",
            COMWARE7,
            [
                (
                    "GigabitEthernet1/0/1",
                    "up",
                    "up",
                    1e9,
                    20709230860,
                    59922317108,
                    7,
                    3,
                    *NONE[:2],
                ),
                ("GigabitEthernet1/0/2", "down", "down", None, 0, 0, None, None, None, None),
            ],
        ),
        (
            "comware",
            COMWARE5,
            [("Vlan-interface1", "down", "up", None, 600, 700, None, None, 2, 1)],
        ),
        (
            "vrp",
            VRP_SWITCH,
            [("GigabitEthernet0/0/1", "up", "up", 1e8, 183126871, 509287017, 5, 0, 4, 6)],
        ),
        (
            "vrp",
            VRP_ROUTER,
            [("GigabitEthernet0/1/1", "down", "up", 1e10, 183126871, 509287017, *NONE)],
        ),
        (
            "ios",
            IOS,
            [
                ("GigabitEthernet0/1", "up", "up", 1e8, 91227676106, 201910001121, 2, 1, 9, 8),
                ("GigabitEthernet0/2", "down", "down", None, 0, 0, None, None, None, None),
            ],
        ),
    ],
    ids=["comware7", "comware5", "vrp-switch", "vrp-router", "ios"],
)
def test_outputs_as_documented(dialect: Dialect, output: str, expected: list[Told]) -> None:
    for text in (output, output.replace("\n", "\r\n")):
        rows = cli.rows(dialect, "r1", text.encode(), 5.0)
        assert [told(row) for row in rows] == expected
        assert all(row.wide and row.bits == 64 and row.uptime is None for row in rows)


def test_descriptions_are_kept() -> None:
    (first, _) = cli.rows("comware", "r1", COMWARE7.encode(), 0)
    assert first.alias == "to-county 主用"


@pytest.mark.parametrize(
    "output", ["", "% Invalid input detected at '^' marker.", "Error: Wrong parameter found"]
)
@pytest.mark.parametrize("dialect", ["comware", "vrp", "ios"])
def test_what_is_no_interface_has_no_rows(dialect: Dialect, output: str) -> None:
    assert cli.rows(dialect, "r1", output.encode(), 0) == []


PIECES = st.sampled_from(
    [*COMWARE7.split(" "), *VRP_SWITCH.split(" "), *IOS.split(" "), "\n", "99999999999999999999"]
)


@given(
    st.sampled_from(["comware", "vrp", "ios"]),
    st.binary(max_size=300) | st.lists(PIECES, max_size=60).map(lambda p: " ".join(p).encode()),
)
def test_no_output_raises_or_has_absurd_counters(dialect: Dialect, output: bytes) -> None:
    for row in cli.rows(dialect, "r1", output, 0):
        assert 0 <= row.in_octets < 2**64
        assert 0 <= row.out_octets < 2**64


@pytest.mark.parametrize("filler", [b"\n", b" ", b"input:", b"1", b"\x08", b"A", b"- "])
@pytest.mark.parametrize("dialect", ["comware", "vrp", "ios"])
def test_a_long_output_is_read_in_one_go(dialect: Dialect, filler: bytes) -> None:
    cli.rows(
        dialect, "r1", filler * (300_000 // len(filler)), 0
    )  # the suite's time-out is the bound


@pytest.mark.parametrize(
    "name", ["GigabitEthernet0/1", "Ten-GigabitEthernet1/0/1.100", "10GE1/0/1", "Serial0/0:1"]
)
def test_names_of_interfaces(name: str) -> None:
    assert valid_interface(name)
    assert cli.command("ios", name) == f"show interfaces {name}"


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a|include", "a\n", "a?", "a;reload", "a'", "$(x)", "a" * 64, "接口"]
)
def test_what_is_no_name_never_reaches_a_command(name: str) -> None:
    assert not valid_interface(name)
