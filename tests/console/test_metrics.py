"""/metrics and /-/ready of the console: readable by Prometheus, and by nobody who should not."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bcrypt
import msgspec
import pytest
from starlette.testclient import TestClient

from collectors.strictyaml import Secret
from exporters.console.app import application
from exporters.console.notify import outbox
from tests.console.notifysample import NOW, add_hits
from tests.consolelab import Console
from tests.consolesample import fill

PROMTOOL = shutil.which("promtool")
HERE = ("127.0.0.1", 5000)


def client(console: Console, host: str = "127.0.0.1", **settings: Any) -> TestClient:
    changed = msgspec.structs.replace(console.services.settings, **settings)
    app = application(console.database, dataclasses.replace(console.services, settings=changed))
    return TestClient(app, client=(host, 5000), raise_server_exceptions=False)


def figures(page: str) -> dict[str, float]:
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_it_tells(each_console: Console) -> None:
    console = each_console
    fill(console, 4)
    with console.database.writing() as connection:
        outbox.put(
            connection,
            console.database,
            key="k",
            receiver="ops",
            content={"kind": "test"},
            now=NOW,
            due=NOW,
        )
    asked = client(console)
    asked.get("/-/healthy")
    asked.post("/login", data={"name": "nobody", "password": "wrong"})
    told = figures(asked.get("/metrics").text)
    assert told["jianwei_console_database_up"] == 1
    assert told['jianwei_console_hosts{source="pull"}'] == 3
    assert told['jianwei_console_messages{state="waiting"}'] == 1
    assert told["jianwei_console_open_hits"] > 0
    hits = sum(value for name, value in told.items() if name.startswith("jianwei_console_hits{"))
    assert hits >= told["jianwei_console_open_hits"]
    assert told['jianwei_console_requests_total{method="GET",status="200"}'] >= 1
    assert told["jianwei_console_logins_refused_total"] == 1
    assert told["jianwei_console_request_duration_seconds_count"] >= 2
    assert told["jianwei_console_last_intake_age_seconds"] > 0


@pytest.mark.skipif(not PROMTOOL, reason="promtool (Debian's prometheus) is not installed")
def test_promtool_accepts_the_page(console: Console) -> None:
    add_hits(console, 2)
    asked = client(console)
    asked.get("/-/ready")
    page = asked.get("/metrics").content
    assert PROMTOOL
    run = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=page, capture_output=True, timeout=60
    )
    assert (run.returncode, run.stderr.decode()) == (0, "")


def test_others_need_the_token(console: Console) -> None:
    far = client(console, "192.0.2.7")
    assert far.get("/metrics").status_code == 401
    far = client(console, "192.0.2.7", metrics_token=Secret("token-token"))
    assert far.get("/metrics").status_code == 401
    for given, status in (("Bearer token-token", 200), ("Bearer token-tokem", 401), ("Bearer ", 401), ("Basic !", 401)):  # fmt: skip
        assert far.get("/metrics", headers={"Authorization": given}).status_code == status
    near = client(console)
    assert near.get("/metrics").status_code == 200
    assert near.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 401


def test_users_of_web_config(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users:\n  prometheus: {hashed}\n")
    far = client(console, "192.0.2.7", web_config=str(path))
    with far:
        assert far.get("/metrics").headers["www-authenticate"].startswith("Basic")
        assert far.get("/metrics", auth=("prometheus", "secret")).status_code == 200
        assert far.get("/metrics", auth=("prometheus", "wrong")).status_code == 401


def test_a_database_that_is_gone(postgres: Any) -> None:
    console = Console(postgres.url())
    asked = client(console)
    assert asked.get("/-/ready").status_code == 200
    console.database.close()
    console.database.engine.url  # noqa: B018 - still known
    with console.database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE hit_tally CASCADE")
        connection.commit()
    told = figures(asked.get("/metrics").text)
    assert told["jianwei_console_database_up"] == 0
    assert told["jianwei_console_database_errors_total"] >= 1
    console.close()
