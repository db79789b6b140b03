"""A script of bash as words and separators: bash(1), DEFINITIONS, QUOTING, Here Documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"(?P<gap>(?:[ \t\r]|\\\n)+|(?<![^\s;&|()])\#[^\n]*)"
    r"|(?P<here><<-?[ \t]*(?:'[^'\n]+'|\"[^\"\n]+\"|\\?[A-Za-z_][\w.-]*))"
    r"|(?P<redirect>(?:(?<![^\s;&|()])[0-9]+)?(?:&>>?|<<<|[<>]&|>>|<>|>\||[<>](?!\()))"
    r"|(?P<word>(?:\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|\\.|`[^`]*+`|\$\{[^{}]*+\}"
    r"|\(\((?:[^()]|\([^()]*+\))*+\)\)|(?<=[$=<>])\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)"
    r"|[^\s;&|()<>\"'`\\$]+|\$(?!\{)|[<>](?=\())+)"
    r"|(?P<separator>;;&|;;|;&|;|&&|\|\||\|&|\||&|\n|[()])"
    r"|(?P<odd>.)",
    re.DOTALL,
)


def tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind (word, separator, odd), text, line; here-documents and redirections are left out."""
    position, number, redirected = 0, 1, False
    here: list[str] = []
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:  # any character is odd at least
            return
        kind, said = str(found.lastgroup), found[0]
        position = found.end()
        if kind == "here":
            here.append(said)
        elif kind == "redirect":
            redirected = True
        elif kind == "word" and redirected:
            redirected = False
        elif kind != "gap":
            redirected = False
            yield kind, said, number
        number += said.count("\n")
        if said == "\n" and here:
            for name in here:
                end = _end(name).search(text, position)
                if end is None:
                    yield "odd", name, number
                    return
                number += text.count("\n", position, end.end())
                position = end.end()
            here = []


def _end(here: str) -> re.Pattern[str]:
    name = re.sub(r"^<<-?[ \t]*|['\"\\]", "", here)
    tabs = r"\t*" if here.startswith("<<-") else ""
    return re.compile(rf"^{tabs}{re.escape(name)}$\n?", re.MULTILINE)
