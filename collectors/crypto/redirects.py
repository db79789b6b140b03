"""Whether a web server answers all that comes in clear with a redirect to https; pure.

nginx: ngx_http_rewrite_module, and which location is taken. httpd: mod_alias, mod_rewrite. What is not
seen to be redirected, or to be no page at all, is taken as served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from collectors.crypto.nginxconf import Block

# A pattern that all paths match.
_ALL: Final = re.compile(r"\^?/?\??\(?(?:\.[*+])?\)?\$?")
_MOVED: Final = frozenset({"301", "302", "303", "307", "308"})
_CHALLENGE: Final = "/.well-known/"
_LAST: Final = frozenset({"last", "break"})
# Conditions that hold for each request in clear: `if ($scheme = http)`.
_IN_CLEAR: Final = frozenset(
    {
        *("$scheme = http", "$scheme != https", "$https =", "$https != on", "$ssl_protocol ="),
        *("$server_port = 80", "$server_port != 443"),
    }
)


def nginx_redirects(server: Block) -> bool:
    """Of a server block, locations and all."""
    if _ends(server):
        return True
    locations = list(_locations(server))
    return any(_is_root(it) for it in locations) and all(
        _is_harmless(it) or _ends(it) for it in locations
    )


def _locations(block: Block) -> Iterator[Block]:
    for step in block.steps:
        if isinstance(step, Block) and step.kind == "location":
            yield step
            yield from _locations(step)


def _is_root(location: Block) -> bool:
    words = location.words
    if words[:1] in (["~"], ["~*"]):
        return len(words) == 2 and bool(_ALL.fullmatch(words[1]))
    return words in (["/"], ["^~", "/"])


def _is_harmless(location: Block) -> bool:
    """Challenges of certificate authorities, what comes from inside, and what only this machine gets."""
    said = [step for step in location.steps if isinstance(step, list)]
    if location.words[-1:] and location.words[-1].lstrip("^~ ").startswith(_CHALLENGE):
        return True
    if ["internal"] in said or (location.words[:1] and location.words[0].startswith("@")):
        return True
    allowed = [step[1] for step in said if step[0] == "allow" and len(step) > 1]
    local = all(it.startswith("127.") or it == "::1" for it in allowed)
    return ["deny", "all"] in said and local


def _ends(block: Block) -> bool:
    """Whether all that comes to a block is answered by it, with a redirect, an error or a fixed text."""
    for step in block.steps:
        if isinstance(step, Block):
            if step.kind != "if":
                continue
            inner = _ends(step)
            if inner and _condition(step) in _IN_CLEAR:
                return True
            # certbot writes `if ($host = name) { return 301 https://… } return 404;`
            if not inner and any(_leaves(it) for it in step.steps):
                return False
        elif step[0] == "return":
            return _is_away(step[1:])
        elif step[0] == "rewrite" and len(step) > 2:
            if step[2].startswith("https://") and _ALL.fullmatch(step[1]):
                return True
            if step[3:4] and step[3] in _LAST:
                return False
        elif step[0] == "break":
            return False
    return False


def _condition(block: Block) -> str:
    return " ".join(" ".join(block.words).strip("() ").split())


def _leaves(step: list[str] | Block) -> bool:
    """Whether it goes on elsewhere than with what follows its block."""
    if isinstance(step, Block):
        return False
    ends = step[0] == "rewrite" and step[3:4] != [] and step[3] in _LAST
    return ends or step[0] in ("break", "return", "proxy_pass", "root", "alias")


def _is_away(words: Sequence[str]) -> bool:
    """`return`: to https, or no page but an error or a fixed text."""
    if words[-1:] and words[-1].startswith("https://"):
        return len(words) == 1 or words[0] in _MOVED
    return bool(words) and words[0].isdigit() and words[0] not in _MOVED


def httpd_redirects(
    aliases: Iterable[Sequence[str]], rewriting: Iterable[Sequence[str]], names: Sequence[str]
) -> bool:
    """Of a virtual host: the words of its redirects, and those of its rewrite rules and conditions in
    their order, each with the directive before them."""
    return any(_alias(words) for words in aliases) or _rewritten(rewriting, names)


def _alias(words: Sequence[str]) -> bool:
    name, *rest = words
    if not rest or not rest[-1].startswith("https://"):
        return False
    path = rest[-2] if len(rest) > 1 else ""
    if name == "redirectmatch":
        return bool(_ALL.fullmatch(path))
    return path == "/"


_HOLDS: Final = {
    "%{HTTPS}": {"off", "=off", "!on", "!=on", "!^on$", "^off$"},
    "%{SERVER_PORT}": {"80", "=80", "^80$", "!443", "!=443", "!^443$"},
    "%{REQUEST_SCHEME}": {"http", "=http", "^http$", "!https", "!=https", "!^https$"},
    "%{HTTP:X-Forwarded-Proto}": {"!https", "!=https", "!^https$"},
}


def _rewritten(rewriting: Iterable[Sequence[str]], names: Sequence[str]) -> bool:
    on = False
    conditions: list[Sequence[str]] = []
    for name, *words in rewriting:
        if name == "rewriteengine":
            on = words[:1] != [] and words[0].lower() == "on"
        elif name == "rewritecond":
            conditions.append(words)
        elif name == "rewriterule" and len(words) > 1:
            flags = {it.strip().upper() for it in "".join(words[2:]).strip("[]").split(",")}
            always = _all_hold(conditions, names)
            conditions = []
            if words[1].startswith("https://"):
                if always and _ALL.fullmatch(words[0]):
                    return on
            elif flags & {"L", "LAST", "END", "P", "PROXY"} and "well-known" not in words[0]:
                return False
    return False


def _all_hold(conditions: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether they hold for each request in clear to this host's names."""
    asked: set[str] = set()
    for words in conditions:
        if len(words) < 2:
            return False
        left, right = words[0], words[1]
        if right.lower() in _HOLDS.get(left, ()):
            continue
        if left == "%{REQUEST_URI}" and right.startswith("!") and "well-known" in right:
            continue
        if left in ("%{SERVER_NAME}", "%{HTTP_HOST}") and right.startswith("="):
            asked.add(right[1:].lower())
            continue
        return False
    return not asked or {name.lower() for name in names} <= asked
