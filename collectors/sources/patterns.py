"""Whether a path matches the pattern of a Glob or Stat, as LocalSource expands it; pure."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase


def part_matcher(part: str) -> Callable[[str], bool]:
    """Of one component: a name that begins with a dot is matched only by such a pattern."""
    if not any(character in part for character in "*?["):
        return part.__eq__
    hidden = part.startswith(".")
    return lambda name: (hidden or not name.startswith(".")) and fnmatchcase(name, part)


def path_matches(path: str, pattern: str) -> bool:
    """Of a whole path."""
    parts, names = pattern.strip("/").split("/"), path.strip("/").split("/")
    return len(parts) == len(names) and all(
        part_matcher(part)(name) for part, name in zip(parts, names, strict=True)
    )
