"""Values that come from a machine, before they are judged and before they are told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

MAX_DEPTH = 16
MAX_TEXT = 500  # characters of a text that is told
MAX_ITEMS = 20  # items of a list or map that are told


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it; raises TypeError where it is something else or nested too deep."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        # a name that is not UTF-8 has lone surrogates, which neither CEL nor JSON takes
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if depth >= MAX_DEPTH:
        raise TypeError("the value is nested too deep")
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) and key.isascii() else str(plain(key)): plain(
                item, depth + 1
            )
            for key, item in value.items()
        }
    raise TypeError(f"{type(value).__name__} is not a value of JSON")


def brief(value: Any) -> Any:
    """The value short enough to be told, maps in the order of their keys; `…` = something left out."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if isinstance(value, list):
        short = [brief(item) for item in value[:MAX_ITEMS]]
        return short if len(value) <= MAX_ITEMS else [*short, "…"]
    if isinstance(value, dict):
        # CEL gives maps in any order, and evidence must be the same each time
        some = sorted(value.items())[:MAX_ITEMS]
        short_map = {brief(key): brief(item) for key, item in some}
        return short_map if len(value) <= MAX_ITEMS else {**short_map, "…": "…"}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return brief(str(value))


def evidence_of(shown: Any, volatile: Collection[str]) -> str:
    """A hash of what is shown of a hit, whole, without what changes by itself: 32 hexadecimal digits. What
    is cut where it is told (`brief`) is part of it: else a waiver would outlive a change there."""
    if "actual" in volatile:
        shown = None
    elif isinstance(shown, dict):
        shown = {name: value for name, value in shown.items() if name not in volatile}
    text = json.dumps(_hashed(shown), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _hashed(value: Any) -> Any:
    """The value for JSON; what it has no form for, such as a time or a key that is a number, as text."""
    if isinstance(value, (list, tuple)):
        return [_hashed(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _hashed(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
