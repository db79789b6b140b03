"""An OpenStack cloud that answers as a real one did, and then in every wrong way."""

from __future__ import annotations

import builtins
import io
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.cloud.model import CloudView, Part
from collectors.cloud.openstack import EXTRA, OpenStackCloud
from collectors.cloud.openstackmetrics import families
from collectors.cloud.settings import CloudSource, CloudsSettings
from collectors.strictyaml import Duration
from tests.exporters.certificates import Authority
from tests.openstackreplay import SECRET, Handler, Replay, Twist, send

pytestmark = pytest.mark.filterwarnings("ignore:Support for InfluxDB")  # openstacksdk warns itself

SERVERS = "nova /v2.1/servers/detail"


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    with Replay(tmp_path) as one:
        yield one


def look(
    replay: Replay, deadline: float = 60, use: bool = True, cloud: str = "gov", **settings: Any
) -> CloudView:
    source = CloudSource(
        "gov", "openstack", cloud=cloud, clouds_file=str(replay.clouds_file), use=use
    )
    return OpenStackCloud(source, CloudsSettings(**{"page": 2, **settings})).gather(deadline)


def missing(view: CloudView) -> dict[Part, str]:
    return {it.part: it.reason for it in view.problems if not it.resource}


def status(code: int, body: object = None) -> Twist:
    return lambda handler, *_: send(handler, code, json.dumps(body).encode())


def html(handler: Handler, code: int, body: bytes) -> None:
    send(handler, code, b"<html><body>Welcome to the gateway</body></html>", "text/html")


def half(handler: Handler, code: int, body: bytes) -> None:
    handler.send_response(code)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])


def cut(handler: Handler, code: int, body: bytes) -> None:
    send(handler, code, body[: len(body) // 2])


def endless(handler: Handler, code: int, body: bytes) -> None:
    handler.send_response(code)
    handler.end_headers()
    while True:  # until the client has had enough of it
        handler.wfile.write(b" " * (1 << 20))


def test_the_recorded_cloud_is_seen_whole(replay: Replay) -> None:
    view = look(replay)
    assert view.problems == ()
    servers = [it for it in view.resources if it.kind == "server"]
    assert len(servers) == 6
    assert {it.state for it in servers} == {"active", "stopped", "paused"}
    assert len([it for it in view.resources if it.kind == "volume"]) == 3
    assert {it.name for it in view.projects} >= {"金平区", "金平区大数据局", "汕头市税务局"}
    assert len(view.capacity) == 3
    assert len(view.uses) == 4
    assert view.requests == len(replay.asked)
    assert all(it.samples for it in families(view))


def test_metrics_have_no_sample_twice(replay: Replay) -> None:
    made = families(look(replay))
    assert {"openstack_nova_server_status", "openstack_placement_resource_total"} <= {
        it.name for it in made
    }
    for family in made:
        labels = [it.labels for it in family.samples]
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        (html, "HTML"),
        (half, "connection"),
        (cut, "no whole JSON"),
        (endless, "longer than"),
        (status(200, {"servers": "many"}), "format"),
        (status(200, []), "format"),
        (status(200, {"servers": [{"id": "../../etc"}]}), "format"),
        (status(200, {"servers": [{"id": "a", "flavor": {"vcpus": -1}}]}), "format"),
        (status(403, {"forbidden": {"message": "Policy"}}), "HTTP 403: Policy"),
        (status(500, None), "HTTP 500"),
        (status(503, None), "HTTP 503"),
        (status(302, None), "HTTP 302"),
    ],
    ids=lambda it: it if isinstance(it, str) else getattr(it, "__name__", "status"),
)
def test_a_bad_answer_costs_its_part_alone(
    replay: Replay, twist: Twist, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.cloud.openstackask.LONGEST", 8 << 20)
    replay.twists[SERVERS] = twist
    view = look(replay)
    assert set(missing(view)) == {"servers", "use"}
    assert words in missing(view)["servers"]
    assert [it for it in view.resources if it.kind == "server"] == []
    assert len(view.projects) >= 5
    assert len(view.capacity) == 3
    assert {it.name for it in families(view)}.isdisjoint({"openstack_nova_total_vms"})


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_what_passes_is_asked_once_more(replay: Replay, code: int) -> None:
    failed = []

    def once(handler: Handler, real: int, body: bytes) -> None:
        failed.append(1)
        send(handler, code if len(failed) == 1 else real, body)

    replay.twists[SERVERS] = once
    assert look(replay).problems == ()


def test_a_redirect_is_not_followed_with_the_token(replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Replay(tmp_path / "other") as other:

        def away(handler: Handler, code: int, body: bytes) -> None:
            handler.send_response(307)
            handler.send_header("Location", f"{other.url}/nova/v2.1/servers/detail")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        replay.twists[SERVERS] = away
        assert "servers" in missing(look(replay))
        assert other.asked == []


def test_the_link_to_the_next_page_gives_a_marker_and_no_address(
    replay: Replay, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with Replay(tmp_path / "other") as other:

        def elsewhere(handler: Handler, code: int, body: bytes) -> None:
            send(handler, code, body.replace(replay.url.encode(), other.url.encode()))

        replay.twists[SERVERS] = elsewhere
        assert look(replay).problems == ()
        assert other.asked == []


def test_pages_that_go_round_end(replay: Replay) -> None:
    link = {"rel": "next", "href": "http://x/?marker=same"}
    replay.twists[SERVERS] = status(200, {"servers": [], "servers_links": [link]})
    assert "circle" in missing(look(replay))["servers"]


def test_a_page_that_fails_leaves_those_before_it(replay: Replay) -> None:
    replay.twists[SERVERS + "?all_tenants=1&limit=2&marker"] = status(500)
    view = look(replay)
    assert len([it for it in view.resources if it.kind == "server"]) == 2
    assert not view.whole("servers")
    assert not view.whole("use")


def test_servers_that_give_no_diagnostics_are_one_problem(replay: Replay) -> None:
    for code, words in ((409, "Instance is not ready"), (501, "not supported")):

        def refuse(
            handler: Handler, real: int, body: bytes, code: int = code, words: str = words
        ) -> None:
            if "diagnostics" in handler.path:
                server = handler.path.split("/")[-2]
                body = json.dumps({"conflict": {"message": f"{words}: {server}"}}).encode()
                send(handler, code, body)
            else:
                send(handler, real, body)

        replay.twists["nova /v2.1/servers/"] = refuse
        view = look(replay)
        assert set(missing(view)) == {"use"}
        assert len(view.problems) == 1
        assert words in view.problems[0].reason
        assert "of 4 resources" in view.problems[0].reason


def test_one_server_without_diagnostics_is_named(replay: Replay) -> None:
    first = look(replay).uses[0].resource
    replay.twists[f"nova /v2.1/servers/{first}/"] = status(409, {"conflict": {"message": "no"}})
    view = look(replay)
    assert [(it.part, it.resource) for it in view.problems] == [("use", first)]
    assert view.whole("use")
    assert len(view.uses) == 3


def test_after_refusals_the_rest_is_not_asked(replay: Replay) -> None:
    one = replay.answers["keystone /v3/projects"]["projects"][0]
    many = [{**one, "id": f"{n:032x}"} for n in range(100)]
    replay.twists["keystone /v3/projects"] = status(200, {"projects": many})
    replay.twists["nova /v2.1/os-quota-sets"] = status(403, {"forbidden": {"message": "no"}})
    replay.twists["cinder"] = status(403, {"forbidden": {"message": "no"}})
    view = look(replay, concurrency=2)
    asked = [it for it in replay.asked if "os-quota-sets" in it]
    assert len(asked) < 40
    assert "more were not asked" in missing(view)["quotas"]


def test_a_service_that_refuses_quotas_says_nothing_of_the_other(replay: Replay) -> None:
    replay.twists["nova /v2.1/os-quota-sets"] = status(403, {"forbidden": {"message": "no"}})
    one = replay.answers["keystone /v3/projects"]["projects"][0]
    quota = next(
        it
        for name, it in replay.answers.items()
        if name.startswith("cinder ") and "os-quota-sets" in name
    )
    many = [{**one, "id": f"{n:032x}"} for n in range(30)]
    replay.twists["keystone /v3/projects"] = status(200, {"projects": many})
    replay.twists["cinder"] = status(200, {"volumes": [], **quota})
    view = look(replay)
    assert all({it.resource for it in p.quotas} == {"disk", "volumes"} for p in view.projects)
    assert "more were not asked" in missing(view)["quotas"]


def test_each_service_that_refuses_quotas_is_named(replay: Replay) -> None:
    one = replay.answers["keystone /v3/projects"]["projects"][0]
    many = [{**one, "id": f"{n:032x}"} for n in range(60)]
    replay.twists["keystone /v3/projects"] = status(200, {"projects": many})
    found = next(it for name, it in replay.answers.items() if name.endswith("/detail"))
    replay.twists["nova /v2.1/os-quota-sets"] = status(200, found)
    replay.twists["cinder"] = status(403, {"forbidden": {"message": "no"}})
    quotas = [it.reason for it in look(replay).problems if it.part == "quotas"]
    assert len(quotas) == 1
    assert "block storage service answered HTTP 403: no" in quotas[0]
    assert "more were not asked" in quotas[0]
    replay.twists["nova /v2.1/os-quota-sets"] = lambda handler, *_: html(handler, 200, b"")
    view = look(replay)
    quotas = [it.reason for it in view.problems if it.part == "quotas"]
    assert "the compute service: the answer is HTML (of 60 resources)" in quotas
    assert len(quotas) == 2


# --- a cell of Nova that is down --------------------------------------------------------------------

DETAIL = "nova /v2.1/servers/detail?all_tenants=1"
SERVICES = "nova /v2.1/os-services"
LOST = {"id": "10570000-0000-4000-8000-000000000001", "status": "UNKNOWN", "tenant_id": "p"}


def test_servers_are_asked_for_so_that_nova_names_those_of_a_cell_that_is_down(
    replay: Replay,
) -> None:
    assert look(replay, page=1000).problems == ()
    asked = [it for it in replay.asked if "servers/detail" in it or "os-services" in it]
    assert asked == [DETAIL]


def test_servers_of_a_cell_that_is_down_are_not_known(replay: Replay) -> None:
    servers = replay.answers[DETAIL]["servers"]
    replay.answers[DETAIL] = {"servers": [LOST, *servers[1:]]}
    view = look(replay, page=1000)
    assert missing(view)["servers"].startswith("a cell of Nova is down: of 1 servers")
    one = next(it for it in view.resources if it.id == LOST["id"])
    assert (one.state, one.raw_state, one.size.vcpus) == ("unknown", "UNKNOWN", None)
    assert not any(it.name == "openstack_nova_total_vms" for it in families(view))


def test_a_full_first_page_says_nothing_of_cells(replay: Replay) -> None:
    link = {"rel": "next", "href": "http://x/?marker=last"}
    replay.answers[DETAIL] = {**replay.answers[DETAIL], "servers_links": [link]}
    replay.answers[f"{DETAIL}&marker=last"] = {"servers": []}
    assert look(replay, page=1000).problems == ()
    assert SERVICES in replay.asked
    down = {"binary": "nova-compute", "host": "kvm-7", "status": "UNKNOWN"}
    replay.answers[SERVICES]["services"].append(down)
    for page in (2, 1000):
        view = look(replay, page=page)
        assert "a cell of Nova is down, with the host kvm-7" in missing(view)["servers"]
        assert len([it for it in view.resources if it.kind == "server"]) == 6
    replay.twists[SERVICES] = status(403, {"forbidden": {"message": "Policy"}})
    reason = missing(look(replay))["servers"]
    assert reason.startswith("whether a cell of Nova is down is not known")
    assert "HTTP 403: Policy" in reason


def test_of_a_nova_that_does_not_tell_of_cells_placement_does(replay: Replay) -> None:
    replay.answers["nova /v2.1"]["version"]["version"] = "2.60"
    replay.twists[SERVICES] = status(500)  # it would say nothing
    assert look(replay, page=1000).problems == ()
    replay.answers[DETAIL] = {"servers": []}
    reason = missing(look(replay, page=1000))["servers"]
    assert reason == "Placement counts servers on the host fake-0000, and Nova told none there"
    replay.twists["placement"] = status(403)
    assert "cannot be found out" in missing(look(replay, page=1000))["servers"]


def test_a_part_of_the_projects_is_not_all(replay: Replay) -> None:
    found = replay.answers["keystone /v3/projects"]
    replay.twists["keystone /v3/projects"] = status(200, {**found, "truncated": True})
    view = look(replay)
    assert set(missing(view)) == {"projects", "quotas"}
    assert view.projects


def test_projects_of_one_domain_are_not_taken_for_all(replay: Replay) -> None:
    token = replay.answers["token"]["token"]
    token["domain"] = {"id": "default", "name": "Default"}
    del token["project"]
    view = look(replay)
    assert set(missing(view)) == {"projects", "quotas"}
    assert view.projects


def test_without_block_storage_there_are_no_volumes(replay: Replay) -> None:
    catalog = replay.answers["token"]["token"]["catalog"]
    catalog[:] = [it for it in catalog if it["type"] != "volumev3"]
    view = look(replay)
    assert view.problems == ()
    assert {it.kind for it in view.resources} == {"server"}
    assert not any("cinder" in it.name for it in families(view))
    assert {q.resource for it in view.projects for q in it.quotas} == {
        "vcpus",
        "memory",
        "instances",
    }
    for answer in replay.answers.values():
        for server in answer.get("servers", ()):
            server["os-extended-volumes:volumes_attached"] = [{"id": "v-" + server["id"]}]
    view = look(replay)
    assert set(missing(view)) == {"volumes"}
    volumes = [it for it in view.resources if it.kind == "volume"]
    assert len(volumes) == 6
    assert all(it.size.disk is None and len(it.attached) == 1 for it in volumes)
    up = next(it for it in families(view) if it.name == "openstack_cinder_up")
    assert up.samples[0].value == 0


def test_volumes_of_one_project_are_not_taken_for_all(replay: Replay) -> None:
    token = replay.answers["token"]["token"]
    token["roles"] = [{"id": "1", "name": "cloud_reader"}]
    assert look(replay).problems == ()  # volumes of others are among them
    for name, answer in replay.answers.items():
        if "volumes/detail" in name:
            for volume in answer["volumes"]:
                volume["os-vol-tenant-attr:tenant_id"] = token["project"]["id"]
    view = look(replay)
    assert set(missing(view)) == {"volumes"}
    assert len([it for it in view.resources if it.kind == "volume"]) == 3


def test_without_compute_the_rest_is_seen(replay: Replay) -> None:
    catalog = replay.answers["token"]["token"]["catalog"]
    catalog[:] = [it for it in catalog if it["type"] != "compute"]
    view = look(replay)
    assert set(missing(view)) == {"servers", "allocated", "quotas", "use"}
    assert "no compute service" in missing(view)["servers"]
    assert len(view.capacity) == 3


def test_an_old_nova_is_told(replay: Replay) -> None:
    replay.answers["nova /v2.1"]["version"]["version"] = "2.38"
    assert "2.48" in missing(look(replay))["servers"]


def test_a_new_nova_is_asked_in_a_version_that_is_known(replay: Replay) -> None:
    replay.answers["nova /v2.1"]["version"]["version"] = "2.140"
    seen: list[str | None] = []

    def version(handler: Handler, code: int, body: bytes) -> None:
        seen.append(handler.headers["OpenStack-API-Version"])
        send(handler, code, body)

    replay.twists[SERVERS] = version
    assert look(replay).problems == ()
    assert set(seen) == {"compute 2.93"}


# --- the deadline ---------------------------------------------------------------------------------


def held(replay: Replay) -> Twist:
    def hold(handler: Handler, code: int, body: bytes) -> None:
        replay.over.wait()

    return hold


@pytest.mark.parametrize("start", ["token", "keystone /v3/projects", SERVERS, "placement"])
def test_what_hangs_is_left_at_the_deadline(replay: Replay, start: str) -> None:
    replay.twists[start] = held(replay)
    view = look(replay, deadline=1.5, timeout=Duration(100_000))
    part: Part = {"token": "all", SERVERS: "servers", "placement": "capacity"}.get(
        start, "projects"
    )  # type: ignore[assignment]
    assert missing(view)[part] == "no answer within 1.5 s"
    assert not view.whole(part)


def test_an_answer_in_drops_is_left_at_the_deadline(replay: Replay) -> None:
    def drop(handler: Handler, code: int, body: bytes) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for byte in body:
            handler.wfile.write(bytes([byte]))
            if replay.over.wait(0.1):
                return

    replay.twists[SERVERS] = drop
    view = look(replay, deadline=1.5, timeout=Duration(1))
    assert "servers" in missing(view)
    assert len(view.capacity) == 3


def test_no_more_requests_at_once_than_allowed(replay: Replay) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def count(handler: Handler, code: int, body: bytes) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        replay.over.wait(0.02)
        with lock:  # before the answer: after it the next request may come
            now[0] -= 1
        send(handler, code, body)

    for service in ("keystone /v3/projects", "nova /v2.1/", "placement", "cinder /v3/"):
        replay.twists[service] = count
    assert look(replay, concurrency=3).problems == ()
    assert 1 < most[0] <= 3


# --- who asks -------------------------------------------------------------------------------------


def test_secrets_are_not_told(replay: Replay, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    message = f"bad token replay-token-7d for {SECRET}"
    replay.twists[SERVERS] = status(403, {"forbidden": {"message": message}})
    view = look(replay)
    assert "replay-token-7d" in replay.tokens  # it was sent, and came back
    text = repr(view) + caplog.text
    assert SECRET not in text
    assert "replay-token-7d" not in text


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the process logs at the lowest level; caplog hears silenced loggers too."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(0)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def test_a_password_in_the_address_is_not_told(replay: Replay, log: io.StringIO) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    inside = text.replace("http://127", f"http://u:{SECRET}-url@127")
    replay.twists[SERVERS] = status(403, {"forbidden": {"message": f"{SECRET}-url"}})
    for written in (inside, re.sub(r"127.0.0.1:\d+", "127.0.0.1:9", inside)):
        replay.clouds_file.write_text(written, encoding="utf-8")
        view = look(replay)
        assert view.problems
        assert SECRET not in repr(view) + log.getvalue()


def test_a_short_password_leaves_reasons_as_they_are(replay: Replay) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    replay.clouds_file.write_text(text.replace(SECRET, "e"), encoding="utf-8")
    replay.twists[SERVERS] = status(403, {"forbidden": {"message": "e is wrong"}})
    reason = missing(look(replay))["servers"]
    assert reason == "the compute service answered HTTP 403: *** is wrong"


def test_hours_are_of_the_month_in_utc(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for zone in ("Asia/Shanghai", "America/New_York"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            hours = look(replay).projects[0].allocated
            assert hours is not None
            began = datetime.fromtimestamp(hours.since, UTC)
            assert (began.day, began.hour, began.minute) == (1, 0, 0)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        (status(401, {"error": {"message": SECRET}}), "refused the credentials"),
        (status(500), "HTTP 500"),
        (status(201, {"token": {}}), "not in its format"),
        (status(201, {}), "not in its format"),
        (status(201, []), "not in its format"),
        (html, "identity"),
    ],
)
def test_without_a_token_there_is_one_problem(replay: Replay, twist: Twist, words: str) -> None:
    replay.twists["token"] = twist
    view = look(replay)
    assert [it.part for it in view.problems] == ["all"]
    assert words in view.problems[0].reason
    assert SECRET not in repr(view)


def test_nobody_listens(replay: Replay, tmp_path: Path) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    replay.clouds_file.write_text(
        text.replace(f"{replay.url}/keystone", "http://127.0.0.1:9"), encoding="utf-8"
    )
    view = look(replay)
    assert [it.part for it in view.problems] == ["all"]
    assert "connection" in view.problems[0].reason


def test_certificates_are_checked(tmp_path: Path) -> None:
    authority = Authority()
    pair = authority.issue("cloud").write(tmp_path, "cloud")
    with Replay(tmp_path, pair) as replay:
        view = look(replay)
        assert [it.part for it in view.problems] == ["all"]
        assert "TLS" in view.problems[0].reason
        assert "unable to get local issuer certificate" in view.problems[0].reason
        (tmp_path / "ca.pem").write_bytes(authority.pem)
        text = replay.clouds_file.read_text(encoding="utf-8")
        trust = text.replace("    region_name", f"    cacert: {tmp_path}/ca.pem\n    region_name")
        replay.clouds_file.write_text(trust, encoding="utf-8")
        assert look(replay).problems == ()


def test_without_the_library_the_extra_is_named(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "openstack":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    view = look(replay)
    assert [(it.part, it.reason) for it in view.problems] == [("all", EXTRA)]
    assert "jianwei[openstack]" in EXTRA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("clouds: [\n", ":2: is not YAML"),
        ("clouds: 3\n", "clouds: expected mapping"),
        ("{}\n", "'clouds' is missing"),
        ("clouds:\n  gvo:\n    auth: {auth_url: 'http://x'}\n", "did you mean 'gvo'?"),
        ("clouds:\n  gov: {}\n", ":2: clouds.gov: the mapping 'auth' is missing"),
        ("clouds:\n  gov:\n    auth: {username: a}\n", "the key 'auth_url' is missing"),
        (
            f"clouds:\n  gov:\n    auth: {{auth_url: 'http://x', password: {SECRET}}}\n"
            "    auth_type: magic\n",
            "clouds.gov",
        ),
    ],
)
def test_mistakes_in_clouds_yaml_are_named(replay: Replay, text: str | None, words: str) -> None:
    replay.clouds_file.unlink()
    if text is not None:
        replay.clouds_file.write_text(text, encoding="utf-8")
    view = look(replay)
    assert [it.part for it in view.problems] == ["all"]
    reason = view.problems[0].reason
    assert reason.startswith(str(replay.clouds_file))
    assert words in reason
    assert SECRET not in reason


SLIPS = [
    ("password:", "pasword:", ":5: clouds.gov.auth.pasword: ", "did you mean 'password'?"),
    ("auth_url: .*", "auth_url: 5", ":4: clouds.gov.auth.auth_url: ", ""),
    ("auth_url: .*", "auth_url: [5]", ":4: clouds.gov.auth.auth_url: ", ""),
    ("    region_name", "    api_timeout: abc\n    region_name", ".gov.api_timeout: ", ""),
    ("    region_name", "    networks: 7\n    region_name", ".gov.networks: ", ""),
    ("    region_name", "    metrics: 5\n    region_name", ".gov.metrics: ", ""),
    ("    region_name", "    profile: 5\n    region_name", ".gov.profile: ", ""),
    ("    region_name", "    auth_type: magic\n    region_name", ".gov.auth_type: ", "magic"),
    ("    region_name", "    metrics: 5\n    networks: 7\n    region_name", "clouds.gov", ""),
]


@pytest.mark.parametrize(("key", "instead", "where", "words"), SLIPS)
def test_a_slip_in_clouds_yaml_names_its_key(
    replay: Replay, key: str, instead: str, where: str, words: str
) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    replay.clouds_file.write_text(re.sub(key, instead, text, count=1), encoding="utf-8")
    (problem,) = look(replay).problems
    assert problem.part == "all"
    assert problem.reason.startswith(str(replay.clouds_file))
    assert where in problem.reason
    assert words in problem.reason
    assert SECRET not in problem.reason
    assert replay.asked == []


@pytest.mark.parametrize(
    "line",
    [
        "compute_endpoint_override: 5",
        "region_name: 5",
        "interface: 5",
        "compute_service_type: 5",
        "compute_api_version: {}",
        "identity_endpoint_override: 3",
        "identity_api_version: x",
        "regions: 5",
        "cert: 5",
        "key: 7",
        "verify: 3",
        "cacert: 5",
        "status_code_retries: z",
        "placement_service_type: [1]",
        "compute_service_name: {a: 1}",
    ],
)
def test_what_openstacksdk_takes_as_it_is_raises_nothing(replay: Replay, line: str) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    kept = text if line.startswith("region_name") else text + f"    {line}\n"
    written = re.sub("region_name: .*", line, kept) if kept is text else kept
    replay.clouds_file.write_text(written, encoding="utf-8")
    assert SECRET not in repr(look(replay))


def test_a_slip_in_secure_yaml_is_named(replay: Replay) -> None:
    secure = replay.clouds_file.parent / "secure.yaml"
    secure.write_text("clouds: {gov: {auth: {pasword: x}}}", encoding="utf-8")
    reason = look(replay).problems[0].reason
    assert "clouds.gov.auth.pasword" in reason
    assert "did you mean 'password'?" in reason
    for text in ("clouds: [", "clouds: 7", "[1]", "clouds: {gov: [1]}"):
        secure.write_text(text, encoding="utf-8")
        assert [it.part for it in look(replay).problems] == ["all"], text


def test_the_password_may_be_in_secure_yaml(replay: Replay) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    replay.clouds_file.write_text(text.replace(f"password: {SECRET}", ""), encoding="utf-8")
    assert [it.part for it in look(replay).problems] == ["all"]
    secure = f"clouds: {{gov: {{auth: {{password: {SECRET}}}}}}}"
    (replay.clouds_file.parent / "secure.yaml").write_text(secure, encoding="utf-8")
    assert look(replay).problems == ()


def test_without_a_file_it_is_where_openstacksdk_looks(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(replay.clouds_file))
    for name, problems in (("gov", []), ("gvo", ["all"])):
        source = CloudSource("gov", "openstack", cloud=name)
        view = OpenStackCloud(source, CloudsSettings(page=2)).gather(60)
        assert [it.part for it in view.problems] == problems
    assert "did you mean 'gov'?" in view.problems[0].reason
    assert view.problems[0].reason.startswith(str(replay.clouds_file))


def test_each_region_is_asked(replay: Replay) -> None:
    text = replay.clouds_file.read_text(encoding="utf-8")
    both = text.replace("region_name: RegionOne", "regions: [RegionOne, RegionTwo]")
    replay.clouds_file.write_text(both, encoding="utf-8")
    source = CloudSource(
        "gov",
        "openstack",
        cloud="gov",
        clouds_file=str(replay.clouds_file),
        regions=("RegionOne", "RegionTwo"),
    )
    view = OpenStackCloud(source, CloudsSettings(page=2)).gather(60)
    assert view.regions == ("RegionOne", "RegionTwo")
    reasons = [it.reason for it in view.problems]
    assert any("no compute service in region 'RegionTwo'" in it for it in reasons)
    assert len([it for it in view.resources if it.kind == "server"]) == 6
    assert {it.provider for it in view.capacity} == {"RegionOne/fake-0000"}
