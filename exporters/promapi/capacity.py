"""What all clouds have and can grant, as agents told it last. An agent tells sums over all its clouds, and none while one of
them does not tell. Sums of several agents add up where none sees what another one does, and are not known else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from collectors.cloud.model import Size
from exporters.promapi.asking import Asker
from exporters.promapi.selectors import escaped, quoted
from exporters.promapi.series import COMPLETE, INFO, PHYSICAL, USABLE
from exporters.usage.capacitytold import of_whole
from exporters.usage.source import CapacityTold

# the last day first: an agent that has another address since is another series
LAST: Final = "1d"
LOOKED_BACK: Final = (LAST, "31d")
# milliseconds: what is told at the end is none of before it
BEFORE: Final = 0.001
_RESOURCES: Final = {"vcpus": "vcpus", "memory": "memory_bytes", "disk": "disk_bytes"}

Agent = tuple[str, str]  # job, instance
Amounts = dict[Agent, dict[str, float]]


def capacity(asker: Asker, until: float) -> CapacityTold | None:
    at = until - BEFORE
    for back in LOOKED_BACK:
        physical, usable = (_told(asker, name, back, at) for name in (PHYSICAL, USABLE))
        if physical or usable:
            break
    else:
        return None
    clouds: dict[Agent, set[str]] = {}
    held: set[tuple[str, str]] = set()
    asked = f"count by (job, instance, cloud, kind) (last_over_time({INFO}[{back}]))"
    for one in asker.once(asked, at):
        cloud = one.labels.get("cloud", "")
        clouds.setdefault(_agent(one.labels), set()).add(cloud)
        held.add((cloud, one.labels.get("kind", "")))
    blind = set()
    if back != LAST:  # who looks, but is not told all since, tells nothing of what there is now
        asked = f'last_over_time({COMPLETE}{{part="capacity"}}[{LAST}]) == 0'
        blind = {_agent(one.labels) for one in asker.once(asked, at)}
    physical, usable = _joined(physical, clouds), _joined(usable, clouds)
    apart = len(usable) < 2 or not _overlap(asker, usable, back, at)
    told = {
        (cloud, resource)
        for agent, amounts in usable.items()
        for cloud in clouds.get(agent, ())
        for resource, label in _RESOURCES.items()
        if apart and agent not in blind and label in amounts
    }
    return of_whole(_size(physical), _size(usable), held, told)


def _told(asker: Asker, name: str, back: str, at: float) -> Amounts:
    found: Amounts = {}
    asked = f"max by (job, instance, resource) (last_over_time({name}[{back}]))"
    for one in asker.once(asked, at):
        found.setdefault(_agent(one.labels), {})[one.labels.get("resource", "")] = one.value
    return found


def _agent(labels: Mapping[str, str]) -> Agent:
    return labels.get("job", ""), labels.get("instance", "")


def _joined(found: Amounts, clouds: Mapping[Agent, set[str]]) -> Amounts:
    """Who looks at nothing but what another one looks at as well, be it that it was at another address, tells the same: the
    highest counts."""
    joined: Amounts = {}
    for agent in sorted(found, key=lambda it: (-len(clouds.get(it, ())), it)):
        own = clouds.get(agent, set())
        same = next((it for it in joined if own <= clouds.get(it, set())), agent)
        its = joined.setdefault(same, {})
        its.update({what: max(value, its.get(what, value)) for what, value in found[agent].items()})
    return joined


def _overlap(asker: Asker, agents: Iterable[Agent], back: str, at: float) -> bool:
    """Whether any two of these tell of one resource: hosts of one cloud may then be those of another."""
    names = quoted("|".join(sorted({escaped(instance) for _, instance in agents})))
    each = (
        f"count by (job, instance, resource) (last_over_time({INFO}{{instance=~{names}}}[{back}]))"
    )
    return bool(asker.once(f"count(count by (resource) ({each}) > 1)", at))


def _size(amounts: Amounts) -> Size:
    vcpus, memory, disk = (
        [it[label] for it in amounts.values() if label in it] for label in _RESOURCES.values()
    )
    return Size(
        sum(vcpus) if vcpus else None,
        round(sum(memory)) if memory else None,
        round(sum(disk)) if disk else None,
    )
