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
from rules.score import counts, layers, score, side_scores

HOST = "host"


def needed(packs: Iterable[Pack]) -> set[str]:
    """The facts that an audit of a host by these packs takes."""
    rules = (rule for pack in packs for rule in pack.about("host"))
    return {HOST, ALWAYS, *(fact for rule in rules for fact in rule.facts)}


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


class Auditor:
    """Packs compiled once, for any number of hosts. `params` overrides by pack; raises ParamError."""

    def __init__(self, packs: Sequence[Pack], params: Mapping[str, Mapping[str, Any]]) -> None:
        self._params = check_params(packs, params)
        self._judges = [Judge(pack, "host") for pack in packs if pack.about("host")]

    def audit(
        self, facts: Mapping[str, Fact], time: datetime, duration: float = 0.0
    ) -> AuditResult:
        """Judge a host. Pure."""
        host = host_of(facts)
        results = (
            judged(judge, facts, self._params[judge.pack.pack], host.id) for judge in self._judges
        )
        return AuditResult(host, time, duration, tuple(results))


def audit(
    packs: Sequence[Pack],
    facts: Mapping[str, Fact],
    params: Mapping[str, Mapping[str, Any]],
    time: datetime,
    duration: float = 0.0,
) -> AuditResult:
    """Judge one host; as Auditor."""
    return Auditor(packs, params).audit(facts, time, duration)


def judged(
    judge: Judge, facts: Mapping[str, Fact], params: Mapping[str, Any], subject: str
) -> PackResult:
    """How a pack comes out for one subject, by its id."""
    pack, verdicts = judge.pack, judge.verdicts(facts, params, subject)
    total, cap = score(pack, verdicts)
    return PackResult(
        pack=pack.pack,
        title=pack.title,
        params=dict(params),
        score=total,
        counts=counts(verdicts),
        verdicts=tuple(verdicts),
        cap=cap,
        layers=layers(judge.rules, verdicts),
        scores=side_scores(pack, verdicts),
    )


def host_of(facts: Mapping[str, Fact]) -> Host:
    """The host's id from its facts; `unknown` where not even its name could be read."""
    fact = facts.get(HOST)
    if fact is None or fact.unavailable:
        return Host("unknown")
    return Host(fact.value["id"], fact.value["name"])
