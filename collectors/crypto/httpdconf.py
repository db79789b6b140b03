"""The configuration of Apache's httpd: httpd.apache.org/docs/2.4, "Configuration Files" and mod_ssl.

A section `<VirtualHost>` has its own settings above those of the main server, which it inherits. Sections that
ask for a module or a definition (`IfModule`, `IfDefine`, `IfVersion`) are taken as true, those with `!` as false.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from collectors.model import ParseError

MAX_DEPTH = 16
MAX_FILES = 2000
MAX_LINES = 200_000
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
_IF = frozenset({"ifmodule", "ifdefine", "ifversion", "iffile", "ifdirective", "ifsection", "if"})
_OF_SERVER = frozenset(
    {
        "sslengine",
        "sslprotocol",
        "sslciphersuite",
        "sslcertificatefile",
        "servername",
        "serveralias",
    }
    | {"header", "listen", "sslopensslconfcmd"}
)
# In their order, with their name: where only some paths are meant they do not count.
_IN_ORDER: Final = {
    **dict.fromkeys(("redirect", "redirectpermanent", "redirecttemp", "redirectmatch"), "aliases"),
    **dict.fromkeys(("rewriteengine", "rewritecond", "rewriterule"), "rewriting"),
}
_OF_SOME = frozenset(
    {"location", "locationmatch", "directory", "directorymatch", "files", "filesmatch", "proxy"}
    | {"proxymatch", "if", "elseif", "else", "limit", "limitexcept"}
)
_PROTOCOLS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

Include = Callable[[str], dict[str, str]]


class Line(NamedTuple):
    """One directive in small letters, or the begin (`<virtualhost`) or end (`</`) of a section."""

    source: str
    name: str
    words: list[str]


class Server(msgspec.Struct):
    """The main server or a virtual host: by directive the words of every time it was said."""

    addresses: list[str] = []
    source: str = ""
    said: dict[str, list[list[str]]] = {}
    main: Server | None = None

    def get(self, name: str) -> list[list[str]]:
        return self.said.get(name) or (self.main.get(name) if self.main else [])


def lines(path: str, text: str) -> Iterator[Line]:
    """The directives of one file, with lines that go on put together."""
    waiting: list[str] = []
    started = 1
    for number, raw in enumerate(text.split("\n"), 1):
        started = started if waiting else number
        raw = raw.rstrip("\r")
        if raw.endswith("\\"):
            waiting.append(raw[:-1])
            continue
        line = "".join([*waiting, raw]).strip()
        waiting = []
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(" ") if not line.startswith("<") else _section(line)
        name, *more = name.split("\t", 1)
        words = [a or b or c for a, b, c in _WORD.findall(" ".join([*more, rest]))]
        yield Line(f"{path}:{started}", name.lower(), words)


def _section(line: str) -> tuple[str, str, str]:
    name, space, rest = line.rstrip(">").replace("\t", " ").partition(" ")
    return name, space, rest


def patterns(line: Line, root: str) -> list[str]:
    """What an Include directive includes, as absolute patterns."""
    if line.name not in ("include", "includeoptional"):
        return []
    return [posixpath.join(root, word) for word in line.words if "$" not in word]


def root_of(path: str, text: str) -> str:
    """ServerRoot, or the folder that distributions have it at."""
    for line in lines(path, text):
        if line.name == "serverroot" and line.words:
            return line.words[0]
    folder = posixpath.dirname(path)
    return posixpath.dirname(folder) if posixpath.basename(folder) == "conf" else folder


def included(path: str, text: str, root: str) -> list[str]:
    return [pattern for line in lines(path, text) for pattern in patterns(line, root)]


def servers(path: str, text: str, include: Include) -> list[Server]:
    """The main server and its virtual hosts; raises ParseError and whatever `include` raises."""
    main = Server(source=f"{path}:1")
    reader = _Reader(root_of(path, text), include, main)
    reader.file(path, text, 0)
    return [main, *reader.hosts]


class _Reader:
    def __init__(self, root: str, include: Include, main: Server) -> None:
        self._root, self._include, self._main = root, include, main
        self._files = self._lines = 0
        self._host: Server | None = None
        self._skipped = 0  # depth of sections that do not hold
        self._some = 0  # depth of sections about certain paths
        self.hosts: list[Server] = []

    def file(self, path: str, text: str, depth: int) -> None:
        self._files += 1
        if depth > MAX_DEPTH or self._files > MAX_FILES:
            raise ParseError(f"{path}: too many includes")
        for line in lines(path, text):
            self._lines += 1
            if self._lines > MAX_LINES:
                raise ParseError(f"{line.source}: too many lines")
            if line.name.startswith("<"):
                self._section(line)
            elif not self._skipped:
                for pattern in patterns(line, self._root):
                    for name, content in self._include(pattern).items():
                        self.file(name, content, depth + 1)
                if line.name in _OF_SERVER:
                    here = self._host or self._main
                    here.said.setdefault(line.name, []).append(line.words)
                elif line.name in _IN_ORDER and not self._some:
                    here = self._host or self._main
                    here.said.setdefault(_IN_ORDER[line.name], []).append([line.name, *line.words])

    def _section(self, line: Line) -> None:
        name, closes = line.name.lstrip("</"), line.name.startswith("</")
        if name in _OF_SOME and not self._skipped:
            self._some = max(self._some + (-1 if closes else 1), 0)
        if self._skipped:
            self._skipped += -1 if closes else 1
        elif name in _IF and not closes and line.words and line.words[0].startswith("!"):
            self._skipped = 1
        elif name == "virtualhost":
            self._host = None
            if not closes:
                self._host = Server(line.words, line.source, main=self._main)
                self.hosts.append(self._host)


def protocols(words: list[str]) -> list[str]:
    """What `SSLProtocol` allows: `all` and names, added or taken away in order."""
    found: set[str] = set()
    for word in words:
        sign, name = (word[0], word[1:]) if word[:1] in ("+", "-") else ("", word)
        known = {p for p in _PROTOCOLS if p.lower() == name.lower()}
        them = set(_PROTOCOLS[1:]) if name.lower() == "all" else known
        found = found - them if sign == "-" else (found | them if sign else them)
    return [name for name in _PROTOCOLS if name in found]
