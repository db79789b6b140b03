"""The lines that an agent watches, from its /metrics (Prometheus text format 0.0.4; the families: docs/metrics.md).

`/metrics` is asked for whole: with `collect[]` an agent tells host collectors alone. Of its text the lines of FAMILIES
are parsed, no others. What is measured of a target in one family is put to its line: a target `NAME`, `NAME#2` or
`NAME/MODULE` belongs to line NAME. The worst of the targets counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from sqlalchemy import Connection, delete

from exporters.console.schema import line
from exporters.findings.told import line as harmless
from rules.linejudge import STATES

FAMILIES: Final = (
    "jianwei_line_info",
    "jianwei_line_state",
    "jianwei_line_state_seconds_total",
    "jianwei_line_reason",
    "jianwei_line_availability_ratio",
    "jianwei_line_downtime_seconds_total",
    "jianwei_line_active",
    "jianwei_line_backup_dead",
    "jianwei_line_failovers_total",
    "jianwei_line_failover_seconds",
    "jianwei_line_utilisation_p95_ratio",
    "jianwei_probe_success",
    "jianwei_probe_loss_ratio",
    "jianwei_probe_rtt_seconds",
    "jianwei_probe_failure_reason",
)
MAX_LINES: Final = 20_000  # of one agent
_LENGTH: Final = 200  # characters of a name
# worst first; a backup line that is down while nobody notices, since the main line works, before all
DEAD, DOWN, DEGRADED, UNKNOWN, UP = range(5)
RANK: Final = {"down": DOWN, "degraded": DEGRADED, "unknown": UNKNOWN, "up": UP}
_NAME: Final = re.compile(r"[a-z_]+")
_FAMILY: Final = frozenset(("ipv4", "ipv6"))
_ROWS: Final = 500  # in one insert


def store(connection: Connection, host_id: int, metrics_text: str, now: datetime) -> int:
    """Put what the text says of lines in the place of what was known of the host's; returns how many there are. In the
    caller's writing transaction. Raises ValueError for text that is no exposition: nothing is changed then."""
    rows = rows_of(metrics_text, host_id, now)
    connection.execute(delete(line).where(line.c.host_id == host_id))
    for start in range(0, len(rows), _ROWS):
        connection.execute(line.insert(), rows[start : start + _ROWS])
    return len({row["name"] for row in rows})


def rows_of(text: str, host_id: int, now: datetime) -> list[dict[str, Any]]:
    """One row for each line and address family that it is probed in; `family` is empty where none is known."""
    lines: dict[str, dict[str, Any]] = {}
    probes: dict[tuple[str, str], dict[str, Any]] = {}
    pending: list[Sample] = []
    for sample in _samples(text):
        name = sample.labels.get("line")
        if name is None:
            pending.append(sample)
        elif name in lines or len(lines) < MAX_LINES:
            _of_line(lines.setdefault(name, {"state": "unknown"}), sample)
    for sample in pending:
        _of_probe(probes, sample, lines)
    rows = []
    for name, figures in lines.items():
        families = [family for family in ("ipv4", "ipv6") if (name, family) in probes] or [""]
        rank = DEAD if figures.get("backup_dead") else RANK[figures["state"]]
        rows += [
            {
                "host_id": host_id,
                "name": _short(name),
                "family": family,
                "time": now,
                "level": figures.get("level", ""),
                "rank": rank,
                "figures": {**figures, **probes.get((name, family), {})},
            }
            for family in families
        ]
    # names that are the same once harmless are one line
    return list({(row["name"], row["family"]): row for row in rows}.values())


def _samples(text: str) -> Iterator[Sample]:
    kept = [
        one
        for one in text.splitlines()
        if (found := _NAME.match(one)) is not None and found[0] in _WANTED
    ]
    try:
        for family in text_string_to_metric_families("\n".join(kept) + "\n"):
            yield from family.samples
    except (KeyError, IndexError) as error:  # the parser's own slips on text that is none
        raise ValueError(f"not an exposition: {error!r}") from error


_WANTED: Final = frozenset(FAMILIES)


def _of_line(figures: dict[str, Any], sample: Sample) -> None:
    what, labels, value = sample.name.removeprefix("jianwei_line_"), sample.labels, sample.value
    if math.isnan(value) or math.isinf(value):
        return
    if what == "info":
        for name in ("site", "level", "carrier", "role", "peer"):
            figures[name] = _short(labels.get(name, ""))
    elif what == "state" and value == 1 and labels.get("state") in STATES:
        figures["state"] = labels["state"]
    elif what == "state_seconds_total" and labels.get("state") in STATES:
        figures.setdefault("seconds", {})[labels["state"]] = value
    elif what == "reason":
        figures["reason"] = _short(labels.get("reason", ""))
    elif what in ("active", "backup_dead"):
        figures[what] = value == 1
    elif what == "utilisation_p95_ratio":
        figures["utilisation"] = max(value, figures.get("utilisation", 0.0))
    elif what in _PLAIN:
        figures[_PLAIN[what]] = value


_PLAIN: Final = {
    "availability_ratio": "availability",
    "downtime_seconds_total": "downtime",
    "failovers_total": "failovers",
    "failover_seconds": "failover_seconds",
}


def _of_probe(
    probes: dict[tuple[str, str], dict[str, Any]], sample: Sample, lines: dict[str, Any]
) -> None:
    labels, value = sample.labels, sample.value
    name, family = _line_of(labels.get("target", ""), lines), labels.get("family", "")
    if name is None or family not in _FAMILY:
        return
    figures = probes.setdefault((name, family), {})
    if sample.name == "jianwei_probe_failure_reason":
        figures["failure"] = _short(labels.get("reason", ""))
    elif math.isnan(value) or math.isinf(value):
        return
    elif sample.name == "jianwei_probe_success":
        figures["answers"] = value == 1 and figures.get("answers", True)
    elif sample.name == "jianwei_probe_loss_ratio":
        figures["loss"] = max(value, figures.get("loss", 0.0))
    elif sample.name == "jianwei_probe_rtt_seconds" and labels.get("stat") in ("median", "p95"):
        stat = f"rtt_{labels['stat']}"
        figures[stat] = max(value, figures.get(stat, 0.0))


def _line_of(target: str, lines: dict[str, Any]) -> str | None:
    """The line that a target is of: its name may have `#` or `/` itself."""
    if target in lines:
        return target
    for mark in ("#", "/"):
        head, found, _ = target.rpartition(mark)
        if found and head in lines:
            return head
        # NAME#2/MODULE
        inner, found, _ = head.rpartition("#")
        if mark == "/" and found and inner in lines:
            return inner
    return None


def _short(text: str) -> str:
    return harmless(text[:_LENGTH])
