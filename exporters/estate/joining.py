"""What one row of the estate scores: a subject by itself, or a site with the hosts behind it.

What nobody could test stays in the divisor, whoever could not be reached; see docs/adr/0004.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import fsum
from typing import Final

import msgspec

from collectors.ipv6.estate.model import EstateRow
from exporters.estate.words import text
from rules.model import Outcome, Text
from rules.readinessmodel import CheckResult, Evidence, LayerScore, Readiness

FULL: Final = 100.0  # what the weights of all checks of a site and its hosts add up to
COUNTED: Final[tuple[Outcome, ...]] = ("pass", "fail", "unknown")
HOST_CHECKS: Final = "ipv6.host.not-tested"  # stands for checks of hosts that nobody could see
# The worst comes first: of a site and its hosts a check counts at its worst.
_WORST: Final[tuple[Outcome, ...]] = ("fail", "unknown", "manual", "pass", "not_applicable")

Results = Mapping[tuple[str, str], Readiness]  # by kind and name of the row


class Scored(msgspec.Struct, frozen=True):
    """One row. `score` is of the whole system where hosts stand behind a site, `own` are the checks
    of the subject itself; `untested` is the share of its weights, 0 to 1, that nobody could test.

    A row that is not `tested` has no score; `problem` says why where anybody told.
    """

    row: EstateRow
    tested: bool
    reported: bool = False
    problem: str = ""
    score: float | None = None
    own_score: float | None = None
    ipv6_only_score: float | None = None
    capped: Text | None = None
    capped_by: tuple[str, ...] = ()
    layers: tuple[LayerScore, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    own: tuple[CheckResult, ...] = ()
    untested: float = 1.0
    untested_hosts: tuple[str, ...] = ()
    time: datetime | None = None

    @property
    def counted(self) -> float:
        """What a mean takes: who could not be tested has nothing."""
        return self.score or 0.0


def scored(rows: Sequence[EstateRow], results: Results) -> list[Scored]:
    """Every row, in the order of the rows."""
    known = _host_checks(rows, results)
    return [_scored(row, results, known) for row in rows]


def _host_checks(rows: Iterable[EstateRow], results: Results) -> dict[str, CheckResult]:
    """The checks that hosts of this estate have: what an unreachable one would be asked."""
    known: dict[str, CheckResult] = {}
    hosts = (result for (kind, _), result in sorted(results.items()) if kind == "host")
    for result in hosts:
        for check in result.checks:
            kept = known.get(check.id)
            if kept is None or check.weight > kept.weight:
                known[check.id] = check
    return known


def _scored(row: EstateRow, results: Results, known: Mapping[str, CheckResult]) -> Scored:
    result = results.get((row.kind, row.name))
    if result is None:
        return Scored(row, tested=False)
    if result.problem or result.score is None:
        return Scored(
            row,
            tested=False,
            reported=True,
            problem=result.problem,
            checks=result.checks,
            own=result.checks,
            time=result.time,
        )
    alone = Scored(
        row,
        tested=True,
        reported=True,
        score=result.score,
        own_score=result.score,
        ipv6_only_score=result.ipv6_only_score,
        capped=result.capped,
        capped_by=result.capped_by,
        layers=result.layers,
        checks=result.checks,
        own=result.checks,
        untested=_share(result.layers),
        time=result.time,
    )
    if not row.hosts:
        return alone
    return _system(
        alone, result, [(name, results.get(("host", name))) for name in row.hosts], known
    )


def _system(
    alone: Scored,
    site: Readiness,
    hosts: Sequence[tuple[str, Readiness | None]],
    known: Mapping[str, CheckResult],
) -> Scored:
    """The site together with the hosts behind it."""
    members: list[tuple[str, Sequence[CheckResult]]] = [("", site.checks)]
    seen = [site]
    missing = []
    for name, result in hosts:
        if result is None or result.problem or result.score is None:
            missing.append(name)
            members.append((name, _unseen(name, result, known)))
        else:
            seen.append(result)
            members.append((name, result.checks))
    checks = _joined(members)
    if missing:
        weight = FULL - fsum(check.weight for check in checks)
        if weight > 0:
            checks = (*checks, _stand_in(weight, missing))
    layers = layers_of(checks, merged(one.layers for one in seen))
    of = fsum(layer.of for layer in layers)
    score = 100 * fsum(layer.points for layer in layers) / of if of else None
    capped = None
    for one in seen:
        cap = one.score if one.cap is None else one.cap
        if one.capped and score is not None and cap is not None and score > cap:
            score, capped = cap, one.capped
    return msgspec.structs.replace(
        alone,
        tested=score is not None,
        score=score,
        capped=capped or site.capped,
        layers=layers,
        checks=checks,
        untested=_share(layers),
        untested_hosts=tuple(missing),
    )


def _joined(members: Sequence[tuple[str, Sequence[CheckResult]]]) -> tuple[CheckResult, ...]:
    """Each check once, at its worst, with what was measured there and the host's name."""
    found: dict[str, list[tuple[str, CheckResult]]] = {}
    for name, checks in members:
        for check in checks:
            found.setdefault(check.id, []).append((name, check))
    return tuple(_worst(ones) for ones in found.values())


def _worst(ones: Sequence[tuple[str, CheckResult]]) -> CheckResult:
    worst = min((_WORST.index(check.verdict) for _, check in ones))
    bad = [(name, check) for name, check in ones if _WORST.index(check.verdict) == worst]
    return msgspec.structs.replace(
        bad[0][1],
        weight=max(check.weight for _, check in ones),
        evidence=tuple(
            _at(name, evidence) for name, check in bad for evidence in check.evidence or (_NONE,)
        ),
    )


_NONE: Final = Evidence()


def _at(host: str, evidence: Evidence) -> Evidence:
    instance = ": ".join(filter(None, (host, evidence.instance)))
    return msgspec.structs.replace(evidence, instance=instance)


def _unseen(
    name: str, result: Readiness | None, known: Mapping[str, CheckResult]
) -> list[CheckResult]:
    """What hosts are asked, of one that could not be."""
    why = Evidence("", actual=result.problem if result and result.problem else None)
    return [
        msgspec.structs.replace(
            check, verdict="unknown", reason=text("host_untested"), evidence=(why,)
        )
        for check in known.values()
    ]


def _stand_in(weight: float, missing: Sequence[str]) -> CheckResult:
    return CheckResult(
        id=HOST_CHECKS,
        layer="host",
        weight=weight,
        verdict="unknown",
        severity="medium",
        title=text("host_checks"),
        reason=text("host_untested"),
        evidence=tuple(Evidence(name) for name in missing),
    )


def merged(several: Iterable[Sequence[LayerScore]]) -> list[LayerScore]:
    """Each layer once, and where it stands among its neighbours: those of hosts come in between."""
    order: list[LayerScore] = []
    names: list[str] = []
    for layers in several:
        place = 0
        for layer in layers:
            if layer.layer in names:
                place = names.index(layer.layer) + 1
            else:
                names.insert(place, layer.layer)
                order.insert(place, layer)
                place += 1
    return order


def layers_of(
    checks: Sequence[CheckResult], titled: Sequence[LayerScore]
) -> tuple[LayerScore, ...]:
    """Points by layer, in the order of `titled`, which have their titles too."""
    titles = {layer.layer: layer.title for layer in titled}

    def points(layer: str, *verdicts: Outcome) -> float:
        return fsum(c.weight for c in checks if c.layer == layer and c.verdict in verdicts)

    return tuple(
        LayerScore(
            layer=layer,
            title=titles.get(layer) or Text(layer, layer),
            points=points(layer, "pass"),
            of=points(layer, *COUNTED),
            untested=points(layer, "unknown"),
        )
        for layer in dict.fromkeys([*titles, *(check.layer for check in checks)])
    )


def _share(layers: Sequence[LayerScore]) -> float:
    of = fsum(layer.of for layer in layers)
    return min(1.0, fsum(layer.untested for layer in layers) / of) if of else 1.0
