"""Which parts of the clouds were seen whole. A sum over a part that was not is not known. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from collectors.cloud.model import CloudKind, CloudView, Part

# What each kind tells of; a libvirt that does not answer hides no volume and no project.
TOLD: Final[Mapping[CloudKind, tuple[Part, ...]]] = {
    "openstack": ("servers", "volumes", "projects", "quotas", "capacity", "allocated"),
    "libvirt": ("servers", "capacity"),
}
EVERYTHING: Final = TOLD["openstack"]


def unseen(
    views: Iterable[CloudView], own: Collection[str] | None = None
) -> dict[Part, tuple[str, ...]]:
    """The clouds that did not tell all of a part, for each part that any of them is asked for.

    `own` are the libvirts known to have machines that no Nova tells of, None where that is not known: where
    an OpenStack is asked too, any other's machines and CPUs are told by Nova and Placement.
    """
    views = tuple(views)
    nova = any(view.kind == "openstack" for view in views)
    missing: dict[Part, list[str]] = {}
    for view in views:
        of_nova = nova and view.kind == "libvirt" and own is not None and view.cloud not in own
        for part in TOLD[view.kind]:
            clouds = missing.setdefault(part, [])
            if not of_nova and not _whole(view, part):
                clouds.append(view.cloud)
    return {part: tuple(missing[part]) for part in EVERYTHING if part in missing}


def _whole(view: CloudView, part: Part) -> bool:
    if not view.whole(part):
        return False
    failed = {it.resource for it in view.problems if it.part == part}
    if not failed:
        return True
    # something of it went wrong: it counts if it is there all the same, with what is known of it
    there: set[str] = set()
    if part == "capacity":
        there = {one.provider for one in view.capacity}
    elif part in ("servers", "volumes"):
        there = {one.id for one in view.resources}
    return failed <= there
