"""Debian's Prometheus and VictoriaMetrics are killed -9 in the middle of a stream: every sample is there, once."""

import struct
import threading
import time
from array import array
from pathlib import Path

import pytest

from exporters.prometheus.pushing import Backoff
from exporters.prometheus.pushsettings import RemoteWriteSettings
from exporters.prometheus.remotewrite.client import Client
from exporters.prometheus.remotewrite.queue import Queue
from exporters.prometheus.remotewrite.sender import Sender
from exporters.prometheus.remotewrite.series import Series, Snapshot
from tests.promlab import needs_prometheus, needs_victoria
from tests.remotewriteengines import Found, Kind, engine

SERIES = [Series((("__name__", "kill_total"), ("n", str(n))), "counter", "h") for n in range(40)]
MOMENTS = 90
# VictoriaMetrics says yes before it has written, and keeps what it gets twice
FLAGS: dict[Kind, tuple[tuple[str, ...], float]] = {
    "prometheus": ((), 0.0),
    "victoria": (("-dedup.minScrapeInterval=1ms",), 4.0),
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("prometheus", marks=needs_prometheus),
        pytest.param("victoria", marks=needs_victoria),
    ],
)
def test_every_sample_arrives_once(kind: Kind, tmp_path: Path) -> None:
    flags, replay = FLAGS[kind]
    with engine(kind, tmp_path / "engine", *flags) as to:
        queue = Queue(tmp_path / "queue", 1 << 30, 86400)
        client = Client(RemoteWriteSettings(url=to.url))
        one = Sender("city", queue, client, 200, Backoff(0.02, 0.1), replay)
        ended = threading.Event()

        def send() -> None:
            while not ended.is_set():
                wait = one.turn()
                time.sleep(0.01 if wait is None else wait)

        thread = threading.Thread(target=send)
        thread.start()
        expected: Found = {}
        start = int(time.time() * 1000) - MOMENTS * 100
        try:
            for moment in range(MOMENTS):
                values = [(moment * 7919 + n * 104_729) % 99_991 / 4 for n in range(len(SERIES))]
                at = start + moment * 100
                queue.put(Snapshot(at, SERIES, array("d", values)))
                for series, value in zip(SERIES, values, strict=True):
                    expected.setdefault(series.labels, []).append((at, value))
                time.sleep(0.005)
                if moment == 30:
                    to.kill()  # perhaps in the middle of a request
                elif moment == 60:
                    to.start()
            deadline = time.monotonic() + 20
            while queue.fill().samples and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            ended.set()
            thread.join()
            queue.close()
        assert one.report().fill.samples == 0
        assert to.samples("kill_total", 600) == expected


@needs_prometheus
def test_a_moment_that_prometheus_has_already_is_nothing_new(tmp_path: Path) -> None:
    """Also where later ones are there: it refuses them, and they are told as repeated."""
    start = int(time.time() * 1000) - 5000
    with engine("prometheus", tmp_path / "engine") as to:
        for folder in ("one", "two"):  # a queue whose cursor was lost sends all again
            queue = Queue(tmp_path / folder, 1 << 30, 86400)
            for moment in range(5):
                values = array("d", [moment + n for n in range(len(SERIES))])
                queue.put(Snapshot(start + moment * 1000, SERIES, values))
            one = Sender("city", queue, Client(RemoteWriteSettings(url=to.url, version=1)), 1000)
            while one.turn() is not None:
                pass
            lost = one.report().lost["repeated"]
            assert lost == (0 if folder == "one" else 4 * len(SERIES))
            queue.close()
        found = to.samples("kill_total", 600)
    assert found == {
        one.labels: [(start + m * 1000, float(m + n)) for m in range(5)]
        for n, one in enumerate(SERIES)
    }


@needs_prometheus
def test_prometheus_knows_the_stale_marker(tmp_path: Path) -> None:
    stale = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
    now = int(time.time() * 1000)
    with engine("prometheus", tmp_path / "engine") as to:
        queue = Queue(tmp_path / "queue", 1 << 30, 86400)
        queue.put(Snapshot(now - 20_000, SERIES[:2], array("d", [1.0, 2.0])))
        queue.put(Snapshot(now - 10_000, SERIES[:2], array("d", [1.0, stale])))
        one = Sender("city", queue, Client(RemoteWriteSettings(url=to.url)), 1000)
        while one.turn() is not None:
            pass
        queue.close()
        result = to.ask("query", query="kill_total", time=str(now / 1000))["result"]
    assert [it["metric"]["n"] for it in result] == ["0"]
