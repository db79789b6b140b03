"""Paths that match a pattern below a root: glob(7) with `*`, `?` and `[…]` inside one component."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Callable
from itertools import groupby

from collectors.sources.bounds import MATCHES, check_matches


def expand(root: str, pattern: str, sure: bool = False) -> list[str]:
    """Paths that match, sorted, without the root; no match is an empty list.

    `sure`: what follows the last wildcard need not be looked for. Raises ParseError for more paths
    than a reading may have.
    """
    found = [""]
    for part, matches in _parts(pattern):
        if matches is None:
            found = [f"{base}/{part}" for base in found]
            continue
        below: list[str] = []
        for base in found:
            try:
                names = os.listdir(f"{root}{base}/")
            except (FileNotFoundError, NotADirectoryError):
                continue
            hidden = part.startswith(".")
            below += [
                f"{base}/{name}"
                for name in sorted(names)
                if matches(name) and (hidden or not name.startswith("."))
            ]
        found = below
    if not matches and (not sure or len(found) > MATCHES):
        found = [path for path in found if _may_exist(root + path)]
    check_matches(found)
    return found


def _may_exist(path: str) -> bool:
    """False only if there is no such path: one that may not be looked at is kept, to be denied."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


@functools.lru_cache(1024)
def _parts(pattern: str) -> tuple[tuple[str, Callable[[str], object] | None], ...]:
    """A pattern in parts: components with a wildcard, with how they match, and what is between."""
    parts: list[tuple[str, Callable[[str], object] | None]] = []
    components = pattern.strip("/").split("/")
    for wild, run in groupby(components, lambda component: bool(set(component) & set("*?["))):
        if wild:
            parts += ((one, re.compile(fnmatch.translate(one)).match) for one in run)
        else:
            parts.append(("/".join(run), None))
    return tuple(parts)
