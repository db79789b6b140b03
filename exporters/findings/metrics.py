"""The last audit as metric families: one series a rule, however many hits it has."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.model import Family, gauge, sample
from rules.model import AuditResult
from rules.score import worst_by_rule


def audit_families(result: AuditResult) -> Sequence[Family]:
    """Families of an audit; a pack in which nothing counts has no score."""
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
