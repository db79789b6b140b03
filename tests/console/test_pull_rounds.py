"""The console pulls agents' own web servers: entity tags, back-off, rude servers, silence, two consoles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from collectors.strictyaml import Duration, Secret
from exporters.console.pull import figures
from exporters.console.pull.settings import BasicAuth, PullTls
from exporters.prometheus.settings import WebSettings
from tests.console.pullfleet import (
    EVERY,
    NOW,
    agent_of,
    audit,
    hits,
    hosts,
    later,
    puller_of,
    pulling,
    targets,
    write_targets,
)
from tests.consolelab import Console, Postgres
from tests.exporters.certificates import Authority
from tests.exporters.httpserver import LOOPBACK, running
from tests.exporters.rudeserver import http, rude, trickling

LABELS = {"部门": "财政局", "系统": "预算", "区域": "莲湖", "级别": "三级", "room": "7"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/console.db"
    return str(request.getfixturevalue("postgres").url())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "targets.json"


@pytest.fixture
def console(url: str, path: Path) -> Iterator[Console]:
    made = Console(url, pulling(path))
    yield made
    made.close()


def test_over_tls_with_a_password_and_entity_tags(url: str, path: Path, tmp_path: Path) -> None:
    authority = Authority()
    authority.issue("agent").write(tmp_path, "agent")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    web = tmp_path / "web.yml"
    # the password is "secret"
    import bcrypt

    mark = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    web.write_text(
        "tls_server_config: {cert_file: agent.crt, key_file: agent.key}\n"
        f"basic_auth_users: {{console: {mark}}}\n"
    )
    settings = pulling(
        path,
        scheme="https",
        tls=PullTls(ca_file=str(tmp_path / "ca.pem")),
        basic_auth=BasicAuth("console", Secret("secret")),
    )
    console = Console(url, settings)
    backend = agent_of(audit(instances=("toor", "old")))
    served = running(WebSettings(listen=LOOPBACK, config_file=str(web)), backend)
    with served as agent, puller_of(console) as puller:
        write_targets(path, ([f"127.0.0.1:{agent.port}"], LABELS))
        assert puller.run_once(NOW) == 0  # not yet its place
        assert puller.run_once(later(31)) == 1
        (one,) = hosts(console)
        assert (one.key, one.system, one.region, one.level) == ("host-1", "预算", "莲湖", "三级")
        assert (one.source, one.target) == ("pull", f"127.0.0.1:{agent.port}")
        assert one.labels["room"] == "7"
        assert one.version
        assert len(hits(console)) == 2
        assert puller.run_once(later(35)) == 0
        assert puller.run_once(later(31 + 2 * EVERY)) == 1
        backend.audit = audit(minutes=5, instances=("old",))
        assert puller.run_once(later(31 + 4 * EVERY)) == 1
        (told,) = targets(console)
        assert (told.audits, told.unchanged, told.failed, told.problem) == (2, 1, 0, "")
        assert told.host_id == one.id
        assert sorted(it.state for it in hits(console)) == [0, 3]  # the other one is fixed
    console.close()


def test_a_certificate_that_nobody_vouches_for_is_not_asked(path: Path, tmp_path: Path) -> None:
    Authority().issue("agent").write(tmp_path, "agent")
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: agent.crt, key_file: agent.key}\n")
    console = Console(f"sqlite:///{tmp_path}/console.db", pulling(path, scheme="https"))
    served = running(WebSettings(listen=LOOPBACK, config_file=str(web)), agent_of(audit()))
    with served as agent, puller_of(console) as puller:
        write_targets(path, ([f"127.0.0.1:{agent.port}"], {}))
        puller.run_once(NOW)
        puller.run_once(later(31))
    (told,) = targets(console)
    assert "not trusted" in told.problem
    assert hosts(console) == []
    console.close()


def test_rude_servers_fail_later_and_later_and_change_nothing(console: Console, path: Path) -> None:
    good = http(200, audit(), 'ETag: "a"')
    bad = http(200, b'{"host": 7}')
    with rude(good, bad, http(302, b"", "Location: http://127.0.0.1:1/")) as server:
        write_targets(path, ([f"127.0.0.1:{server.port}"], LABELS))
        with puller_of(console) as puller:
            puller.run_once(NOW)
            puller.run_once(later(31))
            before = hosts(console)[0]
            assert puller.run_once(later(31 + 2 * EVERY)) == 1
            (one,), (told,) = hosts(console), targets(console)
            assert "no audit" in one.problem
            assert one.problem == told.problem
            assert one.heard == before.heard
            assert told.etag == '"a"'
            assert [it.state for it in hits(console)] == [0]
            first = told.due - told.asked
            now = told.due
            assert puller.run_once(now) == 1
            (told,) = targets(console)
            assert "302" in told.problem
            assert (told.failures, told.failed) == (2, 2)
            assert told.due - told.asked > first
            assert 'if-none-match: "a"' in server.requests[-1].lower()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (trickling(b"HTTP/1.1 200 OK\r\n", b"X"), "no whole answer"),
        (trickling(http(200, b"x" * 10**7)[:200], b"x"), "no whole answer"),
        (http(200, b" " * ((1 << 16) + 1)), "longer than"),
        (http(304, b""), "304"),
        (http(200, b"\x1f\x8bx", "Content-Encoding: gzip"), "broke off"),
        (http(401, b"who?"), "who?"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off"),
    ],
)
def test_each_rude_answer_is_told(tmp_path: Path, path: Path, reply: bytes, said: str) -> None:
    settings = pulling(path, max_bytes=1 << 16)
    import msgspec

    settings = msgspec.structs.replace(
        settings, pull=msgspec.structs.replace(settings.pull, timeout=Duration(0.4))
    )
    console = Console(f"sqlite:///{tmp_path}/console.db", settings)
    with rude(reply) as server, puller_of(console) as puller:
        write_targets(path, ([f"127.0.0.1:{server.port}"], {}))
        puller.run_once(NOW)
        puller.run_once(later(31))
    (told,) = targets(console)
    assert said in told.problem
    assert told.heard is None
    console.close()


def test_two_targets_that_say_they_are_one_host(console: Console, path: Path) -> None:
    with running(backend=agent_of(audit())) as one, running(backend=agent_of(audit())) as two:
        write_targets(path, ([f"127.0.0.1:{one.port}"], {}))
        with puller_of(console) as puller:
            puller.run_once(NOW)
            puller.run_once(later(31))
            write_targets(path, ([f"127.0.0.1:{it.port}" for it in (one, two)], {}))
            two.backend.audit = audit(minutes=9, instances=())
            puller.run_once(later(32))
            puller.run_once(later(70))
    told = {it.url.rpartition(":")[2]: it for it in targets(console)}
    assert "as does http://127.0.0.1:" in told[str(two.port)].problem
    assert told[str(one.port)].problem == ""
    assert [it.state for it in hits(console)] == [0]  # nobody else's audit has fixed it


def test_a_silent_agent_is_stale_and_its_hits_are_not_fixed(console: Console, path: Path) -> None:
    with puller_of(console) as puller:
        with running(backend=agent_of(audit())) as agent:
            write_targets(path, ([f"127.0.0.1:{agent.port}"], {}))
            puller.run_once(NOW)
            puller.run_once(later(31))
        puller.run_once(later(600))
        (one,) = hosts(console)
        assert one.silent_since is None
        assert one.problem
        puller.run_once(later(31 + 901))
        (one,) = hosts(console)
        assert one.silent_since == one.heard
        assert [it.state for it in hits(console)] == [0]
        with running(backend=agent_of(audit(minutes=1))) as agent:
            write_targets(path, ([f"127.0.0.1:{agent.port}"], {}))
            puller.run_once(later(1000))
            puller.run_once(later(1031))
    (one,) = hosts(console)
    assert one.silent_since is None
    assert one.problem == ""


def test_an_agent_without_an_audit_yet_is_alive(console: Console, path: Path) -> None:
    with running(backend=agent_of(None)) as agent, puller_of(console) as puller:
        write_targets(path, ([f"127.0.0.1:{agent.port}"], {}))
        puller.run_once(NOW)
        puller.run_once(later(31))
        (told,) = targets(console)
        assert "no audit yet" in told.problem
        assert told.heard is not None


def test_a_bad_targets_file_is_told_and_what_was_known_stays(console: Console, path: Path) -> None:
    client = console.client("administrator")
    with running(backend=agent_of(audit())) as agent, puller_of(console) as puller:
        write_targets(path, ([f"127.0.0.1:{agent.port}"], LABELS))
        puller.run_once(NOW)
        puller.run_once(later(31))
        path.write_text("[{")
        assert puller.run_once(later(31 + 2 * EVERY)) == 1
        said = client.get("/fleet").text
        assert "targets.json" in said
        assert "is not YAML" in said
        assert client.get("/api/v1/fleet/summary").json()["files"][0]["problem"]
        with console.database.reading() as connection:
            told = {it.name: it.samples for it in figures.families(connection, NOW)}
        assert told["jianwei_console_targets_file_success"][0].value == 0
        assert told["jianwei_console_targets_failing"][0].value == 0
        assert told["jianwei_console_pull_late_seconds"][0].value == 0
        scoped = console.client("viewer", ("税务局",))
        assert "targets.json" not in scoped.get("/fleet").text
        assert scoped.get("/api/v1/fleet/targets").json()["targets"] == []


def test_lines_are_looked_for_after_the_findings(console: Console, path: Path) -> None:
    kept: list[tuple[int, str]] = []

    def store(connection: Connection, host_id: int, text: str, now: datetime) -> None:
        kept.append((host_id, text))

    page = '# TYPE jianwei_line_up gauge\njianwei_line_up{line="a"} 1\n# TYPE node_load1 gauge\nnode_load1 1\n'
    replies = (http(200, audit()), http(200, page), http(200, audit()), http(200, "node_load1 1\n"))
    with rude(*replies) as server, puller_of(console, store_lines=store) as puller:
        write_targets(path, ([f"127.0.0.1:{server.port}"], {}))
        for n in (0, 1, 3, 5, 7):
            puller.run_once(later(31 + n * EVERY))
    (one,) = hosts(console)
    page = '# TYPE jianwei_line_up gauge\njianwei_line_up{line="a"} 1\n'
    assert kept == [(one.id, page), (one.id, "")]
    # it has none: /metrics is asked for rarely then
    assert [it.split()[1] for it in server.requests].count("/metrics") == 2


def test_two_consoles_on_one_database_share(postgres: Postgres, path: Path) -> None:
    url = postgres.url()
    one, two = (Console(url, pulling(path)) for _ in range(2))
    with running(backend=agent_of(audit())) as agent, puller_of(one) as a, puller_of(two) as b:
        write_targets(path, ([f"127.0.0.1:{agent.port}"], LABELS))
        assert [a.run_once(NOW), b.run_once(NOW)] == [0, 0]
        assert [b.run_once(later(31)), a.run_once(later(31))] == [0, 1]
        # the holder dies: nothing is heard of it any more
        assert b.run_once(later(80)) == 0
        assert b.run_once(later(31 + 3 * EVERY)) == 1
        (told,) = targets(one)
        assert (told.audits, told.unchanged) == (
            1,
            1,
        )  # with the entity tag that the other one kept
        assert a.run_once(later(40 + 3 * EVERY)) == 0
        b.close()
        assert a.run_once(later(31 + 5 * EVERY)) == 1  # who ends well leaves it at once
    one.close()
    two.close()
