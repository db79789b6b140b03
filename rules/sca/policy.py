"""Wazuh SCA policies: YAML documents of a policy, requirements, variables and checks.

Keys and grammar as in "Creating custom SCA policies" of Wazuh's manual, for 4.x and 5.x: a check has
`title` or `name`, its compliance is a list of mappings or one mapping. What else stands in a check
(rationale, references …) is for people and is left alone. Every mistake that leaves no policy is a
DocumentError; a rule that cannot be judged makes its check unknown, and `jianwei rules lint` tells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from collectors.strictyaml import Document, DocumentError, Path
from rules.model import Text
from rules.sca import grammar
from rules.sca.grammar import Rule, RuleError
from rules.sca.regex import Engine, Semantics
from rules.sca.variables import VariableError, Variables

MAX_CHECKS = 10_000
MAX_RULES = 255  # of one check, as Wazuh has it

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Condition = Literal["all", "any", "none"]
Words = str | int | float | bool | None


class _About(msgspec.Struct, frozen=True):
    id: Words
    name: Words = None
    description: Words = None
    regex_type: Words = None


class _Requirements(msgspec.Struct, frozen=True):
    condition: str
    rules: tuple[str, ...]
    title: Words = None
    name: Words = None


class _Check(msgspec.Struct, frozen=True):
    id: Words
    condition: str
    rules: tuple[str, ...] = ()
    title: Words = None
    name: Words = None
    regex_type: Words = None
    compliance: Any = None
    mitre: Any = None


class _Written(msgspec.Struct, frozen=True):
    """A policy as its author writes it."""

    policy: _About
    checks: tuple[_Check, ...]
    requirements: _Requirements | None = None
    variables: dict[str, Words] | None = None


class Check(msgspec.Struct, frozen=True):
    """Rules and how they are taken together; `line` is where it is written."""

    id: str
    title: Text
    condition: Condition
    rules: tuple[Rule, ...]
    maps: dict[str, tuple[str, ...]] = {}
    line: int | None = None

    @property
    def problems(self) -> list[str]:
        """Why it can perhaps not be judged."""
        found = [f"{rule.text}: {rule.problem}" for rule in self.rules if rule.problem]
        return found if self.rules else ["it has no rules"]


class Policy(msgspec.Struct, frozen=True):
    """A whole policy, its patterns compiled for one of the two meanings.

    `mistakes` are those of its document that leave it as it is. `engine` is that of its `regex_type`, or the
    default of that version.
    """

    id: str
    title: Text
    semantics: Semantics
    engine: Engine
    checks: tuple[Check, ...]
    requirements: Check | None
    path: str
    mistakes: tuple[str, ...] = ()


def parse(content: bytes | str, path: str, semantics: Semantics = 5) -> Policy:
    """A policy; raises DocumentError."""
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    written = document.convert(_Written)
    maker = _Maker(document, written, semantics)
    checks = maker.checks()
    requirements = maker.requirements()
    name = _text(written.policy.name) or maker.id
    return Policy(
        maker.id,
        Text(name, name),
        semantics,
        maker.engine,
        checks,
        requirements,
        path,
        tuple(str(mistake) for mistake in mistakes),
    )


class _Maker:
    """Takes a document apart; every method raises DocumentError."""

    def __init__(self, document: Document, written: _Written, semantics: Semantics) -> None:
        self._document, self._written, self._semantics = document, written, semantics
        self.id = self._id(written.policy.id, ("policy", "id"))
        # what was written for 4.x says `title`, and OSRegex was its default: read as PCRE2 it would
        # find nothing where there is something
        old = semantics == 4 or not any(_text(check.name) for check in written.checks)
        default: Engine = "osregex" if old else "pcre2"
        self.engine = self._engine(written.policy.regex_type, ("policy", "regex_type"), default)
        texts = {name: _text(value) for name, value in (written.variables or {}).items()}
        try:
            self._variables = Variables(texts)
        except VariableError as error:
            raise document.error(("variables", error.name), str(error)) from error
        self._known: dict[tuple[str, Engine], Rule] = {}

    def requirements(self) -> Check | None:
        it = self._written.requirements
        if it is None:
            return None
        where: Path = ("requirements",)
        title = _text(it.title) or _text(it.name) or "requirements"
        condition = self._condition(it.condition, where)
        rules = self._rules(it.rules, where, self.engine)
        line = self._document.line(where)
        return Check("requirements", Text(title, title), condition, rules, line=line)

    def checks(self) -> tuple[Check, ...]:
        if not self._written.checks:
            raise self._document.error(("checks",), "there is no check")
        if len(self._written.checks) > MAX_CHECKS:
            raise self._document.error(("checks",), f"there are more than {MAX_CHECKS} checks")
        found: dict[str, Check] = {}
        for number, it in enumerate(self._written.checks):
            where: Path = ("checks", number)
            name = self._id(it.id, (*where, "id"))
            if name in found:
                line = found[name].line
                raise self._document.error((*where, "id"), f"{name} is the check on line {line}")
            engine = self._engine(it.regex_type, (*where, "regex_type"), self.engine)
            title = _text(it.title) or _text(it.name) or f"check {name}"
            found[name] = Check(
                name,
                Text(title, title),
                self._condition(it.condition, where),
                self._rules(it.rules, where, engine),
                {**_compliance(it.compliance), **_mitre(it.mitre)},
                self._document.line(where),
            )
        return tuple(found.values())

    def _rules(self, texts: tuple[str, ...], where: Path, engine: Engine) -> tuple[Rule, ...]:
        if len(texts) > MAX_RULES:
            raise self._document.error((*where, "rules"), f"has more than {MAX_RULES} rules")
        return tuple(self._rule(t, (*where, "rules", n), engine) for n, t in enumerate(texts))

    def _rule(self, text: str, where: Path, engine: Engine) -> Rule:
        known = self._known.get((text, engine))
        if known is None:
            try:
                known = grammar.rule(text, engine, self._semantics, self._variables.put_in)
            except ValueError as error:
                kind = "is no rule: " if isinstance(error, RuleError) else ""
                raise self._document.error(where, f"{text[:200]!r} {kind}{error}") from error
            self._known[text, engine] = known
        return known

    def _condition(self, text: str, where: Path) -> Condition:
        # "any required" and "all required" are from before 4.0
        match text.strip().removesuffix(" required"):
            case ("all" | "any" | "none") as condition:
                return condition
        raise self._document.error((*where, "condition"), f"{text!r} is not all, any or none")

    def _engine(self, value: Words, where: Path, default: Engine) -> Engine:
        match _text(value).lower():
            case "":
                return default
            case ("osregex" | "pcre2") as engine:
                return engine
        raise self._document.error(where, f"{value!r} is not osregex or pcre2")

    def _id(self, value: Words, where: Path) -> str:
        text = _text(value)
        if not _ID.fullmatch(text):
            problem = "must be letters, digits, `.`, `_` and `-`, at most 100"
            raise self._document.error(where, f"{text[:100]!r} {problem}")
        return text


def _text(value: Words) -> str:
    return "" if value is None else str(value).strip()


def _compliance(value: Any) -> dict[str, tuple[str, ...]]:
    """Requirements by standard: 4.x writes a list of mappings, 5.x one mapping. None is dropped."""
    found: dict[str, list[str]] = {}
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, Mapping):
            continue
        for standard, them in part.items():
            items = them if isinstance(them, list) else [them]
            found.setdefault(str(standard), []).extend(
                str(one) for one in items if isinstance(one, (str, int, float))
            )
    return {standard: tuple(dict.fromkeys(them)) for standard, them in found.items() if them}


def _mitre(value: Any) -> dict[str, tuple[str, ...]]:
    """5.x: techniques of MITRE ATT&CK beside the compliance."""
    found: list[str] = []
    for key in ("technique", "subtechnique"):
        part = value.get(key) if isinstance(value, dict) else None
        ids = part.get("id") if isinstance(part, dict) else None
        found += (one for one in ids if isinstance(one, str)) if isinstance(ids, list) else ()
    return {"mitre": tuple(found)} if found else {}
