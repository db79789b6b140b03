"""Servers of a test lab, each in its own process group and all below one folder, that end for sure.

A watcher reads the numbers of the groups from a pipe; when this process is killed the pipe ends, and
the watcher kills the groups and removes the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
WATCHER = """
groups=""
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
[ -z "$2" ] || until rmdir $(find "$2" -depth -type d); do sleep 0.1; done 2>/dev/null
rm -rf "$1"
"""


class Failed(Exception):
    """A lab could not be started, or refused; what the service said is in it."""


class ProcessGroups:
    """`folder` is a new one; what a server prints is in `log/NAME.out` below it. `cgroup`, if given, is one
    that the servers are in or below, removed with all below it when they have ended."""

    def __init__(self, prefix: str, cgroup: Path | None = None) -> None:
        self._cgroup = cgroup
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        (self.folder / "log").mkdir()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "watcher", str(self.folder), str(cgroup or "")],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def spawn(
        self, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv,
                env={**ENVIRONMENT, **(environment or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._processes[name] = process
        assert self._watcher.stdin
        self._watcher.stdin.write(b"%d\n" % process.pid)
        self._watcher.stdin.flush()

    def run(self, *argv: str) -> None:
        """One command to its end; raises Failed."""
        done = subprocess.run(
            argv,
            env=ENVIRONMENT,
            cwd=self.folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{argv[:4]}: {(done.stdout + done.stderr)[-2000:].decode()}")

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def ended(self, name: str) -> None:
        """Wait for the end of one server."""
        self._processes[name].wait(30)

    def kill(self, name: str) -> None:
        """End one server at once."""
        _kill(self._processes[name])
        self._processes[name].wait(30)

    def until(self, true: Callable[[], bool], name: str, seconds: float) -> None:
        """Wait for something of a server (or of none); raises Failed with what it printed."""
        end = time.monotonic() + seconds
        process = self._processes.get(name)
        while not true():
            if time.monotonic() > end or (process and process.poll() is not None):
                log = self.folder / "log" / f"{name}.out"
                said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise Failed(f"{name} is not ready after {seconds:g} s: {said}")
            time.sleep(0.1)

    def close(self) -> None:
        """End every process, throw away what they have."""
        for process in self._processes.values():
            _kill(process)
        for process in self._processes.values():
            process.wait(30)
        self._watcher.kill()  # not to end groups of which the numbers are free again
        assert self._watcher.stdin
        self._watcher.stdin.close()
        self._watcher.wait(30)
        if self._cgroup:
            _remove(self._cgroup)
        shutil.rmtree(self.folder, ignore_errors=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _remove(cgroup: Path) -> None:
    """With all below it, once nothing is in it: the end of a process that is killed takes time."""
    end = time.monotonic() + 30
    for folder, _, _ in os.walk(cgroup, topdown=False):
        while True:
            try:
                os.rmdir(folder)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
