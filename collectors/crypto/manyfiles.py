"""Several files by one reading: over SSH each reading costs the host a process or two, an absent file none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collectors.model import Answer, Answers, File, Glob, Unavailable


def readings(paths: Iterable[str]) -> tuple[Glob, ...]:
    """One pattern for each top folder, with all that is asked for below it as names. They are read
    masked: a profile has a proxy's password, a server that of what it asks."""
    below: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        top, _, name = path.strip("/").partition("/")
        below.setdefault(f"/{top}", []).append(name)
    return tuple(Glob(top, names=tuple(names), masked=True) for top, names in below.items())


def texts(answers: Answers, paths: Iterable[str]) -> dict[str, str]:
    """What is there, by path, in the order of the paths; raises Unavailable where one cannot be read."""
    paths = tuple(paths)
    found: dict[str, Answer] = {}
    for reading in readings(paths):
        if answers.answer(reading).state != "absent":
            found |= answers.children(reading)
    return {path: _text(path, found) for path in paths if _is_there(path, found)}


def _is_there(path: str, found: Mapping[str, Answer]) -> bool:
    return path in found and found[path].state != "absent"


def _text(path: str, found: Mapping[str, Answer]) -> str:
    answer = found[path]
    if answer.state != "content":
        raise Unavailable(File(path), answer)
    return answer.content.decode("utf-8", "replace")
