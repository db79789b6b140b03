"""Settings of the scheduled audit: which packs, how often, with which parameters."""

from __future__ import annotations

import os
from typing import Any, Literal

import msgspec

from collectors.strictyaml import Duration

PACKS = os.path.join(os.path.dirname(__file__), "packs")


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`packs` are names of built-in packs or paths of YAML files; none = no audit.

    `interval` is from the start of one audit to the next; an audit that takes longer than
    `deadline` is ended. `params` overrides a pack's parameters: pack → parameter → value.
    `waivers_file` is described in rules/waivers.py. `trusted_keys` are files of public keys: where there
    are any, packs that are not our own must be signed by one of them (rules/signing.py).
    `sca_semantics` is the version of Wazuh whose meaning SCA policies have; their commands are run
    only with `allow_commands`.
    """

    packs: tuple[str, ...] = ("host-basics", "ipv6-readiness")
    interval: Duration = Duration(3600)
    deadline: Duration = Duration(60)
    params: dict[str, dict[str, Any]] = {}
    waivers_file: str = ""
    trusted_keys: tuple[str, ...] = ()
    sca_semantics: Literal[4, 5] = 5
    allow_commands: bool = False

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"the interval of {self.interval:g} s must be 1s or more")


def is_path(pack: str) -> bool:
    """Whether a pack is named by its file; else it is the name of a built-in one."""
    return "/" in pack or pack.endswith((".yaml", ".yml"))


def built_in() -> list[str]:
    """Names of the packs that come with us."""
    return sorted(name[:-5] for name in os.listdir(PACKS) if name.endswith(".yaml"))
