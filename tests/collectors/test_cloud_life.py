"""Allocation life: dated facts out of one look after another, in whatever order and state they
come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta, timezone
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from collectors.cloud.events import Event, detached_since, events, first_seen, stopped_since
from collectors.cloud.held import held
from collectors.cloud.hosts import UNSEEN, hosts
from collectors.cloud.life import FORGOTTEN, LATE, changes, forgotten
from collectors.cloud.model import CloudView, Problem, Project, Quota, Resource, Size
from collectors.cloud.owners import Attribution, Conflict, Owner
from collectors.cloud.spans import Aspect, Identity, Key, Limits, Span, decoded, encoded, joined

CHINA = timezone(timedelta(hours=8))
FINANCE = Attribution(Owner("市财政局", "预算"), "metadata", "department")
AUDIT = Attribution(Owner("市审计局"), "override", "owners.csv:2", (), "2026-03-15")
SMALL, LARGE = Size(2, 4 << 30, 40 << 30), Size(8, 16 << 30, 40 << 30)


def server(id: str = "s1", state: Any = "active", size: Size = SMALL, **more: Any) -> Resource:
    made = Resource(id, "server", f"name-{id}", state, size, project="p1")
    return msgspec.structs.replace(made, **more)


def volume(*attached: str, id: str = "v1") -> Resource:
    state: Any = "active" if attached else "available"
    return Resource(id, "volume", id, state, Size(disk=100), project="p1", attached=attached)


class Store:
    """Keeps spans as a history does: by resource, aspect and beginning."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Aspect, float], Span] = {}
        self.last: dict[str, float] = {}

    @property
    def known(self) -> dict[Key, Span]:
        return {(s.resource, s.aspect): s for s in self.rows.values() if s.until is None}

    def look(
        self,
        at: float,
        *resources: Resource,
        owners: dict[str, Attribution] | None = None,
        cloud: str = "gov",
        kind: Any = "openstack",
        problems: Sequence[Problem] = (),
        projects: Sequence[Project] = (),
        **more: Any,
    ) -> list[Span]:
        view = CloudView(cloud, kind, at, 1, resources, tuple(projects), problems=tuple(problems))
        more.setdefault("last", self.last.get(cloud))
        spans = changes(self.known, view, owners or {}, at, **more)
        assert joined(self.known, spans) == self.take(spans).known
        self.last[cloud] = at
        return spans

    def take(self, spans: Iterable[Span]) -> Store:
        for span in spans:
            again = decoded(span.aspect, encoded(span.value))
            assert again == span.value
            self.rows[span.resource, span.aspect, span.since] = msgspec.structs.replace(
                span, value=again
            )
        return self

    def of(self, aspect: Aspect, id: str = "s1") -> list[tuple[float, float | None, Any]]:
        found = [s for s in self.rows.values() if (s.resource, s.aspect) == (id, aspect)]
        return [(s.since, s.until, s.value) for s in sorted(found, key=lambda s: s.since)]

    def told(self, id: str = "s1") -> list[tuple[float, str]]:
        return [(e.at, e.what) for e in events(self.rows.values()) if e.resource == id]


def test_a_server_from_its_request_to_its_release() -> None:
    store = Store()
    store.look(100)
    store.look(400, server(state="building", created=390), owners={"s1": FINANCE})
    store.look(700, server(created=390), owners={"s1": FINANCE})
    store.look(1000, server(size=LARGE, created=390), owners={"s1": FINANCE})
    store.look(1300, server(size=LARGE, state="stopped", created=390), owners={"s1": FINANCE})
    assert stopped_since(store.known) == {"s1": 1300}
    store.look(1600)
    assert store.of("state") == [
        (390, 700, "building"),
        (700, 1300, "active"),
        (1300, 1600, "stopped"),
        (1600, None, "released"),
    ]
    assert store.of("size") == [(390, 1000, SMALL), (1000, 1600, LARGE)]
    assert store.of("owner") == [(390, 1600, FINANCE)]
    assert store.of("project") == [(390, 1600, "p1")]
    assert store.told() == [
        (390, "applied"),
        (700, "granted"),
        (1000, "resized"),
        (1300, "stopped"),
        (1600, "released"),
    ]
    assert stopped_since(store.known) == {}


def test_what_is_older_than_the_first_look() -> None:
    store = Store()
    store.look(10_000, server(state="stopped", created=500))
    assert first_seen(store.rows.values()) == {"s1": 500}
    assert store.of("identity")[0][0] == 500
    # since when it is stopped is not known, so not since before
    assert store.of("state") == [(10_000, None, "stopped")]
    assert store.of("size") == [(10_000, None, SMALL)]
    assert store.told() == [(500, "granted")]


def test_a_creation_that_cannot_be() -> None:
    for created in (None, -1.0, 0.0, 99_999.0):
        store = Store()
        store.look(100)
        store.look(400, server(created=created))
        assert {span.since for span in store.rows.values()} == {400}


def test_a_view_that_says_nothing_new_changes_nothing() -> None:
    store = Store()
    looked = (server(), volume("s1"), volume(id="v2"))
    projects = [Project("p1", "财政", quotas=(Quota("vcpus", 20, 3),))]
    store.look(100, *looked, owners={"s1": FINANCE}, projects=projects)
    assert not store.look(400, *looked, owners={"s1": FINANCE}, projects=projects)
    assert not store.look(400, *looked, owners={"s1": FINANCE}, projects=projects)
    used = [Project("p1", "财政", quotas=(Quota("vcpus", 20, 19),))]
    assert not store.look(700, *looked, owners={"s1": FINANCE}, projects=used)


def test_what_was_not_seen_is_not_released() -> None:
    store = Store()
    store.look(100, server(), volume())
    for problem in (Problem("servers", "503"), Problem("all", "no route")):
        assert not [s for s in store.look(400, problems=[problem]) if s.resource == "s1"]
        store.last["gov"] = 100
    assert store.of("state") == [(100, None, "active")]
    # of the parts that were seen whole it is
    assert store.of("state", "v1")[-1] == (400, None, "released")
    store.look(700, problems=[Problem("use", "time-out", "s2"), Problem("servers", "odd", "s3")])
    assert store.of("state")[-1] == (700, None, "released")


def test_what_a_view_does_not_know_leaves_what_is_known() -> None:
    store = Store()
    store.look(100, server(state="stopped"))
    unknown = server(state="unknown", size=Size(vcpus=4), project="")
    store.look(400, unknown)
    assert store.of("state") == [(100, None, "stopped")]
    assert store.of("size")[-1] == (400, None, Size(4, SMALL.memory, SMALL.disk))
    assert store.of("project") == [(100, None, "p1")]
    assert not store.look(700, server(state="unknown", size=Size(), project=""))
    store = Store()
    store.look(100, server(state="unknown"))
    assert store.of("state") == [(100, None, "unknown")]
    store.look(400, server())
    assert store.told() == [(100, "granted")]


def test_an_owner_that_nobody_can_tell_leaves_the_known_one() -> None:
    store = Store()
    store.look(100, server(), owners={"s1": FINANCE})
    store.look(400, server(), server("s2"))
    assert store.of("owner") == [(100, None, FINANCE)]
    assert store.of("owner", "s2") == []  # not known is not nobody's
    store.look(700, server(), server("s2"), owners={"s1": Attribution(), "s2": Attribution()})
    assert store.of("owner")[-1] == (700, None, Attribution())
    assert store.of("owner", "s2") == [(700, None, Attribution())]


def test_what_is_told_in_part_is_not_renamed() -> None:
    store = Store()
    store.look(100, server(), volume())
    part = msgspec.structs.replace(volume("s1"), name="", partial=True, size=Size())
    store.look(400, server(name=""), part)
    for id, name in (("s1", "name-s1"), ("v1", "v1")):
        assert [told.name for _, _, told in store.of("identity", id)] == [name]
    assert store.of("size", "v1") == [(100, None, Size(disk=100))]
    assert store.of("attached", "v1")[-1] == (400, None, ("s1",))
    # a volume may have no name
    store.look(700, server(), msgspec.structs.replace(volume("s1"), name=""))
    assert (700, "renamed") in store.told("v1")


def test_what_returns_begins_again() -> None:
    store = Store()
    store.look(100, server(created=50), owners={"s1": FINANCE})
    store.look(400)
    store.look(700, server(created=50), owners={"s1": AUDIT})
    assert store.of("state") == [
        (100, 400, "active"),
        (400, 700, "released"),
        (700, None, "active"),
    ]
    assert store.of("owner") == [(100, 400, FINANCE), (700, None, AUDIT)]
    assert store.of("size") == [(100, 400, SMALL), (700, None, SMALL)]
    assert store.told() == [(50, "granted"), (400, "released"), (700, "returned")]


def test_a_cloud_that_still_tells_of_what_is_released() -> None:
    store = Store()
    store.look(100, server(), server("s2", state="released"))
    store.look(400, server(state="released"))
    assert not store.look(700, server(state="released"))
    assert store.of("state") == [(100, 400, "active"), (400, None, "released")]
    assert store.of("size") == [(100, 400, SMALL)]
    assert not store.of("identity", "s2")


def test_a_volume_that_is_let_go() -> None:
    store = Store()
    store.look(100, volume("s2", "s1"))
    store.look(400, volume("s1", "s2"))
    store.look(700, volume())
    store.look(1000, volume())
    assert detached_since(store.known) == {"v1": 700}
    store.look(1300, volume("s9"))
    assert store.of("attached", "v1") == [
        (100, 700, ("s1", "s2")),
        (700, 1300, ()),
        (1300, None, ("s9",)),
    ]
    assert [what for _, what in store.told("v1")].count("detached") == 1
    assert detached_since(store.known) == {}


def test_quotas_of_a_project() -> None:
    store = Store()
    store.look(
        100, projects=[Project("p1", "甲", quotas=(Quota("vcpus", 20), Quota("disk", None)))]
    )
    store.look(
        400, projects=[Project("p1", "甲", quotas=(Quota("vcpus", 40), Quota("disk", None)))]
    )
    assert store.of("quota", "p1") == [
        (100, 400, Limits({"vcpus": 20, "disk": None})),
        (400, None, Limits({"vcpus": 40, "disk": None})),
    ]
    # half of the quotas could not be asked for
    half = [Project("p1", "甲", quotas=(Quota("vcpus", 60),)), Project("p2", "乙")]
    for problem in (Problem("quotas", "no cinder"), Problem("quotas", "no cinder", "p1")):
        store.look(store.last["gov"] + 300, projects=half, problems=[problem])
        assert store.of("quota", "p1")[-1] == (700, None, Limits({"vcpus": 60, "disk": None}))
    assert not store.of("quota", "p2")
    store.look(1300, problems=[Problem("projects", "403")])
    assert store.of("quota", "p1")[-1][1] is None
    store.look(1600)
    assert store.of("quota", "p1")[-1][:2] == (700, 1600)
    store.look(1900, projects=half)
    assert store.of("quota", "p1")[-1] == (1900, None, Limits({"vcpus": 60}))
    assert (1600, "released") in store.told("p1")


MARCH_15 = 1773504000.0  # midnight in China


def test_an_override_moves_a_resource_on_its_day() -> None:
    store = Store()
    store.look(MARCH_15 - 86400, server(), owners={"s1": FINANCE})
    later = MARCH_15 + 5 * 86400  # when somebody has written it down
    store.look(later, server(), owners={"s1": AUDIT}, zone=CHINA)
    assert store.of("owner") == [
        (MARCH_15 - 86400, MARCH_15, FINANCE),
        (MARCH_15, None, AUDIT),
    ]
    assert store.told()[-1] == (MARCH_15, "moved")
    moved = msgspec.structs.replace(AUDIT, detail="owners.csv:3", conflicts=())
    assert not store.look(later + 300, server(), owners={"s1": moved}, zone=CHINA)
    # never to before what it ends
    far = msgspec.structs.replace(AUDIT, owner=Owner("甲"), since="2020-01-01")
    store.look(later + 600, server(), owners={"s1": far}, zone=CHINA)
    assert store.of("owner")[1:] == [(MARCH_15, None, far)]
    # nor to a day that is to come
    soon = msgspec.structs.replace(AUDIT, owner=Owner("乙"), since="2030-01-01")
    store.look(later + 900, server(), owners={"s1": soon}, zone=CHINA)
    assert store.of("owner")[-1] == (later + 900, None, soon)


def test_what_the_table_said_all_along_dates_no_other_change() -> None:
    store = Store()
    audit = Attribution(Owner("市审计局", "旧系统"), "override", "owners.csv:2", (), "2026-03-15")
    store.look(MARCH_15, server(), owners={"s1": audit})
    later = MARCH_15 + 5 * 86400
    renamed = msgspec.structs.replace(audit, owner=Owner("市审计局", "新系统"))
    store.look(later, server(), owners={"s1": renamed}, zone=CHINA)
    assert store.of("owner") == [(MARCH_15, later, audit), (later, None, renamed)]
    # a row whose day is corrected moves nothing
    earlier = msgspec.structs.replace(renamed, since="2026-03-10")
    store.look(later + 300, server(), owners={"s1": earlier}, zone=CHINA)
    assert store.of("owner")[1:] == [(later, None, earlier)]


def test_how_an_owner_is_known_is_no_move() -> None:
    store = Store()
    store.look(100, server(), owners={"s1": FINANCE})
    other = Attribution(FINANCE.owner, "project", "tag", (Conflict("nova", "system", "x"),))
    store.look(400, server(), owners={"s1": other})
    assert store.of("owner") == [(100, 400, FINANCE), (400, None, other)]
    assert [what for _, what in store.told()] == ["granted"]


def test_libvirt_does_not_speak_for_nova() -> None:
    store = Store()
    store.look(100, server(), owners={"s1": FINANCE})
    domain = server(state="stopped", size=LARGE, name="instance-1", project="")
    assert not store.look(200, domain, cloud="kvm", kind="libvirt", owners={"s1": AUDIT})
    assert not store.look(300, cloud="kvm", kind="libvirt")
    store.look(400)
    assert not store.look(500, domain, cloud="kvm", kind="libvirt")
    assert store.of("state")[-1] == (400, None, "released")


def test_libvirt_speaks_on_its_own_until_nova_does() -> None:
    store = Store()
    domain = server(name="instance-1", project="")
    store.look(100, domain, cloud="kvm", kind="libvirt", owners={"s1": FINANCE})
    assert store.of("owner") == [(100, None, FINANCE)]
    store.look(200, server(size=LARGE))
    assert store.of("identity")[-1] == (
        200,
        None,
        Identity("server", "name-s1", "gov", "openstack"),
    )
    assert store.of("size")[-1] == (200, None, LARGE)
    assert not store.look(300, domain, cloud="kvm", kind="libvirt")
    store = Store()
    store.look(100, domain, cloud="kvm", kind="libvirt")
    store.look(200, cloud="kvm", kind="libvirt")
    assert store.of("state")[-1] == (200, None, "released")


def test_a_domain_that_moves_to_another_host() -> None:
    store = Store()
    domain = server(project="")
    store.look(100, domain, cloud="kvm-1", kind="libvirt")
    assert not store.look(110, domain, cloud="kvm-2", kind="libvirt")
    store.look(400, cloud="kvm-1", kind="libvirt")
    store.look(410, domain, cloud="kvm-2", kind="libvirt")
    assert store.of("state")[1:] == [(400, 410, "released"), (410, None, "active")]
    assert not store.look(700, cloud="kvm-1", kind="libvirt")


class Round:
    """Hosts that are looked at side by side, one 0.01 s after another."""

    def __init__(self, interval: float = 300) -> None:
        self.store, self.interval = Store(), interval
        self.seen: dict[str, float] = {}

    def look(self, at: float, **machines: Sequence[Resource] | None) -> None:
        """What each host has; None is not known."""
        views = [
            CloudView(
                cloud,
                "libvirt",
                at + number / 100,
                1,
                tuple(its or ()),
                problems=() if its is not None else (Problem("all", "no route"),),
            )
            for number, (cloud, its) in enumerate(machines.items())
        ]
        last = dict(self.store.last)
        side = hosts(views, self.store.known, dict(self.seen), self.interval, last)
        for view in views:
            self.store.look(
                view.began,
                *view.resources,
                cloud=view.cloud,
                kind="libvirt",
                problems=view.problems,
                clouds=tuple(machines),
                hosts=side,
            )
            self.seen.update({it.id: view.began for it in view.resources})

    def tells(self) -> Any:
        return self.store.of("identity")[-1][2].cloud


def test_a_machine_that_moves_between_two_looks_was_never_away() -> None:
    for first, then in (("a", "b"), ("b", "a")):
        for state in ("active", "stopped"):
            rounds, one = Round(), server(state=state)
            rounds.look(1000, **{"a": [], "b": [], first: [one]})
            rounds.look(1300, **{"a": [], "b": [], then: [one]})
            assert rounds.tells() == then
            rounds.look(1600, **{"a": [], "b": [], then: [one]})
            assert [span[2] for span in rounds.store.of("state")] == [state]
            assert [what for _, what in rounds.store.told()][1:] == []


def test_a_machine_on_its_way_is_released_when_it_was_missing_in_two_looks() -> None:
    rounds = Round()
    rounds.look(1000, a=[server()], b=[])
    rounds.look(1300, a=[], b=[])
    rounds.look(1600, a=[], b=[server()])
    assert rounds.store.of("state") == [(1000, None, "active")]
    rounds.look(1900, a=[], b=[])
    rounds.look(2200, a=[], b=[])
    assert rounds.store.of("state")[-1][::2] == (2200.01, "released")
    # nor does a round that was lost count as a look
    rounds = Round()
    rounds.look(1000, a=[server()], b=[])
    rounds.look(1600, a=[], b=[])
    rounds.look(1900, a=[], b=[server()])
    assert rounds.store.of("state") == [(1000, None, "active")]
    # with one host there is nowhere to go
    rounds = Round()
    rounds.look(1000, a=[server()])
    rounds.look(1300, a=[])
    assert rounds.store.of("state")[-1] == (1300, None, "released")


def test_a_machine_may_be_on_a_host_that_is_not_seen() -> None:
    rounds = Round()
    rounds.look(1000, a=[server()], b=[])
    for at in range(1300, int(1000 + UNSEEN), 300):
        rounds.look(at, a=[], b=None)
    assert rounds.store.of("state") == [(1000, None, "active")]
    rounds.look(1000 + UNSEEN, a=[], b=None)
    assert rounds.store.of("state")[-1] == (1000 + UNSEEN, None, "released")


def test_a_definition_that_was_left_behind_says_nothing() -> None:
    rounds = Round()
    rounds.look(1000, a=[server()], b=[])
    rounds.look(1300, a=[server(state="stopped")], b=[server()])
    assert rounds.tells() == "b"
    # nor while its host cannot be asked
    rounds.look(1600, a=[server(state="stopped")], b=None)
    assert rounds.tells() == "b"
    rounds.look(1900, a=[server(state="stopped")], b=[server(state="stopped")])
    assert rounds.tells() == "b"
    # but not for ever
    rounds.store.last["b"] = 1900
    rounds.look(1900 + UNSEEN, a=[server(state="stopped")], b=None)
    assert rounds.tells() == "a"
    assert rounds.store.of("state") == [(1000, 1900.01, "active"), (1900.01, None, "stopped")]
    # which was started elsewhere, is there
    rounds.look(2200, a=[server()], b=None)
    assert rounds.tells() == "a"
    view = CloudView("a", "libvirt", 0, 1, (server(state="stopped"),))
    other = CloudView("b", "libvirt", 0, 1, (server(),))
    for views in ((view, other), (other, view)):
        [one] = held(views)
        assert (one.cloud, one.resource.state, one.domain) == ("b", "active", server())


def test_a_region_that_is_not_asked_for_releases_nothing() -> None:
    store = Store()

    def look(at: float, regions: Sequence[str], *resources: Resource) -> None:
        view = CloudView("gov", "openstack", at, 1, resources, regions=tuple(regions))
        known = store.known
        store.take(changes(known, view, {}, at, last=at - 300))
        seen = {it.id: at for it in resources} | {"s2": 400}
        store.take(forgotten(store.known, [view], seen, at))

    one, two = server(region="A"), server("s2", region="B")
    look(100, ("A", "B"), one, two)
    look(400, ("A", "B"), one, two)
    look(700, ("A",), one)
    assert store.of("state", "s2") == [(100, None, "active")]
    # in the end nothing is known of it any more
    look(400 + FORGOTTEN, ("A",), one)
    assert store.of("state", "s2") == [(100, None, "active")]
    look(700 + FORGOTTEN, ("A",), one)
    assert store.of("state", "s2") == [(100, 400, "active"), (400, None, "unknown")]
    assert store.of("size", "s2") == [(100, 400, SMALL)]
    look(1000 + FORGOTTEN, ("A",), one)
    look(1300 + FORGOTTEN, ("A", "B"), one, two)
    assert store.of("size", "s2")[-1] == (1300 + FORGOTTEN, None, SMALL)
    assert [what for _, what in store.told("s2")] == ["granted"]
    look(1600 + FORGOTTEN, ("A", "B"))
    assert {store.of("state", id)[-1][2] for id in ("s1", "s2")} == {"released"}


def test_what_a_cloud_told_that_is_not_asked_any_more() -> None:
    store = Store()
    store.look(100, server(), server("s2"))
    store.look(400, server("s2", state="released"), server("s1"))
    view = CloudView("new", "openstack", 0, 1)
    seen = {"s1": 400.0, "s2": 400.0}
    assert not forgotten(store.known, [view], seen, 400 + FORGOTTEN)
    store.take(forgotten(store.known, [view], seen, 401 + FORGOTTEN))
    assert store.of("state")[-1] == (400, None, "unknown")
    assert store.of("state", "s2")[-1] == (400, None, "released")
    assert not forgotten(store.known, [view], seen, 402 + FORGOTTEN)
    assert not forgotten(store.known, [view], {}, 402 + FORGOTTEN)


def test_a_cloud_under_another_name() -> None:
    store = Store()
    store.look(100, server())
    assert not store.look(400, server(), cloud="new")
    store.look(700, server(), cloud="new", clouds=("new",))
    assert store.of("identity")[-1][2].cloud == "new"
    assert store.of("state") == [(100, None, "active")]
    store.look(1000, cloud="new", clouds=("new",))
    assert store.of("state")[-1][2] == "released"


def test_a_late_view_is_ignored() -> None:
    store = Store()
    store.look(10_000, server())
    assert not store.look(9_700, server(state="stopped"), last=10_000)
    assert not store.look(10_000 - LATE, last=10_000)
    assert not store.look(10_000, server(size=LARGE), last=10_000)


def test_a_clock_that_is_set_back() -> None:
    store = Store()
    store.look(1_000_000, server())
    store.look(1_000_300, server(size=LARGE))
    store.look(500_000, server(size=SMALL, state="stopped"), volume())
    # it has changed, and no earlier than what it changes
    assert store.of("size") == [
        (1_000_000, 1_000_300, SMALL),
        (1_000_300, None, SMALL),
    ]
    assert store.of("state") == [(1_000_000, None, "stopped")]
    store.look(500_300, volume())
    store.look(500_600, server(), volume())
    # the release is no earlier than all that it ended
    assert store.of("state") == [
        (1_000_000, 1_000_300, "stopped"),
        (1_000_300, None, "active"),
    ]
    ordered(store.rows.values())


def ordered(spans: Iterable[Span]) -> None:
    """Spans of an aspect do not overlap, and only the last of them lasts."""
    by_key: dict[Key, list[Span]] = defaultdict(list)
    for span in spans:
        by_key[span.resource, span.aspect].append(span)
    for of_one in by_key.values():
        of_one.sort(key=lambda span: span.since)
        for before, after in pairwise(of_one):
            assert before.until is not None
            assert before.since <= before.until <= after.since
        last = of_one[-1]
        assert last.until is None or last.since <= last.until


SIZES = st.builds(Size, st.sampled_from([None, 1, 2]), st.sampled_from([None, 1, 2]))
RESOURCES = st.one_of(
    st.builds(
        Resource,
        id=st.sampled_from(["a", "b"]),
        kind=st.just("server"),
        name=st.sampled_from(["x", "y"]),
        state=st.sampled_from(["active", "stopped", "building", "released", "unknown"]),
        size=SIZES,
        project=st.sampled_from(["", "p", "q"]),
        created=st.one_of(st.none(), st.floats(-10, 40_000)),
        region=st.sampled_from(["", "A", "B"]),
        partial=st.booleans(),
    ),
    st.builds(
        Resource,
        id=st.sampled_from(["v", "w"]),
        kind=st.just("volume"),
        name=st.just("v"),
        state=st.sampled_from(["active", "available"]),
        attached=st.sampled_from([(), ("a",), ("b", "a")]),
    ),
)
PROJECTS = st.builds(
    Project,
    id=st.sampled_from(["p", "q"]),
    name=st.just("n"),
    quotas=st.sampled_from([(), (Quota("vcpus", 1),), (Quota("vcpus", None), Quota("disk", 2))]),
)
OWNERS = st.builds(
    Attribution,
    owner=st.builds(Owner, st.sampled_from(["", "甲", "乙"])),
    how=st.sampled_from(["override", "project"]),
    since=st.sampled_from(["", "1970-01-01", "1970-01-02", "2030-01-01"]),
)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(["servers", "volumes", "projects", "quotas", "all"]),
    st.just("why"),
    st.sampled_from(["", "p"]),
)
LOOKS = st.fixed_dictionaries(
    {
        "at": st.one_of(st.integers(1, 40_000), st.floats(1, 200_000)),
        "resources": st.lists(RESOURCES, max_size=4),
        "projects": st.lists(PROJECTS, max_size=2),
        "owners": st.dictionaries(st.sampled_from(["a", "b", "v", "p"]), OWNERS),
        "problems": st.lists(PROBLEMS, max_size=2),
        "where": st.sampled_from(
            [("gov", "openstack"), ("two", "openstack"), ("kvm", "libvirt"), ("kvm-2", "libvirt")]
        ),
        "clouds": st.sampled_from([None, ("gov", "kvm")]),
    }
)


PLACES = st.fixed_dictionaries(
    dict.fromkeys(
        "abc", st.one_of(st.none(), st.sampled_from(["away", "active", "paused", "stopped"]))
    )
)


@settings(max_examples=60, deadline=None, phases=(Phase.generate, Phase.explicit, Phase.reuse))
@given(st.lists(PLACES, max_size=8))
def test_a_machine_on_any_hosts(places: list[dict[str, Any]]) -> None:
    rounds = Round()
    for number, place in enumerate(places):
        machines = {
            host: None if state is None else [server(state=state)] * (state != "away")
            for host, state in place.items()
        }
        before = [value for _, _, value in rounds.store.of("state")][-1:]
        rounds.look(1000 + 300 * number, **machines)
        ordered(rounds.store.rows.values())
        running = [host for host, state in place.items() if state == "active"]
        if running:
            assert rounds.tells() in running
            assert rounds.store.of("state")[-1][2] == "active"
        elif before not in ([], ["released"]) and None in place.values():
            assert rounds.store.of("state")[-1][2] != "released"


@settings(max_examples=60, deadline=None, phases=(Phase.generate, Phase.explicit, Phase.reuse))
@given(st.lists(LOOKS, max_size=12), st.booleans())
def test_any_looks_in_any_order(looks: list[dict[str, Any]], in_order: bool) -> None:
    store = Store()
    if in_order:
        looks.sort(key=lambda look: look["at"])
    for look in looks:
        cloud, kind = look["where"]
        more = {key: look[key] for key in ("projects", "owners", "problems", "clouds")}
        unique = {it.id: it for it in look["resources"]}.values()
        last = store.last.get(cloud)
        if last is not None and last - LATE <= look["at"] <= last:
            last = None  # it would be ignored
        more["last"] = last
        store.look(look["at"], *unique, cloud=cloud, kind=kind, **more)
        ordered(store.rows.values())
        # the same view again, told as one that came at the same time, after it, and as the first
        for again in (last, look["at"] - 2 * LATE, None):
            more["last"] = again
            assert not store.look(look["at"], *unique, cloud=cloud, kind=kind, **more)
    told = events(store.rows.values())
    assert all(isinstance(event, Event) for event in told)
    assert [event.at for event in told] == sorted(event.at for event in told)
