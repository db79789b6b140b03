"""The profile of a city: what its monthly report is made of and for whom, one YAML file (docs/report.md).

Every key may be left out. Paths in it are relative to its folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from collectors import strictyaml
from collectors.cloud.model import Size
from exporters.history import workcalendar
from exporters.promapi.settings import PromSettings
from exporters.report.delivery import settings as settings_of_delivery
from exporters.report.delivery.settings import DeliverySettings
from exporters.report.rendering import FORMATS, Format
from exporters.report.sections.settings import BaselineSettings, Ipv6Settings, LinesSettings
from rules import pack as packs
from rules.usagemodel import PACK
from rules.usagethresholds import thresholds_of

GIB: Final = 2**30
Capacity = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class CapacitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the city can grant, where its clouds do not tell."""

    vcpus: Capacity | None = None
    memory_gib: Capacity | None = None
    disk_tib: Capacity | None = None

    @property
    def size(self) -> Size:
        memory, disk = self.memory_gib, self.disk_tib
        return Size(
            self.vcpus,
            None if memory is None else round(memory * GIB),
            None if disk is None else round(disk * 1024 * GIB),
        )


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`config` is the configuration of an agent, for its history, thresholds and table of owners. `excerpts`: one for
    each department as well. `example`: all of it is made up, and every file says so."""

    city: str = ""
    issuer: str = ""
    example: bool = False
    language: Literal["zh", "en"] = "zh"
    formats: tuple[Format, ...] = FORMATS
    out: str = ""
    excerpts: bool = False
    config: str = ""
    history: str = ""
    prometheus: PromSettings | None = None
    capacity: CapacitySettings = CapacitySettings()
    holidays: str = ""
    hours: tuple[str, ...] = workcalendar.HOURS
    params: Mapping[str, Any] = {}
    exemptions: str = ""
    prices: str = ""
    follow_up: str = ""
    font: str = ""
    lines: LinesSettings | None = None
    ipv6: Ipv6Settings | None = None
    baseline: BaselineSettings | None = None
    delivery: DeliverySettings | None = None


_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("out", "config", "history", "holidays", "exemptions", "prices", "follow_up"),
    "prometheus": ("ca_file", "cert_file", "key_file"),
    "lines": ("lines", "modules", "maintenance"),
    "ipv6": ("estate", "estate_before", "results", "before"),
    "baseline": ("estate", "audits", "before", "hits", "waivers"),
}


def load(path: str) -> Profile:
    """Raises DocumentError."""
    document = strictyaml.Document(strictyaml.read(path), path)
    profile = document.convert(Profile)
    if profile.history and profile.prometheus:
        raise document.error(("history",), "history and prometheus are both named; leave one out")
    try:
        tuple(map(workcalendar.Hours.parse, profile.hours))
    except ValueError as error:
        raise document.error(("hours",), str(error)) from error
    try:
        thresholds_of(packs.resolve(packs.outline(PACK), profile.params))
    except ValueError as error:
        raise document.error(("params",), str(error)) from error
    folder = os.path.dirname(os.path.abspath(path))
    for part, names in _PATHS.items():
        if not part:
            profile = _located(profile, names, folder)
        elif (settings := getattr(profile, part)) is not None:
            located = _located(settings, names, folder)
            profile = msgspec.structs.replace(profile, **{part: located})
    if profile.delivery is not None:
        delivery = settings_of_delivery.located(profile.delivery, folder)
        profile = msgspec.structs.replace(profile, delivery=delivery)
    return profile


def _located(settings: Any, names: tuple[str, ...], folder: str) -> Any:
    found = {
        name: os.path.join(folder, os.path.expanduser(path))
        for name in names
        if (path := getattr(settings, name))
    }
    return msgspec.structs.replace(settings, **found) if found else settings
