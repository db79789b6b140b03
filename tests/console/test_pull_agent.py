"""A real agent: enrolled by one line, it pushes by itself; another one is pulled over TLS with a password."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import httpx
import pytest

from agents import config as configuration
from agents import consolelink
from agents.cli import enrol as enrolling
from agents.consolecalls import CallError, Calls
from agents.errors import UserError
from collectors.strictyaml import DocumentError, Duration, Secret
from exporters.console.pull.puller import Puller
from exporters.console.pull.settings import BasicAuth, PullSettings, PullTls
from exporters.console.settings import ConsoleSettings
from tests.agentlab import agent, eventually
from tests.console.pullfleet import hosts, targets, write_targets
from tests.console.test_pull_push import one_time
from tests.consolelab import Console
from tests.exporters.certificates import Authority
from tests.exporters.rudeserver import http, rude

CONFIG = """
state_dir: state
audit: {packs: [host-basics], interval: 1h}
probes: {gateways: false}
inventories: {enable: false}
history: {enable: false}
console: {interval: 1s}
"""


def enrol(folder: Path, url: str, token: str, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "agents", "enrol", url, "--config", "jianwei.yaml", *more]
    environment = {**os.environ, "JIANWEI_ENROL_TOKEN": token}
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_one_line_and_the_agent_pushes(console: Console, tmp_path: Path) -> None:
    (tmp_path / "jianwei.yaml").write_text(CONFIG)
    with console.served() as url:
        token = one_time(console, department="卫健委")
        done = enrol(tmp_path, url, token)
        assert done.returncode == 0, done.stderr
        assert "the first audit is there" in done.stdout
        (first,) = hosts(console)
        assert (first.source, first.target) == ("push", "")
        kept = tmp_path / "state" / "console.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert token not in kept.read_text()
        with agent(tmp_path, CONFIG) as running:
            one = eventually(
                lambda: [it for it in hosts(console) if it.last_audit > first.last_audit]
            )
            heard = one[0].heard
            eventually(lambda: hosts(console)[0].heard > heard)  # its sign of life
            page = httpx.get(f"{running.url}/metrics", trust_env=False).text
            assert "\njianwei_console_push_success 1" in page
            assert "\njianwei_console_push_audits_total 1" in page
    assert len(hosts(console)) == 1


def test_a_real_agent_is_pulled_over_tls_with_a_password(tmp_path: Path) -> None:
    authority = Authority()
    authority.issue("agent").write(tmp_path, "agent")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    mark = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: agent.crt, key_file: agent.key}\n"
        f"basic_auth_users: {{console: {mark}}}\n"
    )
    path = tmp_path / "targets.json"
    pull = PullSettings(
        targets_files=(str(path),),
        interval=Duration(1),
        scheme="https",
        tls=PullTls(ca_file=str(tmp_path / "ca.pem")),
        basic_auth=BasicAuth("console", Secret("secret")),
    )
    console = Console(f"sqlite:///{tmp_path}/console.db", ConsoleSettings(pull=pull))
    puller = Puller(console.database, console.services)
    with agent(tmp_path, CONFIG, "--web.config.file", "web.yml") as running:
        write_targets(path, ([running.url.rpartition("/")[2]], {"department": "财政局"}))
        puller.start()
        try:
            eventually(lambda: targets(console) and targets(console)[0].unchanged >= 1)
        finally:
            puller.stop()
    (one,), (told,) = hosts(console), targets(console)
    assert told.audits == 1
    assert one.version
    assert one.silent_since is None
    assert datetime.now(UTC) > one.heard
    console.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://192.0.2.1", "without TLS"),
        ("ftp://a", "is not https"),
        ("https://a/?x", "nothing"),
        ("https://u:p@a", "is not https"),
        ("https://a:x", "Port"),
        ("https:///x", "is not https"),
    ],
)
def test_where_a_token_is_not_sent(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        consolelink.check_url(url)


def test_an_authority_is_believed_by_its_fingerprint_alone(tmp_path: Path) -> None:
    authority = Authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("console").write(tmp_path, "console"))
    pem = authority.pem.decode()
    with rude(http(200, json.dumps({"pem": pem})), tls=context) as server:
        mark = hashlib.sha256(authority.pem).hexdigest()
        assert enrolling._authority(server.url, None, mark.upper()) == pem
        with pytest.raises(UserError, match="somebody is between"):
            enrolling._authority(server.url, None, "0" * 64)
        assert "authorization" not in server.requests[0].lower()
        # the one that was believed verifies, the system's do not
        link = consolelink.Link(server.url, "t", pem)
        assert Calls(link, link.trust(), 5).authority() == pem
        with pytest.raises(CallError, match="not trusted"):
            Calls(link, consolelink.trusting(""), 5).authority()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps a token for another user")
def test_what_root_enrols_is_the_agents(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    for token in ("one", "two"):
        consolelink.keep(state, consolelink.Link("https://console.example", token))
        (kept,) = state.iterdir()
        status = kept.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65534, 0o600)


def test_settings_of_the_console_name_their_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text("console:\n  url: https://a\n")
    with pytest.raises(DocumentError, match="both or none"):
        configuration.load(str(path))


def test_a_token_file_is_its_owners_alone_and_a_bad_one_is_told(tmp_path: Path) -> None:
    settings = consolelink.ConsoleSettings()
    assert consolelink.find(settings, tmp_path) is None
    link = consolelink.Link("http://127.0.0.1:9", "t")
    consolelink.keep(tmp_path / "state", link)
    found = consolelink.find(settings, tmp_path / "state")
    assert found
    assert found[0] == link
    path = tmp_path / "state" / consolelink.FILE
    assert path.stat().st_mode & 0o777 == 0o600
    for text in (
        "{",
        '{"url": "http://192.0.2.1", "token": "t"}',
        '{"url": "https://a", "token": "\\n"}',
    ):
        path.write_text(text)
        with pytest.raises(consolelink.LinkError):
            consolelink.find(settings, tmp_path / "state")
