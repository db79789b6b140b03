"""Whose everything is where a look could not see all that tells it: by what the history knows. Pure.

The steps of attribution before the first one that was not seen are certain. Where they name another
department than the last owner known, the resource has moved; else each field that they do not tell is the
last owner's. Where there is none, what the look says is shown, and the history is told nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec

from collectors.cloud.attribution import MAX_ABOVE, Attributor
from collectors.cloud.held import Held, held
from collectors.cloud.model import CloudView, Project, Resource
from collectors.cloud.novaproject import nova_project
from collectors.cloud.overrides import Overrides
from collectors.cloud.owners import FIELDS, HOWS, Attribution, How, Owner
from collectors.cloud.ownersettings import AttributionSettings
from collectors.cloud.spans import Identity, Known

SETTLED: Final = timedelta(days=2)


class Owners(NamedTuple):
    """By id of resources and projects: `shown` is all that is held, `kept` what the history is told."""

    shown: dict[str, Attribution]
    kept: dict[str, Attribution]


def owners(
    views: Iterable[CloudView],
    settings: AttributionSettings,
    table: Overrides,
    at: date,
    known: Known,
) -> Owners:
    """`known` are all spans that last; the views are of one round, and `filled`."""
    views = tuple(views)
    seen = {project.id: project for view in views for project in view.projects}
    sight = _Sight(views, seen, known, at)
    attributor = Attributor({**sight.earlier, **seen}, settings, table)
    by_project = any(row.project for _, row in table.rows)
    found = Owners({}, {})
    whose: Callable[[How | None], Attribution]
    for view in views:
        for project in view.projects:
            whose = functools.partial(attributor.project, project, at)
            _tell(found, project.id, whose, sight.of_project(project.id, view), False, known)
    for one in held(views):
        it = one.resource
        whose = functools.partial(attributor.of, it, at, one.domain)
        _tell(found, it.id, whose, sight.of(one), by_project and not sight.named(it), known)
    return found


def _tell(
    found: Owners,
    id: str,
    whose: Callable[[How | None], Attribution],
    unseen: How | None,
    nameless: bool,
    known: Known,
) -> None:
    """`whose` tells by the steps before one; `nameless`: an override may go by the name of its project, which
    is not known."""
    now = found.shown[id] = whose(None)
    if unseen is None:
        found.kept[id] = now
        return
    sure = seen = whose(unseen)
    if nameless and sure.how != "override":
        sure = Attribution()
    span = known.get((id, "owner"))
    before = span.value if span else None
    if isinstance(before, Attribution) and before.how == "override" != seen.how and not nameless:
        found.kept[id] = now  # its row has ended or is gone: that is known whatever was not seen
        return
    if isinstance(before, Attribution):
        found.shown[id] = found.kept[id] = _joined(now, sure, before)
    elif sure.owner.department:
        found.kept[id] = now


def filled(view: CloudView, known: Known) -> CloudView:
    """With the names and projects that are known of resources of which the look does not tell them."""
    if all(it.described for it in view.resources):
        return view
    resources = (it if it.described else _filled(it, known) for it in view.resources)
    return msgspec.structs.replace(view, resources=tuple(resources))


def _filled(it: Resource, known: Known) -> Resource:
    identity, project = known.get((it.id, "identity")), known.get((it.id, "project"))
    told = identity.value if identity else None
    return msgspec.structs.replace(
        it,
        name=told.name if isinstance(told, Identity) else it.name,
        project=it.project or (str(project.value) if project else ""),
        partial=True,
    )


def _joined(now: Attribution, sure: Attribution, before: Attribution) -> Attribution:
    certain, last = sure.owner, before.owner
    if certain.department and certain.department != last.department:
        return now
    owner = Owner(*(getattr(certain, of) or getattr(last, of) for of in FIELDS))
    if owner == last:
        return before
    told = sure if certain.department else before
    return Attribution(owner, told.how, told.detail, now.conflicts, now.since)


class _Sight:
    """What the views of a round could see of what attribution goes by."""

    def __init__(
        self,
        views: Iterable[CloudView],
        projects: Mapping[str, Project],
        known: Known,
        at: date,
    ) -> None:
        self._views = {view.cloud: view for view in views}
        self._projects, self._known, self._at = projects, known, at
        clouds = self._views.values()
        self._unlisted = any(it.kind == "openstack" and not it.whole("projects") for it in clouds)
        self._no_nova = {
            it.cloud for it in clouds if it.kind == "openstack" and not it.whole("servers")
        }
        self._no_host = any(it.kind == "libvirt" and not it.whole("servers") for it in clouds)
        self.earlier = dict(self._earlier())

    def _earlier(self) -> Iterable[tuple[str, Project]]:
        """Projects of looks before that could not be seen now; their names only."""
        for (id, aspect), span in self._known.items() if self._unlisted else ():
            told = span.value
            if aspect == "identity" and isinstance(told, Identity) and told.kind == "project":
                view = self._views.get(told.cloud)
                if view is not None and not view.whole("projects"):
                    yield id, Project(id, told.name)

    def of(self, one: Held) -> How | None:
        """The first step of attribution that was not seen whole."""
        it, view = one.resource, self._views[one.cloud]
        steps: list[How] = []
        if not it.described:
            steps.append("metadata")
        if it is one.domain:
            told = self._cloud(it.id)
            if told in self._no_nova or (self._no_nova and it.nova and not self._settled(it.id)):
                steps.append("metadata")
            project, _ = nova_project(it.nova)
            if self._unlisted and it.nova and not self._listed(project):
                steps.append("nova")
        else:
            if not view.whole("projects") and not self._listed(it.project):
                steps.append("project")
            if one.domain is None and it.kind == "server" and self._no_host:
                steps.append("nova")
        return min(steps, key=HOWS.index, default=None)

    def of_project(self, id: str, view: CloudView) -> How | None:
        return None if view.whole("projects") or self._listed(id) else "project"

    def named(self, it: Resource) -> bool:
        """Whether the name of its project is known."""
        return not it.project or it.project in self._projects or it.project in self.earlier

    def _cloud(self, id: str) -> str:
        span = self._known.get((id, "identity"))
        return span.value.cloud if span and isinstance(span.value, Identity) else ""

    def _settled(self, id: str) -> bool:
        """Whether libvirt alone has told of it for some days: then no Nova that is asked has it."""
        span = self._known.get((id, "size")) or self._known.get((id, "state"))
        return span is not None and span.since < _day(self._at - SETTLED)

    def _listed(self, id: str) -> bool:
        """Whether a project was seen, and all above it."""
        for _ in range(MAX_ABOVE):
            project = self._projects.get(id)
            if project is None or project.parent in ("", id):
                return project is not None
            id = project.parent
        return True


def _day(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
