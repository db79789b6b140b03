"""deploy/scale: nginx in front of two consoles on one PostgreSQL, as docs/handbook/scale.md has them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.consolelab import PASSWORD, Console, Postgres
from tests.scalelab import SCALE, adapted, free, until

NGINX = shutil.which("nginx")
pytestmark = [
    pytest.mark.skipif(not NGINX, reason="Debian package nginx is missing"),
    pytest.mark.skipif(bool(Postgres.unavailable()), reason=Postgres.unavailable()),
]


class Served(NamedTuple):
    url: str
    verify: ssl.SSLContext
    consoles: dict[int, subprocess.Popen[bytes]]  # by port
    log: Path  # of nginx: the port that was asked, and the status

    def asked(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("consoles")
    with Postgres(durable=False) as postgres, contextlib.ExitStack() as stack:
        url = postgres.url()
        known = Console(url)
        known.person("zhang", "analyst")
        known.close()
        consoles = {
            port: console(stack, folder / str(port), url, port) for port in (free(), free())
        }
        for port, process in consoles.items():
            until(partial(answers_or_ended, port, process), "a console")
            assert process.poll() is None, (folder / str(port) / "log").read_text()
        yield stack.enter_context(nginx(folder, consoles))


def console(
    stack: contextlib.ExitStack, folder: Path, url: str, port: int
) -> subprocess.Popen[bytes]:
    """One with the file of deploy/scale, at another database and port."""
    folder.mkdir()
    db = "postgresql://jianwei@db.example:5432/jianwei?sslmode=verify-full&sslrootcert=/etc/jianwei-console/db-ca.pem&passfile=/etc/jianwei-console/pgpass"
    changes = {db: url, "127.0.0.1:9809": f"127.0.0.1:{port}"}
    config = folder / "console.yaml"
    config.write_text(adapted((SCALE / "console.yaml").read_text(), changes))
    (folder / "targets").mkdir()
    (folder / "targets/agents-none.json").write_text("[]")
    argv = [str(Path(sys.executable).with_name("jianwei")), "console", "--config", str(config)]
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out)
    stack.callback(ended, process)
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(20)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def answers_or_ended(port: int, process: subprocess.Popen[bytes]) -> bool:
    return answers(port) or process.poll() is not None


@contextlib.contextmanager
def nginx(folder: Path, consoles: dict[int, subprocess.Popen[bytes]]) -> Iterator[Served]:
    port = free()
    certificate = folder / "console.pem"
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    argv += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    argv += ["-keyout", str(folder / "console.key"), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    changes = {f"console-{n}.example:9809": f"127.0.0.1:{at}" for n, at in enumerate(consoles)}
    changes |= {"/etc/nginx/": f"{folder}/", "listen 443": f"listen 127.0.0.1:{port}"}
    server = adapted((SCALE / "nginx-consoles.conf").read_text(), changes)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ {temporary} log_format asked '$upstream_addr $status $request_uri';"
        f" access_log {folder}/asked asked;\n{server} }}\n"
    )
    with (folder / "nginx.log").open("wb") as out:
        process = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(config)], stderr=out)
    try:
        until(partial(answers_or_ended, port, process), "nginx")
        assert process.poll() is None, (folder / "nginx.log").read_text()
        verify = ssl.create_default_context(cafile=str(certificate))
        yield Served(f"https://localhost:{port}", verify, consoles, folder / "asked")
    finally:
        ended(process)


@contextlib.contextmanager
def logged_in(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=served.url, verify=served.verify, trust_env=False, timeout=30
    ) as client:
        answer = client.post("/login", data={"name": "zhang", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        cookie = answer.headers["set-cookie"].lower()
        assert "secure" in cookie  # the console knows that it is spoken to by TLS
        yield client


def test_any_console_answers_any_request(served: Served) -> None:
    with logged_in(served) as client:
        for _ in range(6):
            assert client.get("/").status_code == 200
        assert client.get("/metrics").status_code == 404
    asked = {line[0] for line in served.asked() if line[1] == "200"}
    assert asked == {f"127.0.0.1:{port}" for port in served.consoles}


def test_one_that_died_is_not_missed(served: Served) -> None:
    with logged_in(served) as client:
        process = next(iter(served.consoles.values()))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        for _ in range(6):
            assert client.get("/").status_code == 200
    tried = served.asked()[-6:]
    dead, alive = (f"127.0.0.1:{port}" for port in served.consoles)
    assert sum(alive in line for line in tried) >= 5
    assert not any(line[0] == dead for line in tried)
