"""Whose each resource is, by an ordered and dated mapping: docs/attribution.md. Pure.

Steps, in order: the override table, the server's metadata, its project (table, tags, tags of the
projects above, name of the one above), Nova's XML in the domain, libvirt's own metadata; else
nobody's.

Each field is of the first step that tells it, with one exception: a step that names another
department than the one believed tells of somebody else's resource, and nothing of it is taken: a
department is never joined with another one's system. What differs is in `conflicts`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from collectors.cloud.held import held
from collectors.cloud.model import CloudView, Project, Resource
from collectors.cloud.novaproject import nova_project
from collectors.cloud.override import Seen
from collectors.cloud.overrides import Overrides, Ranked, decided_since
from collectors.cloud.owners import (
    FIELDS,
    HOWS,
    Attribution,
    Conflict,
    How,
    Owner,
    OwnerField,
    clean,
)
from collectors.cloud.ownersettings import AttributionSettings, OwnerKeys

MAX_CACHED: Final = 300  # characters of a text whose meaning is remembered
MAX_ABOVE: Final = 16  # projects above one; a circle ends too
NO_OVERRIDES: Final = Overrides()
_PART = re.compile(r"[./:}]")
_TAG = re.compile(r"[=:＝：]")


class Said(NamedTuple):
    """What one source says. `weak`: a project's name, taken for a department because nothing before it
    told one; it contradicts nothing."""

    how: How
    owner: Owner
    detail: str
    weak: bool = False


def attributions(
    views: Iterable[CloudView], settings: AttributionSettings, table: Overrides, at: date
) -> dict[str, Attribution]:
    """Of every resource in the views by its id, and of every project by its, by the views alone."""
    views = tuple(views)
    projects = {project.id: project for view in views for project in view.projects}
    attributor = Attributor(projects, settings, table)
    found = {project.id: attributor.project(project, at) for project in projects.values()}
    for one in held(views):
        found[one.resource.id] = attributor.of(one.resource, at, one.domain)
    return found


class Attributor:
    """Attributes many resources: what a project says is found once. Raises ValueError where the
    aliases of settings and table contradict each other."""

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
        self._words = _words(self._settings.keys)
        self._keys: dict[str, tuple[OwnerField, int] | None] = {}
        self._rows: dict[int, Said] = {}  # by the numbers of overrides
        self._by_project: dict[str, tuple[Said, ...]] = {}
        self._official: dict[tuple[OwnerField, str], str] = {}

    def of(
        self,
        resource: Resource,
        at: date,
        domain: Resource | None = None,
        before: How | None = None,
    ) -> Attribution:
        """Of a resource. `domain` is what libvirt tells of it, which is `resource` itself where
        only libvirt knows it: then its metadata are libvirt's, not a server's. With `before`, by
        the steps before that one alone."""
        said: list[Said] = []
        nova = resource.nova or (domain.nova if domain else {})
        nova_id, nova_name = nova_project(nova)
        project = resource.project or nova_id
        known = self._projects.get(project)
        name = known.name if known else nova_name
        since = ""
        if self._table.rows:
            seen = Seen(resource.id, resource.name, resource.kind, project, name)
            said, since = self._overridden(seen, at)
        if resource is not domain:
            if resource.metadata:
                said += self._worded(resource.metadata, "metadata")
            if resource.project:
                said += self._project(resource.project)
        if nova:
            told = "" if resource is domain else resource.project
            said += self._nova(nova, told)
        if domain is not None and domain.metadata:
            said += self._worded(domain.metadata, "libvirt")
        return self._settled(said, since, resource.region, before)

    def project(self, project: Project, at: date, before: How | None = None) -> Attribution:
        """Of a project itself: whose its quota is."""
        said, since = self._overridden(
            Seen(project.id, "", "project", project.id, project.name), at
        )
        return self._settled([*said, *self._project(project.id)], since, "", before)

    def _settled(
        self, said: Sequence[Said], since: str, region: str, before: How | None
    ) -> Attribution:
        if before is not None:
            step, region = HOWS.index(before), ""
            said = [one for one in said if HOWS.index(one.how) < step]
        how: How = "unassigned"
        detail = ""
        conflicts: list[Conflict] = []
        believed: dict[OwnerField, str] = {}
        for one in said:
            ours, theirs = believed.get("department", ""), one.owner.department
            if theirs and not ours:
                how, detail = one.how, one.detail
            fields = FIELDS[:1] if ours and theirs and ours != theirs else FIELDS
            for field, value in zip(fields, _parts(one.owner), strict=False):
                if not value or (one.weak and field in believed):
                    continue
                if believed.setdefault(field, value) != value:
                    conflicts.append(Conflict(one.how, field, value, one.detail))
        if region and self._settings.cloud_region and "region" not in believed:
            believed["region"] = self._name("region", region)
        return Attribution(Owner(**believed), how, detail, tuple(conflicts), since)

    def _overridden(self, seen: Seen, at: date) -> tuple[list[Said], str]:
        ever = self._table.ever(seen)
        if not ever:
            return [], ""
        since = str(decided_since(ever, at) or "")
        rows = [one for one in ever if one.row.on(at)]
        # what fixes less of a resource is the rule that the nearest row is the exception of
        said = [self._row(one) for one in rows if one.nearness == rows[0].nearness]
        return said, since

    def _row(self, one: Ranked) -> Said:
        if (said := self._rows.get(one.number)) is None:
            owner, detail = self._owner(one.row.owner), f"{self._table.path}:{one.line}"
            said = self._rows[one.number] = Said("override", owner, detail)
        return said

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
        known = self._keys[key] if key in self._keys else self._key(key)
        if known is None:
            return
        field, rank = known
        if (field not in found or rank < found[field][0]) and (name := self._name(field, value)):
            found[field] = rank, name, detail

    def _key(self, written: str) -> tuple[OwnerField, int] | None:
        """The field that a key is of, and how near it is to the first of the field's keys."""
        key = written.strip().lower()
        found = self._words.get(key)
        if found is not None:
            found = found[0], 2 * found[1]
        elif (part := self._words.get(_PART.split(key)[-1])) is not None:
            found = part[0], 2 * part[1] + 1  # `owner.department`, `{urn:city}department`
        if len(written) <= MAX_CACHED:
            self._keys[written] = found
        return found

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

    def _nova(self, nova: Mapping[str, str], told: str) -> Iterator[Said]:
        """What Nova wrote into the domain; `told` is the project that has had its say."""
        yield from self._worded(nova, "nova")
        id, name = nova_project(nova)
        if id and id != told:
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
        if len(text) > MAX_CACHED:
            return clean(self._aliases.of(field, clean(text)))
        if (name := self._official.get((field, text))) is None:
            name = clean(self._aliases.of(field, clean(text)))
            self._official[field, text] = name
        return name


@functools.lru_cache(16)
def _words(keys: OwnerKeys) -> dict[str, tuple[OwnerField, int]]:
    """The field of each key, and its place among those of the field."""
    return {
        key.strip().lower(): (field, rank)
        for field in FIELDS
        for rank, key in enumerate(getattr(keys, field))
    }


def _parts(owner: Owner) -> tuple[str, str, str, str]:
    return owner.department, owner.system, owner.region, owner.environment
