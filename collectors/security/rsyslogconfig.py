"""rsyslog's configuration, as far as it says where records go: rsyslog.conf(5), the RainerScript
reference of rsyslog 8.

Both styles are read, `*.* @@host:514` and `action(type="omfwd" …)`, and what is included where it
stands. Of parameters only those that are named here are kept: a password of a database is not.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable
from typing import Any

import msgspec

from collectors.model import ParseError

MAX_DEPTH = 10
MAX_FILES = 500
MAX_ACTIONS = 10_000

# What a statement begins with, each tried where the one before ended. Where one does not end, the
# file does not parse: nothing is looked at twice.
_SPACE = re.compile(r"(?:[ \t\r\n;]+|#[^\n]*)+")
_LINE = re.compile(r"(?:[^\n\\]|\\.)*", re.DOTALL)
_OBJECT = re.compile(r"([a-z_]+)[ \t\r\n]*\(", re.IGNORECASE)
_INSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|[^")#]+', re.DOTALL)
_PARAM = re.compile(
    r'(?<![\w.])([\w.]{1,64})[ \t\r\n]*=[ \t\r\n]*\[?[ \t\r\n]*"((?:[^"\\]|\\.)*)"', re.DOTALL
)
_IF = re.compile(r"(?:else[ \t\r\n]+)?if\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?!\bthen\b)[^"'])*+\bthen\b""",
    re.DOTALL | re.IGNORECASE,
)
_SELECTOR = re.compile(r"[\w*,;!=-]*[\w*]\.(?:[\w*,.;!=-]|(?<=[;,])\\\n[ \t]*)++(?=[ \t{\\])")
_CONTINUED = re.compile(r"\\\n[ \t]*")
_PROPERTY = re.compile(r':[\w!$.-]+[ \t]*,[ \t]*!?\w+[ \t]*,[ \t]*"(?:[^"\\\n]|\\.)*"')
_FORWARD = re.compile(r"(@@?)(?:\([^)\n]*\))?(\[[^\]\n]+\]|[^:;\s]+)(?::(\w+))?")
_RELP = re.compile(r":omrelp:(\[[^\]\n]+\]|[^:;\s]+)(?::(\w+))?")
_FILE = re.compile(r"-?(/[^;\s]+)")
_OCTAL = re.compile(r"[0-7]{1,5}")
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
    loopback; `inputs`: protocol, port; each with source."""

    files: list[dict[str, Any]] = []
    forwards: list[dict[str, Any]] = []
    inputs: list[dict[str, Any]] = []
    mode: int = 0o644  # what omfile takes where nothing is said
    umask: int = 0
    driver: str = ""  # the one that is taken where an action names none
    driver_mode: str = "0"


def parse(path: str, text: str, include: Include, umask: int = 0) -> Config:
    """The configuration that begins with this file. `include` gives the files of a pattern, `umask`
    is what the daemon is started with."""
    config = Config(umask=umask)
    _Reader(config, include, path, text, [0], 0).read()
    for row in config.forwards:  # the driver may be told after the action
        driver = row.pop("driver")
        secure = (driver or config.driver).lower() in ("gtls", "ossl", "mbedtls")
        row["tls"] = row["tls"] or (row.pop("mode") == "1" and secure)
        row.pop("mode", None)
    return config


class _Reader:
    """Reads one file into a configuration; `count` is of the files of all."""

    def __init__(
        self, config: Config, include: Include, path: str, text: str, count: list[int], depth: int
    ) -> None:
        self.config, self.include, self.path, self.text = config, include, path, text
        self.count, self.depth = count, depth
        self.position = 0
        self.scopes: list[str] = []
        self.selector = self.last = ""
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
        if match := _SPACE.match(text, start):
            self.position = match.end()
        elif text.startswith("/*", start):
            end = text.find("*/", start + 2)
            self.position = end + 2 if end >= 0 else len(text)
        elif text[start] == "{":
            self.scopes.append(self.selector)
            self.selector, self.position = "", start + 1
        elif text[start] == "}":
            self.selector = ""
            if self.scopes:
                self.scopes.pop()
            self.position = start + 1
        elif text[start] == "$":
            self.directive(self.line())
        elif match := _IF.match(text, start):
            condition = _CONDITION.match(text, match.end())
            if condition is None:
                raise ParseError(f"{self.source}: if without then")
            self.selector, self.position = "if", condition.end()
        elif match := _OBJECT.match(text, start):
            self.object(match[1].lower(), match.end())
        elif match := _SELECTOR.match(text, start) or _PROPERTY.match(text, start):
            self.selected(match[0], match.end())
        elif text[start] == "&":
            self.selected(self.last, start + 1)
        elif text[start] in ":@/-|?^*~" and (self.selector or self.scopes):
            self.legacy(self.line())
        elif text.startswith("else", start):
            self.selector, self.position = "else", start + 4
        else:  # stop, call, set, a BSD block
            self.line()
            self.selector = ""

    def line(self) -> str:
        """The rest of the line and of those that continue it."""
        match = _LINE.match(self.text, self.position)
        end = match.end() if match else self.position
        line = self.text[self.position : end]
        self.at = self.source
        self.position = max(end, self.position + 1)
        return line

    def selected(self, selector: str, end: int) -> None:
        """A selector, and the action on its line where there is one in the old style."""
        self.selector = self.last = _CONTINUED.sub("", selector)[:200]
        while self.text[end : end + 1] in (" ", "\t") or self.text.startswith("\\\n", end):
            end += 2 if self.text[end] == "\\" else 1
        self.position = end
        following = self.text[end : end + 1]
        if following in ("\n", "", "{") or _OBJECT.match(self.text, end):
            return
        self.legacy(self.line())

    def within(self) -> str:
        """What the action that comes is for; it is used up by it."""
        found = self.selector or next((s for s in reversed(self.scopes) if s), "*.*")
        self.selector = ""
        return found

    def legacy(self, line: str) -> None:
        selector, action = self.within(), line.strip()
        if match := _FORWARD.match(action):
            protocol = "tcp" if match[1] == "@@" else "udp"
            mode = self.config.driver_mode if protocol == "tcp" else "0"
            self.forward(selector, match[2], match[3] or "514", protocol, mode=mode)
        elif match := _RELP.match(action):
            self.forward(selector, match[1], match[2] or "514", "relp")
        elif match := _FILE.match(action):
            self.file(selector, match[1], self.config.mode)

    def directive(self, line: str) -> None:
        name, _, value = line[1:].replace("\t", " ").partition(" ")
        name, value = name.lower(), value.strip()
        first = value.split(" ")[0].strip('"')
        if name == "includeconfig":
            self.included(first)
        elif name == "filecreatemode" and _OCTAL.fullmatch(first):
            self.config.mode = int(first, 8)
        elif name == "umask" and _OCTAL.fullmatch(first):
            self.config.umask = int(first, 8)
        elif name == "defaultnetstreamdriver":
            self.config.driver = first
        elif name == "actionsendstreamdrivermode":
            self.config.driver_mode = first
        elif name == "resetconfigvariables":
            self.config.mode, self.config.driver_mode = 0o644, "0"
        elif name in _LEGACY_INPUTS:
            self.input(_LEGACY_INPUTS[name], first)

    def object(self, name: str, end: int) -> None:
        self.at = self.source
        inside = []
        while match := _INSIDE.match(self.text, end):
            end = match.end()
            if not match[0].startswith("#"):
                inside.append(match[0])
        if self.text[end : end + 1] != ")":
            raise ParseError(f"{self.at}: {name[:40]}( without its end")
        self.position = end + 1
        told = {key.lower(): value for key, value in _PARAM.findall("".join(inside))}
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
            self.selector = f"ruleset {told.get('name', '')[:100]}"
        elif name == "action":
            self.action(kind, told)

    def action(self, kind: str, told: dict[str, str]) -> None:
        selector = self.within()
        if kind == "omfile" and told.get("file"):
            octal = _octal(told.get("filecreatemode", ""), self.config.mode)
            self.file(selector, told["file"], octal)
        elif kind == "omfwd" and told.get("target"):
            protocol = told.get("protocol", "udp").lower()
            mode, driver = told.get("streamdrivermode", "0"), told.get("streamdriver", "")
            mode = mode if protocol == "tcp" else "0"
            self.forward(selector, told["target"], told.get("port", "514"), protocol, mode, driver)
        elif kind == "omrelp" and told.get("target"):
            tls = told.get("tls", "off").lower() == "on"
            self.forward(selector, told["target"], told.get("port", "514"), "relp", tls=tls)
        elif kind in _OTHERS and told.get(_OTHERS[kind]):
            tls = told.get("usehttps", "off").lower() == "on"
            target, port = told[_OTHERS[kind]], told.get("serverport", "")
            target = target.rpartition("@")[2]  # a URL may carry a password
            self.forward(selector, target, port, kind[2:], tls=tls)

    def forward(
        self,
        selector: str,
        target: str,
        port: str,
        protocol: str,
        mode: str = "0",
        driver: str = "",
        tls: bool = False,
    ) -> None:
        self.add(
            self.config.forwards,
            selector=selector,
            target=target.strip("[]")[:255],
            port=port[:20],
            protocol=protocol,
            tls=tls,
            loopback=target.strip("[]").startswith(_LOCAL),
            mode=mode,
            driver=driver,
        )

    def file(self, selector: str, path: str, mode: int) -> None:
        octal = f"{mode & ~self.config.umask & 0o7777:04o}"
        self.add(self.config.files, selector=selector, path=path[:1000], mode=octal)

    def input(self, protocol: str, port: str) -> None:
        self.add(self.config.inputs, protocol=protocol, port=port[:20])

    def add(self, rows: list[dict[str, Any]], **row: Any) -> None:
        if len(rows) >= MAX_ACTIONS:
            raise ParseError(f"{self.at}: too many actions")
        rows.append({**row, "source": self.at})

    def included(self, pattern: str) -> None:
        if not pattern.startswith("/"):
            raise ParseError(f"{self.source}: include of what is no absolute path")
        if pattern.endswith("/"):
            pattern += "*"
        for path, text in sorted(self.include(pattern).items()):
            _Reader(self.config, self.include, path, text, self.count, self.depth + 1).read()


def _octal(text: str, otherwise: int) -> int:
    return int(text, 8) if _OCTAL.fullmatch(text) else otherwise
