"""A console as it is run, `jianwei console` on a port of loopback, and what it costs: /proc (proc(5))."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from sqlalchemy import text

from exporters.console.database import Database
from tests.consolelab import PASSWORD

_TICK: Final = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """In MB: all that is resident, and what of it is the process's own rather than of files."""

    whole: float
    own: float


class ConsoleProcess:
    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self._url = url

    def client(self, name: str) -> httpx.Client:
        """Logged in as a user that tests.consolelab made."""
        client = httpx.Client(base_url=self._url, trust_env=False, timeout=60)
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    def cpu(self) -> float:
        """Seconds of the process so far."""
        parts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / _TICK

    def memory(self) -> Memory:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = {
            part: int(re.findall(rf"^{part}:\s*(\d+)", status, re.M)[0]) / 1024
            for part in ("VmRSS", "RssAnon")
        }
        return Memory(found["VmRSS"], found["RssAnon"])


@contextlib.contextmanager
def console(url: str) -> Iterator[ConsoleProcess]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    argv = [os.path.join(sys.prefix, "bin", "jianwei"), "console", "--db", url, "--listen", address]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(argv, stdout=told, stderr=told)
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"http://{address}/-/healthy", trust_env=False).is_success:
                        break
                if process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                process.kill()
            if process.poll() is not None:
                told.seek(0)
                raise RuntimeError(f"the console did not start: {told.read().decode()[-500:]}")
            yield ConsoleProcess(process.pid, f"http://{address}")
        finally:
            process.terminate()
            process.wait(20)


def cpu_of_database(database: Database) -> float:
    """Seconds that PostgreSQL's processes of this database have taken; of SQLite nothing beside the console's."""
    if database.sqlite:
        return 0.0
    with database.reading() as connection:
        statement = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = connection.execute(statement).scalars().all()
    found = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            found += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return found / 1e9
