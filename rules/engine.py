"""The engine: a pack, facts, parameters and a host in; verdicts out. Pure.

What could not be seen is `unknown` with the reason, never `pass`: a fact without a value, an
expression that fails or has the wrong type, an offender that cannot be named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from collectors.model import Fact
from rules.evaluator import Evaluator
from rules.evidence import brief, evidence_of, plain
from rules.expression import PARAMS, Expression, ExpressionError
from rules.model import MORE, Outcome, Pack, Rule, SubjectKind, Verdict, fingerprint
from rules.offenders import fields, instance, listed, shown

ALWAYS = "os"  # the fact that every rule sees, for `applies`
MAX_SOURCES = 5
UNSEEN = "was not seen"  # the reason of a row that could not be judged


class Compiled:
    """A rule with its expressions. Raises ExpressionError whose `part` says which is wrong."""

    def __init__(self, rule: Rule, params: Mapping[str, Any]) -> None:
        self.rule = rule
        self._names = {*rule.facts, ALWAYS}
        self._params = params
        self.applies = self._compile("applies", rule.applies)
        self.offenders = self._compile("offenders", rule.offenders)
        self.unseen = self._compile("unseen", rule.unseen)
        self.asserts = self._compile("assert", rule.asserts)
        self.actual = self._compile("actual", rule.actual)
        self.expected = self._compile("expected", rule.expected)

    def _compile(self, part: str, text: str) -> Expression | None:
        if not text:
            return None
        rows = part in ("offenders", "unseen")
        make = Expression.of_offenders if rows else Expression
        try:
            return make(text, self._names, self._params)
        except ExpressionError as error:
            error.part = part
            raise

    def used(self) -> frozenset[str]:
        """The facts that any of the expressions names."""
        parts = (
            *(self.applies, self.offenders, self.unseen),
            *(self.asserts, self.actual, self.expected),
        )
        return frozenset().union(*(part.used for part in parts if part)) - {PARAMS}


class Judge:
    """A compiled pack, or of it the rules about one kind of subject. Raises ExpressionError for a
    pack that was not checked by its loader."""

    def __init__(self, pack: Pack, subject: SubjectKind | None = None) -> None:
        self.pack = pack
        self.rules = pack.about(subject) if subject else pack.rules
        self._rules = [Compiled(rule, pack.params) for rule in self.rules]

    def verdicts(
        self, facts: Mapping[str, Fact], params: Mapping[str, Any], host: str
    ) -> list[Verdict]:
        """Verdicts in the order of the rules; `params` are all parameters, `host` the subject's id."""
        seen = _Seen(facts, params)
        return [verdict for rule in self._rules for verdict in self._of(rule, seen, host)]

    def _of(self, compiled: Compiled, seen: _Seen, host: str) -> list[Verdict]:
        if reason := self.pack.off.get(compiled.rule.id):
            return [_verdict(compiled.rule, "not_applicable", host, reason=f"off: {reason}")]
        return _judge(compiled, seen, host)


def judge(
    pack: Pack, facts: Mapping[str, Fact], params: Mapping[str, Any], host: str
) -> list[Verdict]:
    """One pack, once."""
    return Judge(pack).verdicts(facts, {**pack.params, **params}, host)


class _Seen:
    """The facts that have a value, ready for CEL, and why the others have none."""

    def __init__(self, facts: Mapping[str, Fact], params: Mapping[str, Any]) -> None:
        self.facts = facts
        values: dict[str, Any] = {PARAMS: plain(params)}
        self._missing: dict[str, str] = {}
        for name, fact in facts.items():
            if fact.unavailable:
                self._missing[name] = fact.unavailable
                continue
            try:
                values[name] = plain(fact.value)
            except TypeError as error:
                self._missing[name] = f"bug: {error}"
        self._values = values
        self.evaluator = Evaluator(values)

    def require(self, expression: Expression) -> None:
        """Raises ExpressionError unless every fact it names has a value."""
        for name in sorted(expression.used):
            if name not in self._values:
                why = self._missing.get(name, "it was not collected")
                raise ExpressionError(f"the fact {name} has no value: {why}")

    def source(self, *expressions: Expression | None) -> str:
        """Where the keys of facts that the first of these expressions names come from."""
        for expression in expressions:
            if expression is None:
                continue
            sources: dict[str, None] = {}
            for name, key in expression.fact_keys():
                if (fact := self.facts.get(name)) and key in fact.sources:
                    sources[fact.sources[key]] = None
            for name in () if sources else sorted(expression.used):
                if (fact := self.facts.get(name)) and "" in fact.sources:
                    sources[fact.sources[""]] = None
            if sources:
                return ", ".join(list(sources)[:MAX_SOURCES])
        return ""


def _judge(compiled: Compiled, seen: _Seen, host: str) -> list[Verdict]:
    rule = compiled.rule
    try:
        if compiled.applies:
            seen.require(compiled.applies)
            if not seen.evaluator.truth(compiled.applies, "applies"):
                return [_verdict(rule, "not_applicable", host)]
        if rule.manual:
            return [_verdict(rule, "manual", host, question=rule.manual)]
        if compiled.offenders:
            return _by_offenders(compiled, compiled.offenders, seen, host)
        if compiled.asserts:
            return [_by_assertion(compiled, compiled.asserts, seen, host)]
    except ExpressionError as error:
        return [_verdict(rule, "unknown", host, reason=str(error))]
    return [_verdict(rule, "unknown", host, reason="the rule has nothing to judge by")]


def _by_offenders(
    compiled: Compiled, offenders: Expression, seen: _Seen, host: str
) -> list[Verdict]:
    rule = compiled.rule
    seen.require(offenders)
    rows = seen.evaluator.offenders(offenders)
    expected, reason = _value(compiled.expected, "expected", seen)
    unseen = _unseen(compiled, seen, host)
    if not rows and unseen:
        return unseen
    if not rows:
        source = seen.source(offenders)
        return [_verdict(rule, "pass", host, expected=expected, source=source, reason=reason)]
    names = [instance(rule, row) for row in rows]
    those = listed(names)
    hits: dict[str, Verdict] = {}
    for name, row in zip(names, rows, strict=True):
        if name not in those:
            continue
        source = row.get("source", "") if isinstance(row, dict) else ""
        if not source:
            source = _source_of(name, rule, seen) or seen.source(offenders)
        if known := hits.get(name):
            # the same thing twice (an account on two lines) is one hit with two sources
            if source not in known.source and known.source.count(", ") + 1 < MAX_SOURCES:
                hits[name] = msgspec.structs.replace(known, source=f"{known.source}, {source}")
            continue
        whole = fields(rule, row)
        hits[name] = _verdict(
            rule,
            "fail",
            host,
            instance=name,
            actual=shown(whole),
            evidence=evidence_of(whole, rule.volatile),
            expected=expected,
            source=str(source),
            reason=reason,
        )
    rest = set(names).difference(those)
    more = [_more(rule, "fail", host, rest)] if rest else []
    failing = {*names, *(verdict.instance for verdict in more)}
    return [*hits.values(), *more, *(one for one in unseen if one.instance not in failing)]


def _unseen(compiled: Compiled, seen: _Seen, host: str) -> list[Verdict]:
    """One unknown for each row that could not be judged."""
    rule = compiled.rule
    if not compiled.unseen:
        return []
    seen.require(compiled.unseen)
    found = {instance(rule, row): row for row in seen.evaluator.offenders(compiled.unseen)}
    those = listed(found)
    verdicts = [
        _verdict(
            *(rule, "unknown", host),
            instance=name,
            actual=shown(fields(rule, row)),
            reason=UNSEEN,
        )
        for name, row in found.items()
        if name in those
    ]
    rest = found.keys() - those
    return [*verdicts, _more(rule, "unknown", host, rest)] if rest else verdicts


def _more(rule: Rule, outcome: Outcome, host: str, rest: Collection[str]) -> Verdict:
    """One verdict for all that are not told one by one. Its evidence is their names: a waiver for some is
    none for others."""
    return _verdict(
        rule,
        outcome,
        host,
        instance=MORE,
        actual={"more": len(rest)},
        evidence=evidence_of(sorted(rest), ()) if outcome == "fail" else "",
        reason=f"{len(rest)} more are not told one by one",
    )


def _by_assertion(compiled: Compiled, asserts: Expression, seen: _Seen, host: str) -> Verdict:
    seen.require(asserts)
    outcome: Outcome = "pass" if seen.evaluator.truth(asserts, "assert") else "fail"
    actual, problem = _whole(compiled.actual, "actual", seen)
    expected, second = _value(compiled.expected, "expected", seen)
    return _verdict(
        compiled.rule,
        outcome,
        host,
        actual=brief(actual),
        evidence=evidence_of(actual, compiled.rule.volatile) if outcome == "fail" else "",
        expected=expected,
        source=seen.source(compiled.actual, asserts),
        reason=problem or second,
    )


def _value(expression: Expression | None, what: str, seen: _Seen) -> tuple[Any, str]:
    """As _whole, short enough to be told."""
    value, problem = _whole(expression, what, seen)
    return brief(value), problem


def _whole(expression: Expression | None, what: str, seen: _Seen) -> tuple[Any, str]:
    """What people are shown, and why it cannot be shown; the verdict does not hang on it."""
    if expression is None:
        return None, ""
    try:
        seen.require(expression)
        return seen.evaluator.value(expression), ""
    except ExpressionError as error:
        return None, f"{what}: {error}"


def _source_of(instance: str, rule: Rule, seen: _Seen) -> str:
    for name in rule.facts:
        if (fact := seen.facts.get(name)) and instance in fact.sources:
            return fact.sources[instance]
    return ""


def _verdict(rule: Rule, outcome: Outcome, host: str, **more: Any) -> Verdict:
    return Verdict(
        rule=rule.id,
        verdict=outcome,
        severity=rule.severity,
        title=rule.title,
        maps=rule.maps,
        fingerprint=fingerprint(host, rule.id, more.get("instance", "")),
        **more,
    )
