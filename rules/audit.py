"""One audit of one host: which facts it takes, and what packs make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from collectors.model import Fact
from collectors.observe import Observation
from rules.engine import ALWAYS, Judge
from rules.model import AuditResult, Host, Pack, PackResult
from rules.pack import ParamError, resolve
from rules.score import counts, ratio

HOST = "host"


def needed(packs: Iterable[Pack]) -> set[str]:
    """The facts that an audit by these packs takes."""
    return {HOST, ALWAYS, *(fact for pack in packs for rule in pack.rules for fact in rule.facts)}


def facts_of(observations: Iterable[Observation]) -> dict[str, Fact]:
    """The facts of some observations by name, those without a value as well."""
    return {fact.name: fact for it in observations for fact in it.facts}


def check_params(
    packs: Sequence[Pack], params: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """All parameters of each pack; raises ParamError for one that is not there."""
    names = [pack.pack for pack in packs]
    for name in params:
        if name not in names:
            raise ParamError(f"no pack {name!r} is loaded; there are: {', '.join(names)}")
    return {pack.pack: resolve(pack, params.get(pack.pack, {})) for pack in packs}


def audit(
    packs: Sequence[Pack],
    facts: Mapping[str, Fact],
    params: Mapping[str, Mapping[str, Any]],
    time: datetime,
    duration: float = 0.0,
) -> AuditResult:
    """Judge. `params` overrides by pack; raises ParamError. Pure."""
    by_pack = check_params(packs, params)
    host = host_of(facts)
    results = []
    for pack in packs:
        verdicts = Judge(pack).verdicts(facts, by_pack[pack.pack], host.id)
        weights = {rule.id: rule.weight for rule in pack.rules}
        results.append(
            PackResult(
                pack.pack,
                pack.title,
                by_pack[pack.pack],
                ratio(verdicts, weights),
                counts(verdicts),
                tuple(verdicts),
            )
        )
    return AuditResult(host, time, duration, tuple(results))


def host_of(facts: Mapping[str, Fact]) -> Host:
    """The host's id from its facts; `unknown` where not even its name could be read."""
    fact = facts.get(HOST)
    if fact is None or fact.unavailable:
        return Host("unknown")
    return Host(fact.value["id"], fact.value["name"])
