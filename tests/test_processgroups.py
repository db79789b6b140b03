"""The processes of a lab end with it, and with the test run that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.processgroups import ProcessGroups

OWNER = """
import time
from tests.processgroups import ProcessGroups
lab = ProcessGroups("jw-killed-")
lab.spawn("one", ["sh", "-c", "sleep 300 & echo $! >child; wait"])
print(lab.folder, flush=True)
time.sleep(300)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(true: Callable[[], bool]) -> None:
    while not true():  # the time-out of the suite ends it
        time.sleep(0.02)


def child_of(folder: Path) -> int:
    file = folder / "child"
    until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_all_of_a_group_ends_with_the_lab() -> None:
    lab = ProcessGroups("jw-closed-")
    lab.spawn("one", ["sh", "-c", "sleep 300 & echo $! >child; wait"])
    child = child_of(lab.folder)
    assert alive(child)
    lab.close()
    until(lambda: not alive(child))
    assert not lab.folder.exists()


def test_all_of_a_group_ends_with_a_killed_test_run() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        folder = Path(owner.stdout.readline().decode().strip())
        child = child_of(folder)
        os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not alive(child))
    until(lambda: not folder.exists())
