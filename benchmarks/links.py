"""The link prober side by side with fping and blackbox_exporter, in one run, in a lab of its own.

Run as root with `python -m benchmarks.links`. Peers are Debian's fping, prometheus-blackbox-exporter
and tcpdump, whose kernel time stamps on the sending interface are the truth about round-trip times.
"""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.exporter import Exporter, series
from benchmarks.linklab import DEVICE, FAR, NEAR, address, lines_file, network, targets_file
from tests.netlab import Lab

TARGETS = 10_000
ROUNDS = 31
PROBES = 500  # asked of blackbox_exporter
AGENT = "127.0.0.1:9877"
PEER = "127.0.0.1:9876"


def main() -> None:
    for program in ("fping", "prometheus-blackbox-exporter", "tcpdump"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not installed; run make packages")
    with network() as lab, tempfile.TemporaryDirectory() as folder:
        for version in (4, 6):
            _round(lab, Path(folder), version)
        _accuracy(lab, Path(folder))
        _loss(lab)
        cpu = _agent(lab, Path(folder), TARGETS, 30)
        _blackbox(lab, cpu)
        _agent(lab, Path(folder), 2 * TARGETS, 45)


class Child:
    """A child inside the near namespace that prints JSON lines."""

    def __init__(self, lab: Lab, *words: str) -> None:
        argv = lab.argv(NEAR, sys.executable, "-m", "benchmarks.echochild", *words)
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.read()

    def read(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(_pipe(self._process.stdout).readline())
        return told

    def go(self) -> None:
        stdin = _pipe(self._process.stdin)
        stdin.write("\n")
        stdin.flush()

    def end(self) -> None:
        _pipe(self._process.stdin).close()
        self._process.wait(30)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _round(lab: Lab, folder: Path, version: int) -> None:
    """10,000 targets once: a round of the resident prober against a run of fping, in turn."""
    path = targets_file(folder, TARGETS, version)
    fping = lab.argv(
        NEAR, *("fping", f"-{version}", "-q", "-c", "1", "-i", "0", "-t", "1000", "-f", str(path))
    )
    child = Child(lab, "rounds", str(version), str(TARGETS))
    ours: list[dict[str, Any]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        child.go()
        ours.append(child.read())
        theirs.append(_timed(fping))
    child.end()
    answered = min(one["answered"] for one in ours)
    print(f"IPv{version}, one round of {TARGETS} targets, medians of {ROUNDS} in turn:")
    print(f"  answered: {answered} of {TARGETS}")
    _told("wall", [o["wall"] for o in ours], [w for w, _ in theirs], 1e3, "ms")
    _told(
        "CPU a ping",
        [o["cpu"] / TARGETS for o in ours],
        [c / TARGETS for _, c in theirs],
        1e6,
        "µs",
    )
    command = str(Path(sys.executable).with_name("jianwei"))
    whole = lab.argv(NEAR, command, "probe", "--count", "1", "--targets-file", str(path), "--json")
    wall = statistics.median(_timed(whole)[0] for _ in range(3))
    print(f"  `jianwei probe --targets-file`, start and output included: {wall:.2f} s")


def _told(what: str, ours: list[float], theirs: list[float], by: float, unit: str) -> None:
    one, other = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    verdict = "met" if ratio <= 1 else "missed"
    print(
        f"  {what}: {one * by:.4g} {unit} (fping {other * by:.4g}, ratio {ratio:.2f};"
        f" target ≤ 1, {verdict})"
    )


def _timed(argv: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _accuracy(lab: Lab, folder: Path) -> None:
    """Our round-trip times against those on the interface, while 10,000 targets run."""
    path = folder / "truth.pcap"
    capture = subprocess.Popen(
        lab.argv(
            NEAR,
            *("tcpdump", "-i", DEVICE, "-n", "-B", "65536", "-s", "128", "-w", str(path)),
            *("--time-stamp-precision=nano", "icmp or icmp6"),
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert capture.stderr
    capture.stderr.readline()
    child = Child(lab, "paced", str(TARGETS), "5", "12")
    child.go()
    told = child.read()
    child.end()
    capture.terminate()
    capture.wait(30)
    truth = _truth(path.read_bytes())
    errors = sorted(abs(rtt - truth[index]) for index, rtt in told["rtts"] if index in truth)
    middle, high = errors[len(errors) // 2] / 1e3, errors[int(len(errors) * 0.99)] / 1e3
    print(
        f"RTT error over {len(errors)} of {told['sent']} echoes to {TARGETS} targets, both families:"
    )
    print(f"  median {middle:.1f} µs (target ≤ 10, {_met(middle <= 10)})")
    print(f"  p99 {high:.1f} µs (target ≤ 100, {_met(high <= 100)}); lost {told['lost']}")


def _truth(capture: bytes) -> dict[int, float]:
    """Index → nanoseconds between request and reply, of a capture in pcap's format."""
    magic, *_ = struct.unpack_from("=IHHiIII", capture)
    assert magic == 0xA1B23C4D, "not in nanoseconds"
    sent: dict[int, int] = {}
    took: dict[int, float] = {}
    place = 24
    while place + 16 <= len(capture):
        seconds, nanoseconds, length, _ = struct.unpack_from("=IIII", capture, place)
        packet = capture[place + 16 : place + 16 + length]
        place += 16 + length
        head = 14 + (40 if packet[12:14] == b"\x86\xdd" else 20)
        if len(packet) < head + 12:
            continue
        kind, at = packet[head], seconds * 1_000_000_000 + nanoseconds
        (index,) = struct.unpack_from("=I", packet, head + 8)
        if kind in (8, 128):
            sent[index] = at
        elif kind in (0, 129) and index in sent:
            took[index] = float(at - sent[index])
    return took


def _loss(lab: Lab) -> None:
    """What is reported lost against what a packet filter drops, at random."""
    print("loss, both families (99 % interval of the binomial distribution):")
    for percent in (0, 1, 5, 20):
        rules = "".join(
            f"{kind} type echo-request numgen random mod 100 < {percent} counter drop; "
            for kind in ("icmp", "icmpv6")
        )
        lab.nft(FAR, f"table inet t {{ chain i {{ type filter hook input priority 0; {rules}}}; }}")
        child = Child(lab, "paced", "1000", "1", "10")
        child.go()
        told = child.read()
        child.end()
        dropped = sum(
            expression["counter"]["packets"]
            for part in json.loads(lab.run(FAR, "nft", "-j", "list", "ruleset"))["nftables"]
            for expression in part.get("rule", {}).get("expr", [])
            if "counter" in expression
        )
        lab.no_rules()
        sent, p = told["sent"], percent / 100
        reported, wide = told["lost"] / sent, 2.576 * math.sqrt(p * (1 - p) / sent)
        print(
            f"  {percent} %: reported {reported * 100:.3f} % of {sent}; dropped {dropped},"
            f" reported lost {told['lost']}; within ± {wide * 100:.3f} %:"
            f" {_met(abs(reported - p) <= wide)}"
        )


def _agent(lab: Lab, folder: Path, lines: int, seconds: float) -> float:
    """The whole agent with that many lines in both families every 10 s; CPU seconds a ping."""
    path = folder / "agent.yaml"
    path.write_text(
        f"web: {{listen: ['{AGENT}']}}\naudit: {{packs: []}}\npaths: {{enabled: false}}\n"
        f"probes: {{gateways: false, interval: 10s, lines_file: {lines_file(folder, lines)}}}\n"
    )
    command = str(Path(sys.executable).with_name("jianwei"))
    with _served(
        lab, [command, "run", "--config", str(path), "--log-level", "error"], 9877
    ) as agent:
        agent.scrape()
        time.sleep(12)
        cpu, before = agent.cpu(), _sent(agent.scrape())
        begin = time.perf_counter()
        time.sleep(seconds)
        used, took = agent.cpu() - cpu, time.perf_counter() - begin
        pages = []
        for _ in range(5):
            start = time.perf_counter()
            page = agent.scrape()
            pages.append(time.perf_counter() - start)
            time.sleep(1)
        sent = (_sent(page) - before) / (time.perf_counter() - 1 - begin)
        print(f"agent with {lines} lines in both families, every 10 s:")
        print(f"  sent {sent:.0f} echoes/s (due {lines * 2 / 10}); CPU {used / took:.1%} of a core")
        print(
            f"  pace: lag {_value(page, 'pace_lag_seconds')} s, given up {_value(page, 'pace_lost_seconds_total')} s"
        )
        print(f"  lost {sum(_values(page, 'packets_lost_total')):.0f} of {_sent(page):.0f}")
        print(
            f"  /metrics: {statistics.median(pages):.3f} s, {series(page)} series, {len(page) / 1e6:.1f} MB"
        )
        print(f"  memory: {agent.memory()[0]:.0f} MB resident")
        return used / (sent * took)


def _blackbox(lab: Lab, ours: float) -> None:
    argv = ["prometheus-blackbox-exporter", "--log.level=error", f"--web.listen-address={PEER}"]
    argv.append("--config.file=/etc/prometheus/blackbox.yml")
    with _served(lab, argv, 9876) as peer:
        for n in range(20):
            peer.scrape(f"/probe?module=icmp&target={address(n, 4)}")
        cpu = peer.cpu()
        for n in range(PROBES):
            page = peer.scrape(f"/probe?module=icmp&target={address(n, 4)}")
            assert b"probe_success 1" in page
        theirs = (peer.cpu() - cpu) / PROBES
    print("CPU a probe, the whole agent against blackbox_exporter's module icmp:")
    print(
        f"  {ours * 1e6:.1f} µs (blackbox_exporter {theirs * 1e6:.0f}, {theirs / ours:.0f} times less;"
        f" target ≥ 20, {_met(theirs / ours >= 20)})"
    )


@contextmanager
def _served(lab: Lab, argv: list[str], port: int) -> Iterator[Exporter]:
    """A server inside the near namespace."""
    process = subprocess.Popen(lab.argv(NEAR, *argv), stdin=subprocess.DEVNULL)
    try:
        yield lab.inside(NEAR, lambda: Exporter(process, port))
    finally:
        process.terminate()
        process.wait(30)


def _values(page: bytes, name: str) -> list[float]:
    begin = f"jianwei_probe_{name}".encode()
    return [float(line.rsplit(b" ", 1)[1]) for line in page.splitlines() if line.startswith(begin)]


def _value(page: bytes, name: str) -> str:
    return f"{_values(page, name)[0]:.3f}"


def _sent(page: bytes) -> float:
    return sum(_values(page, "packets_sent_total"))


def _met(right: bool) -> str:
    return "met" if right else "missed"


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    main()
