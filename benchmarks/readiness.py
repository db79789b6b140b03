"""`make bench`: IPv6 readiness of a host, of a hundred sites at once, and of the same sites again.

The sites are those of tests/readinesslab.py, each broken in one way, and good ones to make a hundred;
name servers and nginx share the two cores with what is measured. No other tool does this without the
internet, so there is no peer. A measurement, no judgement: the exit status is 0 in any case.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.agent import Figure
from benchmarks.process import run
from rules.readinessmodel import Readiness
from tests.readinesslab import HOSTS, PAGES, SITES, LabSite, ReadinessLab, seen, unavailable, web

COUNT = 100
COMES_AND_GOES = "one-in-three"  # not an unchanged site
COMMAND = (sys.executable, "-P", "-m", "agents", "ipv6")


def host(times: int) -> None:
    runs = [run((*COMMAND, "--json")) for _ in range(times)]
    print(
        Figure("host audit, whole command, median", median(r.wall for r in runs), "s", target=0.5)
    )
    print(
        f"  CPU {median(r.cpu for r in runs):.3f} s, {median(r.memory for r in runs) / 1e6:.0f} MB"
    )


def hundred(folder: Path) -> None:
    more = [f"good-{n}" for n in range(COUNT - len(SITES))]
    sites = [
        *SITES,
        *(LabSite(label, web(label, tls=True, files=PAGES), tls=True) for label in more),
    ]
    with ReadinessLab(folder, sites) as lab:
        urls = [f"{'https' if one.tls else 'http'}://{one.host}/" for one in sites]
        roots = [f"--root={address}" for address in HOSTS["root"]]
        trust = f"--ca-file={lab.web.folder / 'ca.pem'}"
        argv = (*COMMAND, "check", "--json", trust, *roots, *urls)
        done = run(lab.web.net.argv("client", *argv))
    found = msgspec.json.Decoder(Readiness)
    results = [found.decode(line) for line in done.output.splitlines()]
    print(Figure(f"{len(results)} sites at once", done.wall, "s", target=60))
    print(Figure("  memory, resident at most", done.memory / 1e6, "MB", target=200))
    slowest = max(results, key=lambda one: one.duration)
    perfect = sum(one.score == 100 for one in results)
    print(f"  CPU {done.cpu:.1f} s; slowest {slowest.duration:.1f} s ({slowest.subject.name})")
    print(f"  {perfect} sites with 100 points of {len(more) + 3} that have no fault")


def again(folder: Path, times: int) -> None:
    labels = [one.label for one in SITES if one.label != COMES_AND_GOES]
    with ReadinessLab(folder) as lab:
        first = {label: seen(one) for label, one in lab.check(labels).items()}
        flapped: dict[str, int] = {}
        for _ in range(times - 1):
            for label, one in lab.check(labels).items():
                if seen(one) != first[label]:
                    flapped[label] = flapped.get(label, 0) + 1
    changed = sum(flapped.values())
    print(
        Figure(
            f"verdicts that changed in {times} runs of {len(first)} sites", changed, "", target=0
        )
    )
    for label, count in flapped.items():
        print(f"  {label}: {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of the unchanged lab")
    arguments = parser.parse_args()
    host(9)
    if why := unavailable():
        print(f"no sites: {why}")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("hundred", "again"):
            Path(folder, name).mkdir()
        hundred(Path(folder, "hundred"))
        again(Path(folder, "again"), arguments.runs)


if __name__ == "__main__":
    main()
