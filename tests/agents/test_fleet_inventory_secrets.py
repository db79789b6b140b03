"""Secrets of an inventory: looked up once, asked for where there is somebody."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from agents.errors import UserError
from agents.fleet import inventory
from agents.fleet.inventoryfile import InventoryErrors
from agents.fleet.model import FleetHost
from tests.agentlab import eventually
from tests.agents.fleetinventories import written

SECRET = """\
defaults: {sudo_password: !prompt sudo of deploy, password: !file secret}
groups: {other: {sudo_password: !env JW_TEST_SECRET}}
hosts:
- {name: "a[1:3]", host: "ssh://a[1:3]"}
- {name: b, host: ssh://b, groups: other, password: !prompt ''}
- {name: c, host: ssh://c, sudo: false}
"""


def test_secrets_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JW_TEST_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    path = written(tmp_path, SECRET)
    asked: list[str] = []

    def answer(words: str) -> str:
        asked.append(words)
        return f"typed {len(asked)}"

    def shown(host: FleetHost) -> tuple[str, str]:
        given = (host.ssh.password, host.sudo_password)
        return tuple(it.reveal() if it else "" for it in given)  # type: ignore[return-value]

    found = {host.name: host for host in inventory.load(path, (), answer)}
    assert asked == ["sudo of deploy", "SSH password"]
    assert shown(found["a1"]) == shown(found["a3"]) == ("from a file", "typed 1")
    assert shown(found["b"]) == ("typed 2", "from the environment")
    assert shown(found["c"]) == ("from a file", "")
    assert (found["a1"].rise, found["c"].rise) == ("sudo", "none")
    assert "typed" not in repr(found)
    inventory.load(path, ["c"], answer)
    inventory.outline(path)
    assert len(asked) == 2
    with pytest.raises(UserError, match="nothing was typed"):
        inventory.load(path, (), lambda _: "")


def test_secrets_that_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, SECRET.replace("SECRET", "NOWHERE"))
    with pytest.raises(InventoryErrors) as caught:
        inventory.load(path, (), lambda _: "x")
    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        f"1: defaults.password: cannot read the secret: {tmp_path}/secret: cannot be read: "
        "No such file or directory",
        "2: groups.other.sudo_password: the environment variable JW_TEST_NOWHERE is not set",
    ]


def test_nobody_is_asked_where_there_is_no_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, "hosts: [{name: a, host: ssh://a, password: !prompt ''}]")
    script = f"from agents.fleet.inventory import load\nload({path!r})"
    argv = [sys.executable, "-c", script]
    done = subprocess.run(
        argv, start_new_session=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert "UserError: SSH password: there is no terminal to ask on; write !env" in done.stderr


def test_a_terminal_is_asked_and_shows_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "hosts: [{name: a, host: ssh://a, password: !prompt Words}]")
    terminal, theirs = pty.openpty()
    script = (
        f"import os\nos.open({os.ttyname(theirs)!r}, os.O_RDWR)\n"  # and so it is the session's
        "from agents.fleet.inventory import load\n"
        f"print('got', len(load({path!r})[0].ssh.password.reveal()))"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE) as process:
        seen = b""
        while b"Words: " not in seen:
            seen += os.read(terminal, 1000)
        eventually(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.write(terminal, b"hunter2\n")
        assert process.stdout
        assert process.stdout.read() == b"got 7\n"
    os.close(theirs)
    while b"\n" not in seen:
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert b"hunter2" not in seen
