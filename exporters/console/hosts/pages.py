"""Pages of hosts, rules, lines and IPv6: what the operations give, to look at."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from exporters.console.hosts.hostlist import HostFilter, choices, hosts
from exporters.console.hosts.hostpage import OneHost, host_of
from exporters.console.hosts.linelist import LineFilter, lines
from exporters.console.hosts.operations import ipv6
from exporters.console.hosts.rulelist import RuleFilter, rules
from exporters.console.hosts.rulepage import OneRule, rule_of
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Nothing, Page, Shown


def _query(given: msgspec.Struct, **changes: Any) -> str:
    """The filter as a query, with `?`: the first page unless a cursor is among the changes."""
    values = {**msgspec.structs.asdict(given), "cursor": "", **changes}
    query = urlencode({name: one for name, one in values.items() if one != ""})
    return f"?{query}" if query else "?"


def _hosts(asker: Asker, given: HostFilter) -> Answer:
    context = {"given": given, "found": hosts(asker, given), "choices": choices(asker)}
    return Shown("hosts/hosts.html.j2", {**context, "query": _query})


def _host(asker: Asker, given: OneHost) -> Answer:
    return Shown("hosts/host.html.j2", {"given": given, "host": host_of(asker, given)})


def _rules(asker: Asker, given: RuleFilter) -> Answer:
    context = {"given": given, "found": rules(asker, given), "query": _query}
    return Shown("hosts/rules.html.j2", context)


def _rule(asker: Asker, given: OneRule) -> Answer:
    return Shown("hosts/rule.html.j2", {"rule": rule_of(asker, given)})


def _lines(asker: Asker, given: LineFilter) -> Answer:
    context = {
        "given": given,
        "found": lines(asker, given),
        "choices": choices(asker),
        "ipv6": ipv6(asker, Nothing()),
        "query": _query,
    }
    return Shown("hosts/lines.html.j2", context)


PAGES: Final = (
    Page("/hosts", "view", _hosts, HostFilter),
    Page("/hosts/{id}", "view", _host, OneHost),
    Page("/lines", "view", _lines, LineFilter),
    Page("/rules", "view", _rules, RuleFilter),
    Page("/rules/{name}", "view", _rule, OneRule),
)
