"""An estate of simulated agents, scraped by a real engine: what one Prometheus or VictoriaMetrics carries on this machine.

    python -m benchmarks.estate --minutes 10 --engine prometheus victoria-metrics
    python -m benchmarks.estate --agents 500 1000 2000 4000 --minutes 2      # rows of a sizing table

A measurement, no judgement: the exit status is 0 in any case. The verdict is against 2,000 agents ×
600 series every 15 s for 10 minutes. Failures that the simulation made are told apart from those that the engine had.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.estatelab import Name, engine, simulated
from benchmarks.estateresult import Result, verdict
from benchmarks.estateserver import Estate
from benchmarks.estatetemplate import Template, taken
from benchmarks.estatewatch import RAMP, watched


def measured(name: Name, estate: Estate, minutes: float) -> Result:
    """One engine over one estate."""
    with tempfile.TemporaryDirectory(prefix="estate-") as kept:
        folder = Path(kept)
        with (
            simulated(estate, folder, min(RAMP, estate.agents)) as agents,
            engine(name, folder, estate.interval) as engines,
        ):
            return watched(name, estate, agents, engines, folder, minutes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", type=int, nargs="+", default=[2000])
    parser.add_argument("--series", type=int, default=600, help="of one agent")
    parser.add_argument("--interval", type=float, default=15, help="seconds")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--engine", nargs="+", choices=["prometheus", "victoria-metrics"],
        default=["prometheus", "victoria-metrics"],
    )  # fmt: skip
    parser.add_argument(
        "--churn", type=float, default=0.05,
        help="share of series that live for 20 scrapes, and of agents that restart in an hour",
    )  # fmt: skip
    parser.add_argument(
        "--failures", type=float, default=0.0,
        help="share of scrapes answered late, never, by half or with 500",
    )  # fmt: skip
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with this
    template: Template = taken()
    results = []
    for agents in asked.agents:
        for name in asked.engine:
            estate = Estate(
                agents=agents, series=asked.series, interval=asked.interval, churn=asked.churn,
                failures=asked.failures, template=template,
            )  # fmt: skip
            print(
                f"{time.strftime('%H:%M:%S')} {name}, {agents} agents", file=sys.stderr, flush=True
            )
            results.append(measured(name, estate, asked.minutes))
            print(results[-1].told(), flush=True)
    print(Result.head())
    for result in results:
        print(result.row())
    for result in results:
        print(verdict(result))


if __name__ == "__main__":
    main()
