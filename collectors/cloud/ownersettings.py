"""Settings of attribution: which keys and tags mean what, and what projects' names say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from collectors.cloud.owners import ENVIRONMENTS, FIELDS, MAX_NAME, Owner, OwnerField

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Words = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Names = dict[Name, Name]

_PLURALS: Final[dict[OwnerField, str]] = {
    "department": "departments",
    "system": "systems",
    "region": "regions",
    "environment": "environments",
}


class OwnerKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of metadata and what stands before `=` or `:` in a tag, for each field; upper and lower
    case are the same, and what stands first is believed first."""

    department: tuple[Key, ...] = ("department", "dept", "部门", "单位", "主管部门")
    system: tuple[Key, ...] = ("system", "app", "application", "业务系统", "系统", "应用")
    region: tuple[Key, ...] = ("region", "area", "区域", "区县", "地区")
    environment: tuple[Key, ...] = ("environment", "env", "环境", "环境类型")

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for field in FIELDS:
            for key in getattr(self, field):
                if (other := seen.setdefault(key.strip().lower(), field)) != field:
                    raise ValueError(f"the key {key!r} is of {field} and of {other}")


class Aliases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other names → the official one, so that 财政局 and 市财政局 are one department."""

    departments: Names = {}
    systems: Names = {}
    regions: Names = {}
    environments: Names = {}

    def __post_init__(self) -> None:
        for key in _PLURALS.values():
            names: Names = getattr(self, key)
            for name, official in names.items():
                if official in names:
                    problem = "itself" if official == name else f"an alias of {names[official]!r}"
                    raise ValueError(
                        f"{key}: {name!r} → {official!r}, which is {problem}; "
                        "an official name is no alias"
                    )

    def of(self, field: OwnerField, name: str) -> str:
        """The official name."""
        names: Names = getattr(self, _PLURALS[field])
        if name in names:
            return names[name]
        return ENVIRONMENTS.get(name.lower(), name) if field == "environment" else name

    def joined(self, more: Aliases) -> Aliases:
        """With more of them, which are believed where both have one. Raises ValueError where an
        official name of one is an alias of the other's."""
        if not more:
            return self
        return Aliases(
            **{key: {**getattr(self, key), **getattr(more, key)} for key in _PLURALS.values()}
        )

    def __bool__(self) -> bool:
        return any(getattr(self, key) for key in _PLURALS.values())


class ProjectOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose a project is, by its name or id."""

    department: Words = ""
    system: Words = ""
    region: Words = ""
    environment: Words = ""

    def __post_init__(self) -> None:
        if not any(getattr(self, field) for field in FIELDS):
            raise ValueError("names no department, system, region or environment")

    @property
    def owner(self) -> Owner:
        return Owner(self.department, self.system, self.region, self.environment)


NameIs = Literal["nothing", "department", "system"]


class AttributionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`overrides_file` is the dated table (overrides.py), `systems_file` the registry (systems.py).

    `parent`: of which project above a project the name is a department: the nearest, the topmost,
    none. `project_name` is what a project's own name is, `nova_project_name` what the one in Nova's
    XML is, where often nothing else is known. `service_projects` are the cloud's own: their names
    are no department. `cloud_region`: whether the cloud's region stands for the region where
    nothing else tells one.
    """

    overrides_file: str = ""
    systems_file: str = ""
    keys: OwnerKeys = OwnerKeys()
    projects: Mapping[Name, ProjectOwner] = {}
    parent: Literal["none", "nearest", "top"] = "nearest"
    project_name: NameIs = "nothing"
    nova_project_name: NameIs = "department"
    service_projects: tuple[Name, ...] = ("admin", "service", "services", "demo")
    cloud_region: bool = True
    aliases: Aliases = Aliases()
