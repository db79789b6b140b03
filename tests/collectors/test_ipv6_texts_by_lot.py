"""Any text that a host may tell of its IPv6: facts or a ParseError."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.host.netdev import DEV
from collectors.host.netstat import NETSTAT, SNMP6
from collectors.ipv6.addresses import parse_addresses
from collectors.ipv6.listeners import parse_v6only
from collectors.ipv6.neighbours import parse_neighbours
from collectors.ipv6.resolvers import (
    parse_resolv_conf,
)
from collectors.ipv6.routes import parse_default_routes
from collectors.ipv6.traffic import (
    LOOPBACK6,
    parse_snmp6,
    traffic_of,
)
from collectors.ipv6.tunnels import parse_links
from collectors.model import (
    Answers,
    ParseError,
)
from tests.collectors.literal import answer

WORDS = st.sampled_from(
    (
        *("fe80::1", "::1", "fe80::1%x%y", "dev", "eth0", "lladdr", "02:00:00:00:00:01", "router"),
        *("STALE", "FAILED", "²", "nameserver", "127.0.0.53", "1.2.3", "#", "tcp", "udp", "LISTEN"),
        *("[::]:22", "*:80", "[fe80::1%e]:x", "v6only:1", "v6only:0", "Ip6InOctets", "IpExt:"),
        *("Ip6OutOctets", "InOctets", "OutOctets", "18446744073709551616", "-1", "lo:", "nan"),
        *(
            "0",
            "128",
            "00",
            "c8",
            "80",
            "ffffffff",
            "00000003",
            "0" * 32,
            "f" * 32,
            "\x00",
            "\u2028",
        ),
    )
)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=5).map("\n".join) | st.text()
PARSERS: dict[str, Callable[[str], object]] = {
    "if_inet6": parse_addresses,
    "ipv6_route": parse_default_routes,
    "snmp6": parse_snmp6,
    "ip neigh": parse_neighbours,
    "resolv.conf": lambda text: parse_resolv_conf(text, "x"),
    "ss": lambda text: sorted(parse_v6only(text).items()),
    "ip link": lambda text: parse_links(text.encode("utf-8", "replace")),
    "traffic": lambda text: traffic_of(
        Answers({file: answer(text) for file in (SNMP6, NETSTAT, DEV, LOOPBACK6)})
    ),
}


@pytest.mark.parametrize("parser", PARSERS)
@given(text=TEXTS)
def test_any_text_gives_facts_or_a_parse_error(parser: str, text: str) -> None:
    try:
        made = PARSERS[parser](text)
    except ParseError:
        return
    json.dumps(made, default=str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("sit"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["ifname", "linkinfo", "info_kind", "info_data", "flags", "prefix"]),
            inner, max_size=4,
        ),
    )
)  # fmt: skip
def test_any_json_of_links(document: Any) -> None:
    try:
        rows = parse_links(json.dumps(document).encode())
    except ParseError:
        return
    json.dumps(rows)
