"""What systemd is told: ready, and then that the agent lives, while it does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.runner import Runner
from agents.systemd import Heart, tell_ready, watchdog_interval
from collectors.sources.local import LocalSource


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        yield listener


def test_ready_and_beats(heard: socket.socket) -> None:
    tell_ready()
    heart = Heart(str)
    heart.beat()
    heart.beat()
    assert [heard.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_no_beat_while_something_is_wrong(
    heard: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    problems = ["the lock is held", "the lock is held", ""]
    heart = Heart(lambda: problems.pop(0))
    heart.beat()
    heart.beat()
    with pytest.raises(BlockingIOError):
        heard.recv(100)
    heart.beat()
    assert heard.recv(100) == b"WATCHDOG=1"
    assert [record.message for record in caplog.records] == [
        "the watchdog is not told any more that all is well: the lock is held"
    ]


def test_no_beat_after_a_thread_died_of_an_error(heard: socket.socket) -> None:
    heart = Heart(str)

    def well() -> None:
        pass

    def badly() -> None:
        raise ZeroDivisionError

    for work in (well, badly):
        heart.beat()
        assert heard.recv(100) == b"WATCHDOG=1"
        thread = threading.Thread(target=work, name="audit")
        thread.start()
        thread.join()
    heart.beat()
    with pytest.raises(BlockingIOError):
        heard.recv(100)


def test_a_runner_that_is_locked_for_ever_is_stuck() -> None:
    runner = Runner(LocalSource())
    assert runner.stuck() == ""
    with runner._lock:
        assert "lock" in runner.stuck()
    assert runner.stuck() == ""


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "60000000"}, 20.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_how_often(environment: dict[str, str], seconds: float) -> None:
    assert watchdog_interval(environment) == seconds
