"""What is left behind for the next one: commands in shells' histories, files in temporary folders.

Histories: bash(1), HISTSIZE and HISTFILESIZE in the files that login and other shells of everyone read.
Temporary folders: tmpfiles.d(5), where a file in /etc takes the place of one of the same name in /run or /usr/lib.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.crypto import manyfiles
from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Unavailable

# In the order in which shells read them; /etc/profile.d is read by /etc/profile.
PROFILES = ("/etc/profile", "/etc/bashrc", "/etc/bash.bashrc", "/etc/environment")
PROFILE_D = Glob("/etc/profile.d/*.sh")
# The system's own, in the order of precedence; of those of packages only what has the temporary folders.
TMPFILES = Glob("/[er][tu][cn]/tmpfiles.d/*.conf")  # /etc, /run
SHIPPED = tuple(
    f"/usr/{lib}/tmpfiles.d/{name}"  # noqa: S108 - only read
    for lib in ("local/lib", "lib")
    for name in ("tmp.conf", "fs-tmp.conf")
)
MOUNTS = File("/proc/mounts")
FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - only told of
_ASSIGNED = re.compile(
    r"(?:^|[;&\s])(?P<name>HISTSIZE|HISTFILESIZE)=[\"']?(?P<value>-?[0-9]{1,9}|)[\"']?(?=$|[;&\s#])"
)
_AGE = re.compile(r"([0-9]{1,9})(us|ms|min|[smhdw]?)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "m": 60, "min": 60, "h": 3600} | {
    "d": 86400,
    "w": 604800,
}
_UNLIMITED = -1


class ResidualCollector(Collector, frozen=True):
    """`shell_history`: rows of key (file and name), name, value (−1: without end), last (no later line sets it),
    source, in the order in which a shell reads the files.

    `temporary_folders`: rows of key (/tmp, /var/tmp), memory (a tmpfs), at_boot (emptied), age_days (0: never), source.
    """

    name: ClassVar[str] = "residual"
    facts: ClassVar[tuple[str, ...]] = ("shell_history", "temporary_folders")

    def readings(self) -> tuple[Reading, ...]:
        usual = manyfiles.readings((*PROFILES, *SHIPPED))
        return (*usual, PROFILE_D, TMPFILES, MOUNTS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        usual = manyfiles.texts(answers, (*PROFILES, *SHIPPED))
        ordered = [(path, usual[path]) for path in PROFILES if path in usual]
        first = int(PROFILES[0] in usual)
        ordered[first:first] = _files(answers, PROFILE_D)
        rows = [row for path, text in ordered for row in _history(path, text)]
        wins = {row["name"]: row["source"] for row in rows}
        yield Fact("shell_history", [{**r, "last": wins[r["name"]] == r["source"]} for r in rows])
        points = {line.split(" ")[1] for line in _tmpfs(answers.maybe(MOUNTS) or "")}
        own = sorted(_files(answers, TMPFILES))  # /etc comes before /run
        rules = _rules([*own, *((path, usual[path]) for path in SHIPPED if path in usual)])
        yield Fact("temporary_folders", [_folder(path, rules, points) for path in FOLDERS])


def _files(answers: Answers, glob: Glob) -> Iterator[tuple[str, str]]:
    if answers.answer(glob).state == "absent":
        return
    for path, answer in answers.children(glob).items():
        # a file that is masked is a link to /dev/null
        if answer.state == "absent" or answer.reason == "is not a regular file":
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        yield path, answer.content.decode("utf-8", "replace")


def _history(path: str, text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#") or "HIST" not in line:
            continue
        for match in _ASSIGNED.finditer(line[:2000]):
            # bash takes a number below 0, and nothing at all, for "without end"
            value = int(match["value"]) if match["value"] else _UNLIMITED
            yield {
                "key": f"{path} {match['name']}",
                "name": match["name"],
                "value": max(value, _UNLIMITED),
                "source": f"{path}:{number}",
            }


def _tmpfs(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.split(" ")[2:3] == ["tmpfs"]]


def _rules(texts: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str, str]]:
    """Type, age and place of the line for each folder; the first by the files' names counts."""
    files: dict[str, tuple[str, str]] = {}
    for path, text in texts:
        files.setdefault(path.rpartition("/")[2], (path, text))
    found: dict[str, tuple[str, str, str]] = {}
    for _, (path, text) in sorted(files.items()):
        for number, line in enumerate(text.split("\n"), 1):
            words = line.split(None, 6)
            if len(words) >= 2 and not words[0].startswith("#") and words[1] in FOLDERS:
                age = words[5] if len(words) > 5 else "-"
                if words[0][0] in "dDqQvR":
                    found.setdefault(words[1], (words[0], age, f"{path}:{number}"))
    return found


def _folder(path: str, rules: dict[str, tuple[str, str, str]], memory: set[str]) -> dict[str, Any]:
    kind, age, source = rules.get(path, ("", "-", path))
    parts = _AGE.findall(age.lstrip("~abcmABCM:"))
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    return {
        "key": path,
        "memory": path in memory,
        "at_boot": kind.startswith(("D", "R")),
        "age_days": math.ceil(seconds / 86400),
        "source": source,
    }
