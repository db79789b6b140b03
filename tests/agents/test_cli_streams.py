"""The command where its output is closed, full or no longer read, and where it is interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main

MACHINE = str(Path(__file__).parent.parent / "fixtures/machines/hardened")
COMMANDS = (["--help"], ["once"], ["audit", "--recorded", MACHINE], ["rules", "list"])


def jianwei(
    *arguments: str, stdout: int | None = None, before: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agents", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=before,  # a closed descriptor needs it
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda them: them[0])
def test_closed(arguments: list[str]) -> None:
    done = jianwei(*arguments, before=lambda: os.close(1))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda them: them[0])
def test_full(arguments: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = jianwei(*arguments, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "jianwei: cannot write: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [*COMMANDS, ["self-test"]], ids=lambda them: them[0])
def test_nobody_reads(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = jianwei(*arguments, stdout=writer)
    os.close(writer)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Aborted" not in done.stderr


def test_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "agents", "probe", "127.0.0.1", "--count", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        with open(f"/proc/{child.pid}/maps", encoding="utf-8") as maps:
            while "msgspec" not in maps.read():  # its own code is being imported
                maps.seek(0)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode in (0, 1, 130)
    assert "Traceback" not in errors


@pytest.mark.parametrize("option", ["--interval", "--timeout"])
def test_nan_is_bad_input(option: str) -> None:
    done = CliRunner().invoke(main, ["probe", "127.0.0.1", option, "nan"])
    assert done.exit_code == 2
    assert "nan" in done.output


def test_an_unreadable_pack_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nope.yaml"):
        done = CliRunner().invoke(main, ["rules", "lint", str(path)])
        assert done.exit_code == 2, path


def test_a_listen_address_of_the_command_line_that_is_none() -> None:
    done = jianwei("run", "--web.listen-address", "127.0.0.1:99999")
    assert done.returncode == 2
    assert "'127.0.0.1:99999' is not an address to listen on" in done.stderr
    assert "Traceback" not in done.stderr
