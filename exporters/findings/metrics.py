"""The last audit as metric families: one series a rule, however many hits it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from collectors.model import Family, counter, gauge, sample
from exporters.findings.digest import HitFigures, figures
from rules.clauses import STANDARD
from rules.model import AuditResult
from rules.score import worst_by_rule


def hit_families(hits: HitFigures, now: datetime) -> Sequence[Family]:
    """Families of the hits that are kept: how many in which state, and how long the oldest is open."""
    return (
        gauge(
            "jianwei_hits",
            "Hits by severity and state.",
            *(
                sample(float(count), severity=severity, state=state)
                for severity, counts in hits.counts.items()
                for state, count in counts.items()
            ),
        ),
        gauge(
            "jianwei_hit_oldest_open_seconds",
            "Age of the oldest hit that is neither fixed nor waived; none where there is no such hit.",
            *(
                sample((now - first).total_seconds(), severity=severity)
                for severity, first in sorted(hits.oldest.items())
            ),
        ),
    )


def clause_family(result: AuditResult) -> Family:
    """How many rules came out how, by clause of GB/T 22239; only what is not zero."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for pack in result.packs:
        for verdict in worst_by_rule(pack.verdicts).values():
            for clause in verdict.maps.get(STANDARD, ()):
                counts[pack.pack, clause, verdict.verdict] += 1
    return gauge(
        "jianwei_clause_verdicts",
        "Rules of a clause of GB/T 22239 by how they came out; what is zero is left out.",
        *(
            sample(float(count), pack=pack, clause=clause, verdict=verdict)
            for (pack, clause, verdict), count in sorted(counts.items())
        ),
    )


def audit_families(result: AuditResult, hits: HitFigures | None = None) -> Sequence[Family]:
    """Families of an audit, with the figures of its hits where it has none itself; a pack in which nothing
    counts has no score."""
    return (
        gauge(
            "jianwei_rule_verdict",
            "Always 1; the label verdict says how the rule came out, at the worst of its hits.",
            *(
                sample(
                    1.0,
                    pack=pack.pack,
                    rule=verdict.rule,
                    severity=verdict.severity,
                    verdict=verdict.verdict,
                )
                for pack in result.packs
                for verdict in worst_by_rule(pack.verdicts).values()
            ),
        ),
        gauge(
            "jianwei_pack_score_ratio",
            "Weight of the rules passed among those passed, failed and unknown (0 to 1).",
            *(
                sample(pack.score, pack=pack.pack)
                for pack in result.packs
                if pack.score is not None
            ),
        ),
        gauge(
            "jianwei_pack_verdicts",
            "Rules of the pack by how they came out.",
            *(
                sample(float(count), pack=pack.pack, verdict=outcome)
                for pack in result.packs
                for outcome, count in pack.counts.items()
            ),
        ),
        clause_family(result),
        *hit_families(hits or figures(result.hits), result.time),
        gauge(
            "jianwei_hits_success",
            "Whether the hits of the last audit could be kept.",
            sample(0 if result.hits_problem else 1),
        ),
        counter(
            "jianwei_hit_changes_lost_total",
            "Changes of hits that were dropped before anybody was told, since hits are kept.",
            sample(float(result.hits_lost)),
        ),
        gauge(
            "jianwei_audit_timestamp_seconds",
            "When the last audit began, in Unix time.",
            sample(result.time.timestamp()),
        ),
        gauge(
            "jianwei_audit_duration_seconds",
            "How long the last audit took.",
            sample(result.duration),
        ),
    )
