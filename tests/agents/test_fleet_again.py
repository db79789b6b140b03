"""Fleet commands that go on: with those that failed, and where the same was not done."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from agents.cli.fleet import session
from agents.cli.fleet.options import Given
from agents.fleet.bundle import Bundle
from agents.fleet.rollout import Share
from agents.fleet.tasks import Removing, Task
from tests.agents.fleetfake import FakeBundle, KeptHosts, deploying, named
from tests.hostspace import bundle


def test_the_same_command_goes_on_with_those_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = KeptHosts(tmp_path / "hosts", broken={"h001 unpack": "no room"})
    hosts = named(3)
    it = Given(inventory=str(tmp_path / "hosts.yaml"), as_json=True)
    assert session.change(it, hosts, deploying(), "deploy", reach=kept.reach) == 1
    capsys.readouterr()
    kept.broken = {}
    failed = Given(inventory=it.inventory, as_json=True, failed=True)
    assert session.change(failed, hosts, deploying(), "deploy", reach=kept.reach) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["host"], one["state"]) for one in told] == [("h001", "changed")]
    assert session.change(failed, hosts, deploying(), "deploy", reach=kept.reach) == 0
    assert capsys.readouterr().out == ""


def test_resume_takes_those_that_never_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = KeptHosts(tmp_path / "hosts", broken={"h000 activate": "not ready"})
    hosts = named(4)
    path = str(tmp_path / "hosts.yaml")
    canary = Given(inventory=path, canary=Share(1), lang="en")
    assert session.change(canary, hosts, deploying(), "deploy", reach=kept.reach) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[1].split()[:2] == ["h000", "failed"]
    assert out[-1] == "4 hosts  skipped 3  failed 1"
    kept.broken = {}
    kept.done.clear()
    resume = Given(inventory=path, resume=True, lang="en")
    assert session.change(resume, hosts, deploying(), "deploy", reach=kept.reach) == 0
    assert kept.steps("h000") == ["activate"]
    assert len({host for host, _ in kept.done}) == 4


def test_resume_goes_on_with_the_same_only(tmp_path: Path) -> None:
    """Another bundle, another configuration, another command: what was done before is not that."""
    kept = KeptHosts(tmp_path / "hosts")
    hosts = [msgspec.structs.replace(host, config="site.yaml") for host in named(3)]
    site = tmp_path / "site.yaml"
    site.write_text("log: {level: info}\n")
    it = Given(inventory=str(tmp_path / "hosts.yaml"), resume=True, as_json=True)

    def done(command: str, task: Task, sha256: str = "") -> int:
        kept.done.clear()
        path = str(tmp_path / "none")
        bundle = Bundle(path, "jianwei-agent", "1.0", "x86_64", sha256, 1) if sha256 else None
        assert session.change(it, hosts, task, command, bundle, kept.reach) == 0
        return len({host for host, _ in kept.done})

    def again() -> Task:
        return deploying(folder=tmp_path)

    new = FakeBundle(version="1.1", sha256="c" * 64)
    assert done("deploy", again(), "b" * 64) == 3
    assert done("deploy", again(), "b" * 64) == 0
    assert done("deploy", deploying(new, tmp_path), "c" * 64) == 3
    site.write_text("log: {level: debug}\n")
    assert done("deploy", deploying(new, tmp_path), "c" * 64) == 3
    assert done("uninstall", Removing(keep_state=False)) == 3
    assert done("uninstall", Removing(keep_state=False)) == 0
    assert done("deploy", deploying(new, tmp_path), "c" * 64) == 3


def test_the_canary_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptHosts(tmp_path / "hosts")
    it = Given(inventory=str(tmp_path / "hosts.yaml"), canary=Share(2), lang="en")
    assert session.change(it, named(4), deploying(), "deploy", reach=kept.reach) == 0
    assert "canary, in the order of the inventory: h000, h001\n" in capsys.readouterr().err


def test_plan_says_where_a_configuration_was_changed(tmp_path: Path) -> None:
    """By the journal of the deploys from here."""
    name = "name=jianwei-agent\nversion=1.0\narch=linux-x86_64\n"
    packed = tmp_path / "jianwei-agent-1.0-linux-x86_64.tar.gz"
    packed.write_bytes(bundle("1.0", {"share/jianwei/BUNDLE": name}))
    kept, hosts = KeptHosts(tmp_path / "hosts"), named(1)
    it = Given(inventory=str(tmp_path / "hosts.yaml"), as_json=True)
    task, opened = session.deploying(it, hosts, str(packed), 5)
    assert session.change(it, hosts, task, "deploy", opened, kept.reach) == 0
    kept.put("h000", config="f" * 64)
    task, _ = session.deploying(it, hosts, str(packed), 5)
    assert task.plan(hosts[0], kept.seen("h000")).steps[0].why == (
        "the configuration was changed on the host"
    )
