"""Query, path and form parameters as the struct that a handler takes.

A field that is a tuple takes repeated parameters; an empty one is as good as none. Text is such as both databases keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from exporters.console.web.refusals import Invalid
from exporters.console.web.routing import Upload
from exporters.console.words import problems

_NAMED = re.compile(r"field `(.*)`$")
S = TypeVar("S", bound=msgspec.Struct)

_MANY = (
    msgspec.inspect.ListType,
    msgspec.inspect.VarTupleType,
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
)

_NO_TEXT: Final = re.compile("[\x00\ud800-\udfff]")  # which PostgreSQL refuses


def bound(kind: type[S], pairs: Iterable[tuple[str, Any]]) -> S:
    """Raises Invalid that names the parameter."""
    fields = {one.encode_name: one for one in _fields(kind)}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            if not kind.__struct_config__.forbid_unknown_fields:
                continue
            raise Invalid("bad_parameter_unknown", name, name=name)
        if _is_many(fields[name].type):
            if value != "":
                values.setdefault(name, []).append(value)
        elif value != "" or _is_text(fields[name].type):
            values[name] = value
    return converted(kind, values, strict=False)


def converted(kind: type[S], values: Mapping[str, Any], *, strict: bool = True) -> S:
    for name, value in values.items():
        if not _is_plain(name) or not _is_plain(value):
            raise Invalid("bad_parameter_text", name, name=name)
    try:
        return msgspec.convert(values, kind, strict=strict)
    except (msgspec.ValidationError, ValueError) as error:
        message, _, where = str(error).partition(" - at `$.")
        named = _NAMED.search(message) if not where else None
        name = named[1] if named else where.rstrip("`").partition("[")[0]
        raise Invalid("bad_parameter", name, name=name, problem=problems.said(message)) from error


def _is_plain(value: Any) -> bool:
    waiting = [value]  # no recursion: the depth is a stranger's
    while waiting:
        match waiting.pop():
            case str() as text if _NO_TEXT.search(text):
                return False
            case dict() as found:
                waiting += [*found, *found.values()]
            case list() as found:
                waiting += found
    return True


def is_many(kind: type[msgspec.Struct], name: str) -> bool:
    return any(_is_many(one.type) for one in _fields(kind) if one.encode_name == name)


def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.inspect.Field, ...]:
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType)  # noqa: S101 - what a Struct is
    return found.fields


def _choices(kind: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


def _is_many(kind: msgspec.inspect.Type) -> bool:
    return any(isinstance(one, _MANY) for one in _choices(kind))


def _is_text(kind: msgspec.inspect.Type) -> bool:
    return isinstance(kind, msgspec.inspect.StrType)


__all__ = ["Upload", "bound", "converted", "is_many"]
