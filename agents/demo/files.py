"""The files that the example city's report is made of, as a city would keep them: profile, lines, prices, estate, results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select

from agents.demo import city, sites, usage
from agents.demo.audits import Auditors
from exporters.console.intake import rows
from exporters.console.schema import hit, host, rule
from rules.model import Hit, Host, Rule

LEVELS: Final = {"county": 99.5, "town": 99.0, "village": 98.0}


def write(folder: Path, month: str, until: datetime) -> Path:
    """All but the history and the audits; returns the profile."""
    _yaml(folder / "lines.yaml", {"units": _units(), "lines": list(_lines())})
    _yaml(folder / "sites.yaml", {"subjects": list(_subjects())})
    _yaml(folder / "hosts.yaml", {"subjects": list(_hosts())})
    _yaml(folder / "prices.yaml", {"currency": "CNY", "prices": list(_prices())})
    _yaml(folder / "exemptions.yaml", {"exemptions": []})
    _rows(folder / "ipv6.jsonl", sites.results(until - timedelta(days=1)))
    profile = {
        "city": city.CITY,
        "issuer": city.ISSUER,
        "example": True,
        # there is but one month to judge by
        "params": {"reclaim_months": 1, "shrink_months": 1},
        "history": "history.db",
        "capacity": {"vcpus": 8820, "memory_gib": 42000, "disk_tib": 1462},
        "prices": "prices.yaml",
        "follow_up": "followup.csv",
        "excerpts": False,
        "lines": {"lines": "lines.yaml", "sla": LEVELS},
        "ipv6": {"estate": "sites.yaml", "results": "ipv6.jsonl"},
        "baseline": {"estate": "hosts.yaml", "audits": "audits.jsonl", "hits": "hits.jsonl"},
    }
    path = folder / "city.yaml"
    _yaml(path, profile)
    return path


def write_audits(folder: Path, auditors: Auditors, until: datetime) -> None:
    """The last of each machine within the month."""
    time = until - timedelta(hours=2)
    _rows(folder / "audits.jsonl", (auditors.audit(it, time, 0) for it in city.machines()))


def write_hits(folder: Path, connection: Connection, rules: Mapping[str, Rule]) -> None:
    """Those of the console."""
    hosts = {row.id: Host(row.key, row.name) for row in connection.execute(select(host))}
    names = {row.id: row.name for row in connection.execute(select(rule.c.id, rule.c.name))}
    found = connection.execute(rows.selected().add_columns(hit.c.host_id))
    _rows(folder / "hits.jsonl", (_hit(row, hosts, names, rules) for row in found))


def _hit(
    row: Row[Any], hosts: Mapping[int, Host], names: Mapping[int, str], rules: Mapping[str, Rule]
) -> Hit:
    name = names[row.rule_id]
    known = rows.known(row[:-1], hosts[row.host_id], name).hit
    values = {part: msgspec.json.decode(getattr(known, part)) for part in ("actual", "expected")}
    return msgspec.structs.replace(known, title=rules[name].title, **values)


def _lines() -> Iterator[dict[str, Any]]:
    for number, it in enumerate(usage.lines()):
        line: dict[str, Any] = {
            "name": it.name,
            "site": it.site.name,
            "level": it.site.level,
            "carrier": it.carrier,
            "role": it.role,
            # documentation addresses (RFC 3849): nobody is there
            "targets": [f"2001:db8:{number // 256:x}:{number % 256:x}::1"],
        }
        if it.peer:
            line["peer"] = it.peer
        yield line


def _units() -> dict[str, int]:
    return {"county": len(city.AREAS), "town": city.TOWNS, "village": city.VILLAGES}


def _subjects() -> Iterator[dict[str, Any]]:
    for site in sites.sites():
        yield {
            "name": site.name,
            "kind": "site",
            "department": site.department,
            "level": "city",
            "url": site.url,
        }


def _hosts() -> Iterator[dict[str, Any]]:
    for it in city.machines():
        yield {
            "name": it.name,
            "kind": "host",
            "department": it.department,
            "level": "city",
            "host": f"ssh://ops@{it.name}.linjiang.example",
        }


def _prices() -> Iterator[dict[str, Any]]:
    yield {"item": "vcpu", "unit": "hour", "price": 0.05}
    yield {"item": "memory", "unit": "month", "price": 20}
    yield {"item": "disk", "unit": "month", "price": 0.6}


def _yaml(path: Path, document: Any) -> None:
    path.write_bytes(msgspec.yaml.encode(document))


def _rows(path: Path, rows: Iterator[msgspec.Struct]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")
