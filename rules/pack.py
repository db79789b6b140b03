"""Loads rule packs: YAML documents, checked whole before anything is judged.

Every mistake is a DocumentError with file, line, rule and remedy. docs/rules.md says what a pack
looks like. Built-in packs are files in rules/packs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from collectors import catalogue, strictyaml
from collectors.ipv6.model import SITE_FACTS
from collectors.strictyaml import Document, Path
from rules import packfile
from rules.engine import ALWAYS, Compiled
from rules.evidence import plain
from rules.expression import PARAMS, ExpressionError
from rules.model import Cap, Pack, Rule, SubjectKind, Text
from rules.packfile import Assembled, Read, kind

_ID = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
MAX_WEIGHT = 1000
_KINDS = {"offenders": "offenders", "assert": "asserts", "manual": "manual"}


class ParamError(ValueError):
    """A parameter that no pack has, or a value of the wrong type."""


def known_facts(subject: SubjectKind = "host") -> frozenset[str]:
    """The facts that there are about such a subject: of a host those that collectors supply."""
    if subject == "site":
        return frozenset(SITE_FACTS)
    return frozenset(fact for it in catalogue.COLLECTORS.values() for fact in it.facts)


def load(name: str, facts: Collection[str] | None = None, read: Read = strictyaml.read) -> Pack:
    """A pack by the name of a built-in one, or by path; raises DocumentError."""
    return whole(name, facts, read).pack


def whole(
    name: str, facts: Collection[str] | None = None, read: Read = strictyaml.read
) -> Assembled:
    """A pack and where each of its rules is written; raises DocumentError."""
    path = packfile.path_of(name)
    return _checked(packfile.assemble(read(path), path, read), facts)


def outline(name: str, read: Read = strictyaml.read) -> Pack:
    """A pack with no expression compiled or checked, for who needs its parameters or its facts."""
    path = packfile.path_of(name)
    return packfile.assemble(read(path), path, read).pack


def parse(content: bytes | str, path: str, facts: Collection[str] | None = None) -> Pack:
    """A pack in `content`; `facts` are the names that rules may declare (None: all of ours)."""
    return _checked(packfile.assemble(content, path), facts).pack


def _checked(assembled: Assembled, facts: Collection[str] | None) -> Assembled:
    """The pack if all that is in it and in what it extends is right."""
    if assembled.base:
        _checked(assembled.base, facts)
    pack = assembled.pack
    _check_pack(assembled)
    for number in assembled.own:
        rule = pack.rules[number]
        known = known_facts(rule.subject) if facts is None else facts
        for part, problem in _problems(rule, pack, known):
            raise assembled.origins[number].error(part, f"rule {rule.id}: {problem}")
    return assembled


def resolve(pack: Pack, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The pack's parameters with some of them overridden; raises ParamError."""
    for name, value in overrides.items():
        if name not in pack.params:
            near = difflib.get_close_matches(name, list(pack.params), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(pack.params)}"
            raise ParamError(f"pack {pack.pack} has no parameter {name!r}; {hint}")
        if kind(value) != kind(pack.params[name]):
            raise ParamError(
                f"parameter {name!r} of pack {pack.pack}: expected {kind(pack.params[name])}, "
                f"got {kind(value)}"
            )
    return {**pack.params, **overrides}


def _check_pack(assembled: Assembled) -> None:
    document, pack = assembled.document, assembled.pack
    if not _ID.fullmatch(pack.pack):
        raise document.error(("pack",), f"{pack.pack!r} is not a name; write for example mlps-l3")
    if problem := _blank(pack.title):
        raise document.error(("title",), problem)
    if not pack.rules:
        raise document.error(("rules",), "there is no rule")
    for name, words in pack.layers.items():
        if problem := _blank(words):
            raise document.error(("layers", name), problem)
    _check_scores(document, pack, assembled.written.caps)
    for name, value in pack.params.items():
        if not _NAME.fullmatch(name):
            raise document.error(("params", name), "a parameter is named like_this")
        if value is None:
            raise document.error(("params", name), "a parameter needs a default value")
        try:
            plain(value)
        except TypeError as error:
            raise document.error(("params", name), str(error)) from error


def _check_scores(document: Document, pack: Pack, caps: Sequence[Cap]) -> None:
    """Caps and further scores name rules that are there."""
    known = {rule.id for rule in pack.rules}
    named: list[tuple[Path, str]] = []
    for number, cap in enumerate(caps):
        named += [(("caps", number, "rules", n), rule) for n, rule in enumerate(cap.rules)]
        if not 0 <= cap.at <= 1:
            raise document.error(("caps", number, "at"), "must be from 0 to 1")
        if problem := _blank(cap.why):
            raise document.error(("caps", number, "why"), problem)
    for name, side in pack.scores.items():
        named += [(("scores", name, "rules", rule), rule) for rule in side.rules]
        if problem := _blank(side.title):
            raise document.error(("scores", name, "title"), problem)
        for rule, weight in side.rules.items():
            if not 0 <= weight <= MAX_WEIGHT:
                raise document.error(
                    ("scores", name, "rules", rule), f"must be from 0 to {MAX_WEIGHT}"
                )
    for where, rule in named:
        if rule not in known:
            near = difflib.get_close_matches(rule, sorted(known), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise document.error(where, f"the pack has no rule {rule!r}{hint}")


def _problems(rule: Rule, pack: Pack, known: Collection[str]) -> Iterator[tuple[Path, str]]:
    """What is wrong with a rule, the first first."""
    if not _ID.fullmatch(rule.id) or len(rule.id) > 100:
        yield ("id",), "is not an id; write for example linux.sshd.no-root-login"
    for part, text in (("title", rule.title), ("why", rule.why), ("fix", rule.fix)):
        if text and (problem := _blank(text)):
            yield (part,), problem
    if not 0 <= rule.weight <= MAX_WEIGHT:
        yield ("weight",), f"must be from 0 to {MAX_WEIGHT}"
    if rule.layer not in ("", *pack.layers) or (pack.layers and not rule.layer):
        there = ", ".join(pack.layers) or "none; write layers: {...} in the pack"
        yield (("layer",) if rule.layer else ()), f"its layer is one of the pack's: {there}"
    for number, fact in enumerate(rule.facts):
        if fact not in known:
            near = difflib.get_close_matches(fact, sorted(known), 1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
            )
            yield ("facts", number), f"no fact {fact!r}; {hint}"
    yield from _kind_problems(rule)
    try:
        compiled = Compiled(rule, pack.params)
    except ExpressionError as error:
        yield (error.part,), str(error)
        return
    for number, fact in enumerate(rule.facts):
        if fact not in compiled.used():
            yield ("facts", number), f"the fact {fact!r} is declared but not used"
    yield from _test_problems(rule, pack)


def _kind_problems(rule: Rule) -> Iterator[tuple[Path, str]]:
    kinds = [key for key, field in _KINDS.items() if getattr(rule, field)]
    if len(kinds) != 1:
        found = f"has {' and '.join(kinds)}" if kinds else "has none"
        yield (
            (kinds[-1:] and (kinds[-1],)) or (),
            (f"needs exactly one of offenders, assert and manual, and {found}"),
        )
    if rule.key and not rule.offenders:
        yield ("key",), "is only for offenders"
    if rule.show and not rule.offenders:
        yield ("show",), "is only for offenders"
    if rule.unseen and not rule.offenders:
        yield ("unseen",), "is only for offenders"
    shown = ("actual",) if rule.asserts else rule.show
    for number, name in enumerate(rule.volatile):
        if name not in shown:
            yield ("volatile", number), f"is not shown; there are: {', '.join(shown) or 'none'}"
    if rule.asserts and not rule.actual:
        yield ("assert",), "needs actual: what people are shown"
    if rule.actual and not rule.asserts:
        yield ("actual",), "is only for assert; offenders have show"
    if rule.manual and (problem := _blank(rule.manual)):
        yield ("manual",), problem


def _test_problems(rule: Rule, pack: Pack) -> Iterator[tuple[Path, str]]:
    needed = () if rule.manual else ("pass", "fail")
    for outcome, scenarios in rule.tests.by_outcome().items():
        if outcome in needed and not scenarios:
            yield ("tests",), f"there is no {outcome} scenario"
        for number, scenario in enumerate(scenarios):
            where: Path = ("tests", outcome, number)
            for name in scenario:
                if name not in (*rule.facts, ALWAYS, PARAMS):
                    yield (*where, name), f"the rule does not declare the fact {name!r}"
            try:
                overrides = scenario.get(PARAMS, {})
                if not isinstance(overrides, dict):
                    raise ParamError("expected a mapping")
                resolve(pack, overrides)
            except ParamError as error:
                yield (*where, PARAMS), str(error)


def _blank(text: Text) -> str:
    for language, words in (("zh", text.zh), ("en", text.en)):
        if not words.strip():
            return f"{language} is empty"
    return ""
