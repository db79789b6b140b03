"""rsyslog's configuration, as far as it says where records go: rsyslog.conf(5), the RainerScript
reference of rsyslog 8.

Both styles are read, `*.* @@host:514` and `action(type="omfwd" …)`, and what is included where it
stands. Of parameters only those that are named here are kept: a password of a database is not.
"""

from __future__ import annotations

import posixpath
from bisect import bisect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from collectors.model import ParseError
from collectors.security.logging import rsyslogflow
from collectors.security.logging import rsysloggrammar as grammar
from collectors.security.logging.rsyslogflow import Event, Scope

MAX_DEPTH = 10
MAX_FILES = 500
MAX_ACTIONS = 10_000
MAX_SCOPES = 50

_LOCAL = ("127.", "::1", "localhost")
_OTHERS = {
    "omkafka": "broker",
    "omelasticsearch": "server",
    "omhttp": "server",
    "omclickhouse": "server",
    "ommysql": "server",
    "ompgsql": "server",
}
_INPUTS = {"imtcp": "tcp", "imptcp": "tcp", "imudp": "udp", "imrelp": "relp"}
_LEGACY_INPUTS = {
    "inputtcpserverrun": "tcp",
    "udpserverrun": "udp",
    "inputrelpserverrun": "relp",
    "inputptcpserverrun": "tcp",
}

Include = Callable[[str], dict[str, str]]


class Config(msgspec.Struct):
    """What was found. `files`: selector, path, mode; `forwards`: selector, target, port, protocol, tls,
    loopback; both with ruleset and logins; `inputs`: protocol, port; each with source."""

    files: list[dict[str, Any]] = []
    forwards: list[dict[str, Any]] = []
    inputs: list[dict[str, Any]] = []
    mode: int = 0o644  # what omfile takes where nothing is said
    umask: int = 0
    driver: str = ""  # the one that is taken where an action names none
    driver_mode: str = "0"
    ruleset: str = rsyslogflow.DEFAULT  # that what comes is of, where no block says another
    default: str = rsyslogflow.DEFAULT  # what inputs feed that name none
    events: dict[str, list[Event]] = {}


def parse(path: str, text: str, include: Include, umask: int = 0) -> Config:
    """The configuration that begins with this file. `include` gives the files of a pattern, `umask`
    is what the daemon is started with."""
    config = Config(umask=umask)
    _Reader(config, include, path, text, [0]).read()
    for row in config.forwards:  # the driver may be told after the action
        driver = row.pop("driver")
        secure = (driver or config.driver).lower() in ("gtls", "ossl", "mbedtls")
        row["tls"] = row["tls"] or (row.pop("mode") == "1" and secure)
        row.pop("mode", None)
    rsyslogflow.mark(config.events, config.default)
    return config


class _Reader:
    """Reads one file into a configuration; `count` is of the files of all, `around` are the blocks
    that it is included in."""

    def __init__(
        self,
        config: Config,
        include: Include,
        path: str,
        text: str,
        count: list[int],
        around: Sequence[Scope] = (),
        depth: int = 0,
    ) -> None:
        self.config, self.include, self.path, self.text = config, include, path, text
        self.count, self.depth = count, depth
        self.position = 0
        self.scopes: list[Scope] = [*around]
        self.outer = len(around)
        self.filter = Scope()  # of the statement that comes
        self.last = ""
        self.branch = rsyslogflow.UNKNOWN.otherwise  # what the `else` that may come takes
        self.breaks = [n for n, letter in enumerate(text) if letter == "\n"]

    def read(self) -> None:
        self.count[0] += 1
        if self.depth > MAX_DEPTH or self.count[0] > MAX_FILES:
            raise ParseError(f"{self.path}: includes without end")
        while self.position < len(self.text):
            self.statement()

    @property
    def source(self) -> str:
        return f"{self.path}:{bisect(self.breaks, self.position - 1) + 1}"

    def statement(self) -> None:
        text, start = self.text, self.position
        if match := grammar.SPACE.match(text, start):
            self.position = match.end()
        elif text.startswith("/*", start):
            end = text.find("*/", start + 2)
            self.position = end + 2 if end >= 0 else len(text)
        elif text[start] == "{":
            if len(self.scopes) >= MAX_SCOPES:
                raise ParseError(f"{self.source}: blocks without end")
            self.scopes.append(self.filter)
            self.filter, self.position = Scope(), start + 1
        elif text[start] == "}":
            self.filter = Scope()
            if len(self.scopes) > self.outer and (closed := self.scopes.pop()).selector in (
                "if",
                "else",
            ):
                self.branch = closed.takes.otherwise
            self.position = start + 1
        elif text[start] == "$":
            self.directive(self.line())
        elif match := grammar.IF.match(text, start):
            condition = grammar.CONDITION.match(text, match.end())
            if condition is None:
                raise ParseError(f"{self.source}: if without then")
            takes = rsyslogflow.condition(condition[0])
            takes = takes & self.branch if match[0][:4].lower() == "else" else takes
            self.branch = takes.otherwise
            self.filter, self.position = Scope("if", takes), condition.end()
        elif match := grammar.OBJECT.match(text, start):
            self.object(match[1].lower(), match.end())
        elif match := grammar.SELECTOR.match(text, start) or grammar.PROPERTY.match(text, start):
            self.selected(match[0], match.end())
        elif text[start] == "&":
            self.selected(self.last, start + 1)
        elif match := grammar.STOP.match(text, start):
            self.flow(match.end())
        elif match := grammar.CALL.match(text, start):
            self.flow(match.end(), match[1])
        elif text[start] in ":@/-|?^*" and (self.filter.selector or self.scopes):
            self.legacy(self.line())
        elif text.startswith("else", start):
            self.filter, self.position = Scope("else", self.branch), start + 4
        elif match := grammar.WORD.match(text, start):
            self.filter, self.position = Scope(), max(match.end(), start + 1)
        else:  # a BSD block
            self.line()
            self.filter = Scope()

    def flow(self, end: int, calls: str = "") -> None:
        """A record ends here, or goes through another ruleset."""
        self.within(None, calls)
        self.position = end

    def line(self) -> str:
        """The rest of the line and of those that continue it."""
        match = grammar.LINE.match(self.text, self.position)
        end = match.end() if match else self.position
        line = self.text[self.position : end]
        self.at = self.source
        self.position = max(end, self.position + 1)
        return line

    def selected(self, selector: str, end: int) -> None:
        """A selector, and the action on its line where there is one in the old style."""
        self.last = grammar.CONTINUED.sub("", selector)
        self.filter = Scope(self.last[:200], rsyslogflow.filtered(self.last))
        while self.text[end : end + 1] in (" ", "\t") or self.text.startswith("\\\n", end):
            end += 2 if self.text[end] == "\\" else 1
        self.position = end
        following = self.text[end : end + 1]
        if following in ("\n", "", "{") or any(
            pattern.match(self.text, end)
            for pattern in (grammar.OBJECT, grammar.STOP, grammar.CALL)
        ):
            return
        self.legacy(self.line())

    def within(self, row: dict[str, Any] | None, calls: str = "") -> None:
        """A statement comes, with the filter before it, which is used up, and those around."""
        takes, ruleset = rsyslogflow.within((*self.scopes, self.filter))
        ruleset = ruleset or self.config.ruleset
        if row is not None:
            row["ruleset"] = ruleset
        events = self.config.events.setdefault(ruleset, [])
        if len(events) >= MAX_ACTIONS:
            raise ParseError(f"{self.source}: too many statements")
        events.append(Event(takes, row, calls))
        self.filter = Scope()

    @property
    def selector(self) -> str:
        """What the action that comes is for."""
        found = (s.selector for s in (self.filter, *reversed(self.scopes)) if s.selector)
        return next(found, "*.*")

    def legacy(self, line: str) -> None:
        action = line.strip()
        if match := grammar.FORWARD.match(action):
            protocol = "tcp" if match[1] == "@@" else "udp"
            mode = self.config.driver_mode if protocol == "tcp" else "0"
            self.forward(match[2], match[3] or "514", protocol, mode=mode)
        elif match := grammar.RELP.match(action):
            self.forward(match[1], match[2] or "514", "relp")
        elif match := grammar.FILE.match(action):
            self.file(match[1], self.config.mode)
        self.filter = Scope()

    def directive(self, line: str) -> None:
        name, _, value = line[1:].replace("\t", " ").partition(" ")
        name, value = name.lower(), value.strip()
        first = value.split(" ")[0].strip('"')
        if name == "includeconfig":
            self.included(first)
        elif name == "filecreatemode" and grammar.OCTAL.fullmatch(first):
            self.config.mode = int(first, 8)
        elif name == "umask" and grammar.OCTAL.fullmatch(first):
            self.config.umask = int(first, 8)
        elif name == "defaultnetstreamdriver":
            self.config.driver = first
        elif name == "actionsendstreamdrivermode":
            self.config.driver_mode = first
        elif name == "resetconfigvariables":
            self.config.mode, self.config.driver_mode = 0o644, "0"
        elif name == "ruleset":
            self.config.ruleset = first or rsyslogflow.DEFAULT
        elif name == "defaultruleset":
            self.config.default = first or rsyslogflow.DEFAULT
        elif name in _LEGACY_INPUTS:
            self.input(_LEGACY_INPUTS[name], first)

    def object(self, name: str, end: int) -> None:
        self.at = self.source
        inside = []
        while match := grammar.INSIDE.match(self.text, end):
            end = match.end()
            if not match[0].startswith("#"):
                inside.append(match[0])
        if self.text[end : end + 1] != ")":
            raise ParseError(f"{self.at}: {name[:40]}( without its end")
        self.position = end + 1
        told = {key.lower(): value for key, value in grammar.PARAM.findall("".join(inside))}
        kind = told.get("type", "").lower()
        if name == "include":
            self.included(told.get("file", ""))
        elif name == "global":
            self.config.driver = told.get("defaultnetstreamdriver", self.config.driver)
            self.config.umask = _octal(told.get("umask", ""), self.config.umask)
        elif name == "module" and told.get("load", "") == "builtin:omfile":
            self.config.mode = _octal(told.get("filecreatemode", ""), self.config.mode)
        elif name == "input" and kind in _INPUTS:
            self.input(_INPUTS[kind], told.get("port", ""))
        elif name == "ruleset":
            called = told.get("name", "")[:100]
            self.filter = Scope(f"ruleset {called}", ruleset=called)
        elif name == "action":
            self.action(kind, told)

    def action(self, kind: str, told: dict[str, str]) -> None:
        if kind == "omfile" and told.get("file"):
            self.file(told["file"], _octal(told.get("filecreatemode", ""), self.config.mode))
        elif kind == "omfwd" and told.get("target"):
            protocol = told.get("protocol", "udp").lower()
            mode, driver = told.get("streamdrivermode", "0"), told.get("streamdriver", "")
            mode = mode if protocol == "tcp" else "0"
            self.forward(told["target"], told.get("port", "514"), protocol, mode, driver)
        elif kind == "omrelp" and told.get("target"):
            tls = told.get("tls", "off").lower() == "on"
            self.forward(told["target"], told.get("port", "514"), "relp", tls=tls)
        elif kind in _OTHERS and told.get(_OTHERS[kind]):
            tls = told.get("usehttps", "off").lower() == "on"
            target, port = told[_OTHERS[kind]], told.get("serverport", "")
            target = target.rpartition("@")[2]  # a URL may carry a password
            self.forward(target, port, kind[2:], tls=tls)
        elif kind == "omdiscard":
            self.within(None)
        self.filter = Scope()

    def forward(
        self,
        target: str,
        port: str,
        protocol: str,
        mode: str = "0",
        driver: str = "",
        tls: bool = False,
    ) -> None:
        row = {
            "target": target.strip("[]")[:255],
            "port": port[:20],
            "protocol": protocol,
            "tls": tls,
            "loopback": target.strip("[]").startswith(_LOCAL),
            "mode": mode,
            "driver": driver,
        }
        self.add(self.config.forwards, self.taken(row))

    def file(self, path: str, mode: int) -> None:
        if posixpath.normpath(path).startswith("/dev/"):
            return  # a device keeps nothing
        octal = f"{mode & ~self.config.umask & 0o7777:04o}"
        self.add(self.config.files, self.taken({"path": path[:1000], "mode": octal}))

    def taken(self, row: dict[str, Any]) -> dict[str, Any]:
        row = {"selector": self.selector, **row}
        self.within(row)
        return row

    def input(self, protocol: str, port: str) -> None:
        self.add(self.config.inputs, {"protocol": protocol, "port": port[:20]})

    def add(self, rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
        if len(rows) >= MAX_ACTIONS:
            raise ParseError(f"{self.at}: too many actions")
        row["source"] = self.at
        rows.append(row)

    def included(self, pattern: str) -> None:
        if not pattern.startswith("/"):
            raise ParseError(f"{self.source}: include of what is no absolute path")
        if pattern.endswith("/"):
            pattern += "*"
        for path, text in sorted(self.include(pattern).items()):
            around = (*self.scopes, self.filter)
            _Reader(
                self.config, self.include, path, text, self.count, around, self.depth + 1
            ).read()


def _octal(text: str, otherwise: int) -> int:
    return int(text, 8) if grammar.OCTAL.fullmatch(text) else otherwise
