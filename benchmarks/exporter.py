"""A real exporter as a child process that is scraped as Prometheus does, and its costs.

CPU time comes from the process's own clock (clock_getcpuclockid(3), nanoseconds), memory from
/proc/PID/smaps_rollup.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_LIMIT = 30.0  # seconds

# What Prometheus 2.42 (Debian 12) sends.
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
    "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/2.42.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}


class Exporter:
    """A running exporter. `started` is the time from its start to its first page, in seconds."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        begin = time.perf_counter()
        while True:
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                self.scrape()
            except OSError as error:
                ended = process.poll()
                if ended is not None or time.perf_counter() - begin > START_LIMIT:
                    raise RuntimeError(f"it does not serve (exit status {ended})") from error
                time.sleep(0.002)
            else:
                break
        self.started = time.perf_counter() - begin

    def scrape(self, path: str = "/metrics", accept: str = HEADERS["Accept"]) -> bytes:
        """One page over the kept connection; what is not answered with 200 raises."""
        self._connection.request("GET", path, headers={**HEADERS, "Accept": accept})
        response = self._connection.getresponse()
        page = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: status {response.status}")
        return gzip.decompress(page) if response.getheader("Content-Encoding") == "gzip" else page

    def cpu(self) -> float:
        """CPU time of the process so far, in seconds."""
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def memory(self) -> tuple[float, float]:
        """Resident and proportional set size in MB (10⁶ bytes)."""
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
        return sizes["Rss:"] * 1024 / 1e6, sizes["Pss:"] * 1024 / 1e6

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/task"))


@contextlib.contextmanager
def agent(*options: str, command: str = "") -> Iterator[Exporter]:
    """The agent with its default configuration: the one of this environment, or another `jianwei`."""
    command = command or str(Path(sys.executable).with_name("jianwei"))
    with _running(
        [command, "run", "--log-level", "error", "--web.listen-address={}", *options]
    ) as e:
        yield e


@contextlib.contextmanager
def node_exporter(*options: str) -> Iterator[Exporter]:
    """Debian's node_exporter with its defaults."""
    command = shutil.which("prometheus-node-exporter")
    if not command:
        raise SystemExit("prometheus-node-exporter is not installed; run make packages")
    with _running([command, "--log.level=error", "--web.listen-address={}", *options]) as e:
        yield e


@contextlib.contextmanager
def _running(argv: list[str]) -> Iterator[Exporter]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [part.format(f"127.0.0.1:{port}") for part in argv]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield Exporter(process, port)
        except BaseException:
            log.seek(0)
            sys.stderr.buffer.write(log.read()[-4000:])
            raise
        finally:
            process.terminate()
            process.wait(10)


def series(page: bytes) -> int:
    """How many samples a page has."""
    return sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
