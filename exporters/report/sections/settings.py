"""What the profile of a report says of its parts on lines, IPv6 and the baseline (docs/report-parts.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from collectors.link.lines import Level

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


class LinesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lines` is the file of lines, as agents have it, with what `modules` (a modules file) adds to it; without, levels are
    known from a time-series database alone. `sla` is the promised availability by level, percent. Of a line that
    is known for less than `least_known` percent of the time nobody says whether the promise was kept. `worst` is
    how many lines are told as the worst."""

    lines: str = ""
    modules: str = ""
    maintenance: str = ""
    sla: Mapping[Level, Percent] = {}
    least_known: Percent = 80.0
    worst: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20


class Ipv6Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`estate` is the file of sites and hosts (docs/estate.md); `results` and `before` are files or folders of results, JSON
    lines, of this month and of the one before, and `estate_before` the file of sites and hosts as it was then,
    where it was another. Without `results` a time-series database is asked."""

    estate: str
    results: str = ""
    before: str = ""
    estate_before: str = ""


class BaselineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`estate` is the file of hosts (docs/estate.md), whose departments count; `audits` and `before` are files or folders of
    `jianwei audit --format json` of this month and of the one before, `hits` of `jianwei hits list --json`.
    `waivers` is a waivers file. Without `audits` a time-series database is asked. `packs` are those that count;
    empty: all but IPv6 readiness, link quality and utilisation, which have parts of their own."""

    estate: str
    audits: str = ""
    before: str = ""
    hits: str = ""
    waivers: str = ""
    packs: tuple[str, ...] = ()
    oldest: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    expiring: Annotated[int, msgspec.Meta(ge=0, le=400)] = 60  # days
