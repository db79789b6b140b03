"""`make soak`: thousands of scrapes of one agent; its memory must not grow.

The first tenth fills caches and is left out of the growth.
"""

from __future__ import annotations

import argparse
from statistics import linear_regression

from benchmarks.exporter import agent

SCRAPES = 20_000
POINTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory of the agent over many scrapes.")
    parser.add_argument("--scrapes", type=int, default=SCRAPES)
    scrapes = parser.parse_args().scrapes
    interval = max(scrapes // POINTS, 1)
    points: list[tuple[int, float]] = []
    with agent() as exporter:
        for number in range(1, scrapes + 1):
            exporter.scrape()
            if number % interval == 0:
                rss, pss = exporter.memory()
                print(
                    f"{number:6} scrapes: RSS {rss:.2f} MB, PSS {pss:.2f} MB,"
                    f" {exporter.threads()} threads",
                    flush=True,
                )
                if number >= scrapes // 10:
                    points.append((number, rss))
    slope = linear_regression([n for n, _ in points], [rss for _, rss in points]).slope
    growth = points[-1][1] - points[0][1]
    print(f"growth from scrape {points[0][0]} to {points[-1][0]}: {growth:.2f} MB")
    print(f"slope: {slope * 1e6:.1f} bytes a scrape")


if __name__ == "__main__":
    main()
