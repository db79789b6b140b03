"""One look at all clouds, as the child of the agent tells it: what is served, and what the history keeps."""

from __future__ import annotations

from collections import Counter

import msgspec

from collectors.cloud.model import CloudView, Problem, Use
from collectors.model import Family

PROBLEMS = 20  # told of one cloud in words


class CloudStatus(msgspec.Struct, frozen=True):
    """How a look at one cloud went; `success` unless nothing of it could be seen."""

    cloud: str
    success: bool
    began: float = 0.0
    seconds: float = 0.0
    requests: int = 0
    problems: tuple[Problem, ...] = ()  # the first of them
    counts: dict[str, int] = {}  # all of them, by part


def status(view: CloudView) -> CloudStatus:
    """Of one view."""
    counts: dict[str, int] = Counter(problem.part for problem in view.problems)
    return CloudStatus(
        view.cloud,
        view.whole("all"),
        view.began,
        view.seconds,
        view.requests,
        view.problems[:PROBLEMS],
        counts,
    )


class Look(msgspec.Struct, frozen=True):
    """All clouds at once."""

    clouds: tuple[CloudStatus, ...]
    families: tuple[Family, ...] = ()
    uses: tuple[Use, ...] = ()


def uses(views: list[CloudView]) -> tuple[Use, ...]:
    """One use a resource: a hypervisor tells more of a domain than Nova's diagnostics do."""
    found: dict[str, Use] = {}
    for view in sorted(views, key=lambda view: view.kind == "libvirt"):
        found.update({use.resource: use for use in view.uses})
    return tuple(found.values())
