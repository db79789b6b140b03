"""The files that a configuration names: those beside it go with it, those named absolutely are the host's.

A value names a file under a key that is `profile` or ends in `_file` (not ocsf_file), in a list under `packs`,
`known_hosts` or `trusted_keys`, and after `!file`. In YAML files that go with it, a value names a file under
`…_file` and after `!file`: the certificates of a web.config, the keys of a file of modules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import yaml

from collectors.strictyaml import DocumentError
from collectors.yamltree import Malformed, Tree

_LISTS: Final = ("packs", "known_hosts", "trusted_keys")
_WRITTEN: Final = ("ocsf_file",)  # by the agent
_SECRET: Final = ("key_file", "token_file", "password_file")
_YAML: Final = (".yaml", ".yml")
MAX_BYTES: Final = 16 << 20  # of all of them
MAX_FILES: Final = 100
# as hostside has it: at most four folders deep
_NAME: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]*")
Read = Callable[[str], bytes]


class Beside(msgspec.Struct, frozen=True):
    """`elsewhere`: names of files that only the host may have. `secrets`: what is in files after `!file`."""

    files: Mapping[str, bytes]
    elsewhere: frozenset[str]
    secrets: frozenset[str]


class _Secret(str):
    """A name after `!file`."""

    __slots__ = ()


def beside(path: str, content: bytes, read: Read) -> Beside:
    """What the configuration in `content`, which was read from `path`, names; raises DocumentError."""
    folder = os.path.dirname(os.path.abspath(path))
    files: dict[str, bytes] = {}
    elsewhere: set[str] = set()
    secrets: set[str] = set()
    left = [(path, "", content)]
    while left:
        at, inside, text = left.pop()
        for where, name, line in _named(at, text, own=at == path):
            if os.path.isabs(name) or name.startswith("~"):
                if at == path and not os.path.exists(os.path.expanduser(name)):
                    elsewhere.add(name)
                continue
            wanted = os.path.normpath(os.path.join(inside, name))
            if wanted.startswith(".."):
                raise DocumentError(
                    at, line, f"{where}: {name!r} is not beside the configuration: put it there"
                )
            if not _NAME.fullmatch(wanted):
                problem = f"{name!r} is no name for a file there: use letters, digits, . _ -"
                raise DocumentError(at, line, f"{where}: {problem}")
            if wanted not in files:
                try:
                    files[wanted] = read(os.path.join(folder, wanted))
                except DocumentError as error:
                    raise DocumentError(at, line, f"{where}: {error}") from error
                if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
                    raise DocumentError(
                        at, line, f"{where}: more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB"
                    )
                if wanted.endswith(_YAML):
                    left.append(
                        (os.path.join(folder, wanted), os.path.dirname(wanted), files[wanted])
                    )
            if isinstance(name, _Secret) or where.endswith(_SECRET):
                secrets.add(files[wanted].decode("utf-8", "replace").strip())
    return Beside(files, frozenset(elsewhere), frozenset(secrets - {""}))


def _named(path: str, content: bytes, own: bool) -> list[tuple[str, str, int | None]]:
    """Where, which file, on which line. `own`: it is the configuration itself."""

    def reference(tag: str, text: str) -> Any:
        return _Secret(text) if tag == "!file" else _Environment(text)

    try:
        tree = Tree(content, {"!file": reference, "!env": reference})
    except Malformed as error:
        raise DocumentError(path, error.line, error.problem) from error
    except (RecursionError, UnicodeError) as error:
        raise DocumentError(path, None, f"is not YAML: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        raise DocumentError(
            path, mark.line + 1 if mark else None, f"is not YAML: {problem}"
        ) from error
    found = []
    for where, value in _values(tree.data, ()):
        line = tree.line(where)
        if isinstance(value, _Environment):
            raise DocumentError(
                path, line, f"!env {value}: the agent there has no such variable; use !file"
            )
        if value and (isinstance(value, _Secret) or _is_file(where, value, own)):
            found.append((".".join(map(str, where)), value, line))
    return found


class _Environment(str):
    """A name after `!env`."""

    __slots__ = ()


def _values(part: Any, where: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _values(value, (*where, key))
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _values(value, (*where, number))
    elif isinstance(part, str):
        yield where, part


def _is_file(where: tuple[str | int, ...], value: str, own: bool) -> bool:
    key = where[-1] if where else ""
    if isinstance(key, int):
        # a pack by name has no folder and no ending
        named = "/" in value or value.endswith(_YAML)
        return own and len(where) > 1 and where[-2] in _LISTS and named
    return (own and key == "profile") or (key.endswith("_file") and key not in _WRITTEN)
