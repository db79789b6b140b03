"""What the lines of sudoers(5) come to: aliases resolved, Defaults applied, the last rule winning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from collectors.model import ParseError
from collectors.security.identity import sudoersdefaults, sudoerslines
from collectors.security.identity.sudoerslines import DIGEST, Line, Specification
from collectors.security.identity.sudoerspeople import People

MAX_RULES = 20_000
MAX_KINDS = 200  # of one specification
MAX_MEMBERS = 100_000  # of all lists together, resolved
MAX_ALIASES = 128  # that name one another
_LISTS = ("except", "hosts", "runas", "runas_groups", "commands", "denied")
_Kind = tuple[tuple[str, ...], tuple[str, ...], frozenset[str], bool]


class Policy:
    """Lines taken one by one, then the rules they come to."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.defaults: dict[str, Any] = dict(sudoersdefaults.DEFAULTS)
        self.sources: dict[str, str] = {}
        self.scoped: list[dict[str, Any]] = []
        self.not_understood: list[dict[str, str]] = []
        self._aliases: dict[str, dict[str, list[str]]] = {}
        self._resolved: dict[tuple[str, str], dict[str, bool]] = {}
        self._specifications: list[Specification] = []
        self._members = 0

    def add(self, line: Line) -> None:
        if line.text.startswith("Defaults") and (found := sudoerslines.defaults(line)):
            self._default(line, *found)
            return
        try:
            if alias := sudoerslines.alias(line):
                self._aliases.setdefault(alias[0], {}).update(alias[1])
                return
        except ParseError:
            self._odd(line)
            return
        if specifications := sudoerslines.specifications(line):
            self._specifications += specifications
        else:
            self._odd(line)

    def _odd(self, line: Line) -> None:
        self.not_understood.append({"key": line.source, "source": line.source})

    def _default(self, line: Line, sign: str, scope: str, settings: list[str]) -> None:
        values: dict[str, Any] = {} if sign else self.defaults
        for setting in settings:
            name, value = sudoersdefaults.setting(setting, values)
            if value is None:
                self._odd(line)
                continue
            values[name] = value
            if not sign:
                self.sources[name] = line.source
        if sign:
            row = {"sign": sign, "scope": scope, "settings": values, "source": line.source}
            self.scoped.append(row)

    def rules(self) -> list[dict[str, Any]]:
        """One row for each user of a specification and each list of commands of one kind."""
        found: dict[tuple[object, ...], dict[str, Any]] = {}
        asked = self._asked()
        certain = self._people.asked(self._exempt_groups())
        for specification in self._specifications:
            for row in self._rows(specification, asked, certain):
                # the later of two rules for the same is the one that counts, if it always holds
                lists = (row[it] for it in _LISTS)
                key = (row["who"], *map(tuple, lists), len(found) if row["limited"] else -1)
                found.pop(key, None)
                found[key] = row
                if len(found) > MAX_RULES:
                    raise ParseError(f"sudoers: more than {MAX_RULES} rules")
        rows = _without_overridden(list(found.values()))
        seen: Counter[str] = Counter()
        for row in rows:
            # without the line, which changes when something else is written above
            name = f"{row['who']} {row['source'].rpartition(':')[0]}"
            seen[name] += 1
            row["key"] = name if seen[name] == 1 else f"{name} #{seen[name]}"
        return rows

    def _rows(
        self, spec: Specification, asked: dict[str, bool], certain: frozenset[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        users = self._resolve("User", spec.users)
        hosts = self._resolve("Host", spec.hosts)
        by_kind: dict[_Kind, dict[str, bool]] = {}
        for it in spec.commands:
            # `()` and `(:group)` are for running as oneself
            written, _, groups = ("root" if it.runas is None else it.runas).partition(":")
            runas = tuple(_signed(self._resolve("Runas", sudoerslines.names(written))))
            as_groups = tuple(sudoerslines.names(groups))
            marked = self._resolve("Cmnd", [it.command])
            commands = {name.lstrip(DIGEST): wanted for name, wanted in marked.items()}
            limited = it.limited or any(name.startswith(DIGEST) for name in marked)
            # one that is not meant takes it from what was said before, under whatever tags
            denied = [name for name, wanted in commands.items() if not wanted and not limited]
            for other, before in by_kind.items() if denied else ():
                same = other[0] == runas and _in_groups(other[1], as_groups)
                for name in denied if same else ():
                    before.pop(name, None)
            kind = (runas, as_groups, it.tags, limited)
            _merge(by_kind.setdefault(kind, {}), commands)
            if len(by_kind) > MAX_KINDS:
                raise ParseError(f"{spec.source}: more than {MAX_KINDS} ways to run commands")
        excepted = [name for name, wanted in users.items() if not wanted]
        usual = asked.get("ALL", bool(self.defaults["authenticate"]))
        for (runas, as_groups, tags, limited), commands in by_kind.items():
            for name in (name for name, wanted in users.items() if wanted):
                yield {
                    "who": name,
                    "except": excepted,
                    "hosts": _signed(hosts),
                    "runas": list(runas),
                    "runas_groups": list(as_groups),
                    "root": self._people.can_be_root(runas),
                    "commands": [command for command, wanted in commands.items() if wanted],
                    "denied": [command for command, wanted in commands.items() if not wanted],
                    "all": commands.get("ALL", False),
                    **self._tagged(tags, asked.get(name, usual), commands.get("ALL", False)),
                    "limited": limited,
                    "source": spec.source,
                    # in a group that is never asked, whatever the tags say
                    **({} if certain is None or name in certain else {"nopasswd": True}),
                }

    def _tagged(self, tags: frozenset[str], asked: bool, everything: bool) -> dict[str, bool]:
        return {
            "nopasswd": "NOPASSWD" in tags or ("PASSWD" not in tags and not asked),
            "noexec": "NOEXEC" in tags or ("EXEC" not in tags and bool(self.defaults["noexec"])),
            "setenv": "SETENV" in tags or ("NOSETENV" not in tags and everything),
        }

    def _asked(self) -> dict[str, bool]:
        """Whom sudo asks for a password, or does not, other than everyone: `Defaults:who !authenticate`."""
        asked: dict[str, bool] = {}
        for row in self.scoped:
            if row["sign"] == ":" and "authenticate" in row["settings"]:
                for name, meant in self._resolve("User", sudoerslines.names(row["scope"])).items():
                    if meant:
                        asked[name] = bool(row["settings"]["authenticate"])
        # on some hosts, as some users or for some commands: on, as and for these all are free
        others = (row["settings"] for row in self.scoped if row["sign"] != ":")
        if not all(it.get("authenticate", True) for it in others):
            return {**dict.fromkeys(asked, False), "ALL": False}
        return asked

    def _exempt_groups(self) -> frozenset[str]:
        """Groups that are never asked, be it of everyone or only somewhere."""
        every = (self.defaults, *(row["settings"] for row in self.scoped))
        return frozenset(it["exempt_group"] for it in every if it.get("exempt_group"))

    def _resolve(self, kind: str, members: list[str], depth: int = 0) -> dict[str, bool]:
        """Literal members → whether they are meant (`!` is not); the last of two wins."""
        found: dict[str, bool] = {}
        for member in members:
            mark = DIGEST if member.startswith(DIGEST) else ""
            name = member.lstrip(f"!{DIGEST}")
            wanted = (len(member) - len(mark) - len(name)) % 2 == 0
            inner = self._alias(kind, name, depth)
            them = {mark + name: True} if inner is None else inner
            _merge(found, {literal: meant == wanted for literal, meant in them.items()})
        self._members += len(found)
        if self._members > MAX_MEMBERS:
            raise ParseError(f"sudoers: lists of more than {MAX_MEMBERS} members")
        return found

    def _alias(self, kind: str, name: str, depth: int) -> dict[str, bool] | None:
        members = self._aliases.get(kind, {}).get(name)
        if members is None or name == "ALL":
            return None
        if (kind, name) not in self._resolved:
            if depth > MAX_ALIASES:
                raise ParseError(f"sudoers: {kind}_Alias {name} names itself")
            self._resolved[kind, name] = self._resolve(kind, members, depth + 1)
        return self._resolved[kind, name]


def _merge(found: dict[str, bool], later: dict[str, bool]) -> None:
    """The last that matches wins, so ALL takes the place of all before it."""
    for literal, meant in later.items():
        if literal == "ALL":
            found.clear()
        found.pop(literal, None)
        found[literal] = meant


def _signed(members: dict[str, bool]) -> list[str]:
    return [name if wanted else f"!{name}" for name, wanted in members.items()]


def _in_groups(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether who runs as one of some groups may also run as one of the others."""
    return "ALL" in others or set(some) <= set(others)


def _without_overridden(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that a later rule for everything takes the place of, for the same user."""
    kept: list[dict[str, Any]] = []
    # whom later rules let one run as, without a group and with any of them
    covered: dict[tuple[str, bool], set[str]] = {}
    for row in reversed(rows):
        who = row["who"]
        later = covered.setdefault((who, bool(row["runas_groups"])), set())
        # no one to run as: as oneself
        if "ALL" not in later and not (row["runas"] and later.issuperset(row["runas"])):
            kept.append(row)
        whole = row["all"] and not row["denied"] and not row["except"] and row["hosts"] == ["ALL"]
        negated = any(name.startswith("!") for name in row["runas"])
        if whole and not negated and not row["limited"]:
            for grouped in (False, True) if "ALL" in row["runas_groups"] else (False,):
                covered.setdefault((who, grouped), set()).update(row["runas"])
    return kept[::-1]
