"""Parameters for any page or operation, made of its struct: what a stranger could send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect


def values(kind: type[msgspec.Struct], text: str) -> dict[str, Any]:
    """One value of every field: `text` where text goes, else something of its type."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return {one.encode_name: _value(one.type, text) for one in found.fields}


def fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    for one in found.fields:
        yield one.encode_name


def _value(kind: inspect.Type, text: str) -> Any:
    match kind:
        case inspect.UnionType():
            return _value(next(t for t in kind.types if not isinstance(t, inspect.NoneType)), text)
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.StrType():
            return text if kind.max_length is None else text[: kind.max_length]
        case inspect.BoolType():
            return "true"
        case inspect.IntType() | inspect.FloatType():
            return 1
        case inspect.DateType():
            return "2026-12-31"
        case inspect.DateTimeType():
            return "2026-12-31T10:00"
        case inspect.TimeType():
            return "10:00"
        case (
            inspect.ListType()
            | inspect.VarTupleType()
            | inspect.SetType()
            | inspect.FrozenSetType()
        ):
            return [_value(kind.item_type, text)]
        case inspect.DictType():
            return {text: text}
        case inspect.StructType():
            return {one.encode_name: _value(one.type, text) for one in kind.fields}
        case _:
            return text
