"""Hosts that hang, deny, lack tools, greet, tell too much or go away."""

from __future__ import annotations

import contextlib
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from collectors.model import (
    Answer,
    Command,
    File,
    Glob,
    Inventory,
    Reading,
    Stat,
)
from collectors.sources.ssh.exchange import ScriptTooLong, exchange
from collectors.sources.ssh.frames import FrameError
from collectors.sources.ssh.script import opening
from tests.shellhost import LOCAL, ShellChannel, ask


def test_what_could_hang_is_not_opened(shell: list[str], tmp_path: Path) -> None:
    for number in range(40):
        os.mkfifo(tmp_path / f"fifo-{number}")
    (tmp_path / "file").write_text("content")
    (tmp_path / "null").symlink_to("/dev/null")
    fifo, folder, after = File(f"{tmp_path}/fifo-0"), Glob(f"{tmp_path}/*"), File("/proc/version")
    with ShellChannel(shell) as channel:
        answers = exchange(channel, [fifo, folder, after], 9.0)  # a second each would be too late
    assert answers == LOCAL.answer([fifo, folder, after])
    assert answers[fifo] == Answer("failed", reason="is not a regular file")
    assert [child.state for _, child in answers[folder].children].count("content") == 1


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@as_root
def test_denied_is_not_absent(shell: list[str], tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: S103
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest"):
            os.chmod(parent, 0o755)  # noqa: S103
    secret, shut, listed = tmp_path / "secret", tmp_path / "shut", tmp_path / "listed"
    for folder, mode in ((shut, 0o700), (listed, 0o744)):
        folder.mkdir()
        (folder / "file").write_text("x")
        folder.chmod(mode)
    secret.write_text("x")
    secret.chmod(0o600)
    readings: list[Reading] = [
        File(str(secret)),
        File(f"{shut}/file"),
        File(f"{shut}/missing"),
        File(f"{tmp_path}/missing"),
        Glob(f"{tmp_path}/s*"),
        Glob(f"{tmp_path}/*", names=("file",)),
        Glob(f"{shut}/*"),
        Glob(f"{listed}/*"),
        Glob(f"{shut}/file"),
        Stat(f"{secret}"),
        Stat(f"{shut}/*"),
        Stat(f"{shut}/file"),
        Stat(f"{listed}/*"),
        Inventory("shadow"),
    ]
    theirs = ask(shell, *readings, user=65534, group=65534, extra_groups=[])
    # LocalSource as the same user, in a process of its own
    # (imports come before the privileges go: the checkout may not be readable to everybody)
    code = (
        "import os, pickle, sys; from collectors.sources.local import LocalSource;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "answers = LocalSource().answer(pickle.load(sys.stdin.buffer));"
        "sys.stdout.buffer.write(pickle.dumps(answers))"
    )
    ours = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(readings),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert theirs == pickle.loads(ours.stdout)  # noqa: S301
    states = [answer.state for answer in theirs.values()]
    assert states == ["denied"] * 3 + ["absent"] + ["content"] * 2 + [
        "denied",
        "content",
        "content",
        "content",
        "denied",
        "denied",
        "denied",
        "denied",
    ]


TOOLS = ("sh", "head", "stat", "ls", "sleep", "printf", "cat", "uname", "env", "readlink")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment of a host without timeout(1) and python3."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    return {"LC_ALL": "C", "PATH": str(tools)}


def test_a_host_without_timeout_and_python(
    shell: list[str], bare: dict[str, str], tmp_path: Path
) -> None:
    shell = [shutil.which(shell[0]) or "", *shell[1:]]
    os.mkfifo(tmp_path / "fifo")
    readings = (
        File(f"{tmp_path}/fifo"),
        File("/proc/version"),
        File("/etc/hostname"),
        Command(("sleep", "20"), timeout=1),
        Command(("uname", "-s")),
        Inventory("uname"),
        Inventory("timex"),
    )
    answers = ask(shell, *readings, environment=bare)
    assert [(a.state, a.reason) for a in answers.values()] == [
        ("failed", "is not a regular file"),
        ("content", ""),
        ("content", ""),
        ("failed", "no end within 1 s"),
        ("content", ""),
        ("content", ""),
        ("absent", "no program python3"),
    ]


def test_a_host_that_greets(shell: list[str]) -> None:
    greeting = ["sh", "-c", "echo welcome; echo to all >&2; exec " + shlex.join(shell)]
    assert ask(greeting, File("/proc/version"))[File("/proc/version")].content.startswith(b"Linux")


def test_a_host_that_runs_nothing() -> None:
    reads_all = "head -c 100 >/dev/null; echo This account is not available."
    with pytest.raises(FrameError, match="This account is not available"):
        ask(["sh", "-c", reads_all], File("/etc/hostname"))


def test_a_host_that_ended_before_the_script_was_sent() -> None:
    with ShellChannel(["sh", "-c", "echo This account is not available."]) as host:
        host.process.wait()
        with pytest.raises(FrameError, match="This account is not available"):
            exchange(host, [File("/etc/hostname")], 30)


def test_a_host_that_goes_away_midway(shell: list[str]) -> None:
    readings = [Command(("uname", "-s", *["-s"] * i)) for i in range(200)]
    half = len(opening("0" * 32)) + 10_000
    cut = ["sh", "-c", f"head -c {half} | {shlex.join(shell)}"]
    answers = list(ask(cut, *readings).values())
    assert answers[0].state == "content"
    assert answers[-1] == Answer("failed", reason="the host closed the connection")


def test_a_host_that_never_ends() -> None:
    with (
        ShellChannel(["sh", "-c", "sleep 30"]) as channel,
        pytest.raises(FrameError, match=r"no end within 0\.5 s"),
    ):
        exchange(channel, [File("/proc/version")], 0.5)


def test_the_deadline_keeps_what_was_told(shell: list[str]) -> None:
    first, slow, last = (
        File("/proc/version"),
        Command(("sleep", "20"), timeout=25),
        Command(("uname", "-s")),
    )
    with ShellChannel(shell) as channel:
        answers = exchange(channel, [first, slow, last], 2)
    assert answers[first].state == "content"
    assert answers[slow].reason == answers[last].reason == "no end within 2 s"


def test_a_host_that_tells_without_end(monkeypatch: pytest.MonkeyPatch, shell: list[str]) -> None:
    monkeypatch.setattr("collectors.sources.ssh.exchange.LIMIT", 1 << 20)
    endless = Command(("yes",), limit=1 << 40, timeout=20)
    answers = ask(shell, File("/proc/version"), endless)
    assert answers[File("/proc/version")].state == "content"
    assert answers[endless].reason == "the host told more than 1 MiB"


def test_too_much_for_one_script() -> None:
    with pytest.raises(ScriptTooLong):
        ask(["sh", "-s"], *(File(f"/{n:0>4000}") for n in range(300)))


def test_a_path_with_nul_is_refused(shell: list[str]) -> None:
    bad, good = File("/etc/a\0b"), File("/proc/version")
    answers = ask(shell, bad, good)
    assert answers[bad].state == "failed"
    assert answers[good].state == "content"


def test_nobody_on_the_host_sees_the_nonce(
    monkeypatch: pytest.MonkeyPatch, shell: list[str], tmp_path: Path
) -> None:
    """Who knows it could forge what other readings tell."""
    nonce = "5ec0" * 8
    monkeypatch.setattr("collectors.sources.ssh.exchange.secrets.token_hex", lambda _: nonce)
    (tmp_path / "long.pem").write_text("x" * 80 + "\n" + "y\n" * 1_500_000)
    readings = [
        Glob(f"{tmp_path}/*", limit=4 << 20, certificates=True),
        Glob("/sys/class/net/*", ("mtu",)),
    ]
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for name in filter(str.isdigit, os.listdir("/proc")):  # some end meanwhile
                with contextlib.suppress(OSError):
                    seen.add(Path(f"/proc/{name}/cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(3):
            assert ask(shell, *readings)[readings[1]].state == "content"
    finally:
        done.set()
        watcher.join()
    assert any(b"awk" in line for line in seen) or shell[0].endswith("busybox")
    assert [line for line in seen if nonce.encode() in line] == []
