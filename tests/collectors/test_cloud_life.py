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
from collectors.cloud.life import LATE, changes
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


def test_a_holder_stays_while_projects_are_not_seen() -> None:
    store = Store()
    store.look(100, server(), owners={"s1": FINANCE})
    nobody = {"s1": Attribution(), "s2": Attribution(), "s3": FINANCE}
    unseen = Problem("projects", "403")
    store.look(400, server(), server("s2"), server("s3"), owners=nobody, problems=[unseen])
    assert store.of("owner") == [(100, None, FINANCE)]
    assert store.of("owner", "s2") == []  # not known is not nobody's
    assert store.of("owner", "s3") == [(400, None, FINANCE)]
    store.look(700, server(), server("s2"), server("s3"), owners=nobody)
    assert store.of("owner")[-1] == (700, None, Attribution())
    assert store.of("owner", "s2") == [(700, None, Attribution())]


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
