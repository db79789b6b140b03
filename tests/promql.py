"""What a PromQL expression names: metrics with the labels that are asked of each, and the labels it groups or joins by.

A tokenizer, not a grammar: that an expression is right is promtool's to say. Grammar:
https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<range>\[[^\]]*\])
    |(?P<number>(?:0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:ms|[smhdwy])?(?:\d+(?:ms|[smhdwy]))*)
    |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<mark>=~|!~|!=|==|<=|>=|[{}(),=<>+\-*/%^@])
    |(?P<space>\s+|\#[^\n]*)""",
    re.VERBOSE,
)
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "atan2"}


class Token(NamedTuple):
    kind: str
    text: str


class Uses(NamedTuple):
    """Metrics as (name, labels of its matchers), and labels of by, without, on, ignoring and group_left."""

    metrics: list[tuple[str, frozenset[str]]]
    labels: frozenset[str]


def uses(expression: str) -> Uses:
    tokens = list(_tokens(expression))
    metrics: list[tuple[str, frozenset[str]]] = []
    grouped: set[str] = set()
    at = 0
    while at < len(tokens):
        token = tokens[at]
        following = tokens[at + 1].text if at + 1 < len(tokens) else ""
        at += 1
        if token.text == "{":
            raise ValueError(f"a selector without a name: {expression}")
        if token.kind != "name" or token.text.lower() in WORDS:
            continue
        if token.text.lower() in GROUPING:
            if following == "(":
                at, names = _until(tokens, at + 1, ")")
                grouped |= names
        elif following == "{":
            at, names = _until(tokens, at + 1, "}")
            metrics.append((token.text, frozenset(names)))
        elif following != "(" and not _aggregates(tokens, at):
            metrics.append((token.text, frozenset()))
    return Uses(metrics, frozenset(grouped))


def _aggregates(tokens: list[Token], at: int) -> bool:
    """Whether the name before is an operator: `sum by (…) (…)`."""
    return at < len(tokens) and tokens[at].text.lower() in ("by", "without")


def _until(tokens: list[Token], at: int, end: str) -> tuple[int, set[str]]:
    names = set()
    while tokens[at].text != end:
        if tokens[at].kind == "name":
            names.add(tokens[at].text)
        at += 1
    return at + 1, names


def _tokens(expression: str) -> Iterator[Token]:
    at = 0
    while at < len(expression):
        found = TOKEN.match(expression, at)
        if not found:
            raise ValueError(f"not PromQL at {expression[at : at + 20]!r}: {expression}")
        if found.lastgroup != "space":
            yield Token(str(found.lastgroup), found[0])
        at = found.end()
