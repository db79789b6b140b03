"""An audit as one HTML file that asks for nothing else: no script, no font, no picture, and a
Content-Security-Policy (W3C CSP 3) that lets in its own style alone. It prints on A4.

Failed rules come first, then what could not be looked at, then the questions to a person.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final, NamedTuple

from exporters.findings.table import OUTCOME, SEVERITY
from exporters.findings.told import Told, fixed_in, line, of_audit, of_fixed
from exporters.findings.verdictscsv import ORDER, urgency
from exporters.findings.words import STATE, say
from exporters.report import plain
from rules import clauses
from rules.model import OUTCOMES, AuditResult, Hit, Outcome, PackResult, Rule

MAX_ROWS: Final = 200  # of one rule; JSON and CSV have them all
_CLASS: Final[Mapping[Outcome, str]] = {"fail": "alarm", "unknown": "warn", "pass": "fine"}


class Group(NamedTuple):
    """One rule with its rows."""

    first: Told
    rows: Sequence[Told]
    more: int


class ByClause(NamedTuple):
    """How the rules about one clause came out; `unit` assesses it, `summary` is in our words."""

    clause: str
    unit: str
    summary: str
    worst: Outcome
    counts: Mapping[Outcome, int]


class Part(NamedTuple):
    """What is shown of one pack."""

    pack: PackResult
    clauses: Sequence[ByClause]
    groups: Mapping[str, Sequence[Group]]


def html(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str
) -> bytes:
    """The page in `zh` or `en`."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = (resources.files("exporters.estate") / "estate.css").read_text(encoding="utf-8")
    template = resources.files("exporters.findings") / "audit.html.j2"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "line": line,
        "moment": plain.moment,
        "value": plain.value,
        "t": lambda text: line(text.of(language)),
    }
    told: dict[str, list[Told]] = {pack.pack: [] for pack in result.packs}
    for pack, one in of_audit(result, rules, hits):
        told[pack.pack].append(one)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.from_string(template.read_text(encoding="utf-8")).render(
        result=result,
        language=language,
        parts=[_part(pack, told[pack.pack], language) for pack in result.packs],
        fixed=[of_fixed(hit, result, rules) for hit in fixed_in(result, hits)],
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
        say=lambda key: say(key, language),
        outcomes=OUTCOMES,
        outcome=OUTCOME,
        outcome_class=_CLASS,
        severity=SEVERITY,
        states=STATE,
    )
    return page.encode()


def _part(pack: PackResult, told: Sequence[Told], language: str) -> Part:
    by_rule: dict[str, list[Told]] = {}
    for one in sorted(told, key=urgency):
        by_rule.setdefault(one.rule, []).append(one)
    groups: dict[str, list[Group]] = {name: [] for name in ("fail", "unknown", "manual", "rest")}
    for rows in by_rule.values():
        first = rows[0]  # the worst: the rule stands where that does
        name = first.verdict if first.verdict in groups else "rest"
        groups[name].append(Group(first, rows[:MAX_ROWS], max(0, len(rows) - MAX_ROWS)))
    worst = [rows[0] for rows in by_rule.values()]
    return Part(pack, _by_clause(worst, language), groups)


def _by_clause(worst: Sequence[Told], language: str) -> list[ByClause]:
    """In the standard's order; clauses of a city's own after it."""
    found: dict[str, list[Outcome]] = {}
    for one in worst:
        for clause in one.maps.get(clauses.STANDARD, ()) or ("",):
            found.setdefault(clause, []).append(one.verdict)
    known = clauses.catalogue() if found.keys() - {""} else {}
    order = {clause: number for number, clause in enumerate(known)}
    lines = []
    for clause in sorted(found, key=lambda it: (it == "", order.get(it, len(order)), it)):
        about = known.get(clause)
        lines.append(
            ByClause(
                clause,
                about.unit if about else "",
                about.summary.of(language) if about else "",
                min(found[clause], key=ORDER.index),
                Counter(found[clause]),
            )
        )
    return lines if found.keys() - {""} else []
