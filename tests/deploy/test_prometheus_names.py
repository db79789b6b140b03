"""Every metric and label that rules, alerts and dashboards name is one that is served: none dangles."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.deployfiles import OF_TARGETS, boards, documented, panels, plain, rules
from tests.promql import uses

# Labels that an expression makes itself, by label_replace.
MADE = {"line"}


def expressions() -> Iterator[tuple[str, str]]:
    for kind in ("record", "alert"):
        for rule in rules(kind):
            yield f"{rule.file.name} {rule.name}", rule.expr
    for name, board in boards().items():
        for panel in panels(board):
            for target in panel.get("targets", ()):
                yield f"{name} {panel['title']}", plain(target["expr"])
        for variable in board["templating"]["list"]:
            if found := re.fullmatch(
                r"label_values\((.+), (\w+)\)", variable.get("definition", "")
            ):
                yield f"{name} ${variable['name']}", f"count by ({found[2]}) ({plain(found[1])})"


def known() -> dict[str, frozenset[str]]:
    """What is documented, and what is recorded: labels of a recorded series are those that its expression groups by, or
    those of what it is made of."""
    found = dict(documented())
    waiting = {rule.name: uses(rule.expr) for rule in rules("record")}
    while waiting:
        done = {
            name: used
            for name, used in waiting.items()
            if all(metric in found for metric, _ in used.metrics)
        }
        assert done, f"made of what nobody serves: {sorted(waiting)}"
        for name, used in done.items():
            found[name] = used.labels.union(*(found[metric] for metric, _ in used.metrics))
            del waiting[name]
    return found


KNOWN = known()


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_what_an_expression_names_is_served(where: str, expr: str) -> None:
    used = uses(expr)
    there = set(OF_TARGETS | MADE)
    for metric, labels in used.metrics:
        assert metric in KNOWN, f"{where}: nobody serves {metric}"
        assert labels <= KNOWN[metric], f"{where}: {metric} has no {labels - KNOWN[metric]}"
        there |= KNOWN[metric]
    assert used.labels <= there, f"{where}: nothing has {used.labels - there}"


def test_what_is_recorded_is_used() -> None:
    """By a dashboard, an alert, another rule, or by the report (jianwei:…)."""
    named = {metric for _, expr in expressions() for metric, _ in uses(expr).metrics}
    unused = {rule.name for rule in rules("record")} - named
    assert all(name.startswith("jianwei:") for name in unused), unused


@pytest.mark.parametrize(
    ("expr", "metrics", "labels"),
    [
        ("sum by (a, b) (x{c=\"}\", d!~'e{f}'}[5m] offset 1d)", [("x", {"c", "d"})], {"a", "b"}),
        ("sum(rate(x_total[5m])) by (le)", [("x_total", set())], {"le"}),
        (
            "a:b:c / on (i) group_left (j) d > bool 1e3",
            [("a:b:c", set()), ("d", set())],
            {"i", "j"},
        ),
        ("sum(x) without (k) or vector(1) unless y == inf", [("x", set()), ("y", set())], {"k"}),
    ],
)
def test_the_tokenizer(expr: str, metrics: list[tuple[str, set[str]]], labels: set[str]) -> None:
    used = uses(expr)
    assert [(name, set(asked)) for name, asked in used.metrics] == metrics
    assert used.labels == labels


@pytest.mark.parametrize("expr", ['{__name__="x"}', "x # y\n & z", 'x{a="b}'])
def test_what_is_not_understood_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match=r"not PromQL|without a name"):
        uses(expr)
