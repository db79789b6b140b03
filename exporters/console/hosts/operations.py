"""Operations on hosts, rules and lines: lists and single ones. Nothing is changed here."""

from __future__ import annotations

from typing import Final

from exporters.console.hosts.hostlist import HostFilter, HostList, hosts
from exporters.console.hosts.hostpage import HostFacts, OneHost, host_of
from exporters.console.hosts.linelist import LineFilter, LineList, lines
from exporters.console.hosts.readiness import Readiness, readiness
from exporters.console.hosts.rulelist import RuleFilter, RuleList, rules
from exporters.console.hosts.rulepage import OneRule, RuleFacts, rule_of
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Nothing, Operation


def ipv6(asker: Asker, _: Nothing) -> Readiness:
    with asker.database.reading() as connection:
        return readiness(connection, asker)


OPERATIONS: Final = (
    Operation("hosts.list", "GET", "/hosts", "view", hosts, HostFilter, HostList),
    Operation("hosts.get", "GET", "/hosts/{id}", "view", host_of, OneHost, HostFacts),
    Operation("ipv6.readiness", "GET", "/ipv6", "view", ipv6, gives=Readiness),
    Operation("lines.list", "GET", "/lines", "view", lines, LineFilter, LineList),
    Operation("rules.list", "GET", "/rules", "view", rules, RuleFilter, RuleList),
    Operation("rules.get", "GET", "/rules/{name}", "view", rule_of, OneRule, RuleFacts),
)
