"""What may be written of hosts in an inventory: for all of them, for a group, for one; and what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from collectors import rowsfile
from collectors.link.lines import LEVELS, Level
from collectors.rowsfile import LEVEL_WORDS, Problem, text_problem
from collectors.sources.ssh.settings import Port
from collectors.sources.ssh.target import SshError, parse_address
from collectors.strictyaml import Duration, SecretReference
from exporters.findings.settings import endpoint

MAX_LABELS: Final = 40
MAX_VARIABLES: Final = 200
NO_AGENT: Final = "none"

Scheme = Literal["http", "https"]
Short = Annotated[str, msgspec.Meta(max_length=150)]
Place = Annotated[str, msgspec.Meta(max_length=1000)]
Required = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Listed = Annotated[tuple[Required, ...], msgspec.Meta(max_length=16)]
Value = str | int | float | bool


class Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `defaults`, a group and a host may say; None is not said. docs/fleet-inventory.md tells what each means."""

    user: Short | None = None
    port: Port | None = None
    jump: Place | Listed | None = None
    key_file: Place | None = None
    key_passphrase: SecretReference | None = None
    password: SecretReference | None = None
    use_agent: bool | None = None
    known_hosts: Place | Listed | None = None
    config_file: Place | None = None
    connect_timeout: Duration | None = None
    deadline: Duration | None = None
    sudo: bool | None = None
    sudo_password: SecretReference | None = None
    config: Place | None = None
    variables: dict[str, Value] | None = None
    agent: Short | None = None
    scheme: Scheme | None = None
    department: Short | None = None
    system: Short | None = None
    region: Short | None = None
    level: Level | None = None
    owner: Short | None = None
    labels: dict[str, Value] | None = None


class HostRow(Values, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One host, or those of a range: `vm-[001:120]`."""

    name: Required
    host: Required
    groups: Required | Listed = ()


KEYS: Final = Values.__struct_fields__
SECRETS: Final = ("key_passphrase", "password", "sudo_password")
LISTS: Final = ("jump", "known_hosts")
_CHOICES: Final = {"level": LEVELS, "scheme": get_args(Scheme)}
_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "level": LEVEL_WORDS,
    "sudo": {"是": "true", "否": "false", "yes": "true", "no": "false"},
}
_STAND_INS: Final = {"name": "?", "host": "?"}
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KEYS_THAT_ARE_LABELS: Final = ("department", "system", "region", "level", "group", "owner")


def values_of(row: Mapping[str, Any]) -> tuple[Values, list[Problem]]:
    """What is right of `defaults` or a group, and what is wrong."""
    values, problems = rowsfile.converted(_translated(row), Values, {}, _explained)
    found = [*problems, *_problems(values)]
    if values.agent and "[" not in values.agent and (problem := agent_problem(values.agent)):
        found.append(("agent", problem))
    if values.labels and "instance" in values.labels:
        found.append(("labels.instance", "would be the same for many hosts; leave it out"))
    return values, found


def host_of(row: Mapping[str, Any]) -> tuple[HostRow, list[Problem]]:
    """What is right of one host, and what is wrong; name and address are for who expands their ranges."""
    one, problems = rowsfile.converted(_translated(row), HostRow, _STAND_INS, _explained)
    problems = [*problems, *_problems(one)]
    groups = listed(one.groups)
    for number, group in enumerate(groups):
        if problem := name_problem(group):
            problems.append((f"groups[{number}]", problem))
        elif group in groups[:number]:
            problems.append((f"groups[{number}]", f"{group!r} is there twice"))
    return one, problems


def listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """One text is a list of one."""
    return () if not value else (value,) if isinstance(value, str) else value


def hops(value: str | tuple[str, ...]) -> list[str]:
    """The jump hosts, the first one first; none of `none`, which takes away what a group says."""
    found = [hop.strip() for text in listed(value) for hop in text.split(",")]
    return [] if [hop.lower() for hop in found] == ["none"] else found


def text_of(value: Value) -> str:
    """As it would be written in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def name_problem(name: str) -> str:
    """What is wrong with the name of a host or a group: it is in logs, in selections, in names of files."""
    if not re.fullmatch(r"\w[\w.-]*", name) or not name.isprintable():
        return (
            f"{name!r:.80} is no name; write letters of any script, digits, . _ and -, "
            "the first one a letter or digit"
        )
    return "is longer than 150 characters" if len(name) > 150 else ""


def address_problem(text: str) -> str:
    """What is wrong with `ssh://user@host:port`. A password is never repeated."""
    if re.match(r"[^/@\s\[]*:.*@", text.removeprefix("ssh://")):
        return (
            "a password is not written here; use password: !env NAME, !file PATH or !prompt WORDS"
        )
    if text == "local" or text.startswith("recorded:"):
        return f"{text!r:.80} is no host over SSH; write ssh://user@host:port"
    try:
        host = parse_address(text).host
    except SshError as error:
        return str(error)
    if re.fullmatch(r"[0-9.]+", host) and not _is_ipv4(host):
        return f"{host!r:.80} is no IPv4 address: four numbers of 0 to 255"
    return text_problem(text)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def agent_problem(text: str) -> str:
    """What is wrong with `host:port`, `:port` or `none`."""
    if text == NO_AGENT:
        return ""
    try:
        if not text.isprintable() or set(text) & set(" /?#@\\%"):
            raise ValueError(f"{text!r:.80} is not host:port")
        endpoint(f"host{text}" if text.startswith(":") else text)
    except ValueError as error:
        return f"{error}; write host:port, :port for the host's own address, or none"
    return ""


def _translated(row: Mapping[str, Any]) -> dict[str, Any]:
    return rowsfile.translated(dict(row), _VALUES)


def _explained(key: str, value: Any, message: str) -> Problem:
    if SecretReference.__name__ in message:
        return key, "!env, !file and !prompt are only for secrets; write the value itself"
    if key in ("labels", "variables") and not isinstance(value, dict):
        return key, "is no mapping of names to values; in a cell: name=value; name=value"
    if key in _CHOICES and not isinstance(value, str):
        return key, f"{value!r:.60} is not one of: {', '.join(_CHOICES[key])}"
    if key in SECRETS:
        return key, message.partition(" - at `")[0]  # never with the value
    return rowsfile.explained(key, value, message, _CHOICES)


def _problems(values: Values) -> Iterator[Problem]:
    for key in ("user", "department", "system", "region", "owner", "config", "key_file"):
        text = getattr(values, key)
        if text and (problem := _words(text)):
            yield key, problem
    if values.user and re.search(r"[@:/\s]", values.user):
        yield "user", f"{values.user!r:.80} is no name of a user"
    for number, path in enumerate(listed(values.known_hosts)):
        if problem := _words(path):
            yield f"known_hosts[{number}]", problem
    for number, hop in enumerate(hops(values.jump or ())):
        if problem := address_problem(hop):
            yield f"jump[{number}]", problem
    yield from _labels(values.labels or {})
    yield from _variables(values.variables or {})


def _labels(labels: Mapping[str, Value]) -> Iterator[Problem]:
    if len(labels) > MAX_LABELS:
        yield "labels", f"has more than {MAX_LABELS} labels"
    for name, value in labels.items():
        key, text = f"labels.{name}", text_of(value)
        if not _LABEL.fullmatch(name):
            yield key, f"{name!r:.80} is no name of a label; write letters, digits and _"
        elif name.startswith("__"):
            yield key, "names that begin with __ are Prometheus's own"
        elif name in _KEYS_THAT_ARE_LABELS:
            yield key, f"is a key of its own: write {name} beside labels"
        elif name in ("le", "quantile"):
            yield key, "is taken by histograms; choose another name"
        elif problem := _words(text):
            yield key, problem
        elif len(text) > 300:
            yield key, "is longer than 300 characters"


def _variables(variables: Mapping[str, Value]) -> Iterator[Problem]:
    if len(variables) > MAX_VARIABLES:
        yield "variables", f"has more than {MAX_VARIABLES} variables"
    for name, value in variables.items():
        key, text = f"variables.{name}", text_of(value)
        if not _LABEL.fullmatch(name):
            yield key, f"{name!r:.80} is no name of a variable; write letters, digits and _"
        elif problem := text_problem(text):
            yield key, problem
        elif len(text) > 4000:
            yield key, "is longer than 4000 characters"


def _words(text: str) -> str:
    """What becomes a label or a path is one printable line."""
    if problem := text_problem(text):
        return problem
    return "" if text.isprintable() else f"{text!r:.80} has a character that cannot be printed"
