"""Folders of drop-ins, one over another: sysctl.d(5), modprobe.d(5), systemd.unit(5), coredump.conf(5).

A file hides those of its name in later folders; the files left are read in the order of their names,
whatever folder they are in. A link to /dev/null hides and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collectors.model import Answers, File, Glob, Reading, Stat, Unavailable
from collectors.rows import FileStat
from collectors.security.partial import is_folder


class Text(NamedTuple):
    """One file: `target` is where it leads, if it is a link."""

    path: str
    text: str
    target: str = ""


class Folders(NamedTuple):
    """`paths`: the first hides the others. `pattern`: the names in them that count."""

    paths: tuple[str, ...]
    pattern: str = "*.conf"

    def readings(self) -> tuple[Reading, ...]:
        globs = tuple(Glob(f"{path}/{self.pattern}") for path in self.paths)
        return (*globs, *(Stat(glob.pattern) for glob in globs))

    def texts(self, answers: Answers) -> list[Text]:
        """The files that count; one that cannot be read makes the whole unknown."""
        found: dict[str, Text] = {}
        for path in reversed(self.paths):
            glob = Glob(f"{path}/{self.pattern}")
            stats = {row.path: row for row in answers.rows(Stat(glob.pattern), FileStat)}
            for name, answer in answers.children(glob).items():
                target = row.target if (row := stats.get(name)) else ""
                short = name.rpartition("/")[2]
                if target == "/dev/null":
                    found[short] = Text(name, "", target)
                elif answer.state == "content":
                    text = answer.content.decode("utf-8", "replace")
                    found[short] = Text(name, text, target)
                elif answer.state != "absent" and not is_folder(answer):  # nor is a link to nowhere
                    raise Unavailable(File(name), answer)
        return [found[short] for short in sorted(found)]


def settings(texts: Sequence[Text], section: str) -> dict[str, tuple[str, str]]:
    """`Name=value` of one section of systemd's files, the last wins: name → (value, path:line).

    An empty value takes back what was said before.
    """
    found: dict[str, tuple[str, str]] = {}
    for path, text, _ in texts:
        here = ""
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if line.startswith("[") and line.endswith("]"):
                here = line[1:-1]
            elif here == section and line and line[0] not in "#;":
                name, equals, value = line.partition("=")
                if equals:
                    found[name.strip()] = value.strip(), f"{path}:{number}"
    return found
