"""Answers of OpenStack's APIs, as they are and as they should not be."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud import openstackcompute as compute
from collectors.cloud import openstackparse as parse
from collectors.cloud.model import Allocated, CloudView, Problem, Project, Quota, Resource
from collectors.cloud.openstackfile import hidden, secrets_of
from collectors.cloud.openstackfound import Found
from collectors.cloud.openstackjson import moment
from collectors.cloud.openstackmetrics import families
from collectors.model import ParseError
from tests.openstackreplay import answers

Parser = Callable[[bytes], Any]


def parser(key: str) -> Parser:
    service, path = key.split("?")[0].split(" ")
    last = path.rpartition("/")[2]
    parsers: dict[str, Parser] = {
        "projects": parse.projects,
        "detail": compute.quotas,
        "os-simple-tenant-usage": lambda it: compute.allocated(it, 0, 1),
        "diagnostics": lambda it: compute.use(it, "one", 1.0),
        "os-services": compute.unknown_hosts,
        "resource_providers": parse.providers,
        "inventories": lambda it: parse.inventories(it, "host", {}),
        "usages": parse.usages,
    }
    if path.endswith("servers/detail"):
        return lambda it: compute.servers(it, "RegionOne")
    if path.endswith("volumes/detail"):
        return lambda it: parse.volumes(it, "RegionOne")
    return compute.quotas if service == "cinder" else parsers[last]


# a token and descriptions of versions are keystoneauth's to read
BODIES = [
    (key, json.dumps(body).encode())
    for key, body in answers().items()
    if key != "token" and key not in ("keystone /v3", "nova /v2.1", "cinder /v3/")
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=3,
)


def accepts(key: str, body: bytes) -> None:
    with contextlib.suppress(ParseError):
        parser(key)(body)


@pytest.mark.parametrize(("key", "body"), BODIES, ids=[key for key, _ in BODIES])
def test_what_was_recorded_is_read(key: str, body: bytes) -> None:
    parser(key)(body)


@given(st.sampled_from(BODIES), st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(one: tuple[str, bytes], body: bytes) -> None:
    accepts(one[0], body)


@given(st.sampled_from(BODIES), st.data())
def test_damaged_bodies_are_refused_in_one_way(one: tuple[str, bytes], data: st.DataObject) -> None:
    key, body = one
    first = data.draw(st.integers(0, len(body)))
    last = data.draw(st.integers(first, min(len(body), first + 50)))
    accepts(key, body[:first] + data.draw(st.binary(max_size=10)) + body[last:])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@given(st.sampled_from(BODIES), VALUES, st.data())
def test_wrong_types_are_refused_in_one_way(
    one: tuple[str, bytes], value: Any, data: st.DataObject
) -> None:
    key, body = one
    document = json.loads(body)
    where = data.draw(st.sampled_from(places(document)))
    accepts(key, json.dumps(replaced(document, where, value)).encode())


def server(**fields: Any) -> compute.Server:
    return compute.servers(json.dumps({"servers": [{"id": "a", **fields}]}).encode(), "r").rows[0]


@pytest.mark.parametrize(
    ("status", "power", "state"),
    [
        ("ACTIVE", 1, "active"),
        ("SHUTOFF", 4, "stopped"),
        ("SHELVED_OFFLOADED", 4, "stopped"),
        ("SUSPENDED", 7, "paused"),
        ("SOFT_DELETED", 4, "released"),
        ("VERIFY_RESIZE", 1, "active"),
        ("VERIFY_RESIZE", 4, "stopped"),
        ("MIGRATING", None, "unknown"),
        ("UNKNOWN", 1, "unknown"),
        ("SOMETHING_NEW", 0, "unknown"),
    ],
)
def test_states_of_servers(status: str, power: int | None, state: str) -> None:
    made = server(status=status, **{"OS-EXT-STS:power_state": power})
    assert (made.resource.state, made.resource.raw_state) == (state, status)


def test_a_server_of_a_cell_that_is_down_has_no_size() -> None:
    one = server(status="UNKNOWN", tenant_id="p", created="2026-11-01T00:00:00Z").resource
    assert one.size.vcpus is None
    assert one.size.memory is None
    assert one.size.disk is None
    assert one.state == "unknown"


def test_the_root_of_a_server_that_boots_from_a_volume_is_no_local_disk() -> None:
    flavor = {"vcpus": 1, "ram": 1, "disk": 40, "ephemeral": 2}
    assert server(flavor=flavor, image="").resource.size.disk == 2 << 30
    assert server(flavor=flavor, image={"id": "i"}).resource.size.disk == 42 << 30


def test_diagnostics_that_are_not_known_are_no_number() -> None:
    nothing = compute.use(b'{"nic_details": [{"rx_octets": null, "tx_octets": 7}]}', "a", 1.0)
    assert (nothing.cpu, nothing.net_rx, nothing.net_tx, nothing.disk_read) == (None, None, 7, None)
    without = compute.use(b'{"nic_details": [], "cpu_details": []}', "a", 1.0)
    assert (without.net_rx, without.cpu) == (0, None)
    memory = compute.use(b'{"memory_details": {"maximum": 4, "used": 4}}', "a", 1.0)
    assert (memory.memory_used, memory.memory_total) == (None, None)


def test_times_are_those_of_utc() -> None:
    assert moment("2026-11-01T00:00:00Z") == moment("2026-11-01T00:00:00.000000")
    assert moment("2026-11-01T08:00:00+08:00") == moment("2026-11-01T00:00:00Z")
    assert moment(None) is None


def test_hours_of_several_pages_are_added() -> None:
    one = Allocated(0, 1, 1.0, 2.0, 3.0)
    assert compute.added(compute.added(None, one), one) == Allocated(0, 1, 2.0, 4.0, 6.0)


def test_quotas_of_regions_are_added_and_no_limit_stays_none() -> None:
    found = Found()
    found.add_quotas("p", [Quota("vcpus", 10, 3), Quota("memory", None, 1)])
    found.add_quotas("p", [Quota("vcpus", 5, None), Quota("memory", 4, 1)])
    assert found.quotas["p"] == {
        "vcpus": Quota("vcpus", 15, None),
        "memory": Quota("memory", None, 2),
    }


def test_what_was_not_asked_is_told_with_its_own_reason() -> None:
    found = Found(failed={("quotas", reason): ["p"] * 8 for reason in ("Nova: no", "Cinder: no")})
    found.skipped["quotas", "Cinder: no"] = 20
    assert [it.reason for it in found.problems({}, use=True)] == [
        "Nova: no (of 8 resources)",
        "Cinder: no (of 8 resources, and 20 more were not asked for)",
    ]


@pytest.mark.parametrize(
    ("secret", "text", "told"),
    [
        ("e", "the identity service: e is wrong", "the identity service: *** is wrong"),
        ("a+b", "a+b (a+bc)", "*** (a+bc)"),
        ("long-secret", "xlong-secretx", "x***x"),
    ],
)
def test_a_short_secret_is_hidden_as_a_word(secret: str, text: str, told: str) -> None:
    assert hidden(text, [secret]) == told


@pytest.mark.parametrize(
    "address",
    [
        "http://u:sek-rit@h/v3",
        "https://u:sek%2Drit@h:5000",
        "http://sek-rit@h?x=@",
        "http://[u:sek-rit@h",
    ],
)
def test_a_password_in_an_address_is_a_secret(address: str) -> None:
    assert "sek-rit" in secrets_of({"auth": {"auth_url": address}})
    assert "sek-rit" in secrets_of({"compute_endpoint_override": address})


@given(VALUES, st.text(max_size=30))
def test_secrets_are_found_in_anything(value: Any, text: str) -> None:
    for settings in ({"auth": value}, {"auth": {"password": value, "auth_url": text}, "x": value}):
        found = secrets_of(settings)
        assert all(found)
        hidden(text, found)


def test_problems_stay_few() -> None:
    found = Found(failed={("use", f"reason {n}"): [f"s{n}"] for n in range(1000)})
    problems = found.problems({}, use=True)
    assert len(problems) == 11
    assert problems[-1].reason == "and 990 other problems"
    assert not problems[-1].resource


def test_a_limit_that_is_none_is_minus_one_in_metrics_and_labels_are_short() -> None:
    project = Project("p", "n" * 500, quotas=(Quota("memory", None, 1 << 30),))
    view = CloudView("c", "openstack", 0, 0, projects=(project,))
    found = {it.name: it.samples[0] for it in families(view)}
    assert found["openstack_nova_limits_memory_max"].value == -1
    assert found["openstack_nova_limits_memory_used"].value == 1024
    assert max(len(text) for _, text in found["openstack_identity_project_info"].labels) == 128


def test_a_volume_that_only_nova_tells_of_is_told_of_in_part() -> None:
    """Its name and metadata are not known, rather than known to be empty."""
    one = compute.Server(Resource("s1", "server", "web", "active", project="p"), ("v1", "v2"))
    told = Resource("v2", "volume", "data", "active", project="p", metadata={"dept": "甲"})
    found = Found(servers={"s1": one}, volumes={"v2": told})
    volumes = [it for it in found.resources([Problem("volumes", "503")]) if it.kind == "volume"]
    assert {it.id: (it.name, it.described, it.attached) for it in volumes} == {
        "v1": ("", False, ("s1",)),
        "v2": ("data", True, ("s1",)),
    }
    [down] = compute.servers(b'{"servers": [{"id": "s1", "status": "UNKNOWN"}]}', "R").rows
    assert not down.resource.described
