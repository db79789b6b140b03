"""The report as JSON: docs/report.schema.json is its schema, docs/report-schema.md says what is in it.

Times are ISO 8601 with the offset of the site's zone; null is not known. Resources are as `jianwei usage --format json`
has them (exporters/usage/judgements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from exporters.report.document import Document
from exporters.usage import judgements
from rules.usagejudgement import Advice, Exempted, Judgement, Reason, State

VERSION: Final = 1  # another one where a key changes its meaning or goes
_REASON: Final = "Reason"  # leaves out what has no value
_INNER: Final = "Judgement"  # is told as Resource


class Size(msgspec.Struct, frozen=True):
    """What to give it: virtual CPUs and bytes. null: none is advised, or it is not known."""

    vcpus: float | None
    memory: int | None


class Amounts(msgspec.Struct, frozen=True):
    """Virtual CPUs and bytes; null is not known."""

    vcpus: float | None
    memory: int | None
    disk: int | None


class Quantiles(msgspec.Struct, frozen=True):
    """95th percentiles: percent, and bytes/s of network in + out at most."""

    cpu: float | None
    memory: float | None
    steal: float | None
    network: float | None


class Measured(msgspec.Struct, frozen=True):
    """Of one metric over the month. `peak_at` is the five minutes of the peak; `work` and `off` are averages in and out of
    working hours; `coverage` is percent of the time it was held. `estimated`: p50 and p95 are estimates."""

    average: float | None
    p50: float | None
    p95: float | None
    peak: float | None
    peak_at: str | None
    work: float | None
    off: float | None
    coverage: float
    estimated: bool


class Metrics(msgspec.Struct, frozen=True):
    """What was measured of it at all: percent, and bytes/s. null: nothing."""

    cpu: Measured | None
    memory: Measured | None
    steal: Measured | None
    disk: Measured | None
    net_rx: Measured | None
    net_tx: Measured | None


class Resource(msgspec.Struct, frozen=True):
    """One resource in the month, as exporters.usage.judgements has it. `reclaimable` is what would come free if the state
    found were acted on; `reasons` are the same as data that `reason_zh` and `reason_en` tell in words."""

    resource: str
    name: str
    kind: str
    month: str
    department: str | None
    system: str | None
    region: str | None
    environment: str | None
    attribution: str
    project: str | None
    state: State
    found: State
    advice: Advice
    months: int
    reason_zh: str
    reason_en: str
    reasons: Sequence[Reason]
    granted: Amounts
    target: Size
    reclaimable: Amounts
    p95: Quantiles
    coverage: float | None
    measured: Metrics
    exemption: Exempted | None
    seen: bool


def encode(document: Document) -> bytes:
    """Keys are in the order of the schema; the same document gives the same bytes."""
    told: dict[str, Any] = msgspec.to_builtins(document, order="deterministic")
    for department, own in zip(told["departments"], document.departments, strict=True):
        department["resources"] = _resources(own.resources)
    told["estate"]["hosts"] = _resources(document.estate.hosts)
    whole = msgspec.json.encode({"schema_version": VERSION, **told})
    return msgspec.json.format(whole, indent=1) + b"\n"


def _resources(some: Sequence[Judgement]) -> Any:
    return msgspec.to_builtins(judgements.documents(some))


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of what `encode` gives: every key is always there."""
    (top, _), parts = msgspec.json.schema_components(
        [Document, Resource], ref_template="#/$defs/{name}"
    )
    resource = {"$ref": "#/$defs/Resource"}
    parts["Department"]["properties"]["resources"]["items"] = resource
    parts["Estate"]["properties"]["hosts"]["items"] = resource
    whole = parts["Document"]
    whole["properties"] = {
        "schema_version": {"const": VERSION},
        **whole["properties"],
    }
    for name, part in parts.items():
        _strict(part, whole=name != _REASON)
    used = {name: part for name, part in sorted(parts.items()) if name != _INNER}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Jianwei monthly utilisation report",
        **top,
        "$defs": used,
    }


def _strict(part: dict[str, Any], whole: bool) -> None:
    """Nothing but what is described; defaults are for reading, and this is written."""
    if "description" in part:
        part["description"] = " ".join(part["description"].split())
    if "properties" not in part:
        return
    part["additionalProperties"] = False
    if whole:
        part["required"] = list(part["properties"])
    for described in part["properties"].values():
        described.pop("default", None)
