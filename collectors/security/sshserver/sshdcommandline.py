"""Options on the command line of sshd, which go before its files: sshd(8), systemd.service(5).

The unit as systemd puts it together (ssh.service or sshd.service, then the drop-ins of both names) says
how sshd is started. Where no unit is found, the variables that distributions have in theirs count: OPTIONS of
/etc/sysconfig/sshd, SSHD_OPTS of /etc/default/ssh, CRYPTO_POLICY of crypto-policies(7).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from collectors.model import Answers, File, NeedMore, ParseError, Reading
from collectors.security.dropins import Folders, Text
from collectors.security.sshserver import sshdconfig

SYSCONFIG: Final = File("/etc/sysconfig/sshd", 1 << 16)
DEFAULT_SSH: Final = File("/etc/default/ssh", 1 << 16)
CRYPTO_POLICY: Final = File("/etc/crypto-policies/back-ends/opensshserver.config", 1 << 16)
VARIABLES: Final = (CRYPTO_POLICY, DEFAULT_SSH, SYSCONFIG)  # a later one goes before
_FOLDERS: Final = tuple(
    f"{path}/systemd/system" for path in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
# Debian's sshd.service is another name of ssh.service
UNITS: Final = tuple(
    File(f"{folder}/{name}.service") for name in ("ssh", "sshd") for folder in _FOLDERS
)
DROP_INS: Final = Folders(
    tuple(f"{folder}/{name}.service.d" for folder in _FOLDERS for name in ("ssh", "sshd"))
)
_USUAL: Final = ("sshd", "$OPTIONS", "$SSHD_OPTS", "$CRYPTO_POLICY")
_OPTIONS: Final = "CEbcfghkopu"  # those with a value
_ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
# Where files of variables are kept; others may hold anything and are not read.
_ENVIRONMENTS: Final = ("/etc/sysconfig/", "/etc/default/", "/etc/crypto-policies/", "/etc/ssh/")
_MAX_WORDS = 1000


class Variable(NamedTuple):
    value: str
    source: str


class Unit(NamedTuple):
    """What decides about the command line: how sshd is started, and its environment."""

    start: list[tuple[str, str]]
    variables: dict[str, Variable]
    files: list[str]


class CommandLine(NamedTuple):
    """`block`: what it sets. `ports`: -p was given, and ports of the files do not count."""

    block: sshdconfig.Block
    ports: bool


def readings() -> tuple[Reading, ...]:
    return (*VARIABLES, *UNITS, *DROP_INS.readings())


def read(answers: Answers) -> CommandLine:
    """What the next start gives sshd; raises ParseError where that is not for us to say."""
    unit = _unit(answers)
    if not unit.start:
        said = [(word, "") for word in _USUAL]
        files: Sequence[File] = VARIABLES
    else:
        said = [(word, source) for value, source in unit.start for word in _program(value, source)]
        files = [_environment(path) for path in unit.files] if _names(said) else ()
    variables = dict(unit.variables)
    more: list[Reading] = []
    for reading in files:
        try:
            text = answers.maybe(reading) or ""
        except NeedMore as need:
            more += need.readings
            continue
        for name, value in _ASSIGNED.findall(text.replace("\\\n", " ")):
            variables[name] = Variable(value, reading.path)
    if more:
        raise NeedMore(*more)
    return _options(_expanded(said, variables))


def _unit(answers: Answers) -> Unit:
    unit = Unit([], {}, [])
    texts = [Text(reading.path, answers.maybe(reading) or "") for reading in UNITS]
    main = [text for text in texts if text.text][:1]
    for key, value, source in _settings([*main, *DROP_INS.texts(answers)]):
        if key == "ExecStart":
            _add(unit.start, value, (value, source))
        elif key == "EnvironmentFile":
            _add(unit.files, value, value.removeprefix("-"))
        elif key == "Environment":
            for word in _words(value, source):
                name, equals, content = word.partition("=")
                if equals:
                    unit.variables[name] = Variable(content, source)
    return unit


def _settings(texts: Iterable[Text]) -> Iterator[tuple[str, str, str]]:
    """Name, value, path:line of the section Service; a backslash at the end continues a line."""
    for path, text, _ in texts:
        section, kept = "", ""
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if kept and line[:1] in ("#", ";"):
                continue
            if line.endswith("\\"):
                kept += line[:-1] + " "
                continue
            line, kept = kept + line, ""
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
            elif section == "Service" and line[:1] not in ("#", ";"):
                name, equals, value = line.partition("=")
                if equals:
                    yield name.strip(), value.strip(), f"{path}:{number}"


def _add(them: list[Any], value: str, item: Any) -> None:
    """An empty value takes back what was said before."""
    if value:
        them.append(item)
    else:
        them.clear()


def _environment(path: str) -> File:
    for reading in VARIABLES:
        if reading.path == path:
            return reading
    if not path.startswith(_ENVIRONMENTS) or "/../" in path or not re.fullmatch(r"[\w./-]+", path):
        raise ParseError(f"command line of sshd: variables from {path} are not read")
    return File(path, 1 << 16)


def _program(value: str, source: str) -> list[str]:
    """The words of ExecStart, which must start sshd itself."""
    words = _words(value, source)
    prefix = re.match(r"[@:+!|-]*", words[0] if words else "")
    name = words[0][prefix.end() :] if prefix and words else ""
    if name.rpartition("/")[2] != "sshd":
        raise ParseError(f"{source}: {name[:80]!r} is started and not sshd")
    return [name, *words[2 if prefix and "@" in prefix[0] else 1 :]]


def _names(said: Iterable[tuple[str, str]]) -> bool:
    return any(_VARIABLE.search(word) for word, _ in said)


def _expanded(
    said: Iterable[tuple[str, str]], variables: dict[str, Variable]
) -> Iterator[tuple[str, str]]:
    """Words with variables in their place; `$NAME` alone is several words."""
    for word, source in said:
        whole = _VARIABLE.fullmatch(word)
        if whole and whole[2]:
            value, place = variables.get(whole[2], Variable("", source))
            # a quoted whole, as systemd reads it, then its words
            unquoted = " ".join(_words(value, place or source, comments=True))
            yield from ((one, place) for one in _words(unquoted, place))
            continue
        places = [variables[n].source for m in _VARIABLE.findall(word) if (n := m[0]) in variables]
        text = _VARIABLE.sub(
            lambda m: variables[m[1]].value.strip("\"'") if m[1] in variables else "", word
        )
        yield text, places[0] if places else source


def _words(value: str, source: str, comments: bool = False) -> list[str]:
    try:
        words = shlex.split(value, comments=comments)
    except ValueError as error:
        raise ParseError(f"command line of sshd: {source}: {error}") from error
    if len(words) > _MAX_WORDS:
        raise ParseError(f"command line of sshd: {source}: too many words")
    return words


def _options(said: Iterator[tuple[str, str]]) -> CommandLine:
    """What getopt(3) of sshd makes of the words."""
    block = sshdconfig.Block()
    ports = False
    next(said, None)
    for word, source in said:
        if word[:1] != "-":
            continue
        for i, letter in enumerate(word[1:], 2):
            value = ""
            if letter in _OPTIONS:
                value, source = (word[i:], source) if word[i:] else next(said, ("", source))
            if letter == "f" and value != "/etc/ssh/sshd_config":
                raise ParseError(f"{source}: sshd reads {value[:80]!r} and not its usual file")
            ports = ports or letter == "p"
            if text := _directive(letter, value):
                for line in sshdconfig.lines("command line", text):
                    block.set(line._replace(source=f"command line ({source})"))
            if letter in _OPTIONS:
                break
    return CommandLine(block, ports)


def _directive(letter: str, value: str) -> str:
    """The line of a configuration that an option stands for."""
    match letter:
        case "o":
            return value.replace("=", " ", 1)
        case "p":
            return f"Port {value}"
        case "g":
            return f"LoginGraceTime {value}"
        case "q":
            return "LogLevel QUIET"
        case "4" | "6":
            return f"AddressFamily inet{'6' if letter == '6' else ''}"
    return ""
