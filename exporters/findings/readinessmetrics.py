"""IPv6 readiness as metric families: one subject a host or site, whatever was checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from collectors.model import Family, Sample, gauge, sample
from rules.model import AuditResult, Outcome
from rules.readinessmodel import IPV6_ONLY, PACK, Readiness
from rules.score import worst_by_rule

TOTAL: Final = "total"


class Scored(NamedTuple):
    """One subject: scores (0 to 100) by layer, those without one left out, and verdicts by check.
    `target` tells apart subjects of one name."""

    subject: str
    target: str
    scores: Mapping[str, float]
    verdicts: Mapping[str, Outcome]


def scored_host(result: AuditResult) -> list[Scored]:
    """The host of an audit, if the pack was among its packs."""
    found = []
    for pack in result.packs:
        if pack.pack == PACK:
            ratios = {
                TOTAL: pack.score,
                IPV6_ONLY: pack.scores.get(IPV6_ONLY),
                **{layer: points.ratio for layer, points in pack.layers.items()},
            }
            scores = {name: 100 * ratio for name, ratio in ratios.items() if ratio is not None}
            verdicts = {rule: it.verdict for rule, it in worst_by_rule(pack.verdicts).items()}
            host = result.host
            found.append(Scored(host.name or host.id, host.id, scores, verdicts))
    return found


def scored_site(readiness: Readiness) -> Scored:
    """A subject of which the explained result is there."""
    scores = {
        TOTAL: readiness.score,
        IPV6_ONLY: readiness.ipv6_only_score,
        **{it.layer: 100 * it.points / it.of for it in readiness.layers if it.of},
    }
    return Scored(
        readiness.subject.name,
        readiness.subject.target,
        {name: score for name, score in scores.items() if score is not None},
        {check.id: check.verdict for check in readiness.checks},
    )


def readiness_families(scored: Iterable[Scored]) -> Sequence[Family]:
    """Nothing without a subject."""
    subjects = list(scored)
    if not subjects:
        return ()
    names = Counter(one.subject for one in subjects)
    subjects = [
        one if names[one.subject] == 1 else one._replace(subject=one.target) for one in subjects
    ]
    return (
        gauge(
            "jianwei_ipv6_score",
            "IPv6 readiness (0 to 100) of a host or site; layer total is the whole with its caps, "
            "ipv6_only that for clients without IPv4. What was not tested counts as lost.",
            *_scores(subjects),
        ),
        gauge(
            "jianwei_ipv6_check",
            "Always 1; the label verdict says how the check came out (unknown: not tested).",
            *(
                sample(1.0, subject=one.subject, check=check, verdict=verdict)
                for one in subjects
                for check, verdict in one.verdicts.items()
            ),
        ),
    )


def _scores(subjects: Sequence[Scored]) -> Iterator[Sample]:
    for one in subjects:
        for layer, score in one.scores.items():
            yield sample(score, subject=one.subject, layer=layer)
