"""Rows that break a rule: what tells them apart, what is shown of them, and which are told one by one."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection
from typing import Any

from rules.evidence import MAX_TEXT, brief
from rules.expression import ExpressionError
from rules.model import MORE, Rule

MAX_OFFENDERS = 1000  # of a rule that are told one by one; the rest are one verdict
_DIGITS = 32  # of the hash that stands for the end of a long name


def instance(rule: Rule, row: Any) -> str:
    """The name of a row among those of its rule. Raises ExpressionError where it has none."""
    value = row
    if rule.key:
        if not isinstance(row, dict) or rule.key not in row:
            raise ExpressionError(f"an offender has no {rule.key!r}")
        value = row[rule.key]
    if not isinstance(value, (str, int)):
        raise ExpressionError("an offender is told apart by neither a text nor a number")
    text = str(value)
    if len(text) <= MAX_TEXT:
        return text
    # two long names that begin alike are two things
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{text[: MAX_TEXT - _DIGITS - 1]}…{digest}"


def fields(rule: Rule, row: Any) -> Any:
    """What people are shown of a row, whole."""
    if not isinstance(row, dict):
        return row
    names = rule.show or sorted(name for name in row if name not in (rule.key, "source"))
    return {name: row[name] for name in names if name in row}


def shown(whole: Any) -> Any:
    """The same, short enough to be told; of `fields`, every field."""
    if not isinstance(whole, dict):
        return brief(whole)
    return {name: brief(value) for name, value in whole.items()}


def listed(names: Collection[str]) -> Collection[str]:
    """Those that are told one by one: the first in the order of names, whatever order rows come in, so that
    the next audit lists the same."""
    distinct = set(names)
    if len(distinct) <= MAX_OFFENDERS:
        return distinct
    distinct.discard(MORE)  # a thing of that very name is among the rest
    return set(heapq.nsmallest(MAX_OFFENDERS, distinct))
