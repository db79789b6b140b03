"""The coverage of a standard by a pack for people, clause by clause; Chinese or English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from exporters.findings.columns import aligned
from exporters.findings.text import neutral
from rules.coverage import Covered, How
from rules.model import Text

HOW: dict[How, Text] = {
    "automatic": Text("自动", "automatic"),
    "partly": Text("自动+人工", "automatic+manual"),
    "manual": Text("人工", "manual"),
    "off": Text("已停用", "OFF"),
    "missing": Text("缺失", "MISSING"),
}
_HEADER = (
    Text("条款", "Clause"),
    Text("测评单元", "Unit"),
    Text("方式", "How"),
    Text("规则数", "Rules"),
    Text("控制点", "Control"),
    Text("要求", "Asks for"),
)


def table(found: Sequence[Covered], language: str, rules: bool = False) -> str:
    """A line for each item and a summary; with `rules`, the rules of each under it."""
    rows = [[head.of(language) for head in _HEADER]]
    rows += [
        [
            it.clause.id,
            it.clause.unit,
            HOW[it.how].of(language),
            str(len(it.automatic) + len(it.manual)),
            it.clause.control.of(language),
            it.clause.summary.of(language),
        ]
        for it in found
    ]
    head, *lines = aligned(rows)
    told = [head]
    for it, line in zip(found, lines, strict=True):
        told.append(line)
        if rules:
            told += [
                f"    {rule.severity:8}  {rule.id}  {neutral(rule.title.of(language))}"
                for rule in (*it.automatic, *it.manual, *it.off)
            ]
    counts = Counter(it.how for it in found)
    told.append("  ".join(f"{words.of(language)} {counts[how]}" for how, words in HOW.items()))
    return "\n".join(told)
