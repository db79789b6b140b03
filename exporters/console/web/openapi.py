"""The API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made of the table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from exporters.console.web.asker import ALLOWED
from exporters.console.web.binding import is_many
from exporters.console.web.routing import Operation, Reply
from exporters.findings.product import version

_IN_PATH: Final = re.compile(r"{(\w+)(?::\w+)?}")
_REFS: Final = "#/components/schemas/{name}"


class Error(msgspec.Struct, frozen=True):
    """`code` is for machines, `message` for people in their language, `field` what of the request is wrong."""

    code: str
    message: str
    field: str


class Refusal(msgspec.Struct, frozen=True):
    error: Error


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    operations = tuple(operations)
    types: list[Any] = [Refusal]
    for one in operations:
        types += [one.takes, *([] if one.gives is Reply else [one.gives])]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFS)
    by_type = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        path = _IN_PATH.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Jianwei review console", "version": version()},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "agent": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "jianwei_session"},
            },
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(
    one: Operation, by_type: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    in_path = _IN_PATH.findall(one.path)
    # two rooms may have structs of one name: components have their whole names then
    takes = components[by_type[_key(one.takes)]["$ref"].rpartition("/")[2]]
    properties = takes.get("properties", {})
    needed = set(takes.get("required", ()))
    bare = one.method in ("GET", "DELETE") or bool(one.raw)
    parameters = [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path or name in needed,
            "schema": schema,
            **({"explode": True} if is_many(one.takes, name) else {}),
        }
        for name, schema in properties.items()
        if (name in in_path or bare) and name != one.raw
    ]
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": _summary(one),
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": _content(one, by_type)},
            "default": {
                "description": "refused; nothing was changed",
                "content": {"application/json": {"schema": by_type[_key(Refusal)]}},
            },
        },
        "security": _security(one),
        "x-roles": [role for role, allowed in ALLOWED.items() if one.permission in allowed],
    }
    if one.raw:
        found["requestBody"] = {"required": True, "content": {"application/json": {}}}
    elif not bare:
        body = {name: schema for name, schema in properties.items() if name not in in_path}
        required = sorted(needed.intersection(body))
        schema: dict[str, Any] = {"type": "object", "properties": body, "required": required}
        if takes.get("additionalProperties") is False:
            schema["additionalProperties"] = False
        found["requestBody"] = {
            "required": bool(required),
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _summary(one: Operation) -> str:
    text = (one.handle.__doc__ or one.takes.__doc__ or one.name).strip()
    return " ".join(text.split("\n\n")[0].split())


def _content(one: Operation, by_type: Mapping[str, Any]) -> dict[str, Any]:
    if one.gives is Reply:
        return {one.media_type: {}}
    return {"application/json": {"schema": by_type[_key(one.gives)]}}


def _security(one: Operation) -> list[dict[str, list[str]]]:
    if one.permission == "open":
        return []
    return [{"agent": []}] if one.permission == "agent" else [{"token": []}, {"session": []}]
