"""dockerd's command line as systemd starts it: dockerd(8), systemd.service(5), systemd.exec(5).

Only lines that may hold options are read from the unit and its drop-ins: their Environment= lines often
hold a proxy with its password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collectors.model import Answers, Command, NeedMore, Reading, Unavailable

_FOLDERS = tuple(f"{p}/systemd/system" for p in ("/lib", "/usr/lib", "/run", "/etc"))
UNITS = Command(
    (
        *(
            "grep",
            "-rHnsE",
            r"^[[:space:]]*(ExecStart[[:space:]]*=|EnvironmentFile[[:space:]]*=|-)",
        ),
        *(f"{folder}/docker.service" for folder in _FOLDERS),
        *(f"{folder}/docker.service.d" for folder in _FOLDERS),
    ),
    timeout=5.0,
    limit=1 << 20,
    ok=(0, 1, 2),  # 2: some of these are not there
)
# Of distributions that keep options there: $DOCKER_OPTS, $OPTIONS of the unit.
VARIABLES = tuple(
    Command(
        (
            "grep",
            "-sE",
            r"^[[:space:]]*(export )?(DOCKER_OPTS|OPTIONS|DOCKER_NETWORK_OPTIONS)=",
            path,
        ),
        ok=(0, 1, 2),
    )
    for path in ("/etc/default/docker", "/etc/sysconfig/docker")
)


class Flag(NamedTuple):
    name: str
    value: str
    source: str


def flags(answers: Answers) -> list[Flag]:
    """The options of the last ExecStart=, in order; asked for only where there is a Docker."""
    missing: list[Reading] = []
    for reading in (UNITS, *VARIABLES):
        try:
            answers.answer(reading)
        except NeedMore as need:
            missing += need.readings
    if missing:
        raise NeedMore(*missing)
    command, source = _exec_start(_text(answers, UNITS))
    variables: dict[str, str] = {}
    for reading in VARIABLES:
        for line in _text(answers, reading).splitlines():
            name, _, value = line.strip().removeprefix("export ").partition("=")
            variables[name] = value.strip().strip("\"'")
    return parse_flags(_words(command, variables), source)


def _text(answers: Answers, reading: Command) -> str:
    answer = answers.answer(reading)
    if answer.state != "content":
        raise Unavailable(reading, answer)
    return answer.content.decode("utf-8", "replace")


_LINE = re.compile(r"(/[^:]*):(\d+):(.*)")


def _exec_start(text: str) -> tuple[str, str]:
    """The main unit of the highest folder, then drop-ins by name; an empty ExecStart= takes back."""
    files: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if found := _LINE.fullmatch(line):
            files.setdefault(found[1], []).append((found[2], found[3].strip()))
    chosen: dict[str, str] = {}  # in the order of _FOLDERS, so that the last of a name stays
    for folder in _FOLDERS:
        for path in files:
            if path.startswith(f"{folder}/docker.service"):
                chosen[path.rpartition("/")[2]] = path
    main = chosen.pop("docker.service", "")
    command, source = "", ""
    for path in [main, *(chosen[name] for name in sorted(chosen) if name.endswith(".conf"))]:
        open_ = False
        for number, line in files.get(path, ()):
            if line.startswith("ExecStart"):
                command, source = line.partition("=")[2], f"{path}:{number}"
            elif line.startswith("-") and open_:
                command += " " + line
            open_ = line.endswith("\\")
            command = command.removesuffix("\\")
    return command.strip(), source


def _words(command: str, variables: Mapping[str, str]) -> list[str]:
    words = []
    for word in command.split():
        name = word.lstrip("$").strip("{}")
        words += variables.get(name, "").split() if word.startswith("$") else [word]
    return words


def parse_flags(words: Iterable[str], source: str) -> list[Flag]:
    """`--name=value`, `--name value`, `-H value`; a flag without value is `true`."""
    found: list[Flag] = []
    for word in words:
        word = "".join(c for c in word if c not in "\"'")
        if word.startswith("-H") and len(word) > 2:
            found.append(Flag("host", word[2:].removeprefix("="), source))
        elif word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            name = {"H": "host", "D": "debug", "s": "storage-driver"}.get(name, name)
            found.append(Flag(name, value if equals else "", source))
        elif found and not found[-1].value:
            found[-1] = found[-1]._replace(value=word)
    return [flag if flag.value else flag._replace(value="true") for flag in found]
