"""Rows of the override table that fit nothing the clouds have: mostly slips of the pen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from collectors.cloud.held import held
from collectors.cloud.model import CloudView
from collectors.cloud.novaproject import nova_project
from collectors.cloud.override import Seen
from collectors.cloud.overrides import Overrides
from collectors.cloud.wholeness import unseen


def loose_rows(views: Sequence[CloudView], table: Overrides, day: date) -> list[int]:
    """The lines of those that hold on a day. None where not everything was seen: a row may be of
    what was not. The history may have more than the clouds: rows for hosts are none of these."""
    missing = unseen(views)
    if not table.rows or any(missing.get(part) for part in ("servers", "volumes", "projects")):
        return []
    return table.loose(_seen(views), day)


def _seen(views: Sequence[CloudView]) -> Iterator[Seen]:
    """As attribution shows them to the table."""
    projects = {project.id: project for view in views for project in view.projects}
    for project in projects.values():
        yield Seen(project.id, "", "project", project.id, project.name)
    for it, _, domain in held(views):
        nova_id, name = nova_project(it.nova or (domain.nova if domain else {}))
        id = it.project or nova_id
        yield Seen(it.id, it.name, it.kind, id, projects[id].name if id in projects else name)
