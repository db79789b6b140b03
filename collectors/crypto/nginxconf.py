"""The configuration of nginx, and of Tengine and Tongsuo builds of it: nginx.org/en/docs, ngx_conf_file.

A directive of a block replaces the same one of the blocks around it. `include` is read where it stands.
What is of interest is the `server` blocks of `http`, `stream` and `mail`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from collectors.model import ParseError

MAX_DEPTH = 16
MAX_FILES = 2000
MAX_BLOCKS = 50  # in one another, of one file
MAX_STATEMENTS = 100_000
_TOKEN = re.compile(
    r"""[ \t\r\n]+|\#[^\n]*|(?P<punct>[;{}])
    |"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'
    |(?P<bare>(?![\#"'])(?:\$\{[^}\s]{0,200}\}|\\.|[^\s;{}\\])+)""",
    re.DOTALL | re.VERBOSE,
)
_ADDING = frozenset(
    {"listen", "server_name", "ssl_certificate", "ssl_certificate_key"}
) | frozenset({"ssl_sign_certificate", "ssl_enc_certificate", "add_header"})

Include = Callable[[str], dict[str, str]]


class Statement(NamedTuple):
    """One directive; `opens` a block, or closes one where it has no words."""

    source: str
    words: list[str]
    opens: bool = False


class Block(msgspec.Struct):
    """A block: what it says itself, by directive; of each the words of every time it was said.
    `steps` are its directives and blocks in their order, of servers and what is in them alone."""

    kind: str
    outer: Block | None = None
    source: str = ""
    said: dict[str, list[list[str]]] = {}
    words: list[str] = []
    steps: list[list[str] | Block] = []

    def get(self, name: str) -> list[list[str]]:
        """What holds here: its own, or what the nearest block around says."""
        block: Block | None = self
        while block is not None:
            if name in block.said:
                return block.said[name]
            block = block.outer
        return []


def statements(path: str, text: str) -> Iterator[Statement]:
    """The directives of one file; raises ParseError where nginx would refuse the file."""
    words: list[str] = []
    line = started = 1
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ParseError(f"{path}:{line}: a quote is not closed")
        place = match.end()
        if punct := match["punct"]:
            source = f"{path}:{started if words else line}"
            if punct == "{" and words and words[0].endswith("_by_lua_block"):
                place = _past_lua(text, place, source)
                line += text.count("\n", match.end(), place)
                words = []
            elif punct == "}":
                if words:
                    raise ParseError(f"{source}: {words[0]} does not end with a semicolon")
                yield Statement(source, [])
            else:
                if not words:
                    raise ParseError(f"{source}: unexpected {punct!r}")
                yield Statement(source, words, punct == "{")
                words = []
        elif match.lastgroup:
            started = started if words else line
            words.append(match[match.lastgroup])
        line += match[0].count("\n")
    if words:
        raise ParseError(f"{path}:{started}: {words[0]} does not end with a semicolon")


def _past_lua(text: str, place: int, source: str) -> int:
    """Behind the brace that ends a block of Lua."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, place):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.end()
    raise ParseError(f"{source}: a block is not closed")


def absolute(pattern: str, folder: str) -> str:
    """A path as nginx takes it: relative to the folder of the main file."""
    return posixpath.join(folder, pattern)


def included(path: str, text: str, folder: str) -> list[str]:
    """The patterns that a file includes."""
    return [
        absolute(statement.words[1], folder)
        for statement in statements(path, text)
        if statement.words[:1] == ["include"] and len(statement.words) == 2
    ]


def servers(path: str, text: str, include: Include) -> list[Block]:
    """The server blocks; raises ParseError, and whatever `include` raises."""
    reader = _Reader(posixpath.dirname(path), include)
    reader.file(path, text, Block("main"), 0)
    return reader.servers


class _Reader:
    def __init__(self, folder: str, include: Include) -> None:
        self._folder = folder
        self._include = include
        self._files = self._statements = 0
        self.servers: list[Block] = []

    def file(self, path: str, text: str, outer: Block, depth: int) -> None:
        self._files += 1
        if depth > MAX_DEPTH or self._files > MAX_FILES:
            raise ParseError(f"{path}: too many includes")
        block, level = outer, 0
        for statement in statements(path, text):
            self._statements += 1
            if self._statements > MAX_STATEMENTS:
                raise ParseError(f"{statement.source}: too many directives")
            words = statement.words
            if not words:
                if not level or block.outer is None:
                    raise ParseError(f"{statement.source}: unexpected '}}'")
                block, level = block.outer, level - 1
            elif statement.opens:
                block, level = self._open(block, statement), level + 1
                if level > MAX_BLOCKS:
                    raise ParseError(f"{statement.source}: too many blocks in one another")
            elif words[0] == "include" and len(words) == 2:
                for name, content in self._include(absolute(words[1], self._folder)).items():
                    self.file(name, content, block, depth + 1)
            else:
                _say(block, words)
        if level:
            raise ParseError(f"{path}: a block is not closed")

    def _open(self, block: Block, statement: Statement) -> Block:
        inner = Block(statement.words[0], block, statement.source, words=statement.words[1:])
        if block.kind not in ("main", "http", "stream", "mail"):
            block.steps.append(inner)
        if inner.kind == "server" and block.kind in ("http", "stream", "mail"):
            self.servers.append(inner)
        return inner


def _say(block: Block, words: list[str]) -> None:
    name = words[0]
    if block.kind not in ("main", "http", "stream", "mail"):
        block.steps.append(words)
    if name in _ADDING:
        block.said.setdefault(name, []).append(words[1:])
    else:
        block.said[name] = [words[1:]]
