"""How a console starts: what it logs, what it refuses, and what it says where."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from agents import config as configuration
from agents import logs
from agents.cli import console as commands
from agents.errors import UserError
from collectors.strictyaml import DocumentError
from exporters.console import settings as consolesettings
from exporters.console import webfile
from exporters.console.database import Database
from exporters.console.pull.targets import TargetFiles
from exporters.console.serving import ConsoleServer
from exporters.console.settings import ConsoleSettings
from tests.consolelab import Console
from tests.exporters.certificates import Authority


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("logging_as_it_was")
def test_no_url_is_logged(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    with console.served() as url:
        logs.set_up("debug", "text")
        httpx.get(f"{url}/robot/send?key=s3cret", trust_env=False)
        Database(console.settings.db).migrate()
    logged = capsys.readouterr().err
    assert "httpx" not in logged
    assert "httpcore" not in logged
    assert "alembic" not in logged


@pytest.mark.usefixtures("logging_as_it_was")
def test_tables_of_a_newer_version_are_one_line(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match=r"its tables are of a newer version.*back-up") as told:
        commands.serve(ConsoleSettings(db=each_console.settings.db))
    assert "\n" not in str(told.value)


WEB = "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"


@pytest.mark.parametrize(
    ("written", "line", "key"),
    [
        (
            "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [a]\n",
            3,
            "tls_server_config.client_allowed_sans",
        ),
        (WEB + "http_server_config: {headers: {X-Frame-Options: deny}}\n", 2, "headers"),
        (WEB + "rate_limit: {interval: 1s, burst: 5}\n", 2, "rate_limit"),
    ],
)
def test_what_of_web_config_is_not_obeyed_is_refused(
    written: str, line: int, key: str, tmp_path: Path
) -> None:
    path = tmp_path / "web.yml"
    path.write_text(written)
    Authority().issue("a").write(tmp_path, "a")
    with pytest.raises(DocumentError, match=rf"web\.yml:{line}: .*{key}.*take it out"):
        webfile.context(str(path))


def test_each_handshake_has_the_certificate_of_now(tmp_path: Path) -> None:
    path, old, new = tmp_path / "web.yml", Authority("old"), Authority("new")
    path.write_text(WEB)
    old.issue("a").write(tmp_path, "a")
    server = webfile.context(str(path))
    assert server
    assert _shown(server, old) == "a"
    new.issue("b").write(tmp_path, "a")
    assert _shown(server, new) == "b"
    (tmp_path / "a.key").write_text("half of")
    assert _shown(server, new) == "b"
    path.write_text("")  # protection ends by a restart only
    assert _shown(server, new) == "b"


def test_each_handshake_has_the_client_authority_of_now(tmp_path: Path) -> None:
    path, own, other = tmp_path / "web.yml", Authority("own"), Authority("other")
    own.issue("a").write(tmp_path, "a")
    client = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
    path.write_text(WEB.replace("}", f", {client}}}"))
    (tmp_path / "ca.crt").write_bytes(own.pem)
    server, pair = webfile.context(str(path)), other.issue("client")
    assert server
    with pytest.raises(ssl.SSLError):
        _shown(server, own, own.client(pair, tmp_path))
    (tmp_path / "ca.crt").write_bytes(other.pem)
    assert _shown(server, own, own.client(pair, tmp_path)) == "a"


def _shown(
    server: ssl.SSLContext, trusted: Authority, client_context: ssl.SSLContext | None = None
) -> str:
    """Whose certificate a client of 127.0.0.1 is shown and believes."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = (client_context or trusted.client()).wrap_bio(back, there, server_hostname="127.0.0.1")
    serving = server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (client, serving):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    found = client.getpeercert()
    assert found
    return str(found["subject"][0][0][1])


@pytest.mark.parametrize(("address", "insecure"), [("127.0.0.1:0", 0), ("0.0.0.0:0", 1)])
def test_it_says_where_it_listens_and_whether_strangers_read_along(
    address: str, insecure: int, console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    server = ConsoleServer(ConsoleSettings(db=console.settings.db, listen=(address,)))
    told: list[str] = []

    def enough(url: str) -> None:
        told.append(url)
        # asked from within, as the socket is there; uvicorn answers as soon as it runs
        threading.Thread(target=ask, args=(url,)).start()

    def ask(url: str) -> None:
        with contextlib.suppress(httpx.HTTPError):
            port = url.rpartition(":")[2]
            told.append(httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.WARNING):
        server.run(enough)
    assert told[0].startswith(f"http://{address.partition(':')[0]}:")
    assert f"\njianwei_console_web_insecure {insecure}" in told[1]
    assert ("without TLS" in caplog.text) is bool(insecure)


def test_the_console_of_make_run_asks_the_agent_of_make_run() -> None:
    root = Path(__file__).parents[2]
    found = re.search(
        r"jianwei console --config (\S+) .*jianwei run --config (\S+)",
        (root / "Makefile").read_text(),
    )
    assert found
    settings = consolesettings.load(str(root / found[1]))
    assert float(settings.pull.interval) == 60
    told = TargetFiles(settings.pull.targets_files, settings.pull.scheme)
    assert told.refresh()
    agent = configuration.load(str(root / found[2]))
    assert list(told.targets()) == [f"http://{one}" for one in agent.web.listen]
    assert [one.problem for one in told.states()] == [""]
