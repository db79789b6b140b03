"""Which server it is, how long it keeps data, and what it allows a query.

Prometheus tells by /api/v1/status/{buildinfo,runtimeinfo,flags}, Thanos by the first and by /api/v1/stores,
VictoriaMetrics by the flags among its own /metrics, Mimir by `application` of the first. Whoever tells none of it may
stand behind a proxy: that is no error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from exporters.promapi.client import PromClient
from exporters.promapi.finding import Finding, finding
from exporters.usage.period import Period
from exporters.usage.source import SourceError

T = TypeVar("T")
DAY: Final = 86400
# How long after its end a month's report may be made, and made again.
AFTER: Final = 15
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
_MONTH: Final = 31 * DAY  # VictoriaMetrics: a number without a unit is of these
_FLAG: Final = re.compile(r'^flag\{name="([^"\\]+)",\s*value="([^"\\]*)"', re.MULTILINE)
_VERSION: Final = re.compile(r'^vm_app_version\{[^}]*\bversion="([^"\\]*)"', re.MULTILINE)
_RETENTION: Final = {
    "Prometheus": "--storage.tsdb.retention.time=",
    "VictoriaMetrics": "-retentionPeriod=",
    "Thanos": "--retention.resolution-raw=",
    "Mimir": "compactor_blocks_retention_period: ",
}
# Below these a report takes long or is refused. Flags by the server that has them.
_LOW: Final[Mapping[str, float]] = {
    "query.max-samples": 5_000_000,
    "query.timeout": 10,
    "search.maxSamplesPerQuery": 5_000_000,
    "search.maxUniqueTimeseries": 10_000,
    "search.maxPointsPerTimeseries": 11_000,
    "search.maxQueryDuration": 10,
}


class Server(NamedTuple):
    """`flags` by name, of those that it tells; `kept` seconds."""

    kind: str
    version: str
    flags: Mapping[str, str]
    kept: float | None
    size: str  # beyond it data is deleted; empty where there is no such limit


def server(client: PromClient) -> Server:
    build = {key: str(value) for key, value in _asked(client, "status/buildinfo").items()}
    version = build.get("version", "")
    if "mimir" in build.get("application", "").lower():
        return Server("Mimir", version, {}, None, "")
    if not build.get("revision"):
        page = _page(client, "metrics")
        if found := _VERSION.search(page):
            flags = dict(_FLAG.findall(page))
            kept = seconds(flags.get("retentionPeriod", ""), _MONTH)
            return Server("VictoriaMetrics", found[1] or version, flags, kept, "")
    if _is_thanos(client, version):
        return Server("Thanos", version, {}, None, "")
    if not version:
        return Server("", "", {}, None, "")
    flags = {key: str(value) for key, value in _asked(client, "status/flags").items()}
    told = str(_asked(client, "status/runtimeinfo").get("storageRetention", ""))
    time, _, size = told.partition(" or ") if told else (_retention(flags), "", "")
    if told and seconds(time) is None:
        time, size = "", told  # by size alone
    return Server("Prometheus", version, flags, seconds(time), size)


def of_server(
    client: PromClient, found: Server, period: Period, before: float, now: float
) -> Iterator[Finding]:
    """`before` is when the first month begins that a trend needs."""
    kind = found.kind or "Prometheus API"
    yield finding("ok", "server", server=client.name, kind=kind, version=found.version)
    if found.kind == "Thanos":
        yield finding("warning", "server.thanos")
    yield from _limits(found)
    yield from _kept(found, period, before, now)


def _limits(found: Server) -> Iterator[Finding]:
    told = {name: found.flags[name] for name in _LOW if found.flags.get(name)}
    if not told:
        return
    text = ", ".join(f"{name}={value}" for name, value in told.items())
    low = [name for name, value in told.items() if 0 < (seconds(value, 1) or 0) < _LOW[name]]
    if low:
        yield finding("warning", "limits.low", limits=text, flags=", ".join(low))
    else:
        yield finding("ok", "limits", limits=text)


def _kept(found: Server, period: Period, before: float, now: float) -> Iterator[Finding]:
    since = math.ceil((now - period.since) / DAY)
    least = max(since, 31 + AFTER)
    trend = max(math.ceil((now - min(before, period.since)) / DAY), least)
    if found.size:
        yield finding("warning", "retention.size", size=found.size)
    if found.kept is None:
        if not found.size:
            yield finding("warning", "retention.unknown", days=trend)
        return
    days = found.kept / DAY
    values: dict[str, Any] = {"kept": f"{days:g} d", "flag": _RETENTION.get(found.kind, "")}
    if days < least:
        values |= {"month": period.label, "age": since, "needed": least, "days": trend}
        yield finding("error", "retention.short", **values)
    elif days < trend:
        yield finding("warning", "retention.trend", **values, needed=trend, days=trend)
    else:
        yield finding("ok", "retention", kept=values["kept"], needed=trend)


def seconds(text: str, unit: float | None = None) -> float | None:
    """`1y2w3d4h`, `2m0s`, `30s`; a number alone is of `unit`. None is none of these, or 0, which is no limit."""
    if re.fullmatch(r"\d+(\.\d+)?", text) and unit is not None:
        return float(text) * unit or None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", text)
    if not parts or "".join(number + of for number, of in parts) != text:
        return None
    return sum(float(number) * _UNITS[of] for number, of in parts) or None


def _retention(flags: Mapping[str, str]) -> str:
    time = flags.get("storage.tsdb.retention.time", "")
    by_size = flags.get("storage.tsdb.retention.size", "0B") not in ("", "0", "0B")
    return time if seconds(time) else "" if by_size or not flags else "15d"


def _is_thanos(client: PromClient, version: str) -> bool:
    if not version.startswith("0."):
        return False
    try:
        client.get("stores", dict[str, Any])
    except SourceError:
        return False
    return True


def _asked(client: PromClient, path: str) -> dict[str, Any]:
    """What it tells of itself; nothing where it does not."""
    try:
        return client.get(path, dict[str, Any])
    except SourceError:
        return {}


def _page(client: PromClient, path: str) -> str:
    try:
        return client.page(path)
    except SourceError:
        return ""
