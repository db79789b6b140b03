"""Debian's Prometheus and VictoriaMetrics as receivers of remote write that can be killed -9 and started again.

with engine("prometheus", tmp_path) as it: it.kill(); it.start(); it.samples("name")
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tests.promlab import PROMETHEUS, VICTORIA, _free, _get

Kind = Literal["prometheus", "victoria"]
Found = dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]


class Engine:
    """One that runs from `start` to `kill` or `stop`, on one port and one folder."""

    def __init__(self, kind: Kind, folder: Path, *flags: str) -> None:
        self.kind, self._folder, self._flags = kind, folder, flags
        self.port = _free()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.base}/api/v1/write"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder, port = self._folder, self.port
        folder.mkdir(parents=True, exist_ok=True)
        if self.kind == "prometheus":
            (folder / "prometheus.yml").write_text("global: {}\n")
            argv = [
                str(PROMETHEUS), f"--config.file={folder}/prometheus.yml", "--log.level=error",
                f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver", *self._flags,
            ]  # fmt: skip
        else:
            argv = [
                str(VICTORIA), f"-storageDataPath={folder}/victoria", "-loggerLevel=ERROR",
                f"-httpListenAddr=127.0.0.1:{port}", "-memory.allowedPercent=20",
                "-search.latencyOffset=0s", *self._flags,
            ]  # fmt: skip
        with (folder / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        for _ in range(1200):
            assert self.process.poll() is None, (folder / "engine.log").read_text()
            with contextlib.suppress(OSError):
                _get(f"{self.base}/-/ready" if self.kind == "prometheus" else f"{self.base}/health")
                return
            time.sleep(0.05)
        raise AssertionError("it is not ready")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        assert self.process
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def flush(self) -> None:
        """Have it seen at once what was acknowledged."""
        if self.kind == "victoria":
            _get(f"{self.base}/internal/force_flush")

    def ask(self, path: str, **query: str) -> Any:
        url = f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=120) as answer:
            return json.load(answer)["data"]

    def samples(self, selector: str, seconds: int) -> Found:
        """Every raw sample of the last `seconds`, in the order and as often as it is there."""
        found: Found = {}
        if self.kind == "prometheus":
            # a subquery would align; a range selector in an instant query gives samples as they are
            for one in self.ask("query", query=f"{selector}[{seconds}s]")["result"]:
                rows = [(round(t * 1000), float(v)) for t, v in one["values"]]
                found[tuple(sorted(one["metric"].items()))] = rows
            return found
        self.flush()
        query = urllib.parse.urlencode({"match[]": selector})
        for line in _get(f"{self.base}/api/v1/export?{query}").splitlines():
            row = json.loads(line)
            values = [float("nan") if v is None else float(v) for v in row["values"]]
            pairs = list(zip(row["timestamps"], values, strict=True))
            found.setdefault(tuple(sorted(row["metric"].items())), []).extend(pairs)
        return {labels: sorted(rows) for labels, rows in found.items()}


@contextlib.contextmanager
def engine(kind: Kind, folder: Path, *flags: str) -> Iterator[Engine]:
    made = Engine(kind, folder, *flags)
    made.start()
    try:
        yield made
    finally:
        made.kill()
