"""YAML documents turned into typed structs, with errors that name file, line, key and remedy.

Every document that a person writes comes through here: configuration, rule packs, web.config,
probe modules. Format: YAML 1.1 by a safe loader; a key written twice is an error. Secrets are never
in the document: `!env NAME` and `!file PATH` say where they are, and only a `Secret` takes them; a
`SecretReference` takes `!prompt WORDS` as well, and is looked up when it is needed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import yaml

from collectors.yamltree import Malformed, Tree
from collectors.yamltree import Path as Path
from collectors.yamltree import dotted as dotted

T = TypeVar("T")

MAX_BYTES = 8 << 20
WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how Excel's own files begin
NO_WORKBOOK = "is an Excel workbook; save it as 'CSV UTF-8'"
_GIVEN = ("/dev/stdin", "/dev/fd/")  # a pipe that somebody meant
_REFERENCES = ("!env", "!file", "!prompt")
MAX_DURATION = 366 * 86400.0  # seconds; far more overflows the kernel's and Python's timers

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class DocumentError(Exception):
    """What is wrong with a document. `str()` is `path:line: problem`."""

    def __init__(self, path: str, line: int | None, problem: str) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {problem}")
        self.path, self.line, self.problem = path, line, problem


class Duration(float):
    """Seconds, written `500ms`, `3s`, `1m30s`, `2h`, `1d`; from 1ms to 366 days."""

    @classmethod
    def parse(cls, text: object) -> Duration:
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw])", text) if isinstance(text, str) else []
        if not parts or "".join(n + u for n, u in parts) != text:
            raise ValueError(f"{text!r} is not a duration; write for example 500ms, 3s, 1m30s, 1h")
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if not _UNITS["ms"] <= seconds <= MAX_DURATION:
            raise ValueError(f"the duration {text:.40} must be above 0: from 1ms to 366d")
        return cls(seconds)


class Regex(str):
    """A regular expression in RE2 syntax, checked when it is read."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Regex:
        import re2

        if not isinstance(text, str):
            raise ValueError(f"{text!r} is not a regular expression")  # noqa: TRY004
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(text, options)
        except re2.error as error:
            why = error.args[0]
            why = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
            raise ValueError(f"{text!r} is not an RE2 regular expression: {why}") from error
        return cls(text)


class Secret:
    """Something that is never printed. `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    @classmethod
    def parse(cls, where: object) -> Secret:
        if not isinstance(where, SecretReference):
            raise ValueError("a secret is not written here; use !env NAME or !file PATH")  # noqa: TRY004
        return where.secret()


class SecretReference:
    """Where a secret is: `!env NAME`, `!file PATH` or `!prompt WORDS`. A relative path is relative to
    `folder`, that of its document."""

    __slots__ = ("folder", "name", "tag")

    def __init__(self, tag: str, name: str, folder: str) -> None:
        self.tag, self.name, self.folder = tag, name, folder

    @classmethod
    def parse(cls, where: object) -> SecretReference:
        if not isinstance(where, SecretReference):
            raise ValueError(  # noqa: TRY004
                "a secret is not written here; use !env NAME, !file PATH or !prompt WORDS"
            )
        return where

    @classmethod
    def written(cls, text: str, folder: str) -> SecretReference | str:
        """What stands in a cell of a table as it would in YAML; other text is left as it is."""
        tag, _, name = text.partition(" ")
        return cls(tag, name.strip(), folder) if tag in _REFERENCES else text

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal where the secret is the same one."""
        return self.tag, self.name, self.folder

    def secret(self) -> Secret:
        """Raises ValueError where it is not there, and where somebody has to be asked for it."""
        if self.tag == "!prompt":
            raise ValueError("nobody can be asked for it here; use !env NAME or !file PATH")
        if self.tag == "!env":
            if (value := os.environ.get(self.name)) is None:
                raise ValueError(f"the environment variable {self.name} is not set")
            return Secret(value)
        try:
            content = read(os.path.join(self.folder, os.path.expanduser(self.name)))
            return Secret(content.decode().rstrip("\r\n"))
        except (DocumentError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the secret: {error}") from error


def load(path: str, as_type: type[T]) -> T:
    """The document in a file as `as_type`; raises DocumentError."""
    return loads(read(path), as_type, path)


def read(path: str) -> bytes:
    """The bytes of a document; raises DocumentError where it cannot be read or is too long."""
    try:
        with open(path, "rb", opener=_unwaiting) as file:
            if not path.startswith(_GIVEN) and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DocumentError(path, None, "is not a file")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(path or "''", None, f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DocumentError(path, None, f"is longer than {MAX_BYTES >> 20} MiB")
    return content


def _unwaiting(path: str, flags: int) -> int:
    """A FIFO would be waited for without end."""
    return os.open(path, flags if path.startswith(_GIVEN) else flags | os.O_NONBLOCK)


def loads(content: bytes | str, as_type: type[T], path: str = "<text>") -> T:
    """The document in `content` as `as_type`; `path` is for messages. Raises DocumentError."""
    return Document(content, path).convert(as_type)


class Document:
    """A parsed document that knows the line of each of its parts.

    `mistakes`, where given, takes those that leave the rest of the document as it is.
    """

    def __init__(
        self, content: bytes | str, path: str, mistakes: list[DocumentError] | None = None
    ) -> None:
        self.path = path
        if isinstance(content, bytes) and content.startswith(WORKBOOK):
            raise DocumentError(path, None, NO_WORKBOOK)
        folder = os.path.dirname(os.path.abspath(path))
        references = dict.fromkeys(
            _REFERENCES, lambda tag, text: SecretReference(tag, text, folder)
        )
        tolerated: list[Malformed] | None = None if mistakes is None else []
        try:
            self._tree = Tree(content, references, tolerated)
        except Malformed as error:
            raise DocumentError(path, error.line, error.problem) from error
        except yaml.reader.ReaderError as error:
            raw = content.encode() if isinstance(content, str) else content
            lines = raw.count(b"\n", 0, error.position) + 1  # libyaml counts bytes
            raise DocumentError(path, lines, f"is not YAML: {_unreadable(error)}") from error
        except (yaml.MarkedYAMLError, UnicodeError) as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            line = mark.line + 1 if mark else None
            raise DocumentError(path, line, f"is not YAML: {problem}") from error
        except RecursionError as error:
            raise DocumentError(path, None, "is nested too deeply") from error
        self.data: Any = {} if self._tree.data is None else self._tree.data
        if mistakes is not None:
            mistakes += [DocumentError(path, one.line, one.problem) for one in tolerated or ()]

    def convert(self, as_type: type[T]) -> T:
        """The document as `as_type`; unknown keys are as the type's structs say."""
        try:
            return _convert(self.data, as_type)
        except msgspec.ValidationError as error:
            raise self._explain(str(error), as_type) from error

    def line(self, path: Path) -> int | None:
        """The line of a part, or of the nearest part around it."""
        return self._tree.line(path)

    def error(self, path: Path, problem: str) -> DocumentError:
        """An error of the caller's own about a part of the document."""
        return DocumentError(self.path, self.line(path), f"{dotted(path)}: {problem}")

    def _explain(self, message: str, as_type: type) -> DocumentError:
        problem, _, where = message.partition(" - at `")
        path = self._locate(where.rstrip("`"), message, as_type)
        if match := re.match(r"Object contains unknown field `(.*)`", problem):
            path = (*path, match[1])
            valid = list(_choices(msgspec.inspect.type_info(as_type), path[:-1]))
            return self.error(path, f"unknown key; {hint(match[1], valid)}")
        if match := re.match(r"Invalid enum value ('.*'|\S+)", problem):
            valid = list(_choices(msgspec.inspect.type_info(as_type), path))
            return self.error(path, f"{match[1]} is not one of: {', '.join(valid)}")
        if match := re.match(r"Object missing required field `(.*)`", problem):
            return self.error(path, f"the key {match[1]!r} is missing")
        if SecretReference.__name__ in problem:
            return self.error(path, "!env and !file are only for secrets; write the value itself")
        return self.error(path, _plainly(problem))

    def _locate(self, where: str, message: str, as_type: type) -> Path:
        """msgspec names the keys of plain mappings `[...]`; find which one it was by trying."""
        path: Path = ()
        part: Any = self.data
        for name, index in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", where):
            key: str | int = name or (int(index) if index != "..." else "...")
            if key == "..." and isinstance(part, dict):
                key = next((k for k in part if self._blames(path, k, message, as_type)), "")
            elif isinstance(key, int) and not isinstance(part, list):
                break
            path = (*path, key)
            try:
                part = part[key]
            except (KeyError, IndexError, TypeError):
                break
        return path

    def _blames(self, path: Path, key: str, message: str, as_type: type) -> bool:
        """Whether the same error comes when the mapping at `path` has `key` alone."""

        def only(part: Any, rest: Path) -> Any:
            if not rest:
                return {key: part[key]}
            copy = part.copy()
            copy[rest[0]] = only(part[rest[0]], rest[1:])
            return copy

        try:
            _convert(only(self.data, path), as_type)
        except msgspec.ValidationError as error:
            return str(error) == message
        return False


def _unreadable(error: yaml.reader.ReaderError) -> str:
    """A byte that is no UTF-8, or a character that YAML does not allow, in one line."""
    if isinstance(error.character, int):
        return f"{error.reason}: #x{error.character:04x}"
    return str(error.reason)


def _plainly(problem: str) -> str:
    """msgspec's words in a YAML writer's."""
    for theirs, ours in (
        ("`", ""),
        ("Expected", "expected"),
        ("object", "mapping"),
        ("array", "list"),
        (" | null", " or nothing"),
    ):
        problem = problem.replace(theirs, ours)
    return problem


def _convert(data: Any, as_type: type[T]) -> T:
    return msgspec.convert(data, as_type, dec_hook=decode)


def decode(as_type: type, value: Any) -> Any:
    """For msgspec: a type of ours that has `parse`."""
    parse: Callable[[Any], Any] | None = getattr(as_type, "parse", None)
    if parse is None:
        raise NotImplementedError(f"no decoder for {as_type}")
    return parse(value)


def hint(written: str, valid: list[str]) -> str:
    import difflib  # for mistakes alone

    near = difflib.get_close_matches(written, valid, 1)
    return f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(valid)}"


def _choices(info: Any, path: Path) -> Iterator[str]:
    """What may be written at `path` of a type: names of a struct's fields, or literal values."""
    inspect = msgspec.inspect
    if isinstance(info, inspect.UnionType):
        for option in info.types:
            yield from _choices(option, path)
    elif isinstance(info, inspect.StructType):
        if not path:
            yield from (field.encode_name for field in info.fields)
        for field in info.fields:
            if path and field.encode_name == path[0]:
                yield from _choices(field.type, path[1:])
    elif isinstance(info, inspect.DictType) and path:
        yield from _choices(info.value_type, path[1:])
    elif isinstance(info, (inspect.ListType, inspect.VarTupleType)) and path:
        yield from _choices(info.item_type, path[1:])
    elif isinstance(info, inspect.LiteralType) and not path:
        yield from map(str, info.values)
