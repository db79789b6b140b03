"""How a pack is put together: what it extends, the rule files it includes, what it says itself.

A pack extends at most one other, and includes rule files: YAML documents of `params` and `rules`
alone, which several packs share. docs/rules.md describes the keys.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from collectors import strictyaml
from collectors.strictyaml import Document, DocumentError, Path
from rules import clauses
from rules.model import Cap, Pack, Rule, SideScore, Text
from rules.settings import PACKS, built_in, is_path

MAX_DEPTH = 8  # packs that extend one another
_PARAM = re.compile(r"""\bparams(?:\.|\[\s*["'])(\w+)""")

Read = Callable[[str], bytes]  # a document by its path; raises DocumentError


class Origin(NamedTuple):
    """Where a rule is written: its document, and its place among the `rules` of it."""

    document: Document
    number: int

    def error(self, path: Path, problem: str) -> DocumentError:
        return self.document.error(("rules", self.number, *path), problem)


class Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule file; `only` these of its rules, all if none is named."""

    file: str
    only: tuple[str, ...] = ()


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules that packs include, with the defaults of their parameters."""

    rules: tuple[Rule, ...]
    params: dict[str, Any] = {}


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pack as its author writes it."""

    pack: str
    title: Text
    rules: tuple[Rule, ...] = ()
    params: dict[str, Any] = {}
    extends: str = ""
    include: tuple[Include, ...] = ()
    clauses: dict[str, str] = {}
    off: dict[str, str] = {}
    layers: dict[str, Text] = {}
    caps: tuple[Cap, ...] = ()
    scores: dict[str, SideScore] = {}


class Assembled(NamedTuple):
    """A pack with, for each of its rules, where it is written; `own` are those not of its base."""

    pack: Pack
    origins: tuple[Origin, ...]
    document: Document
    written: Written
    base: Assembled | None

    @property
    def own(self) -> range:
        return range(len(self.base.pack.rules) if self.base else 0, len(self.pack.rules))


def path_of(name: str, folder: str = "") -> str:
    """The path of a pack by the name of a built-in one or by path, relative to `folder`."""
    if is_path(name):
        return os.path.join(folder, os.path.expanduser(name))
    path = os.path.join(PACKS, f"{name}.yaml")
    if not os.path.exists(path):
        raise DocumentError(
            name, None, f"there is no such pack; there are: {', '.join(built_in())}"
        )
    return path


def assemble(
    content: bytes | str, path: str, read: Read = strictyaml.read, depth: int = 0
) -> Assembled:
    """A pack whose expressions are not looked at; raises DocumentError."""
    document = Document(content, path)
    written = document.convert(Written)
    folder = os.path.dirname(path)
    base = None
    if written.extends:
        if depth >= MAX_DEPTH:
            raise document.error(("extends",), "packs extend one another without end")
        where = _found(document, ("extends",), written.extends, folder)
        base = assemble(read(where), where, read, depth + 1)
    rules = list(base.pack.rules) if base else []
    origins = list(base.origins) if base else []
    params: dict[str, Any] = {}
    for number, included in enumerate(written.include):
        where = _found(document, ("include", number, "file"), included.file, folder)
        source = Document(read(where), where)
        file = source.convert(RuleFile)
        _check_only(document, number, included, file)
        for place, rule in enumerate(file.rules):
            wanted = not included.only or rule.id in included.only
            if wanted and (mapped := _mapped(rule, written.clauses)) is not None:
                rules.append(mapped)
                origins.append(Origin(source, place))
        _merge(params, file.params, source)
    for place, rule in enumerate(written.rules):
        rules.append(_with_units(rule))
        origins.append(Origin(document, place))
    known = base.pack.params if base else {}
    named = _named(rules)
    params = {name: value for name, value in params.items() if name in named}
    _check_overrides(document, written, {**known, **params}, bool(base or written.include))
    _check_off(document, written.off, rules)
    pack = Pack(
        pack=written.pack,
        title=written.title,
        rules=tuple(rules),
        params={**known, **params, **written.params},
        layers={**(base.pack.layers if base else {}), **written.layers},
        caps=(*(base.pack.caps if base else ()), *written.caps),
        scores={**(base.pack.scores if base else {}), **written.scores},
        off={**(base.pack.off if base else {}), **written.off},
    )
    _check_twice(pack, origins)
    return Assembled(pack, tuple(origins), document, written, base)


def _found(document: Document, where: Path, name: str, folder: str) -> str:
    try:
        return path_of(name, folder)
    except DocumentError as error:
        raise document.error(where, error.problem) from error


def _check_only(document: Document, number: int, included: Include, file: RuleFile) -> None:
    known = [rule.id for rule in file.rules]
    for place, rule in enumerate(included.only):
        if rule not in known:
            raise document.error(
                ("include", number, "only", place),
                f"{included.file} has no rule {rule!r}{near(rule, known)}",
            )


def _mapped(rule: Rule, kept: Mapping[str, str]) -> Rule | None:
    """A rule with the clauses that the pack is about alone; None where it has none of these."""
    rule = _with_units(rule)
    if not kept:
        return rule
    maps = {
        standard: found
        for standard, them in rule.maps.items()
        if (found := tuple(c for c in them if c.startswith(kept.get(standard, ""))))
    }
    if not set(kept).issubset(maps):
        return None
    return msgspec.structs.replace(rule, maps=maps)


def _with_units(rule: Rule) -> Rule:
    """A rule with the GB/T 28448 units that belong to its GB/T 22239 clauses."""
    found = rule.maps.get(clauses.STANDARD, ())
    units = [unit for clause in found if (unit := clauses.unit(clause))]
    if not units or clauses.UNITS in rule.maps:
        return rule
    return msgspec.structs.replace(rule, maps={**rule.maps, clauses.UNITS: tuple(units)})


def _merge(params: dict[str, Any], more: Mapping[str, Any], source: Document) -> None:
    for name, value in more.items():
        if name in params and params[name] != value:
            raise source.error(
                ("params", name), "another rule file of the pack has another value for it"
            )
        params[name] = value


def _named(rules: Iterable[Rule]) -> set[str]:
    """The parameters that expressions of these rules name."""
    texts = (
        text
        for rule in rules
        for text in (*(rule.applies, rule.offenders, rule.unseen), rule.asserts)
    )
    shown = (text for rule in rules for text in (rule.actual, rule.expected))
    return {name for text in (*texts, *shown) for name in _PARAM.findall(text)}


def _check_overrides(
    document: Document, written: Written, known: Mapping[str, Any], builds: bool
) -> None:
    """A parameter that is neither of what is built on nor of the pack's own rules does nothing."""
    if not builds:
        return
    own = _named(written.rules)
    for name, value in written.params.items():
        if name in known:
            if kind(value) != kind(known[name]):
                raise document.error(
                    ("params", name), f"expected {kind(known[name])}, got {kind(value)}"
                )
        elif name not in own:
            raise document.error(
                ("params", name), f"no rule has the parameter {name!r}{near(name, list(known))}"
            )


def _check_off(document: Document, off: Mapping[str, str], rules: Iterable[Rule]) -> None:
    known = [rule.id for rule in rules]
    for rule, reason in off.items():
        if rule not in known:
            raise document.error(("off", rule), f"there is no rule {rule!r}{near(rule, known)}")
        if not reason.strip():
            raise document.error(("off", rule), "needs a reason")


def _check_twice(pack: Pack, origins: list[Origin]) -> None:
    seen: dict[str, Origin] = {}
    for rule, origin in zip(pack.rules, origins, strict=True):
        if known := seen.get(rule.id):
            line = known.document.line(("rules", known.number, "id"))
            same = known.document is origin.document
            where = f"on line {line}" if same else f"in {known.document.path}:{line}"
            raise origin.error(("id",), f"the rule {rule.id!r} is {where} already")
        seen[rule.id] = origin


def near(written: str, known: list[str]) -> str:
    """A hint at what was perhaps meant, or nothing."""
    found = difflib.get_close_matches(written, sorted(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def kind(value: Any) -> str:
    """What a value is, in a YAML writer's words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, (list, tuple)) else "mapping"
