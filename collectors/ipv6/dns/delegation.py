"""Names found by following delegations from the top, over one family or both, with no cache between.

Algorithm: RFC 1034 section 5.3.3 without recursion asked of anybody. Glue is believed within the zone
that gives it, answers only with authority; everything is bounded. Of servers that disagree the first
in order counts (IPv4 before IPv6, by name), so that an unchanged world has an unchanged answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from collectors.ipv6.dns.cache import DelegationCache, Families, Found, Start, Zone
from collectors.ipv6.dns.exchange import ASKED, Allowance, Asker, Spent
from collectors.ipv6.dns.failures import NOBODY, SILENCE, Failed, Unanswered, summary
from collectors.ipv6.dns.names import shown, to_name, upwards
from collectors.ipv6.dns.reply import (
    Alias,
    Answer,
    Nothing,
    Referral,
    Server,
)
from collectors.ipv6.dns.servers import ServersAsker, Told, allowed
from collectors.ipv6.dns.settings import DnsSettings
from collectors.link.connect import Deadline
from collectors.model import Reason

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdatatype import RdataType

BOTH: Final[Families] = ("ipv4", "ipv6")
_MOST_ALIASES = 10
_MOST_NESTED = 8  # servers whose name needs another zone whose servers' names need another zone …


class _Course:
    """One look-up as it goes."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.pending: tuple[Name, ...] = ()  # names of servers that are being looked up
        self.looped = False  # something was left out because of them


class Walker:
    """Follows delegations over `families`. Thread-safe; many may share a cache."""

    def __init__(
        self,
        settings: DnsSettings,
        families: Families = BOTH,
        cache: DelegationCache | None = None,
    ) -> None:
        import dns.name

        self.settings, self.families = settings, families
        self.cache = cache or DelegationCache(settings.keep)
        self.asker = Asker(settings.port, settings.timeout)
        self._servers = ServersAsker(self.asker, self.cache)
        self._starts: dict[Name, Zone] = {}
        for root in settings.roots:
            name = to_name(root.zone) if root.zone != "." else dns.name.root
            v4 = tuple(a for a in root.servers if ":" not in a)
            v6 = tuple(a for a in root.servers if ":" in a)
            self._starts[name] = Zone(name, (Server(name, v4, v6),), start=True)

    def allowance(self, deadline: Deadline) -> Allowance:
        """What one look-up may take."""
        settings = self.settings
        return Allowance(deadline, settings.walk, settings.questions, settings.bytes)

    def start(self, name: Name) -> Zone | None:
        """The zone that a walk to `name` begins with."""
        above = (self._starts.get(one) for one in upwards(name))
        return next((zone for zone in above if zone), None)

    def find(self, host: str, type_: str, deadline: Deadline) -> Found:
        """Records of a name, through aliases; raises Spent only where the caller's time has passed.

        ValueError: `host` is no name.
        """
        import dns.rdatatype

        wanted = dns.rdatatype.from_text(type_)
        return self._find(to_name(host), wanted, _Course(self.allowance(deadline)))

    def ask(self, name: Name, type_: RdataType, allowance: Allowance) -> Told:
        """The final reply for a name itself, aliases not followed; raises Unanswered, Spent."""
        return self._descend(name, type_, _Course(allowance))

    def find_kept(self, host: str, type_: str, deadline: Deadline) -> Found:
        """The same, remembered for some minutes: for names that many sites have in common."""
        import dns.rdatatype

        wanted = dns.rdatatype.from_text(type_)
        return self._find_kept(to_name(host), wanted, _Course(self.allowance(deadline)))

    def addresses(self, zone: Zone, allowance: Allowance) -> list[str]:
        """Addresses of a zone's servers that may be asked, those that were silent last; raises Spent."""
        groups = self._addresses(zone, _Course(allowance), [])
        every = dict.fromkeys(one for addresses in groups for one in addresses)
        return sorted(every, key=self.cache.silent)

    def _find_kept(self, name: Name, type_: RdataType, course: _Course) -> Found:
        found = self.cache.found(self.families, name, type_)
        if found is None:
            found = self._find(name, type_, course)
            # what was left out because of the way here is no answer for another way
            if not course.looped and (found.told or found.zone):
                self.cache.keep_found(self.families, name, type_, found)
        return found

    def _find(self, name: Name, type_: RdataType, course: _Course) -> Found:
        try:
            return self._through_aliases(name, type_, course)
        except Unanswered as error:
            at = shown(error.zone.name) if error.zone else ""
            no_root = error.zone is None or error.zone.start
            return Found((), error.reason, error.detail, at, no_root=no_root)
        except Spent as error:
            if error.budget or course.pending:  # nothing is left for the names above, either
                raise
            return Found((), "dns_timeout", error.detail)

    def _through_aliases(self, name: Name, type_: RdataType, course: _Course) -> Found:
        names = [name]
        while True:
            told = self._descend(names[-1], type_, course)
            at = shown(told.zone.name)
            if isinstance(told.reply, Answer):
                return Found(told.reply.records, zone=at, source=told.source, told=True)
            if not isinstance(told.reply, Alias):
                exists = isinstance(told.reply, Nothing) and told.reply.exists
                words = f"{shown(names[-1])}: no such {'record' if exists else 'name'}"
                reason: Reason = "no_address" if exists else "dns_nxdomain"
                return Found((), reason, words, at, told.source, told=True)
            names.append(told.reply.target)
            if names[-1] in names[:-1]:
                raise Unanswered(_plain(told.zone), "dns_error", _chain(names, "a loop of aliases"))
            if len(names) > _MOST_ALIASES:
                raise Unanswered(_plain(told.zone), "dns_error", _chain(names, "too many aliases"))

    def _descend(self, name: Name, type_: RdataType, course: _Course) -> Told:
        """The first reply that is no referral."""
        zone = self._nearest(name)
        if zone is None:
            words = f"no zone to begin with holds {shown(name)}"
            raise Unanswered(None, "dns_error", words)
        while True:
            told = self._ask_zone(zone, name, type_, course)
            if not isinstance(told.reply, Referral):
                return told
            zone = Zone(told.reply.zone, told.reply.servers)
            self.cache.keep_zone(self.families, zone, told.reply.ttl)

    def _nearest(self, name: Name) -> Zone | None:
        """The lowest zone known above a name."""
        for above in upwards(name):
            if zone := self.cache.zone(self.families, above) or self._starts.get(above):
                return zone
        return None

    def _ask_zone(self, zone: Zone, name: Name, type_: RdataType, course: _Course) -> Told:
        """The reply of a server of the zone; one walk alone tries whether anybody is at the start."""
        if not zone.start:
            return self._ask_servers(zone, name, type_, course)
        start = self.cache.start(self.families, zone.name)
        if start is None:
            meeting = self.cache.meeting(self.families, zone.name)
            if not meeting.acquire(timeout=course.allowance.left()):
                raise Unanswered(zone, "dns_timeout", "others still wait for its servers")
            try:
                start = self.cache.start(self.families, zone.name)
                if start is None:
                    return self._meet(zone, name, type_, course)
            finally:
                meeting.release()
        if start.dead:
            raise Unanswered(zone, *start.dead)
        return self._ask_servers(zone, name, type_, course)

    def _meet(self, zone: Zone, name: Name, type_: RdataType, course: _Course) -> Told:
        try:
            told = self._ask_servers(zone, name, type_, course)
        except Unanswered as error:
            dead = (error.reason, error.detail) if error.reason in NOBODY else None
            self.cache.keep_start(self.families, zone.name, Start(dead))
            raise
        self.cache.keep_start(self.families, zone.name, Start())
        return told

    def _ask_servers(self, zone: Zone, name: Name, type_: RdataType, course: _Course) -> Told:
        """The reply of the first server that gives one that leads on; raises Unanswered."""
        failed: list[Failed] = []
        for addresses in self._addresses(zone, course, failed):
            told = self._servers.ask(addresses, 1, zone, name, type_, course.allowance, failed)
            if told:
                return told
        for share in ASKED[1:]:
            silent = [one.server for one in failed if one.reason in SILENCE]
            if not silent:
                break
            failed = [one for one in failed if one.reason not in SILENCE]
            told = self._servers.ask(
                silent, len(silent), zone, name, type_, course.allowance, failed, share
            )
            if told:
                return told
        raise Unanswered(zone, *summary(failed))

    def _addresses(self, zone: Zone, course: _Course, failed: list[Failed]) -> Iterator[list[str]]:
        """Addresses of the zone's servers: first those that are known, then those to be looked up."""
        known = dict.fromkeys(a for f in self.families for s in zone.servers for a in getattr(s, f))
        yield allowed(list(known), failed)
        for server in zone.servers:
            if any(getattr(server, family) for family in self.families):
                continue
            label = shown(server.name)
            if server.name.is_subdomain(zone.name):
                has = "no address" if self.families == BOTH else f"no {self.families[0]} address"
                failed.append(Failed(label, "no_address", f"{has} in the delegation"))
                continue
            addresses, problem = self._server_addresses(server.name, course)
            if problem:
                failed.append(Failed(label, *problem))
            yield allowed([one for one in addresses if one not in known], failed)

    def _server_addresses(
        self, name: Name, course: _Course
    ) -> tuple[list[str], tuple[Reason, str] | None]:
        """Addresses of a server that its delegation does not give."""
        import dns.rdatatype

        if name in course.pending or len(course.pending) >= _MOST_NESTED:
            course.looped = True
            return [], ("dns_error", "its own zone can only be found by itself")
        addresses: list[str] = []
        problem: tuple[Reason, str] | None = None
        for family in self.families:
            type_ = dns.rdatatype.A if family == "ipv4" else dns.rdatatype.AAAA
            course.pending = (*course.pending, name)
            try:
                found = self._find_kept(name, type_, course)
            finally:
                course.pending = course.pending[:-1]
            addresses += found.records
            if found.reason:
                reason: Reason = "no_address" if found.told else found.reason
                problem = (reason, found.detail)
        return addresses, None if addresses else problem


def _plain(zone: Zone) -> Zone:
    """The zone where something is wrong with what its servers answered, start or not."""
    return zone._replace(start=False)


def _chain(names: Sequence[Name], words: str) -> str:
    return f"{words}: {' → '.join(shown(one) for one in names)}"
