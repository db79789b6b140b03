"""Remote write to Debian's Prometheus and VictoriaMetrics: samples a second on one core, beside prometheus_client with
the protobuf library and beside Prometheus' own agent; and two hours of outage, caught up while new samples come.

    python -m benchmarks.remotewrite                  rates
    python -m benchmarks.remotewrite --outage 120     and an outage of so many minutes at 10,000 samples/s
"""

from __future__ import annotations

import argparse
import http.server
import resource
import subprocess
import tempfile
import threading
import time
import urllib.request
from array import array
from collections.abc import Iterator
from pathlib import Path

import cramjam
import prometheus_client
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import CollectorRegistry

from collectors.model import Family, Sample
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.pushsettings import RemoteWriteSettings
from exporters.prometheus.remotewrite.client import Client
from exporters.prometheus.remotewrite.queue import Queue
from exporters.prometheus.remotewrite.sender import Sender
from exporters.prometheus.remotewrite.series import Book, Snapshot
from exporters.prometheus.selfmetrics import memory
from tests.promlab import PROMETHEUS, _free
from tests.remotewriteengines import Engine, engine
from tests.remotewritelab import WriteRequest

FAMILIES, EACH = 100, 100  # 10,000 series
SERIES = FAMILIES * EACH
DAY = 86400.0


def page(step: int) -> list[Family]:
    """A page of counters of which two thirds have moved since the last."""
    return [
        Family(
            f"bench_{family}_total",
            "counter",
            "Something that is counted.",
            [
                Sample(
                    (("device", f"device-{n}"), ("mode", f"mode-{n % 7}")),
                    float(family * 1_000_003 + n * 7919 + step * (n % 3) * 1.25),
                )
                for n in range(EACH)
            ],
        )
        for family in range(FAMILIES)
    ]


def sender_of(queue: Queue, url: str, most: int) -> Sender:
    settings = RemoteWriteSettings(url=url, version=1)
    return Sender("bench", queue, Client(settings), most)


def rate(to: Engine, folder: Path, moments: int) -> None:
    """From pages to the receiver's 2xx, one thread; CPU time of this process alone."""
    pages = [page(step) for step in range(moments)]
    start = int(time.time() * 1000) - moments * 1000
    book = Book({"job": "bench", "instance": "here"})
    queue = Queue(folder / "queue", 1 << 30, DAY)
    sender = sender_of(queue, to.url, 10_000)
    wall, cpu, theirs = time.perf_counter(), time.process_time(), to.cpu()
    for step, families in enumerate(pages):
        queue.put(book.snapshot(families, start + step * 1000))
        while (wait := sender.turn()) is not None:
            assert not wait, "it was not taken"
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = moments * SERIES
    assert sender.report().taken == count
    queue.close()
    print(
        f"{to.kind}: {count / cpu:,.0f} samples per CPU second (page, queue on disk, encode, snappy,"
        f" HTTP), {count / wall:,.0f} a second of wall time; {1e6 * cpu / count:.2f} CPU-s per"
        f" million, the receiver's {1e6 * (to.cpu() - theirs) / count:.2f}"
    )


def library(to: Engine, moments: int) -> float:
    """The same with prometheus_client's registry and the protobuf library, without a queue. Samples per CPU second."""

    class Collector(prometheus_client.registry.Collector):
        step = 0

        def collect(self) -> Iterator[CounterMetricFamily]:
            for family in page(self.step):
                one = CounterMetricFamily(
                    family.name.replace("bench", "peer"), family.help, labels=["device", "mode"]
                )
                for it in family.samples:
                    one.add_metric([value for _, value in it.labels], it.value)
                yield one

    registry, collector = CollectorRegistry(), Collector()
    registry.register(collector)
    cpu, made = time.process_time(), 0.0
    for step in range(moments):
        before = time.process_time()
        page(step)
        made += time.process_time() - before  # the page itself is not theirs to make
        collector.step = step
        request, now = WriteRequest(), int(time.time() * 1000)
        for family in registry.collect():
            for it in family.samples:
                series = request.timeseries.add()
                labels = {"__name__": it.name, "job": "bench", "instance": "peer", **it.labels}
                for name, value in sorted(labels.items()):
                    series.labels.add(name=name, value=value)
                series.samples.add(value=it.value, timestamp=now)
        body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
        headers = {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }  # fmt: skip
        urllib.request.urlopen(urllib.request.Request(to.url, body, headers)).close()
    return moments * SERIES / (time.process_time() - cpu - 2 * made)


def agent_mode(to: Engine, folder: Path, seconds: int) -> float:
    """Prometheus' agent scrapes a page like ours each second and writes it on: its CPU seconds per million samples."""
    text = {"page": Encoder().encode(page(0))}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text["page"])

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    texts = [Encoder().encode(page(step)) for step in range(8)]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = folder / "agent.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs: [{job_name: agent, static_configs: [{targets: "
            f"['127.0.0.1:{server.server_port}']}}]}}]\nremote_write: [{{url: '{to.url}'}}]\n"
        )
        argv = [
            str(PROMETHEUS), "--enable-feature=agent", f"--config.file={config}",
            f"--storage.agent.path={folder / 'agent'}", "--log.level=error",
            f"--web.listen-address=127.0.0.1:{_free()}",
        ]  # fmt: skip
        with subprocess.Popen(argv) as process:
            try:
                time.sleep(5)  # its start is not counted
                clock = (~process.pid << 3) | 2
                before = time.clock_gettime(clock)
                for second in range(seconds):
                    text["page"] = texts[second % 8]
                    time.sleep(1)
                spent = time.clock_gettime(clock) - before
            finally:
                process.terminate()
        server.shutdown()
    return 1e6 * spent / (seconds * SERIES)


def outage(to: Engine, folder: Path, minutes: int) -> None:
    """Time runs as fast as the disk allows while the receiver is away; then it is there, and time runs as it does."""
    seconds = minutes * 60
    start = int(time.time()) - seconds
    now = [float(start)]
    queue = Queue(folder / "outage", 16 << 30, DAY, lambda: now[0])
    gone = sender_of(queue, f"http://127.0.0.1:{_free()}/", 50_000)
    book = Book({"job": "bench", "instance": "here"})
    shots = [book.snapshot(page(step), 0) for step in range(20)]
    base = shots[0]

    def put(second: int) -> None:
        shift = float(second // 20)
        values = array("d", shots[second % 20].values)
        for place in range(0, SERIES, 97):
            values[place] += shift
        queue.put(Snapshot(second * 1000, base.series, values))

    rss, wall, cpu = [memory()[1]], time.perf_counter(), time.process_time()
    for second in range(start, start + seconds):
        now[0] = float(second)
        put(second)
        if (second - start) % 60 == 0:
            gone.turn()
            rss.append(memory()[1])
    wall, cpu, fill = time.perf_counter() - wall, time.process_time() - cpu, queue.fill()
    print(
        f"outage of {minutes} min: {fill.samples:,} samples wait in {fill.bytes / 1e6:,.0f} MB"
        f" ({fill.bytes / fill.samples:.2f} bytes each); put in {wall:.0f} s, {cpu:.0f} s of CPU;"
        f" RSS {rss[1] / 1e6:.0f} MB after a minute, {max(rss) / 1e6:.0f} at most, {rss[-1] / 1e6:.0f} at the end"
    )
    sender = sender_of(queue, to.url, 50_000)
    stop, put_since = threading.Event(), [0]

    def go_on() -> None:
        begin = time.monotonic()
        while not stop.is_set():
            second = start + seconds + put_since[0]
            now[0] = float(second)
            put(second)
            put_since[0] += 1
            stop.wait(max(0.0, begin + put_since[0] - time.monotonic()))

    thread = threading.Thread(target=go_on)
    wall, cpu, rss, theirs = time.perf_counter(), time.process_time(), [], to.cpu()
    thread.start()
    try:
        while queue.fill().samples > SERIES:
            wait = sender.turn()
            rss.append(memory()[1])
            if wait:
                time.sleep(wait)
    finally:
        stop.set()
        thread.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    while sender.turn() is not None:
        pass
    report, total = sender.report(), (seconds + put_since[0]) * SERIES
    print(
        f"{to.kind}: caught up in {wall:.0f} s of wall time, {seconds / wall:.1f} times real time, while"
        f" {put_since[0] * SERIES:,} new samples came; {cpu:.0f} s of CPU, the receiver's {to.cpu() - theirs:.0f};"
        f" RSS {quarters(rss)} MB; {report.requests:,} requests, {report.retries} retries"
    )
    assert report.taken == total, (report, total)
    assert not any(report.lost.values()), report.lost
    there = counted(to, start, start + seconds + put_since[0])
    print(f"{to.kind}: {there:,} of {total:,} samples are there; {total - there:,} lost")
    queue.close()


def quarters(rss: list[int]) -> str:
    """The most of each quarter of the time: memory that grows would show."""
    size = max(1, len(rss) // 4)
    return ", ".join(f"{max(rss[at : at + size]) / 1e6:.0f}" for at in range(0, 4 * size, size))


def counted(to: Engine, since: int, until: int) -> int:
    """What the receiver has, name by name."""
    to.flush()
    found = 0
    for family in range(FAMILIES):
        name = f"bench_{family}_total{{instance='here'}}"
        query = f"sum(count_over_time({name}[{until - since + 1}s]))"
        result = to.ask("query", query=query, time=str(until))["result"]
        found += int(result[0]["value"][1]) if result else 0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outage", type=int, default=0, metavar="MINUTES")
    parser.add_argument("--only", choices=["prometheus", "victoria"])
    parser.add_argument("--moments", type=int, default=100)
    given = parser.parse_args()
    for kind in ("prometheus", "victoria"):
        if given.only not in (None, kind):
            continue
        with tempfile.TemporaryDirectory() as name, engine(kind, Path(name, "engine")) as to:
            folder = Path(name)
            if given.outage:
                outage(to, folder, given.outage)
                continue
            rate(to, folder, given.moments)
            theirs = library(to, max(3, given.moments // 20))
            print(f"{kind}: prometheus_client and protobuf {theirs:,.0f} samples per CPU second")
            spent = agent_mode(to, folder, 20)
            print(f"{kind}: Prometheus' agent {spent:.2f} CPU-s per million samples")
    print(f"RSS at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
