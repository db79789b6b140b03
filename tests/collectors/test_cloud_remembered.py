"""Whose everything is where a look could not see all that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from collectors.cloud import overrides
from collectors.cloud.attribution import NO_OVERRIDES
from collectors.cloud.life import changes
from collectors.cloud.model import CloudView, Problem, Project, Resource, Size
from collectors.cloud.overrides import Overrides
from collectors.cloud.owners import Owner
from collectors.cloud.ownersettings import AttributionSettings
from collectors.cloud.remembered import Owners, filled, owners
from collectors.cloud.spans import Key, Span, joined

DAY = date(1970, 1, 12)  # that of the first look
SETTINGS = AttributionSettings()
NO_PROJECTS = (Problem("projects", "503"),)
NO_NOVA = (Problem("all", "503"),)
NOVA = {"project_id": "p1", "project_name": "proj-17"}
CITY = Project("p1", "yb", tags=("dept=市医保局", "system=医保"))


def server(**more: Any) -> Resource:
    return msgspec.structs.replace(
        Resource("s1", "server", "web", "active", Size(2), project="p1"), **more
    )


def nova(*resources: Resource, projects: Sequence[Project] = (CITY,), **more: Any) -> CloudView:
    return CloudView("gov", "openstack", 0, 1, resources, tuple(projects), **more)


def host(*resources: Resource, cloud: str = "kvm", **more: Any) -> CloudView:
    return CloudView(cloud, "libvirt", 0, 1, resources, **more)


class History:
    """Rounds one after another, 300 seconds apart."""

    def __init__(self, table: Overrides = NO_OVERRIDES) -> None:
        self.known: Mapping[Key, Span] = {}
        self.at, self.table, self.day = 1_000_000.0, table, DAY

    def look(self, *views: CloudView) -> Owners:
        self.at += 300
        seen = [filled(view, self.known) for view in views]
        found = owners(seen, SETTINGS, self.table, self.day, self.known)
        for view in sorted(seen, key=lambda view: view.kind == "libvirt"):
            clouds = [one.cloud for one in views]
            spans = changes(self.known, view, found.kept, self.at, clouds=clouds)
            self.known = joined(self.known, spans)
        return found

    def owner(self, id: str = "s1") -> Owner | None:
        span = self.known.get((id, "owner"))
        return span.value.owner if span else None  # type: ignore[union-attr]

    @property
    def since(self) -> float:
        return self.known["s1", "owner"].since


def test_each_field_that_a_look_cannot_tell_stays_the_last_owners() -> None:
    history = History()
    one = server(metadata={"dept": "市财政局"})
    project = msgspec.structs.replace(CITY, tags=("system=预算", "env=prod"))
    history.look(nova(one, projects=[project]))
    whole = Owner("市财政局", "预算", "", "production")
    found = history.look(nova(one, projects=(), problems=NO_PROJECTS))
    assert found.shown["s1"].owner == history.owner() == whole
    assert history.since == 1_000_300
    # what is told by a step before projects is certain
    one = server(metadata={"dept": "市财政局", "系统": "国库"})
    found = history.look(nova(one, projects=(), problems=NO_PROJECTS))
    assert found.shown["s1"].owner == history.owner() == Owner("市财政局", "国库", "", "production")
    # a department too, and then nothing of the other one's is left
    one = server(metadata={"dept": "市审计局"})
    found = history.look(nova(one, projects=(), problems=NO_PROJECTS))
    assert found.shown["s1"].owner == history.owner() == Owner("市审计局")
    found = history.look(nova(server(), projects=(), problems=NO_PROJECTS))
    assert found.shown["s1"].owner == history.owner() == Owner("市审计局")


def test_an_override_by_the_name_of_a_project_that_is_not_seen() -> None:
    history = History(overrides.parse("project,department\nyb*,市医保局\n".encode(), "o.csv"))
    one = server(metadata={"dept": "市财政局"})
    assert history.look(nova(one)).shown["s1"].owner.department == "市医保局"
    history.look(nova(one, projects=(), problems=NO_PROJECTS))
    assert (history.owner(), history.since) == (Owner("市医保局", "医保"), 1_000_300)
    # a new one is its too, since the name of its project is known from before
    new = server(id="s2", metadata={"dept": "市财政局"})
    history.look(nova(one, new, projects=(), problems=NO_PROJECTS))
    assert history.owner("s2") == Owner("市医保局")
    # of a project that was never seen nobody can tell
    other = server(id="s3", project="p2", metadata={"dept": "市财政局"})
    found = history.look(nova(one, other, projects=(), problems=NO_PROJECTS))
    assert history.owner("s3") is None
    assert found.shown["s3"].owner == Owner("市财政局")
    history.look(nova(one, other, problems=()))
    assert history.owner("s3") == Owner("市财政局")


def test_an_override_by_id_moves_it_whatever_was_not_seen() -> None:
    history = History()
    history.look(nova(server()), host(server(nova=NOVA)))
    history.table = overrides.parse("resource,department\ns1,市审计局\n".encode(), "o.csv")
    blind = (Problem("all", "no route"),)
    history.look(nova(projects=(), problems=NO_NOVA), host(server(nova=NOVA)))
    assert history.look(
        nova(server(), projects=(), problems=NO_PROJECTS), host(problems=blind)
    ).shown["s1"].owner == Owner("市审计局")
    assert history.owner() == Owner("市审计局")


def test_an_override_that_is_over_is_over_whatever_was_not_seen() -> None:
    history = History(overrides.parse("resource,department\ns1,市审计局\n".encode(), "o.csv"))
    history.look(nova(server()))
    assert history.owner() == Owner("市审计局")
    history.table = NO_OVERRIDES
    found = history.look(nova(server(), projects=(), problems=NO_PROJECTS))
    assert found.shown["s1"].owner.department != "市审计局"
    history.look(nova(server()))
    assert history.owner() == Owner("市医保局", "医保")


def test_projects_that_were_listed_are_seen_though_others_were_not() -> None:
    history = History()
    history.look(nova(server(), problems=NO_PROJECTS))
    assert history.owner() == Owner("市医保局", "医保")
    # but not without those above
    below = Project("p2", "x", parent="unseen")
    history.look(nova(server(id="s2", project="p2"), projects=[below], problems=NO_PROJECTS))
    assert history.owner("s2") is None
    assert history.owner("p2") is None


def test_novas_servers_stay_whose_they_are_while_libvirt_alone_tells_of_them() -> None:
    history = History()
    domain = server(nova=NOVA)
    history.look(nova(server(metadata={"dept": "市财政局"})), host(domain))
    found = history.look(nova(projects=(), problems=NO_NOVA), host(domain))
    assert found.shown["s1"].owner == history.owner() == Owner("市财政局")


def test_the_first_look_without_openstack_tells_the_history_of_no_owner() -> None:
    history = History()
    domain, plain = server(nova=NOVA), server(id="s2", project="", metadata={"dept": "市档案局"})
    found = history.look(nova(projects=(), problems=NO_NOVA), host(domain, plain))
    assert history.owner() is None
    assert found.shown["s1"].owner == Owner("proj-17")  # the best that is known
    assert history.owner("s2") == Owner("市档案局")  # none of Nova's
    history.look(nova(server()), host(domain, plain))
    assert history.owner() == Owner("市医保局", "医保")


def test_what_no_nova_told_of_for_days_is_libvirts() -> None:
    """An account that may never see servers keeps nobody's owner from the history."""
    history = History()
    domain = server(nova=NOVA)
    refused = (Problem("servers", "403"),)
    for day in (10, 12, 13):
        history.day = date(1970, 1, day)
        history.look(nova(problems=refused), host(domain))
        assert history.owner() is None
    history.day = date(1970, 1, 15)
    history.look(nova(problems=refused), host(domain))
    assert history.owner() == Owner("市医保局", "医保")


def test_a_project_of_novas_xml_that_is_not_listed() -> None:
    history = History()
    domain = server(nova=NOVA)
    history.look(nova(), host(domain))
    assert history.owner() == Owner("市医保局", "医保")
    history.look(nova(projects=(), problems=NO_PROJECTS), host(domain))
    assert history.owner() == Owner("市医保局", "医保")
    history.look(nova(projects=()), host(domain))
    assert history.owner() == Owner("proj-17")


def test_what_its_host_says_stays_while_the_host_is_not_seen() -> None:
    history = History()
    bare = Project("p1", "yb")
    domain = server(metadata={"dept": "市档案局"})
    history.look(nova(server(), projects=[bare]), host(domain))
    history.look(nova(server(), projects=[bare]), host(problems=NO_NOVA))
    assert history.owner() == Owner("市档案局")
    history.look(nova(server(), projects=[bare]), host())
    assert history.owner() == Owner()


@pytest.mark.parametrize("kind", ["server", "volume"])
def test_what_is_told_in_part_keeps_its_name_and_its_owner(kind: Any) -> None:
    history = History(overrides.parse("name,department\nold-*,市档案局\n".encode(), "o.csv"))
    one = server(kind=kind, metadata={"dept": "市审计局"})
    history.look(nova(one))
    part = server(kind=kind, name="", partial=kind == "volume")
    found = history.look(nova(part))
    assert found.shown["s1"].owner == history.owner() == Owner("市审计局")
    assert history.known["s1", "identity"].value.name == "web"  # type: ignore[union-attr]
    assert filled(nova(part), history.known).resources[0].name == "web"
    history.look(nova(msgspec.structs.replace(one, name="old-1")))
    assert history.look(nova(part)).shown["s1"].owner.department == "市档案局"
    # what nothing was known of is not said to be nobody's or without a name for ever
    history.look(nova(part, msgspec.structs.replace(part, id="n1", project="")))
    assert history.owner("n1") is None
    history.look(nova(part, server(id="n1", kind=kind, metadata={"dept": "甲"})))
    assert history.owner("n1") == Owner("甲", "", "", "")
