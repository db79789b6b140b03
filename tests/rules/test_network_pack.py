"""Clauses 8.1.2 and 8.1.3 are complete, the container pack is right, and facts are the same over a shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from collectors import catalogue
from collectors.model import Answer, Reading
from collectors.observe import observe
from collectors.sources.local import LocalSource
from rules import clauses, scenarios
from rules import pack as packs
from tests.rules.test_baseline import pack_of
from tests.shellhost import SHELLS, ask

OURS = (
    *(
        "boot",
        "container_engines",
        "core_dumps",
        "docker",
        "docker_containers",
        "firewall_services",
    ),
    *("interfaces", "kernel_modules", "mounts", "sysctl_configured"),
)


@pytest.mark.parametrize("level", ["7", "8"])
def test_every_item_of_network_and_border_has_a_rule(level: str) -> None:
    mapped = {
        clause
        for part in ("kernel", "network")
        for rule in pack_of(part).rules
        for clause in rule.maps[clauses.STANDARD]
    }
    wanted = [it for it in clauses.catalogue() if it.startswith((f"{level}.1.2.", f"{level}.1.3."))]
    assert len(wanted) > 10
    assert [it for it in wanted if it not in mapped] == []


def test_the_container_pack() -> None:
    pack = packs.load("container-host")
    assert [f"{r.id} {r.expected}.{r.number}" for r in scenarios.run(pack) if not r.right] == []
    for rule in pack.rules:
        assert rule.why, rule.id
        assert rule.fix, rule.id
        assert rule.tests.unknown, rule.id
        for clause in rule.maps[clauses.STANDARD]:
            assert clause in clauses.catalogue(), rule.id


class Shell:
    """A shell of this machine as an SSH host."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return ask(self._argv, *readings)


@pytest.mark.parametrize("shell", SHELLS)
def test_facts_over_a_shell_are_those_of_this_machine(shell: str) -> None:
    collectors = [catalogue.collector(catalogue.Settings(), name) for name in OURS]
    here = observe(LocalSource(), collectors)
    there = observe(Shell(SHELLS[shell]), collectors)
    for one, other in zip(here, there, strict=True):
        if one.collector == "mounts":  # a shell may have mounts of its own
            assert (one.failure, other.failure) == ("", "")
        else:
            assert one.facts == other.facts
