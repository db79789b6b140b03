"""The servers of a zone asked in order: one alone while it answers, the others side by side.

Of servers that disagree the first in order counts, whoever is fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from collectors.ipv6.addresskind import kind
from collectors.ipv6.dns.cache import DelegationCache, Zone
from collectors.ipv6.dns.exchange import ASKED, Allowance, Asker, Spent
from collectors.ipv6.dns.failures import SILENCE, Failed
from collectors.ipv6.dns.reply import Reply, Useless
from collectors.ipv6.model import NEVER_ASKED
from collectors.link.connect import Failure

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdatatype import RdataType

_AT_ONCE = 16


class Told(NamedTuple):
    """A reply, the zone whose server gave it, and its address."""

    reply: Reply
    zone: Zone
    source: str


class ServersAsker:
    """Asks, and keeps in mind who was silent."""

    def __init__(self, asker: Asker, cache: DelegationCache) -> None:
        self._asker, self._cache = asker, cache

    def ask(
        self,
        addresses: Sequence[str],
        alone: int,
        zone: Zone,
        name: Name,
        type_: RdataType,
        allowance: Allowance,
        failed: list[Failed],
        share: float = ASKED[0],
    ) -> Told | None:
        """`alone` addresses side by side; where all fail the others, too, and the first in order
        that leads on. Each has that share of the time to wait; failures are added to `failed`."""
        ordered = sorted(addresses, key=self._cache.silent)
        outcomes: list[tuple[str, Reply | Failure | Spent]] = []

        def ask(address: str) -> Reply | Failure | Spent:
            return self._ask(address, zone, name, type_, allowance, share)

        for some in (ordered[:alone], ordered[alone:]):
            if len(some) < 2:
                outcomes += [(one, ask(one)) for one in some]
            else:
                with ThreadPoolExecutor(min(_AT_ONCE, len(some))) as threads:
                    outcomes += zip(some, threads.map(ask, some), strict=True)
            if any(_leads_on(outcome) for _, outcome in outcomes):
                break
        for address, outcome in outcomes:
            if isinstance(outcome, Spent):
                raise outcome
            if isinstance(outcome, Failure | Useless):
                failed.append(Failed(address, outcome.reason, outcome.detail))
            else:
                return Told(outcome, zone, address)
        return None

    def _ask(
        self,
        address: str,
        zone: Zone,
        name: Name,
        type_: RdataType,
        allowance: Allowance,
        share: float,
    ) -> Reply | Failure | Spent:
        try:
            asker = self._asker.patient(share)
            reply = asker.ask(address, name, type_, zone.name, allowance).reply
        except Failure as error:
            self._cache.keep_silent(address, error.reason in SILENCE)
            return error
        except Spent as error:
            return error
        self._cache.keep_silent(address, False)
        return reply


def allowed(addresses: list[str], failed: list[Failed]) -> list[str]:
    """The addresses that may be asked, each family in order; the others are told."""
    kept = []
    for address in sorted(addresses, key=lambda one: (":" in one, addresses.index(one))):
        found = kind(address)
        if found in NEVER_ASKED:
            failed.append(Failed(address, "not_allowed", f"{found}: is not asked"))
        else:
            kept.append(address)
    return kept


def _leads_on(outcome: Reply | Failure | Spent) -> bool:
    return not isinstance(outcome, Failure | Useless | Spent)
