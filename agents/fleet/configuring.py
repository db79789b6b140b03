"""The configuration of a host: one file with `${name}` for what differs, and the files beside it that it names.

A value takes the place of text in a YAML scalar, never of YAML: in quotes it is text; alone and without
quotes a number, true, false or null is that. Layout, comments and line numbers
stay. What is sent is loaded here first, from a folder with nothing else in it; where it names files that only
the host has, its keys and values alone are checked. docs/fleet.md has the rules.
"""

from __future__ import annotations

import functools
import json
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import yaml

from agents import config as configuration
from agents import configcheck
from agents.errors import UserError
from agents.fleet import configfiles
from agents.fleet.hostside import digest
from agents.fleet.model import FleetHost
from collectors import strictyaml
from collectors.sources.ssh.target import parse_address
from collectors.strictyaml import Document, DocumentError, hint
from exporters.prometheus.settings import WebSettings

MAIN: Final = "jianwei.yaml"
_VARIABLE: Final = re.compile(r"\$(\$?)\{([^{}]*)\}")
_LOOPBACK: Final = re.compile(r"127\.|\[::1\]:|localhost:")
_PLAIN: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false|null")


class Files(msgspec.Struct, frozen=True):
    """What goes to /etc/jianwei by name, jianwei.yaml among it; `sha256` is what a host tells that has them
    in force. `secrets` are texts that are never to be told."""

    files: Mapping[str, bytes]
    sha256: str
    secrets: frozenset[str] = frozenset()
    served_here: bool = False  # on the host itself alone


class ConfigurationError(DocumentError):
    """What is wrong with the configuration of a host; `mistake` is it without the host's name."""

    def __init__(self, host: str, error: DocumentError) -> None:
        super().__init__(error.path, error.line, f"host {host}: {error.problem}")
        self.host, self.mistake = host, error.problem


class Configurations:
    """Of the hosts of one inventory, whose folder a host's `config` is relative to. `default` is what a
    host without one gets. What several hosts have is read, checked and kept once."""

    def __init__(self, folder: str, default: bytes) -> None:
        self._folder, self._default = folder, default
        # msgspec learns a type when it first meets it, which two threads may not do at once
        self._lock = threading.Lock()
        self._deep: set[tuple[str, str]] = set()
        self._made: dict[tuple[str, bytes], Files] = {}
        self._text = functools.lru_cache(maxsize=64)(_text)
        self._read = functools.cache(strictyaml.read)

    def of(self, host: FleetHost) -> Files:
        """Raises ConfigurationError that names file, line and host."""
        with self._lock:
            return self._of(host)

    def _of(self, host: FleetHost) -> Files:
        path = os.path.join(self._folder, host.config) if host.config else ""
        try:
            content = self._default
            if path:
                content = rendered(self._text(path), path, variables(host)).encode()
            found = self._made.get((path, content))
            if found is None:
                found = self._made[path, content] = self._files(path, content)
        except DocumentError as error:
            raise ConfigurationError(host.name, error) from error
        return found

    def _files(self, path: str, content: bytes) -> Files:
        if not path:
            return Files(
                {MAIN: content}, digest({MAIN: content}), served_here=_served_here(content)
            )
        found = configfiles.beside(path, content, self._read)
        files = {**found.files, MAIN: content}
        if found.elsewhere:
            Document(content, path).convert(configuration.Config)
        else:
            others = path, digest(found.files)
            _check(path, files, deep=others not in self._deep)
            self._deep.add(others)
        return Files(files, digest(files), found.secrets, _served_here(content))


def _served_here(content: bytes) -> bool:
    """Whether the agent listens on loopback only."""
    document = Document(content, MAIN).data
    web = document.get("web") if isinstance(document, dict) else None
    listen = web.get("listen") if isinstance(web, dict) else None
    addresses = listen if isinstance(listen, list) and listen else WebSettings().listen
    return all(_LOOPBACK.match(str(address)) for address in addresses)


def variables(host: FleetHost) -> dict[str, str]:
    """What may stand in `${}`: what the inventory knows of the host, and before that its variables."""
    own = {
        name: str(getattr(host, name) or "")
        for name in ("name", "department", "system", "region", "level", "owner", "agent")
    }
    return {"address": parse_address(host.address).host, **own, **host.variables}


def rendered(text: str, path: str, values: Mapping[str, str]) -> str:
    """The YAML with each `${name}` of its values replaced; `$${` is `${`. Keys and comments stay."""
    if "${" not in text:
        return text
    parts: list[str] = []
    end = 0
    is_key = False
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                if (
                    token.plain
                    and token.value.endswith("$")
                    and text.startswith("{", token.end_mark.index)
                ):
                    problem = "a ${…} between { } or [ ] must be in quotes, or in a line of its own"
                    raise DocumentError(path, token.start_mark.line + 1, problem)
                if not is_key and "${" in token.value:
                    parts += [text[end : token.start_mark.index], _scalar(token, path, values)]
                    end = token.end_mark.index
                is_key = False
            elif not isinstance(token, (yaml.TagToken, yaml.AnchorToken)):
                is_key = isinstance(token, yaml.KeyToken)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise DocumentError(path, line, f"is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise DocumentError(path, None, f"is not YAML: {error}") from error
    return "".join((*parts, text[end:]))


def _scalar(token: yaml.ScalarToken, path: str, values: Mapping[str, str]) -> str:
    line = token.start_mark.line + 1
    if token.end_mark.line != token.start_mark.line:
        raise DocumentError(path, line, "a variable is in a text of several lines; write it in one")

    def value(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if name not in values:
            raise DocumentError(
                path, line, f"${{{name}}}: no such variable; {hint(name, [*values])}"
            )
        if not values[name].isprintable():
            raise DocumentError(path, line, f"${{{name}}} has characters that cannot be printed")
        return values[name]

    text = _VARIABLE.sub(value, token.value)
    if token.plain and _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)  # YAML reads it alike where all can be printed


def _text(path: str) -> str:
    try:
        return strictyaml.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(path, None, f"is not UTF-8 text: {error.reason}") from error


def _check(path: str, files: Mapping[str, bytes], deep: bool) -> None:
    """Load it as the host will. `deep`: with what is in the other files, which takes a while."""
    with tempfile.TemporaryDirectory(prefix="jianwei-") as folder:
        for name, content in files.items():
            there = Path(folder, name)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch(0o600)
            there.write_bytes(content)
        main = os.path.join(folder, MAIN)
        try:
            config = configuration.load(main)
            if deep:
                configcheck.check(config)
        except UserError as error:
            problem = str(error).replace(folder + os.sep, "")
            raise DocumentError(path, None, problem) from error
        except DocumentError as error:
            real = os.path.join(os.path.dirname(path), os.path.relpath(error.path, folder))
            shown = path if error.path == main else real
            problem = error.problem.replace(folder + os.sep, "")
            raise DocumentError(shown, error.line, problem) from error
