"""Servers of Nova page by page, and whether a cell of it is down, whose servers Nova leaves out of a whole answer.

`GET /servers/detail` of microversion 2.69 (Stein) names the servers of a cell that is down, with an id and
little else, but only on a first page that has room for them and was asked for without `limit`. Where that says
nothing, `GET /os-services` of 2.69 has the hosts of such a cell with the status UNKNOWN. An older
Nova says nothing at all; Placement still counts what the servers of such a host were given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial

from collectors.cloud import openstackcompute as compute
from collectors.cloud.model import Part
from collectors.cloud.openstackask import Asker
from collectors.cloud.openstackfound import Found
from collectors.cloud.openstackrefused import Refused
from collectors.model import ParseError

OWN_PAGE = 1000  # Nova's max_limit, unless its operator changed it
TELLS = (2, 69)
DOWN = "a cell of Nova is down"
NAMED = 3


def pages(asker: Asker, page: int) -> Iterator[list[compute.Server]]:
    """The servers of all projects; after the last page raises Refused for a cell that is down, or may be."""
    limit = {"limit": str(page)} if page < OWN_PAGE else {}
    read = partial(compute.servers, region=asker.region)
    asked = bare = 0
    for servers in asker.pages("compute", "/servers/detail", read, all_tenants="1", **limit):
        asked += 1
        bare += sum(server.bare for server in servers)
        yield servers
    if bare:
        raise Refused(f"{DOWN}: of {bare} servers it is known only that they exist")
    if tells(asker) and (limit or asked > 1):
        _ask_services(asker)


def tells(asker: Asker) -> bool:
    """Whether this Nova has a word for a cell that is down."""
    major, _, minor = asker.compute_version().partition(".")
    return (int(major), int(minor)) >= TELLS


def _ask_services(asker: Asker) -> None:
    try:
        hosts = compute.unknown_hosts(asker.get("compute", "/os-services"))
    except (Refused, ParseError) as error:
        why = f"whether a cell of Nova is down is not known: {error} (os-services)"
        raise Refused(why) from error
    if hosts:
        raise Refused(
            f"{DOWN}, with {_some(hosts)}; its servers are not among those that were told"
        )


def doubt(found: Found, silent: Iterable[str], several: bool, late: Collection[Part]) -> None:
    """A problem of each region whose Nova does not tell, and whose servers may not be all. `several`
    regions are asked; `late` parts are not whole."""
    whole = "capacity" not in {*late, *(part for part, _ in found.failed)}
    for region in sorted(silent):
        start = f"{region}/" if several else ""
        reason = _unseen(
            {it.resource.host for it in found.servers.values() if it.resource.region == region},
            {
                it.provider.removeprefix(start)
                for it in found.capacity
                if it.resource == "MEMORY_MB" and it.used and it.provider.startswith(start)
            },
            whole,
        )
        if reason:
            told = f"{reason} (region {region})" if several else reason
            found.failed.setdefault(("servers", told), []).append("")


def _unseen(hosts: set[str], held: set[str], whole: bool) -> str:
    """Why servers on `hosts` may not be all, or nothing. On `held` Placement counts some; `whole`: on
    no others."""
    if not whole or hosts == {""}:
        return (
            "a Nova before 2.69 does not tell of a cell that is down, and without "
            f"{'the hosts of servers' if whole else 'Placement'} it cannot be found out"
        )
    if missing := sorted(held - hosts):
        return f"Placement counts servers on {_some(missing)}, and Nova told none there"
    return ""


def _some(hosts: list[str]) -> str:
    rest = f" and {len(hosts) - NAMED} others" if len(hosts) > NAMED else ""
    return f"{'the host' if len(hosts) == 1 else 'the hosts'} {', '.join(hosts[:NAMED])}{rest}"
