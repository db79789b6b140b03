"""The console's command where it cannot start: one line that says why, exit 2, no traceback; and work that goes on."""

from __future__ import annotations

import socket
import threading
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli.console import command
from agents.errors import UserError
from collectors.strictyaml import DocumentError
from exporters.console.background import Background, Task
from exporters.console.pull.puller import Puller
from tests.consolelab import Console


def started(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_port_in_use(console: Console, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = started("--db", console.settings.db, "--listen", address)
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == f"cannot listen on {address}: Address already in use"
    assert "Jianwei console on" not in done.output


@pytest.mark.parametrize("why", ["File exists", "Is a directory", "file is not a database"])
def test_a_database_that_cannot_be_used(tmp_path: Path, why: str) -> None:
    (tmp_path / "file").write_text("no database, and not for want of length " * 100)
    path = {"F": "file/console.db", "I": "", "f": "file"}[why[0]]
    done = started("--db", f"sqlite:///{tmp_path / path}")
    assert isinstance(done.exception, UserError)
    assert str(done.exception).endswith(why)
    assert str(tmp_path / path) in str(done.exception)


def test_a_postgresql_that_is_not_there() -> None:
    done = started("--db", "postgresql://jianwei:Secret-1@127.0.0.1:1/jianwei")
    assert isinstance(done.exception, UserError)
    assert "127.0.0.1:1/jianwei: connection failed" in str(done.exception)
    assert "Secret-1" not in str(done.exception)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("people:\n  roundz: 5\n", ":2: people.roundz: unknown key; did you mean 'rounds'?"),
        ("listne: []\n", ":1: listne: unknown key; did you mean 'listen'?"),
        ("zone: Asia/Xian\n", "zone: there is no time zone 'Asia/Xian'"),
        ("zone: ../../etc/passwd\n", "there is no time zone '../../etc/passwd'"),
    ],
)
def test_a_mistake_in_the_configuration(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "console.yaml"
    path.write_text(text)
    done = started("--config", str(path))
    assert isinstance(done.exception, DocumentError)
    assert str(path) in str(done.exception)
    assert says in str(done.exception)


def test_work_goes_on_after_whatever_goes_wrong(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, calls = threading.Event(), 0

    def fails(_: datetime) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            again.set()
        raise RecursionError("made up")

    background = Background([Task("made up", 0.01, fails)])
    background.start()
    assert again.wait(10)
    background.stop()
    again.clear()
    calls = 0
    monkeypatch.setattr("exporters.console.pull.puller.AFTER_FAILURE", 0.01)
    puller = Puller(console.database, console.services)
    monkeypatch.setattr(puller, "run_once", fails)
    puller.start()
    assert again.wait(10)
    puller.stop()
