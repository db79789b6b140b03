"""`make bench`: importing usage and its statistics, side by side with DuckDB on the same files.

10,000 resources × 31 days × five minutes by default, made by historydata.py in a folder of its own. DuckDB is put
into that folder by pip and is no dependency; where it cannot be had, the reason is printed. Both tell the
same statistics, and how far they differ. A measurement, no judgement: the exit status is 0 in any case.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks import historydata
from benchmarks.agent import Figure
from benchmarks.process import Run, run
from exporters.history import statistics, workcalendar
from exporters.history.file import connect

JIANWEI = (sys.executable, "-P", "-m", "agents", "history")
GZ_DAYS = 3
Statistics = dict[str, list[float]]  # resource → mean, p50, p95, maximum, its time, coverage, work

PEER_IMPORT = """
import duckdb, sys
db = duckdb.connect(sys.argv[1])
db.execute("CREATE TABLE usage AS SELECT * FROM read_csv(?, header = true)", [sys.argv[2]])
db.close()
"""
PEER_STATISTICS = """
import duckdb, json, sys
db = duckdb.connect(sys.argv[1])
db.execute("SET enable_progress_bar = false")  # it is on standard output
slots = int(sys.argv[2])
rows = db.execute(f'''
SELECT resource, avg(value), quantile_cont(value, 0.5), quantile_cont(value, 0.95), max(value),
    min_by(timestamp, (-value, timestamp)), count(*) / {slots}, avg(value) FILTER (work)
FROM (SELECT *, (timestamp + 28800) // 86400 % 7 NOT IN (2, 3)
    AND ((timestamp + 28800) // 3600 % 24 IN (9, 10, 11, 14, 15, 16, 17)) AS work FROM usage)
GROUP BY resource''').fetchall()
print(json.dumps({row[0]: row[1:] for row in rows}))
"""


def told(what: str, done: Run, samples: int, target: float | None = None) -> float:
    rate = samples / done.wall
    print(Figure(f"{what}", rate / 1e6, "million samples/s", target=target, at_least=True))
    print(
        f"  {done.wall:.1f} s, CPU {done.cpu:.1f} s ({samples / done.cpu / 1e6:.2f} million a CPU second), {done.memory / 1e6:.0f} MB"
    )
    return rate


def usage(path: str, days: int) -> Statistics:
    """What `told_statistics` measures: all statistics of all resources."""
    until = historydata.START + days * historydata.SLOTS * historydata.STEP
    with closing(connect(Path(path))) as connection:
        found = statistics.usage(connection, "cpu", historydata.START, until, workcalendar.load())
    return {
        name: [
            its.mean,
            its.p50 if its.p50 is not None else -1,
            its.p95,
            its.maximum,
            its.maximum_at,
            its.coverage,
            its.work if its.work is not None else -1,
        ]
        for name, its in found.items()
    }


def differ(ours: Statistics, theirs: Statistics) -> float:
    """The largest relative difference of any figure."""
    if ours.keys() != theirs.keys():
        raise RuntimeError("not the same resources")
    return max(
        abs(mine - its) / max(abs(its), 1e-9)
        for name, row in ours.items()
        for mine, its in zip(row, theirs[name], strict=True)
    )


def peer(folder: Path) -> dict[str, str] | str:
    """The environment in which DuckDB can be imported, or why there is none."""
    argv = ["python3", "-m", "pip", "install", "-q", "--target", str(folder), "duckdb"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return {**os.environ, "PYTHONPATH": str(folder)}


def measure(folder: Path, resources: int, days: int) -> None:
    long, wide, packed = folder / "long.csv", folder / "wide.csv", folder / "long.csv.gz"
    samples = historydata.write_long(long, resources, days)
    historydata.write_wide(wide, resources, days)
    few = historydata.write_long(packed, resources, GZ_DAYS)
    print(
        f"{samples:,} samples: long {long.stat().st_size / 1e6:,.0f} MB, wide {wide.stat().st_size / 1e6:,.0f} MB"
    )
    history, other = folder / "history.db", folder / "other.db"
    ours = told(
        "import, long", run((*JIANWEI, "import", "--history", str(history), str(long))), samples, 1
    )
    form = ("import", "--wide", "--metric", "cpu", "--start", str(historydata.START))
    told("import, wide", run((*JIANWEI, *form, "--history", str(other), str(wide))), samples, 1)
    other.unlink()
    done = run((*JIANWEI, "import", "--history", str(other), str(packed)))
    told(f"import, long, gzipped, {GZ_DAYS} days", done, few)
    print(f"  file: {history.stat().st_size / 1e6:,.0f} MB")
    done = run(
        (
            sys.executable,
            "-P",
            "-m",
            "benchmarks.history",
            "--usage",
            str(history),
            "--days",
            str(days),
        )
    )
    mine = msgspec.json.decode(done.output, type=Statistics)
    print(Figure("statistics of all resources", done.wall, "s", target=20))
    print(f"  CPU {done.cpu:.1f} s")
    print(Figure("  memory, resident at most", done.memory / 1e6, "MB", target=1500))
    beside(folder, long, samples, days, ours, done, mine)


def beside(
    folder: Path, long: Path, samples: int, days: int, rate: float, used: Run, ours: Statistics
) -> None:
    found = peer(folder / "peer")
    if isinstance(found, str):
        print(f"no DuckDB: {found}")
        return
    table = str(folder / "peer.duckdb")
    done = run((sys.executable, "-c", PEER_IMPORT, table, str(long)), found)
    print("DuckDB:")
    theirs = told("  import, long", done, samples)
    print(f"  file: {os.stat(table).st_size / 1e6:,.0f} MB")
    slots = str(days * historydata.SLOTS)
    done = run((sys.executable, "-c", PEER_STATISTICS, table, slots), found)
    print(Figure("  statistics of all resources", done.wall, "s"))
    print(f"  CPU {done.cpu:.1f} s, {done.memory / 1e6:.0f} MB")
    apart = differ(ours, msgspec.json.decode(done.output, type=Statistics))
    print(f"ours to DuckDB: import {rate / theirs:.2f} of its rate, statistics in "
          f"{used.wall / done.wall:.2f} of its time, {used.memory / done.memory:.2f} of its memory; "
          f"figures differ by {apart:.1e} at most")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--usage", metavar="FILE", help="only the statistics of a file, as JSON")
    arguments = parser.parse_args()
    if arguments.usage:
        found = usage(arguments.usage, arguments.days)
        sys.stdout.buffer.write(msgspec.json.encode(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.resources, arguments.days)


if __name__ == "__main__":
    main()
