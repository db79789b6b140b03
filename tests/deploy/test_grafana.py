"""The dashboards, as far as that is known without a Grafana: as deploy/grafana makes them, each panel in a place of its own,
and every query answered by a real Prometheus that scrapes a real agent."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml

from deploy.grafana.build import written
from tests.deployfiles import BOARDS, ROOT, boards, panels

GRAFANA = ROOT / "deploy/grafana"
ALL = boards()
CHINESE = re.compile(r"[\u4e00-\u9fff]")
UIDS = {f"jianwei-{name}" for name in ("estate", "host", "lines", "ipv6", "baseline", "agent")}

each = pytest.mark.parametrize("name", ALL)


def test_the_files_are_what_their_source_makes() -> None:
    assert written() == {path.name: path.read_text() for path in BOARDS.glob("*.json")}


def test_there_are_the_six_dashboards() -> None:
    assert {board["uid"] for board in ALL.values()} == UIDS
    assert all(name == f"{board['uid']}.json" for name, board in ALL.items())


@each
def test_a_dashboard_is_told_in_both_languages(name: str) -> None:
    board = ALL[name]
    for one in (board, *(p for p in panels(board) if p["type"] != "row")):
        assert CHINESE.search(one["title"]) or one["title"] in ("TCP", "CPU", "CPU 数")
        assert re.match(r"[A-Z0-9]", one["description"])
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))


@each
def test_panels_have_ids_and_places_of_their_own(name: str) -> None:
    drawn = list(panels(ALL[name]))
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    for panel in drawn:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations((panel["gridPos"] for panel in drawn), 2):
        assert (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )  # fmt: skip


@each
def test_everything_is_asked_of_the_chosen_source(name: str) -> None:
    board = ALL[name]
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(board):
        targets = panel.get("targets", [])
        assert bool(targets) == (panel["type"] != "row")
        assert all(
            asked["datasource"] == source for asked in (*targets, *([panel] if targets else []))
        )
        assert len({target["refId"] for target in targets}) == len(targets)


@each
def test_variables(name: str) -> None:
    """Each that an expression names is there, and each that is there is named; one asks only for those before it."""
    listed = ALL[name]["templating"]["list"]
    names = [variable["name"] for variable in listed]
    assert names[0] == "datasource"
    assert len(set(names)) == len(names)
    for n, variable in enumerate(listed):
        assert named(variable.get("definition", "")) <= set(names[:n])
        if variable["type"] == "query" and variable["includeAll"]:
            assert variable["allValue"] == ".*"  # also what has no such label
    asked: set[str] = set()
    for panel in panels(ALL[name]):
        asked |= {one for t in panel.get("targets", ()) for one in named(t["expr"])}
    asked |= {one for variable in listed for one in named(variable.get("definition", ""))}
    assert asked == set(names) - {"datasource"}


def named(text: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}


def test_the_provisioning() -> None:
    source: Any = yaml.safe_load((GRAFANA / "provisioning/datasources/jianwei.yml").read_text())
    boards: Any = yaml.safe_load((GRAFANA / "provisioning/dashboards/jianwei.yml").read_text())
    assert source["apiVersion"] == boards["apiVersion"] == 1
    assert source["datasources"][0]["type"] == "prometheus"
    assert boards["providers"][0]["type"] == "file"
