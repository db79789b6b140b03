"""Literal cases of sockets, packets and protocol counters, as the kernel writes them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from collectors.host.arp import ARP, ArpCollector
from collectors.host.conntrack import COUNT, LIMIT, STATS, ConntrackCollector
from collectors.host.netstat import NETSTAT, SNMP, SNMP6, NetstatCollector
from collectors.host.sockstat import AUXV, V4, V6, SockstatCollector
from collectors.host.softnet import SOFTNET, SoftnetCollector
from collectors.host.tcpstat import TCP, TCP6, TcpstatCollector
from collectors.host.udp_queues import UDP, UdpQueuesCollector
from collectors.model import Answer, ParseError, Reading
from tests.collectors.literal import Said
from tests.collectors.series import of, plain, series

SOCKSTAT = "sockets: used 17\nTCP: inuse 3 orphan 0 tw 2 alloc 3 mem 5\nFRAG: inuse 0 memory 9\n"


@pytest.mark.parametrize("page", [4096, 65536])
def test_socket_memory_counts_pages_of_the_machine_that_was_read(page: int) -> None:
    auxv = Answer("content", struct.pack("<6Q", 33, 0x7FFD00000000, 6, page, 0, 0))
    found = plain(series(SockstatCollector(), {V4: SOCKSTAT, AUXV: auxv}))
    assert found["node_sockstat_TCP_mem"] == 5
    assert found["node_sockstat_TCP_mem_bytes"] == 5 * page
    assert found["node_sockstat_FRAG_memory"] == 9
    assert found["node_sockstat_sockets_used"] == 17


def test_sockstat_of_ipv6_and_without_it() -> None:
    found = plain(series(SockstatCollector(), {V4: SOCKSTAT, V6: "TCP6: inuse 6\n"}))
    assert found["node_sockstat_TCP6_inuse"] == 6
    assert found["node_sockstat_TCP_mem_bytes"] == 5 * 4096
    assert "node_sockstat_TCP6_inuse" not in plain(series(SockstatCollector(), {V4: SOCKSTAT}))


@pytest.mark.parametrize(
    ("line", "cpu", "names"),
    [
        pytest.param("10 2 3 0 0 0 0 0 4", "0", 4, id="2.6.23"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6", "0", 6, id="4.17"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6 7 a", "10", 7, id="5.10"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6 7 a 8 9", "10", 7, id="6.6"),
    ],
)
def test_softnet_columns_by_kernel_version(line: str, cpu: str, names: int) -> None:
    found = series(SoftnetCollector(), {SOFTNET: line + "\n"})
    by_name = {name.removeprefix("node_softnet_"): value for (name, _), value in found.items()}
    assert {labels for _, labels in found} == {(("cpu", cpu),)}
    expected = {
        "processed_total": 16,
        "dropped_total": 2,
        "times_squeezed_total": 3,
        "cpu_collision_total": 4,
        "received_rps_total": 5,
        "flow_limit_count_total": 6,
        "backlog_len": 7,
    }
    assert by_name == dict(list(expected.items())[:names])


def test_softnet_with_too_few_columns_is_not_softnet() -> None:
    with pytest.raises(ParseError, match="8 columns"):
        series(SoftnetCollector(), {SOFTNET: "1 2 3 4 5 6 7 8\n"})


NETSTAT_TEXT = """TcpExt: SyncookiesSent EmbryonicRsts ListenDrops TCPOFOQueue
TcpExt: 1 2 3 4
IpExt: InNoRoutes InOctets OutOctets
IpExt: 5 6 7
"""
SNMP_TEXT = """Ip: Forwarding DefaultTTL
Ip: 2 64
Tcp: MaxConn CurrEstab
Tcp: -1 8
Udp: InDatagrams InErrors
Udp: 9 10
UdpLite: InDatagrams InErrors
UdpLite: 11 12
"""
SNMP6_TEXT = """Ip6InReceives                   \t1
Ip6InOctets                     \t128
Icmp6InErrors                   \t2
Udp6NoPorts                     \t3
UdpLite6InErrors                \t4
UdpLite6InDatagrams             \t5
Icmp6OutType135                 \t6
"""


def test_netstat_takes_what_is_watched_and_what_is_asked_for() -> None:
    ipv4 = {
        "TcpExt_SyncookiesSent": 1,
        "TcpExt_ListenDrops": 3,
        "TcpExt_TCPOFOQueue": 4,
        "IpExt_InOctets": 6,
        "IpExt_OutOctets": 7,
        "Ip_Forwarding": 2,
        "Tcp_MaxConn": -1,
        "Tcp_CurrEstab": 8,
        "Udp_InDatagrams": 9,
        "Udp_InErrors": 10,
        "UdpLite_InErrors": 12,
    }
    ipv6 = {"Ip6_InOctets": 128, "Icmp6_InErrors": 2, "Udp6_NoPorts": 3, "UdpLite6_InErrors": 4}

    def found(collector: NetstatCollector, texts: Mapping[Reading, Said]) -> dict[str, float]:
        made = plain(series(collector, texts))
        return {name.removeprefix("node_netstat_"): value for name, value in made.items()}

    files: dict[Reading, Said] = {NETSTAT: NETSTAT_TEXT, SNMP: SNMP_TEXT}
    assert found(NetstatCollector(), files) == ipv4
    files[SNMP6] = SNMP6_TEXT
    assert found(NetstatCollector(), files) == ipv4 | ipv6
    more = NetstatCollector(also=("TcpExt_EmbryonicRsts", "Icmp6_OutType135"))
    extra = {"TcpExt_EmbryonicRsts": 2, "Icmp6_OutType135": 6}
    assert found(more, files) == ipv4 | ipv6 | extra


def test_netstat_with_a_number_missing_is_malformed() -> None:
    with pytest.raises(ParseError, match="/proc/net/snmp"):
        series(
            NetstatCollector(),
            {NETSTAT: NETSTAT_TEXT, SNMP: "Tcp: ActiveOpens CurrEstab\nTcp: 1\n"},
        )


@pytest.mark.parametrize("deleted", ["", "delete delete_list ", "delete chainlength "])
def test_conntrack_sums_hexadecimal_columns_of_all_cpus(deleted: str) -> None:
    width = len(deleted.split())
    stats = f"entries  searched found new invalid ignore {deleted}insert insert_failed\n" + "".join(
        f"00000005  00000000 {found} 00000000 00000001 00000010 {'00000099 ' * width}{insert} 00000000\n"
        for found, insert in (("0000000a", "00000001"), ("00000010", "000000ff"))
    )
    found = series(ConntrackCollector(), {COUNT: "5\n", LIMIT: "262144\n", STATS: stats})
    assert plain(found) == {
        "node_nf_conntrack_entries": 5,
        "node_nf_conntrack_entries_limit": 262144,
        "node_nf_conntrack_stat_found": 26,
        "node_nf_conntrack_stat_invalid": 2,
        "node_nf_conntrack_stat_ignore": 32,
        "node_nf_conntrack_stat_insert": 256,
        "node_nf_conntrack_stat_insert_failed": 0,
    }


def test_arp_counts_by_interface() -> None:
    header = "IP address       HW type     Flags       HW address            Mask     Device\n"
    lines = "".join(
        f"10.20.1.{n}       0x1         0x2         52:54:00:20:01:01     *        {device}\n"
        for n, device in ((1, "eth0"), (2, "eth0"), (3, "eth1"))
    )
    found = series(ArpCollector(), {ARP: header + lines})
    name = "node_arp_entries"
    assert of(found, name) == {(("device", "eth0"),): 2, (("device", "eth1"),): 1}
    assert series(ArpCollector(), {ARP: header}) == {}


def test_udp_queues_are_hexadecimal_and_ipv6_may_be_off() -> None:
    v4 = """   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
  331: 00000000:0044 00000000:0000 07 00000240:00000D00 00:00000000 00000000     0
  332: 00000000:0045 00000000:0000 07 00000001:0000000A 00:00000000 00000000     0
"""
    expected = {
        (("ip", "v4"), ("queue", "tx")): 0x241,
        (("ip", "v4"), ("queue", "rx")): 0xD0A,
    }
    found = series(UdpQueuesCollector(), {UDP["v4"]: v4})
    assert of(found, "node_udp_queues") == expected
    found = series(UdpQueuesCollector(), {UDP["v4"]: v4, UDP["v6"]: "header\n"})
    nothing = {(("ip", "v6"), ("queue", queue)): 0.0 for queue in ("tx", "rx")}
    assert of(found, "node_udp_queues") == expected | nothing


def test_tcp_states_of_both_families_and_queues() -> None:
    line = "   0: 00000000:0016 00000000:0000 {} 00000010:00000003 00:00000000 00000000 0 0 1\n"
    v4 = "header\n" + line.format("0A") + line.format("01")
    found = series(TcpstatCollector(), {TCP: v4, TCP6: "header\n" + line.format("01")})
    states = {dict(labels)["state"]: value for (_, labels), value in found.items()}
    assert states == {"listen": 1, "established": 2, "tx_queued_bytes": 48, "rx_queued_bytes": 9}
