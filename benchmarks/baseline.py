"""`make bench`: the security baseline of one host beside lynis, of 200 hosts over SSH, and of odd input.

The 200 hosts are sshd instances of this machine on loopback addresses, so their work is done by the
same two cores. A measurement, no judgement: the exit status is 0 in any case.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.agent import Figure
from benchmarks.process import run
from collectors import catalogue
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Command,
    File,
    Glob,
    NeedMore,
    ParseError,
    Reading,
    Unavailable,
)
from rules import pack as packs
from tests.sshlab import SshLab

PACK = "mlps-l3"
COMMAND = (sys.executable, "-P", "-m", "agents", "audit", "--pack", PACK, "--format", "json")
LYNIS = ("lynis", "audit", "system", "--quick", "--no-colors", "--quiet")
HOSTS = 200
LINES = 10_000
# Lines that parsers with a quadratic step, a backtracking pattern or a recursion suffer from.
PATHOLOGICAL = (
    b"a" * 400 + b"!",
    b'"' * 61 + b"\\",
    b"(" * 80,
    b"include include include /etc/*",
    b"x = $x ${x} \\",
    b" \t" * 100 + b"#",
    b"a,b;c:d|e=f " * 20,
    b"[[[[:::///...",
    b"-a always,exit -F a=b -F a=b -S all -k \\",
    b"ALL ALL=(ALL:ALL) NOPASSWD: ALL, \\",
)


def host(times: int, peer_times: int) -> None:
    runs = [run(COMMAND) for _ in range(times)]
    wall = median(r.wall for r in runs)
    result = json.loads(runs[-1].output)
    [pack] = result["packs"]
    print(f"{PACK}: {sum(pack['counts'].values())} rules, {pack['counts']}")
    print(Figure("audit of this host, whole command, median", wall, "s", target=1.5))
    print(Figure("  memory, resident at most", max(r.memory for r in runs) / 1e6, "MB", target=150))
    print(f"  CPU {median(r.cpu for r in runs):.3f} s")
    if not shutil.which(LYNIS[0]):
        print("no lynis: install the Debian package lynis")
        return
    theirs = []
    for _ in range(peer_times):
        with tempfile.TemporaryDirectory() as folder:
            files = ("--logfile", f"{folder}/log", "--report-file", f"{folder}/report")
            theirs.append(run((*LYNIS, *files)))
    other = median(r.wall for r in theirs)
    print(f"  lynis {other:.1f} s, CPU {median(r.cpu for r in theirs):.1f} s")
    print(Figure("  times faster than lynis", other / wall, "", target=25, at_least=True))


def fleet(folder: Path, count: int) -> None:
    lab = SshLab(folder)
    try:
        rows = []
        for number in range(count):
            server = lab.server(address=f"127.1.{number // 250}.{number % 250 + 1}")
            rows.append({"name": f"host-{number:03}", "host": server.target})
        (folder / "hosts.yaml").write_text(json.dumps({"hosts": rows}))
        settings = {
            "known_hosts": [str(lab.known_hosts)],
            "config_file": "",
            "key_file": str(lab.key),
            "use_agent": False,
        }
        (folder / "agent.yaml").write_text(json.dumps({"ssh": settings}))
        files = ("--config", str(folder / "agent.yaml"), "--inventory", str(folder / "hosts.yaml"))
        done = run((*COMMAND, *files))
    finally:
        lab.close()
    results = [json.loads(line) for line in done.output.splitlines()]
    judged = sum(one["result"] is not None for one in results)
    print(Figure(f"{judged} of {count} hosts over SSH", done.wall, "s", target=60))
    print(Figure("  memory, resident at most", done.memory / 1e6, "MB", target=150))
    print(f"  CPU of ours {done.cpu:.1f} s")
    for one in results:
        if one["problem"]:
            print(f"  {one['name']}: {one['problem']}")
            break


def odd() -> None:
    """Every file that the pack's collectors read has 10,000 lines that no one would write."""
    content = b"\n".join(PATHOLOGICAL * (LINES // len(PATHOLOGICAL)))
    names = {fact for rule in packs.load(PACK).rules for fact in rule.facts}
    took = {}
    for collector in catalogue.for_facts(names, catalogue.Settings()):
        start = time.perf_counter()
        _parse(collector, content)
        took[collector.name] = time.perf_counter() - start
    slowest = max(took, key=lambda name: took[name])
    print(
        Figure(f"{LINES} odd lines in each file, slowest ({slowest})", took[slowest], "s", target=1)
    )


def _parse(collector: Collector, content: bytes) -> None:
    answered: dict[Reading, Answer] = {}
    wanted: list[Reading] = list(collector.readings())
    for _ in range(8):
        answered.update((reading, _odd(reading, content)) for reading in wanted)
        try:
            list(collector.parse(Answers(answered)))
        except NeedMore as more:
            wanted = list(more.readings)
        except (ParseError, Unavailable):
            return
        else:
            return


def _odd(reading: Reading, content: bytes) -> Answer:
    match reading:
        case File() | Command():
            return Answer("content", content)
        case Glob(pattern=pattern):
            path = pattern.replace("*", "odd")
            return Answer("content", children=((path, Answer("content", content)),))
    return Answer("content", b"[]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    arguments = parser.parse_args()
    host(9, 2)
    odd()
    with tempfile.TemporaryDirectory() as folder:
        fleet(Path(folder), arguments.hosts)


if __name__ == "__main__":
    main()
