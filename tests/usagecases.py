"""Resources that were used in some way, made of few words, for tests of how they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from rules.exemptions import Exemption, Exemptions
from rules.usagemodel import Measured, ResourceUse
from rules.usagethresholds import GIB
from rules.utilisation import CHINA

CASES = Path(__file__).parent / "usage" / "cases.yaml"
ON = date(2026, 11, 3)
DAY = 86400.0


def documents() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return loaded


def measured(values: Mapping[str, Any]) -> dict[str, Measured]:
    found = {}
    for name, value in values.items():
        more: dict[str, Any] = value if isinstance(value, dict) else {"p95": value}
        p95 = more["p95"]
        found[name] = Measured(
            samples=more.get("samples", 8000),
            mean=p95 / 2,
            p50=p95 / 2,
            p95=p95,
            maximum=more.get("maximum", p95),
            maximum_at=1_793_400_000,
            coverage=more.get("coverage", 1.0),
            estimated=more.get("estimated", False),
            upper=more.get("upper", p95),
        )
    return found


def use(number: int, said: Mapping[str, Any], values: Mapping[str, Any]) -> ResourceUse:
    """The month that is `number` months before October 2026."""
    year, month = divmod(2026 * 12 + 9 - number, 12)
    after_year, after = divmod(year * 12 + month + 1, 12)
    since = datetime(year, month + 1, 1, tzinfo=CHINA).timestamp()
    end = datetime(after_year, after + 1, 1, tzinfo=CHINA).timestamp()
    given = dict(said)
    so_far = given.pop("so_far", None)  # days of a month that is not over
    end = end if so_far is None else since + so_far * DAY

    def back(name: str) -> float | None:
        days = given.pop(name, None)
        return None if days is None else end - days * DAY

    age, unseen = back("age"), back("unseen")
    stopped, detached, resized, moved = map(back, ("stopped", "detached", "resized", "moved"))
    memory, disk = given.pop("memory", None), given.pop("disk", None)
    return ResourceUse(
        resource=given.pop("resource", "0b0c"),
        name=given.pop("name", "web-01"),
        month=f"{year}-{month + 1:02}",
        since=since,
        until=end,
        first_seen=since if age is None else age,
        last_seen=end if unseen is None else unseen,
        memory=None if memory is None else memory * GIB,
        disk=None if disk is None else disk * GIB,
        stopped_since=stopped,
        detached_since=detached,
        resized=() if resized is None else (resized,),
        moved=() if moved is None else (moved,),
        measured=measured(values),
        under_way=so_far is not None,
        **given,
    )


def history(base: Mapping[str, Any], case: Mapping[str, Any]) -> list[ResourceUse]:
    months: Sequence[Mapping[str, Any] | None] = case.get("months", [{}])
    found = []
    for number, month in enumerate(months):
        if month is not None:
            said = {**base["use"], **case.get("use", {}), **month.get("use", {})}
            values = month.get("measured", case.get("measured", base["measured"]))
            found.append(use(len(months) - 1 - number, said, values))
    return found


def exemptions(rows: Sequence[Mapping[str, Any]]) -> Exemptions:
    said = {"reason": "容灾", "owner": "张伟", "approver": "李敏"}
    return Exemptions(
        msgspec.convert({"id": f"E-{number}", **said, **row}, Exemption)
        for number, row in enumerate(rows)
    )
