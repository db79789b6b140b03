"""Targets for Prometheus from the inventory, as file_sd_configs and http_sd_configs have them.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config and
https://prometheus.io/docs/prometheus/latest/http_sd/. Hosts of equal labels are one group; everything is sorted, so
that the same inventory is the same file. The console takes these files too (its `pull.targets`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import yaml

from agents.fleet.model import FleetHost

LABELS: Final = ("department", "system", "region", "level")
GROUP: Final = "group"


class TargetGroup(msgspec.Struct, frozen=True):
    """One entry of a list of targets."""

    targets: list[str]
    labels: dict[str, str]


def groups_of(hosts: Iterable[FleetHost], group_label: bool = False) -> list[TargetGroup]:
    """The targets of hosts whose agent is reached. With `group_label` the label `group` is a host's groups,
    with commas."""
    by_labels: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for host in hosts:
        if host.agent:
            labels = tuple(sorted(labels_of(host, group_label).items()))
            by_labels.setdefault(labels, []).append(host.agent)
    return [
        TargetGroup(sorted(targets), dict(labels)) for labels, targets in sorted(by_labels.items())
    ]


def labels_of(host: FleetHost, group_label: bool = False) -> Mapping[str, str]:
    """A target's labels: what is empty is left out, and the scheme is always said."""
    own = {name: str(value) for name in LABELS if (value := getattr(host, name))}
    if group_label and host.groups:
        own[GROUP] = ",".join(host.groups)
    return {"__scheme__": host.scheme, **host.labels, **own}


def http_json(groups: list[TargetGroup]) -> bytes:
    """What an HTTP SD endpoint answers; `[]` where there is no target."""
    return msgspec.json.encode(groups)


def file_json(groups: list[TargetGroup]) -> bytes:
    """For people to read and to keep under version control; it is YAML as well."""
    plain = msgspec.to_builtins(groups)
    return json.dumps(plain, ensure_ascii=False, indent=2).encode() + b"\n"


def file_yaml(groups: list[TargetGroup]) -> bytes:
    plain = msgspec.to_builtins(groups)
    text: str = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=1000)
    return text.encode()
