"""Rules, and packs of rules, that this console does not have: agents tell of them, and who has one agent could tell of
any number. So there is room for so many in all; what a site names as `packs` in the configuration takes none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from exporters.console.schema import rule, rule_pack
from exporters.console.services import Services
from rules.model import AuditResult

log = logging.getLogger(__name__)

MOST: Final = 10_000  # rules in packs, of all audits ever; a page lists them

Pair = tuple[str, str]  # a pack and a rule of it, by name


def foreign(services: Services, pair: Pair) -> bool:
    return pair[0] not in services.packs or pair[1] not in services.rules


def without_room(
    connection: Connection, services: Services, told: Iterable[Pair]
) -> frozenset[Pair]:
    """Those of some that are not in the tables, and cannot come in."""
    strange = {pair for pair in told if foreign(services, pair)}
    if not strange:
        return frozenset()
    found = connection.execute(select(rule_pack.c.pack, rule.c.name).join(rule))
    known = {pair for row in found if foreign(services, pair := (row.pack, row.name))}
    missing = sorted(strange - known)
    return frozenset(missing[max(0, MOST - len(known)) :])


def without(result: AuditResult, services: Services, pairs: frozenset[Pair]) -> AuditResult:
    """An audit from which they are left out, so that it closes nothing."""
    if pairs:
        log.warning(
            "%s: %d rules of packs that the configuration does not name are left out: there is room for %d in all",
            *(result.host.id, len(pairs), MOST),
        )
    packs, missing = [], 0
    for pack in result.packs:
        kept = tuple(one for one in pack.verdicts if (pack.pack, one.rule) not in pairs)
        missing += len(pack.verdicts) - len(kept)
        if kept or pack.pack in services.packs:
            packs.append(msgspec.structs.replace(pack, verdicts=kept))
    return msgspec.structs.replace(result, packs=tuple(packs), left_out=result.left_out + missing)
