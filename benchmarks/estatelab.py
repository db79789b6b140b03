"""The simulated agents as targets, and a real Prometheus or VictoriaMetrics that scrapes them: processes and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import httpx
import msgspec

from agents.fleet.discovery import file_json, groups_of
from agents.fleet.model import FleetHost
from benchmarks.estateserver import Estate, Told, address
from collectors.link.lines import LEVELS

Name = Literal["prometheus", "victoria-metrics"]
JOB: Final = "jianwei"
DEPARTMENTS: Final = 40
RULES: Final = tuple(sorted(Path(__file__).parents[1].glob("deploy/prometheus/*-rules.yml")))


class Process:
    """One that was started here. CPU comes from its own clock (clock_getcpuclockid(3))."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid, self.url = pid, url
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def cpu(self) -> float:
        return time.clock_gettime(~self.pid << 3 | 2)

    def resident(self) -> float:
        """MB (10⁶ bytes)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def metrics(self) -> dict[str, float]:
        """What it says of itself: values by name and labels as written."""
        text = self.http.get("/metrics").raise_for_status().text
        pairs = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
        return {series: float(value) for series, _, value in pairs}

    def query(self, promql: str, at: float | None = None) -> list[dict[str, object]]:
        told = self.http.get(
            "/api/v1/query", params={"query": promql, **({"time": at} if at else {})}
        )
        if told.status_code != 200:
            raise RuntimeError(f"{promql}: {told.status_code} {told.text[:300]}")
        found: list[dict[str, object]] = told.json()["data"]["result"]
        return found


class Agents(Process):
    """The simulator."""

    def told(self) -> Told:
        return msgspec.json.decode(self.http.get("/stats").content, type=Told)


@contextlib.contextmanager
def simulated(estate: Estate, folder: Path, first: int = 0) -> Iterator[Agents]:
    """The agents, and their targets in `targets.json` of the folder: all, or so many of them first."""
    argv = [sys.executable, "-m", "benchmarks.estateserver"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(msgspec.json.encode(estate))
            process.stdin.close()
            port = int(process.stdout.readline())
            grown(folder, first or estate.agents, port)
            yield Agents(process.pid, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def grown(folder: Path, agents: int, port: int) -> None:
    """So many targets from now on, in one move: engines look at the file all the time."""
    aside = folder / "targets.new"
    aside.write_bytes(targets(agents, port))
    aside.rename(folder / "targets.json")


def targets(agents: int, port: int) -> bytes:
    """What `jianwei fleet sd` makes of an inventory of them."""
    hosts = (
        FleetHost(
            name=f"agent{n:05d}",
            address=address(n),
            agent=f"{address(n)}:{port}",
            department=f"department-{n % DEPARTMENTS:02d}",
            system=f"system-{n % (DEPARTMENTS * 5):03d}",
            region=f"region-{n % 11:02d}",
            level=LEVELS[n % len(LEVELS)],
        )
        for n in range(agents)
    )
    return file_json(groups_of(hosts))


def configuration(interval: float, rules: bool) -> str:
    """For both engines: JSON, which is YAML."""
    made: dict[str, object] = {
        "global": {
            "scrape_interval": f"{interval:g}s",
            "scrape_timeout": f"{min(10_000, int(interval * 667))}ms",
        },
        "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": ["targets.json"]}]}],
    }
    if rules:
        made["rule_files"] = [str(path) for path in RULES]
    return json.dumps(made)


@contextlib.contextmanager
def engine(name: Name, folder: Path, interval: float) -> Iterator[list[Process]]:
    """The engine, first of the processes that do its work, with the recording rules of deploy/prometheus/."""
    config = folder / "prometheus.yml"
    config.write_text(configuration(interval, rules=name == "prometheus"))
    with contextlib.ExitStack() as stack:
        if name == "prometheus":
            port = _free()
            argv = ["--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}"]
            argv += ["--storage.tsdb.path=data", "--web.enable-admin-api", "--log.level=warn"]
            yield [stack.enter_context(running("prometheus", argv, folder, port, "/-/ready"))]
            return
        port, alert = _free(), _free()
        argv = ["-promscrape.config=prometheus.yml", "-storageDataPath=data", "-loggerLevel=WARN"]
        argv += [f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=1y"]
        argv.append("-promscrape.fileSDCheckInterval=5s")
        store = stack.enter_context(running("victoria-metrics", argv, folder, port, "/health"))
        argv = [f"-httpListenAddr=127.0.0.1:{alert}", f"-datasource.url={store.url}"]
        argv += [f"-remoteWrite.url={store.url}", "-loggerLevel=WARN"]
        argv += [f"-rule={path}" for path in RULES]
        yield [store, stack.enter_context(running("vmalert", argv, folder, alert, "/health"))]


@contextlib.contextmanager
def running(
    program: str, argv: Sequence[str], folder: Path, port: int, ready: str
) -> Iterator[Process]:
    """A server in this folder, from when it is ready on; its log is there as PROGRAM-PORT.log."""
    command = shutil.which(program)
    if not command:
        raise SystemExit(f"{program} is not installed; run make packages")
    log = folder / f"{program}-{port}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [command, *argv], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            server = Process(process.pid, f"http://127.0.0.1:{port}")
            for _ in range(1200):
                with contextlib.suppress(httpx.HTTPError):
                    if server.http.get(ready).is_success:
                        break
                if process.poll() is not None:
                    raise RuntimeError(f"{program} ended:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield server
            server.http.close()
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def machine() -> float:
    """CPU seconds that the whole machine has been busy for (proc_stat(5))."""
    user, nice, system, _, _, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def disk(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(
        os.lstat(os.path.join(at, name)).st_size
        for at, _, names in os.walk(folder)
        for name in names
    )
