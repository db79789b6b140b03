"""Rules of nft in its own words, short, for people; pure. The format read is libnftables-json(5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_LONGEST = 120  # characters of a rule
_MOST = 6  # elements of a set
_DEEPEST = 4
_UNSAID: Final = frozenset({"counter", "log", "comment", "last"})


def rule_text(statements: Any) -> str:
    """`tcp dport { 80, 443 } accept`."""
    if not isinstance(statements, list):
        return ""
    words = [text for one in statements[:20] if (text := _statement(one))]
    return _cut(" ".join(words), _LONGEST)


def _statement(one: Any) -> str:
    if not isinstance(one, Mapping) or len(one) != 1:
        return _rest(one)
    ((name, about),) = one.items()
    if name in _UNSAID:
        return ""
    if name == "match" and isinstance(about, Mapping):
        op = {"==": "", "in": ""}.get(str(about.get("op")), f"{about.get('op')} ")
        return f"{_side(about.get('left'))} {op}{_side(about.get('right'))}"
    if name == "vmap" and isinstance(about, Mapping):
        return f"{_side(about.get('key'))} vmap {_side(about.get('data'))}"
    if isinstance(about, Mapping) and "target" in about:
        return f"{name} {about['target']}"
    return str(name)


def _side(side: Any, depth: int = 0) -> str:
    if isinstance(side, str | int):
        return _cut(str(side), 60)
    if isinstance(side, list):
        shown = [_side(one, depth + 1) for one in side[:_MOST]] if depth < _DEEPEST else []
        return f"{{ {', '.join([*shown, '…'] if len(side) > len(shown) else shown)} }}"
    if not isinstance(side, Mapping) or len(side) != 1 or depth >= _DEEPEST:
        return _rest(side)
    ((name, about),) = side.items()
    if name == "set":
        return _side(about, depth + 1)
    if name == "payload" and isinstance(about, Mapping):
        return f"{about.get('protocol')} {about.get('field')}"
    if name in ("meta", "ct") and isinstance(about, Mapping):
        return f"{name} {about.get('key')}"
    if name == "range" and isinstance(about, list):
        return "-".join(_side(end, depth + 1) for end in about[:2])
    if name == "prefix" and isinstance(about, Mapping):
        return f"{about.get('addr')}/{about.get('len')}"
    if name == "concat" and isinstance(about, list):
        return " . ".join(_side(part, depth + 1) for part in about[:_MOST])
    return _rest(side)


def _rest(it: Any) -> str:
    return _cut(json.dumps(it), 60)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
