"""Whose each resource is, by an ordered and dated mapping: docs/attribution.md. Pure.

Steps, in order: the override table, the server's metadata, its project (table, tags, tags of the projects
above, name of the one above), Nova's XML in the domain, libvirt's own metadata; else nobody's.

Each field is of the first step that tells it, with one exception: a step that names another department
than the one believed tells of somebody else's resource, and nothing of it is taken: a department is
never joined with another one's system. What differs is in `conflicts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from collectors.cloud.held import held
from collectors.cloud.model import CloudView, Project, Resource
from collectors.cloud.override import Seen
from collectors.cloud.overrides import Overrides
from collectors.cloud.owners import FIELDS, Attribution, Conflict, How, Owner, OwnerField, clean
from collectors.cloud.ownersettings import AttributionSettings

MAX_ABOVE: Final = 16  # projects above one; a circle ends too
NO_OVERRIDES: Final = Overrides()
# What Nova's XML calls a project, with and without the path to it.
NOVA_PROJECT: Final = ("project", "project_name", "project.name", "owner.project")
NOVA_PROJECT_ID: Final = ("project_id", "project_uuid", "project.uuid", "owner.project.uuid")
_PART = re.compile(r"[./:}]")
_TAG = re.compile(r"[=:＝：]")


class Said(NamedTuple):
    """What one source says. `weak`: a name taken for a department because nothing else told one."""

    how: How
    owner: Owner
    detail: str
    weak: bool = False


def attribute(
    resource: Resource,
    projects: Mapping[str, Project],
    settings: AttributionSettings,
    table: Overrides,
    at: date,
    domain: Resource | None = None,
) -> Attribution:
    """Whose a resource was on a day; `projects` by id. Many are attributed faster by one Attributor."""
    return Attributor(projects, settings, table).of(resource, at, domain)


def attributions(
    views: Iterable[CloudView], settings: AttributionSettings, table: Overrides, at: date
) -> dict[str, Attribution]:
    """Of every resource in the views by its id, and of every project by its."""
    views = tuple(views)
    projects = {project.id: project for view in views for project in view.projects}
    attributor = Attributor(projects, settings, table)
    found = {project.id: attributor.project(project, at) for project in projects.values()}
    for one in held(views):
        found[one.resource.id] = attributor.of(one.resource, at, one.domain)
    return found


class Attributor:
    """Attributes many resources: what a project says is found once. Raises ValueError where the aliases
    of settings and table contradict each other."""

    def __init__(
        self,
        projects: Mapping[str, Project],
        settings: AttributionSettings | None = None,
        table: Overrides = NO_OVERRIDES,
    ) -> None:
        self._settings = settings or AttributionSettings()
        self._projects, self._table = projects, table
        self._aliases = self._settings.aliases.joined(table.aliases)
        self._services = {name.lower() for name in self._settings.service_projects}
        self._words: dict[str, tuple[OwnerField, int]] = {
            key.strip().lower(): (field, rank)
            for field in FIELDS
            for rank, key in enumerate(getattr(self._settings.keys, field))
        }
        self._by_project: dict[str, tuple[Said, ...]] = {}
        self._official: dict[tuple[OwnerField, str], str] = {}

    def of(self, resource: Resource, at: date, domain: Resource | None = None) -> Attribution:
        """Of a resource. `domain` is what libvirt tells of it, which is `resource` itself where only
        libvirt knows it: then its metadata are libvirt's, not a server's."""
        said: list[Said] = []
        nova = resource.nova or (domain.nova if domain else {})
        project = resource.project or _first(nova, NOVA_PROJECT_ID)
        known = self._projects.get(project)
        name = known.name if known else _first(nova, NOVA_PROJECT)
        since = ""
        if self._table.rows:
            seen = Seen(resource.id, resource.name, resource.kind, project, name)
            said, since = self._overridden(seen, at)
        if resource.metadata and resource is not domain:
            said += self._worded(resource.metadata, "metadata")
        if resource.project:
            said += self._project(resource.project)
        if nova:
            said += self._nova(resource, nova)
        if domain is not None and domain.metadata:
            said += self._worded(domain.metadata, "libvirt")
        return self._settled(said, since, resource.region)

    def project(self, project: Project, at: date) -> Attribution:
        """Of a project itself: whose its quota is."""
        said, since = self._overridden(
            Seen(project.id, "", "project", project.id, project.name), at
        )
        return self._settled([*said, *self._project(project.id)], since, "")

    def _settled(self, said: Sequence[Said], since: str, region: str) -> Attribution:
        believed: dict[OwnerField, str] = {}
        how: How = "unassigned"
        detail = ""
        conflicts: list[Conflict] = []
        for one in said:
            theirs = one.owner.department
            ours = believed.get("department", "")
            if theirs and not ours:
                how, detail = one.how, one.detail
            another = bool(ours and theirs and ours != theirs)
            for field in FIELDS[:1] if another else FIELDS:
                value = getattr(one.owner, field)
                if not value or (one.weak and field in believed):
                    continue
                if believed.setdefault(field, value) != value:
                    conflicts.append(Conflict(one.how, field, value, one.detail))
        if region and self._settings.cloud_region and "region" not in believed:
            believed["region"] = self._name("region", region)
        since = since if how == "override" else ""
        return Attribution(Owner(**believed), how, detail, tuple(conflicts), since)

    def _overridden(self, seen: Seen, at: date) -> tuple[list[Said], str]:
        rows = self._table.find(seen, at)
        if not rows:
            return [], ""
        nearest = rows[0][1]
        # what fixes less of a resource is the rule that the nearest row is the exception of
        as_near = [(line, row) for line, row in rows if row.weight == nearest.weight]
        said = [
            Said("override", self._owner(row.owner), f"{self._table.path}:{line}")
            for line, row in as_near
        ]
        return said, str(nearest.valid_from or "")

    def _worded(self, metadata: Mapping[str, str], how: How) -> list[Said]:
        found: dict[OwnerField, tuple[int, str, str]] = {}
        for key, value in metadata.items():
            self._note(found, key, value, key)
        return self._said(found, how)

    def _said(self, found: Mapping[OwnerField, tuple[int, str, str]], how: How) -> list[Said]:
        if not found:
            return []
        detail = found["department"][2] if "department" in found else next(iter(found.values()))[2]
        owner = Owner(**{field: value for field, (_, value, _) in found.items()})
        return [Said(how, owner, clean(detail))]

    def _note(
        self, found: dict[OwnerField, tuple[int, str, str]], key: str, value: str, detail: str
    ) -> None:
        key = key.strip().lower()
        known, near = self._words.get(key), 0
        if known is None:  # `owner.department`, `{urn:city}department`
            known, near = self._words.get(_PART.split(key)[-1]), 1
        if known is None:
            return
        field, rank = known
        rank = 2 * rank + near
        if (field not in found or rank < found[field][0]) and (name := self._name(field, value)):
            found[field] = rank, name, detail

    def _project(self, project: str, how: How = "project") -> tuple[Said, ...]:
        if project not in self._by_project:
            self._by_project[project] = tuple(self._project_says(project))
        said = self._by_project[project]
        return said if how == "project" else tuple(one._replace(how=how) for one in said)

    def _project_says(self, id: str) -> Iterator[Said]:
        project = self._projects.get(id)
        yield from self._listed(id, project.name if project else "")
        if project is None:
            return
        yield from self._tagged(project)
        above = tuple(self._above(project))
        for one in above:
            yield from self._tagged(one)
        if above and self._settings.parent != "none":
            parent = above[0 if self._settings.parent == "nearest" else -1]
            if parent.name.lower() not in self._services:
                name = self._name("department", parent.name)
                yield Said("project", Owner(name), clean(f"parent {parent.name}"), weak=True)
        yield from self._named(project.name, self._settings.project_name, "project")

    def _listed(self, id: str, name: str) -> Iterator[Said]:
        for key in (id, name):
            if key and (one := self._settings.projects.get(key)):
                yield Said("project", self._owner(one.owner), clean(f"projects {key}"))
                return

    def _tagged(self, project: Project) -> list[Said]:
        found: dict[OwnerField, tuple[int, str, str]] = {}
        for tag in project.tags:
            key, *value = _TAG.split(tag, maxsplit=1)
            if value:
                self._note(found, key, value[0], f"tag {tag} of {project.name}")
        return self._said(found, "project")

    def _above(self, project: Project) -> Iterator[Project]:
        for _ in range(MAX_ABOVE):
            above = self._projects.get(project.parent)
            if above is None or above is project:
                return
            yield above
            project = above

    def _named(self, name: str, meaning: str, how: How) -> Iterator[Said]:
        if meaning == "nothing" or name.lower() in self._services:
            return
        field: OwnerField = "department" if meaning == "department" else "system"
        if value := self._name(field, name):
            yield Said(how, Owner(**{field: value}), clean(f"project {name}"), weak=True)

    def _nova(self, resource: Resource, nova: Mapping[str, str]) -> Iterator[Said]:
        yield from self._worded(nova, "nova")
        id, name = _first(nova, NOVA_PROJECT_ID), _first(nova, NOVA_PROJECT)
        if id and id != resource.project:
            yield from self._project(id, "nova")
        if id not in self._projects:
            yield from (one._replace(how="nova") for one in self._listed("", name))
        yield from self._named(name, self._settings.nova_project_name, "nova")

    def _owner(self, owner: Owner) -> Owner:
        return Owner(*(self._name(field, getattr(owner, field)) for field in FIELDS))

    def _name(self, field: OwnerField, text: str) -> str:
        """The official name, of a text from anywhere; empty where it says nothing."""
        if not text:
            return ""
        if len(text) > 1000:
            return self._aliases.of(field, clean(text))
        if (name := self._official.get((field, text))) is None:
            name = self._official[field, text] = self._aliases.of(field, clean(text))
        return name


def _first(nova: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((nova[key] for key in keys if nova.get(key)), "")
