"""LocalSource with real children: deadline, output cap, exit status, the whole group ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collectors.model import (
    Answer,
    Command,
)
from collectors.sources.commands import NICE
from collectors.sources.local import LocalSource


def wait_until_gone(pid: int) -> None:
    """Return once a process has ended, reaped or not."""
    for _ in range(500):
        try:
            if b") Z" in Path(f"/proc/{pid}/stat").read_bytes():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} still runs")


def run(reading: Command) -> Answer:
    return LocalSource().answer([reading])[reading]


def shell(
    script: str, timeout: float = 10, limit: int = 1 << 20, ok: tuple[int, ...] = (0,)
) -> Answer:
    return run(Command(("sh", "-c", script), timeout, limit, ok))


def test_a_command_has_its_output_a_fixed_environment_and_no_input() -> None:
    answer = run(Command(("env",)))
    assert sorted(answer.content.decode().split()) == [
        "LC_ALL=C",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    assert shell("cat; pwd; echo lost >&2") == Answer("content", b"/\n")


def test_no_shell_reads_the_arguments() -> None:
    assert run(Command(("echo", "$HOME;", "`id`"))).content == b"$HOME; `id`\n"


@pytest.mark.parametrize(
    ("script", "ok", "answer"),
    [
        ("echo a; exit 3", (0,), Answer("failed", reason="exit status 3")),
        ("echo a; exit 3", (0, 3), Answer("content", b"a\n")),
        ("kill -9 $$", (0,), Answer("failed", reason="exit status -9")),
    ],
)
def test_the_exit_status_decides(script: str, ok: tuple[int, ...], answer: Answer) -> None:
    assert shell(script, ok=ok) == answer


def test_a_missing_program_is_absent_and_one_that_cannot_run_denied(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert run(Command(("jianwei-no-such-program",))).state == "absent"
    assert run(Command((str(plain),))).state == "denied"


def test_output_beyond_the_limit_ends_the_command() -> None:
    assert shell("exec yes", limit=100_000).reason == "output longer than 100000 bytes"
    assert len(shell("head -c 1000 /dev/zero", limit=1000).content) == 1000


@pytest.mark.parametrize(
    "script",
    [
        "sleep 300 & echo $! >{}; wait",  # waits for its own child
        "sleep 300 >/dev/null & echo $! >{}; exec sleep 300",  # grandchild holds no pipe
        "sleep 300 & echo $! >{}; exit 0",  # gone itself, its child keeps the pipe open
        "trap '' TERM INT HUP; sleep 300 & echo $! >{}; wait; wait",  # listens to no signal
        "exec >&-; sleep 300 & echo $! >{}; wait",  # closed its output and stays
    ],
)
def test_a_command_past_its_deadline_is_ended_with_all_its_children(
    tmp_path: Path, script: str
) -> None:
    begin = time.monotonic()
    answer = shell(script.format(tmp_path / "pid"), timeout=0.5)
    assert answer == Answer("failed", reason="no end within 0.5 s")
    assert time.monotonic() - begin < 20
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_what_a_good_command_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    answer = shell(f"sleep 300 >/dev/null & echo $! >{tmp_path}/pid; echo done")
    assert answer == Answer("content", b"done\n")
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_commands_give_way() -> None:
    answer = run(Command(("sh", "-c", "sleep 0.1; nice")))
    assert int(answer.content) == NICE
