"""Dated facts of what is held: one aspect of one resource, with its value, since when and until
when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from collectors.cloud.model import Capacity, CloudKind, ResourceKind, Size
from collectors.cloud.owners import Attribution

Aspect = Literal["identity", "state", "size", "owner", "project", "attached", "quota", "capacity"]
ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What it is, and who tells of it; also of a project. `region` of its cloud, if that has some."""

    kind: ResourceKind | Literal["project"]
    name: str
    cloud: str
    told_by: CloudKind
    region: str = ""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Quotas of a project, by the name of what they limit; None is no limit."""

    limits: Mapping[str, float | None]


class Capacities(msgspec.Struct, frozen=True, gc=False):
    """What a cloud has; `hosts` are the ids of its hosts by their names."""

    kind: CloudKind
    capacity: tuple[Capacity, ...]
    hosts: Mapping[str, str] = {}


Value = Identity | Size | Attribution | Limits | Capacities | str | tuple[str, ...]

VALUES: Final[Mapping[Aspect, type]] = {
    "identity": Identity,
    "state": str,
    "size": Size,
    "owner": Attribution,
    "project": str,
    "attached": tuple[str, ...],
    "quota": Limits,
    "capacity": Capacities,
}


class Span(msgspec.Struct, frozen=True):
    """`until` is None while it lasts. Of two with one resource, aspect and `since` the later
    replaces the earlier."""

    resource: str
    aspect: Aspect
    since: float
    until: float | None
    value: Value


Key = tuple[str, Aspect]
Known = Mapping[Key, Span]


def encoded(value: Value) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def decoded(aspect: Aspect, value: str | bytes) -> Value:
    """The value of an aspect from JSON. Raises msgspec.DecodeError and ValidationError."""
    return msgspec.json.decode(value, type=VALUES[aspect])


def joined(known: Known, spans: Iterable[Span]) -> dict[Key, Span]:
    """What is known after `changes`: the spans that last."""
    lasting = dict(known)
    for span in spans:
        if span.until is None:
            lasting[span.resource, span.aspect] = span
        elif (now := lasting.get((span.resource, span.aspect))) and now.since == span.since:
            del lasting[span.resource, span.aspect]
    return lasting
