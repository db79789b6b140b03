"""The readiness of the estate as one HTML file that asks for nothing else: no script, no font, no
picture, and a Content-Security-Policy (W3C CSP 3) that lets in its own style alone.

Whatever comes from inventories, sites and hosts is escaped, in one line and short.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from math import fsum
from typing import Any, Final, NamedTuple

from exporters.estate.joining import COUNTED, Scored
from exporters.estate.readiness import FRESH, Fix, Report, outdated, rank_of
from exporters.estate.words import OUTCOMES, say
from exporters.findings.table import SEVERITY
from exporters.report import plain
from rules.model import Outcome, Text
from rules.readinessmodel import CheckResult, Evidence

BANDS: Final = (("band_90", 90.0), ("band_75", 75.0), ("band_60", 60.0), ("band_40", 40.0))
MAX_REASONS: Final = 5  # of one check
_BAND_CLASS: Final[Mapping[str, str]] = {
    "band_90": "fine",
    "band_75": "warn",
    "band_60": "warn",
    "band_40": "alarm",
    "band_0": "alarm",
    "untested": "blank",
}
_TOLD: Final[tuple[Outcome, ...]] = ("fail", "unknown", "manual")
_VERDICT_CLASS: Final[Mapping[Outcome, str]] = {"fail": "alarm", "unknown": "warn", "manual": ""}


def html(report: Report, language: str, made: datetime) -> str:
    """The report in `zh` or `en`; `made` is when."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("exporters.estate")
    style = (folder / "estate.css").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    view = _View(report, language)
    environment.filters |= {
        "name": plain.name,
        "number": plain.number,
        "percent": plain.percent,
        "moment": plain.moment,
        "day": plain.day,
        "t": view.text,
    }
    template = environment.from_string((folder / "estate.html.j2").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return template.render(
        report=report,
        language=language,
        made=made,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
        say=view.say,
        grade=grade,
        department=view.department,
        level=view.level,
        cell=cell,
        why=view.why,
        told=told,
        cap_cost=cap_cost,
        evidence=view.evidence,
        reasons=reasons,
        layer_title=view.layer_title,
        anchors={one.row.name: f"s{i}" for i, one in enumerate(report.subjects, 1)},
        ranks=rank_of(report.subjects),
        bands=bands(report),
        band_class=_BAND_CLASS,
        severity=SEVERITY,
        outcome=OUTCOMES,
        verdict_class=_VERDICT_CLASS,
        sites=sum(one.row.kind == "site" for one in report.subjects),
        half_seen=[one for one in report.subjects if one.untested_hosts],
        weights=weights(report),
        most=plain.MAX_EVIDENCE,
        old={one.row.name for one in report.subjects if outdated(one, made)},
        fresh_days=FRESH.days,
    )


def grade(score: float) -> str:
    """The class of a score, by colour: never the only sign, the number stands beside it."""
    return "fine" if score >= 85 else "warn" if score >= 60 else "alarm"


def bands(report: Report) -> list[tuple[str, int]]:
    """How many subjects score how much, and how many were not tested."""
    counts = dict.fromkeys(_BAND_CLASS, 0)
    for one in report.subjects:
        if one.score is None:
            counts["untested"] += 1
        else:
            score = one.score
            counts[next((key for key, least in BANDS if score >= least), "band_0")] += 1
    return list(counts.items())


def cell(one: Scored, name: str) -> str:
    """Points of a layer, of all that count."""
    layer = next((layer for layer in one.layers if layer.layer == name and layer.of), None)
    return f"{layer.points:g}/{layer.of:g}" if layer else plain.NOTHING


def told(one: Scored) -> list[tuple[CheckResult, float | None]]:
    """What did not pass, the dearest first, with the points of 100 that it costs."""
    of = fsum(check.weight for check in one.checks if check.verdict in COUNTED)
    found = [check for check in one.checks if check.verdict in _TOLD]
    found.sort(key=lambda check: (_TOLD.index(check.verdict), -check.weight, check.id))
    return [(c, 100 * c.weight / of if c.verdict in COUNTED and of else None) for c in found]


def cap_cost(one: Scored) -> float | None:
    """Points that a cap takes beyond those of the checks; None where it takes none."""
    if not one.capped or one.score is None:
        return None
    of = fsum(layer.of for layer in one.layers)
    points = fsum(layer.points for layer in one.layers)
    cost = 100 * points / of - one.score if of else 0.0
    return cost if cost >= 0.05 else None


class Reasons(NamedTuple):
    """Why subjects could not be tested, with how many by each reason; `more` are left out."""

    shown: list[tuple[Text, int]]
    more: int


def reasons(gap: Fix) -> Reasons:
    """The most frequent first."""
    counts = Counter((loss.reason.zh, loss.reason.en) for loss in gap.losses)
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = [(Text(*words), count) for words, count in found[:MAX_REASONS]]
    return Reasons(shown, len(found) - len(shown))


def weights(report: Report) -> list[CheckResult]:
    """Every check that some subject has, at its greatest weight, by layer."""
    known: dict[str, CheckResult] = {}
    for one in report.subjects:
        for check in one.own:
            if check.id not in known or check.weight > known[check.id].weight:
                known[check.id] = check
    order = [layer.layer for layer in report.layers]
    return sorted(
        known.values(),
        key=lambda c: (order.index(c.layer) if c.layer in order else len(order), -c.weight, c.id),
    )


class _View:
    """What the template asks for in one language."""

    def __init__(self, report: Report, language: str) -> None:
        self._language = language
        self._layers = {layer.layer: layer.title for layer in report.layers}

    def say(self, key: str) -> str:
        return say(key, self._language)

    def text(self, text: Text) -> str:
        return plain.prose(text.of(self._language))

    def department(self, name: str) -> str:
        return plain.name(name) if name else self.say("none_department")

    def level(self, name: str) -> str:
        return self.say(f"level_{name}" if name else "none_level")

    def layer_title(self, name: str) -> str:
        title = self._layers.get(name)
        return self.text(title) if title else plain.name(name)

    def why(self, one: Scored) -> str:
        return why(one, self._language)

    def evidence(self, it: Evidence) -> str:
        return evidence(it, self._language)


def why(one: Scored, language: str) -> str:
    """Why a subject was not tested."""
    if one.problem:
        return plain.prose(one.problem)
    return say("nothing_counted" if one.reported else "no_result", language)


def evidence(it: Evidence, language: str) -> str:
    """One measurement in a line: `where: actual (wanted …) from source`."""
    actual: Any = plain.value(it.actual)
    shown = ": ".join(filter(None, (plain.name(it.instance), actual)))
    if it.expected is not None:
        shown += f" ({say('wanted', language)} {plain.value(it.expected)})"
    if it.source:
        shown += f" [{say('source', language)} {plain.name(it.source)}]"
    return shown or plain.NOTHING
