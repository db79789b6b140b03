"""Real servers that speak the Prometheus API, over months that were made up: Prometheus over a folder that promtool
backfilled, and VictoriaMetrics after an import. Both need seconds for it: fixtures with one are of a module.

    with prometheus(tmp_path, made) as url: ...      # Debian package prometheus
    with victoria(tmp_path, made) as url: ...        # Debian package victoria-metrics
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
VICTORIA = shutil.which("victoria-metrics")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
needs_prometheus = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL), reason="Debian package prometheus is missing"
)
needs_victoria = pytest.mark.skipif(
    not VICTORIA, reason="Debian package victoria-metrics is missing"
)

needs_alertmanager = pytest.mark.skipif(
    not (ALERTMANAGER and shutil.which("amtool")),
    reason="Debian package prometheus-alertmanager is missing",
)

SLOT = 300
BLOCK = "1458h"  # promtool reads its whole input again for each block: few, large ones


class Made(NamedTuple):
    """One series: samples of Unix seconds; NaN is no sample."""

    name: str
    labels: Mapping[str, str]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def every_five_minutes(since: float, until: float, after: float = 0) -> NDArray[np.float64]:
    """Moments at which a rule is evaluated, one for each five minutes of [since, until): `after` seconds after those
    begin, at 0 when they end."""
    return since + (after or SLOT) + np.arange(0.0, until - since, SLOT)


def month(
    name: str, values: NDArray[np.float64], since: float, ids: Sequence[str], after: float = 0
) -> list[Made]:
    """A recorded series for each resource: row n of `values` is of ids[n], column k of the five minutes that
    begin k slots after `since`."""
    times = every_five_minutes(since, since + values.shape[1] * SLOT, after)
    return [Made(name, {"resource": id}, times, row) for id, row in zip(ids, values, strict=True)]


def quoted(text: str) -> str:
    """A label's value as OpenMetrics and PromQL have it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def openmetrics(path: Path, made: Iterable[Made]) -> Path:
    """OpenMetrics text with timestamps, as promtool reads it; series of one name stand together."""
    with path.open("w", encoding="utf-8", buffering=1 << 20) as out:
        last = None
        for one in sorted(made, key=lambda it: it.name):
            if one.name != last:
                last = one.name
                out.write(f"# TYPE {last} gauge\n")
            labels = ",".join(f"{key}={quoted(value)}" for key, value in one.labels.items())
            head = f"{one.name}{{{labels}}} "
            there = ~np.isnan(one.values)
            times, values = one.times[there].tolist(), one.values[there].tolist()
            lines = [f"{head}{v!r} {t:.3f}\n" for v, t in zip(values, times, strict=True)]
            out.write("".join(lines))
        out.write("# EOF\n")
    return path


def backfilled(folder: Path, text: Path) -> Path:
    """A folder for Prometheus, with the samples of an OpenMetrics file."""
    argv = [str(PROMTOOL), "tsdb", "create-blocks-from", f"--max-block-duration={BLOCK}"]
    argv += ["--quiet", "openmetrics", str(text), str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr or done.stdout
    return folder


def json_lines(made: Iterable[Made]) -> Iterator[bytes]:
    """What VictoriaMetrics imports at /api/v1/import."""
    for one in made:
        there = ~np.isnan(one.values)
        if there.any():
            told = {
                "metric": {"__name__": one.name, **one.labels},
                "values": one.values[there].tolist(),
                "timestamps": np.rint(one.times[there] * 1000).astype(np.int64).tolist(),
            }
            yield json.dumps(told).encode() + b"\n"


def load(url: str, made: Iterable[Made]) -> None:
    """Imports into a VictoriaMetrics, and has it seen at once."""
    batch: list[bytes] = []
    size = 0
    for line in json_lines(made):
        batch.append(line)
        size += len(line)
        if size > 8 << 20:
            _post(f"{url}/api/v1/import", b"".join(batch))
            batch, size = [], 0
    _post(f"{url}/api/v1/import", b"".join(batch))
    _get(f"{url}/internal/force_flush")
    _get(f"{url}/internal/resetRollupResultCache")


@contextlib.contextmanager
def prometheus(
    folder: Path, made: Iterable[Made] = (), *flags: str, config: str = "global: {}\n"
) -> Iterator[str]:
    """The URL of a Prometheus that has these samples. A folder that has a `data` is served as it is."""
    data = folder / "data"
    series = list(made)
    if series and not data.exists():
        text = openmetrics(folder / "samples.txt", series)
        backfilled(data, text)
        text.unlink()
    configured = folder / "prometheus.yml"
    configured.write_text(config)
    port = _free()
    argv = [
        str(PROMETHEUS), f"--config.file={configured}", f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y",
        "--log.level=warn", *flags,
    ]  # fmt: skip
    with _running(argv, folder / "prometheus.log", f"http://127.0.0.1:{port}", "/-/ready") as url:
        yield url


@contextlib.contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[str]:
    """The URL of an Alertmanager."""
    (folder / "alertmanager.yml").write_text(config)
    port = _free()
    argv = [
        str(ALERTMANAGER), f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager", f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip
    log, url = folder / "alertmanager.log", f"http://127.0.0.1:{port}"
    with _running(argv, log, url, "/-/ready") as url:
        yield url


@contextlib.contextmanager
def victoria(folder: Path, made: Iterable[Made] = (), *flags: str) -> Iterator[str]:
    """The URL of a VictoriaMetrics that has these samples."""
    port = _free()
    argv = [
        str(VICTORIA), f"-storageDataPath={folder / 'victoria'}", "-retentionPeriod=10y",
        f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN", "-memory.allowedPercent=20",
        *flags,
    ]  # fmt: skip
    with _running(argv, folder / "victoria.log", f"http://127.0.0.1:{port}", "/health") as url:
        load(url, made)
        yield url


@contextlib.contextmanager
def _running(argv: Sequence[str], log: Path, url: str, ready: str) -> Iterator[str]:
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(OSError):
                    _get(url + ready)
                    break
                time.sleep(0.05)
            else:
                raise AssertionError(f"{argv[0]} is not ready:\n{log.read_text()}")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.code} {error.read()[:500]!r}") from error
