"""What is to be done on a host, as tables, and what holds for all of them."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli.fleet.said import said
from agents.fleet.model import FleetHost, Seen
from agents.fleet.plan import MARGIN, Plan, Wanted, away, back, older, plan

HOST = FleetHost(name="a", address="ssh://10.0.0.1")
WANTED = Wanted(
    version="2",
    arch="x86_64",
    sha256="b" * 64,
    size=1000,
    room=5000,
    config="c" * 64,
    unit="d" * 64,
)
EMPTY = Seen(arch="x86_64", system="debian 12", systemd="252", free=1 << 32)
RIGHT = msgspec.structs.replace(
    EMPTY,
    versions=("1", "2"),
    current="2",
    previous="1",
    config="c" * 64,
    unit="d" * 64,
    active=True,
    enabled=True,
    ready=True,
)


def names(seen: Seen) -> list[str]:
    return [step.name for step in plan(HOST, seen, WANTED).steps]


@pytest.mark.parametrize(
    ("base", "changed", "steps"),
    [
        (EMPTY, {}, "upload unpack configure activate"),
        (EMPTY, {"staged": "b" * 64}, "unpack configure activate"),
        (EMPTY, {"staged": "e" * 64}, "upload unpack configure activate"),
        (EMPTY, {"versions": ("2",)}, "configure activate"),
        (EMPTY, {"versions": ("2",), "bundles": {"2": "b" * 64}}, "configure activate"),
        (
            EMPTY,
            {"versions": ("2",), "bundles": {"2": "f" * 64}},
            "upload unpack configure activate",
        ),
        (RIGHT, {}, ""),
        (RIGHT, {"bundles": {"2": "b" * 64, "1": "f" * 64}}, ""),
        (RIGHT, {"bundles": {"2": "console"}}, ""),
        (RIGHT, {"bundles": {"2": "damaged"}}, "upload unpack activate"),
        (RIGHT, {"free": 0}, ""),
        (RIGHT, {"versions": ("1",), "current": "1", "previous": ""}, "upload unpack activate"),
        (RIGHT, {"current": "1"}, "activate"),
        (RIGHT, {"config": "f" * 64}, "configure activate"),
        (RIGHT, {"unit": ""}, "activate"),
        (RIGHT, {"active": False}, "activate"),
        (RIGHT, {"enabled": False}, "activate"),
        (RIGHT, {"ready": False}, "activate"),
    ],
)
def test_steps(base: Seen, changed: dict[str, object], steps: str) -> None:
    seen = msgspec.structs.replace(base, **changed)
    found = plan(HOST, seen, WANTED)
    assert " ".join(step.name for step in found.steps) == steps
    assert all(step.why for step in found.steps)
    for step in found.steps:
        assert not said(step.why, "zh").isascii()
        assert said(step.why, "en") == step.why
    assert found.send == (1000 if "upload" in steps else 0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"arch": "aarch64"}, "the host is aarch64, the bundle for x86_64"),
        ({"arch": ""}, "unknown architecture"),
        ({"systemd": ""}, "no systemd"),
        ({"foreign": True, "config": "f" * 64}, "an agent that was installed otherwise"),
        ({"free": 6000 + MARGIN - 1}, "no room on the disk"),
    ],
)
def test_refused(changed: dict[str, object], words: str) -> None:
    found = plan(HOST, msgspec.structs.replace(EMPTY, **changed), WANTED)
    assert words in found.problem
    assert re.search("[\u4e00-\u9fff]", said(found.problem, "zh"))
    assert not found.steps


@pytest.mark.parametrize("link", ["current", "previous"])
def test_a_rebuilt_bundle_of_the_same_version_is_told(link: str) -> None:
    seen = msgspec.structs.replace(RIGHT, bundles={"2": "f" * 64}, current="1", previous="1")
    found = plan(HOST, msgspec.structs.replace(seen, **{link: "2"}), WANTED)
    assert found.problem == (
        "release 2 is there with other content: give the new build another version"
    )
    assert "内容不同" in said(found.problem, "zh")
    assert not found.steps


@pytest.mark.parametrize(
    ("there", "name", "changed", "refused"),
    [
        ("jianwei", "jianwei-agent", {"current": "1"}, True),
        ("jianwei", "jianwei-agent", {"bundles": {"2": "damaged"}}, True),
        ("jianwei", "jianwei-agent", {"config": "f" * 64}, False),
        ("jianwei", "jianwei", {"current": "1"}, False),
        ("jianwei-agent", "jianwei-agent", {"current": "1"}, False),
        ("", "jianwei-agent", {"current": "1"}, False),
    ],
)
def test_the_agents_bundle_takes_no_console_away(
    there: str, name: str, changed: dict[str, object], refused: bool
) -> None:
    seen = msgspec.structs.replace(RIGHT, bundle_name=there, **changed)
    found = plan(HOST, seen, msgspec.structs.replace(WANTED, name=name))
    assert bool(found.problem) == refused
    assert bool(found.steps) != refused
    if refused:
        assert found.problem.endswith("upgrade this host with the bundle jianwei-2")
        assert said(found.problem, "zh").endswith("请用安装包 jianwei-2 升级此主机")


@pytest.mark.parametrize(
    ("config", "deployed", "why"),
    [
        ("f", "", "the configuration differs"),
        ("f", "f", "the configuration was changed here"),
        ("f", "c", "the configuration was changed on the host"),
        ("f", "e", "the configuration was changed here, and on the host"),
    ],
)
def test_where_a_configuration_was_changed_is_said(config: str, deployed: str, why: str) -> None:
    seen = msgspec.structs.replace(RIGHT, config=config * 64)
    found = plan(HOST, seen, msgspec.structs.replace(WANTED, deployed=deployed * 64))
    assert found.steps[0].why == why
    assert not said(why, "zh").isascii()


def test_an_upgrade_is_for_hosts_that_have_an_agent() -> None:
    assert plan(HOST, EMPTY, WANTED, upgrade=True).absent
    assert not plan(HOST, RIGHT, WANTED, upgrade=True).absent


def test_an_older_bundle_is_called_that() -> None:
    seen = msgspec.structs.replace(RIGHT, versions=("10.1",), current="10.1")
    why = plan(HOST, seen, WANTED).steps[-1].why
    assert why == "back, from 10.1 to 2"
    assert said(why, "zh") == "降级：从 10.1 到 2"
    assert "the bundle has 2" in (problem := plan(HOST, seen, WANTED, upgrade=True).problem)
    assert "较旧" in said(problem, "zh")


def test_versions_in_order() -> None:
    texts = ["0.9", "1.0a1", "1.0rc2", "1.0rc10", "1.0", "1.0+deb", "1.0.1", "1.2", "1.10", "2"]
    assert older("1.0~rc1", "1.0")
    for number, text in enumerate(texts):
        assert not older(text, text)
        assert all(older(text, later) for later in texts[number + 1 :])
        assert not any(older(later, text) for later in texts[number + 1 :])


def test_what_was_not_seen_is_a_problem() -> None:
    assert plan(HOST, "no route", WANTED) == Plan(problem="no route")


def test_back_and_away() -> None:
    assert [step.name for step in back(RIGHT).steps] == ["rollback"]
    assert said(back(RIGHT).steps[0].why, "zh") == "从 2 到 1"
    assert "no version before" in back(EMPTY).problem
    assert [step.name for step in away(RIGHT, keep_state=False).steps] == ["uninstall"]
    for keep_state in (False, True):
        assert "移除" in said(away(RIGHT, keep_state).steps[0].why, "zh")
    assert away(EMPTY, keep_state=False).absent
    foreign = msgspec.structs.replace(EMPTY, foreign=True, unit="d" * 64)
    assert away(foreign, keep_state=False).problem


versions = st.sampled_from(["", "1", "2", "3"])
sums = st.sampled_from(["", "c" * 64, "d" * 64, "f" * 64])


@given(
    st.builds(
        Seen,
        arch=st.sampled_from(["x86_64", "amd64"]),
        system=st.just("debian 12"),
        systemd=st.just("252"),
        free=st.just(1 << 32),
        versions=st.lists(versions.filter(bool), unique=True).map(tuple),
        bundles=st.dictionaries(st.just("2"), st.sampled_from(["b" * 64, "console", "damaged"])),
        current=versions,
        config=sums,
        unit=sums,
        active=st.booleans(),
        enabled=st.booleans(),
        ready=st.booleans(),
        staged=st.sampled_from(["", "b" * 64, "f" * 64]),
    )
)
def test_after_the_steps_nothing_is_to_do(seen: Seen) -> None:
    changed = seen
    done = names(seen)
    for step in done:
        effects: dict[str, dict[str, object]] = {
            "upload": {"staged": WANTED.sha256},
            "unpack": {"versions": (*changed.versions, "2"), "staged": "", "bundles": {}},
            "configure": {"config": WANTED.config},
            "activate": {
                "current": "2",
                "unit": WANTED.unit,
                "active": True,
                "enabled": True,
                "ready": True,
            },
        }
        changed = msgspec.structs.replace(changed, **effects[step])
    assert names(changed) == []
    # nothing is put in force that is not there, and nothing is put there without being put in force
    assert not done or done[-1] == "activate"
    order = ["upload", "unpack", "configure", "activate"]
    assert done == sorted(done, key=order.index)
