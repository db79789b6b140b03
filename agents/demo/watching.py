"""The example city's lines as the agent that probes them would tell them on /metrics now (docs/metrics.md)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from agents.demo import city
from agents.demo.usage import CityLine, lines
from rules.linejudge import STATES

LOOKED: Final = 30 * 86400.0  # seconds that the lines were watched


class _Told:
    def collect(self) -> Iterator[Metric]:
        known = list(lines())
        yield _family(
            "line_info",
            ("line", "site", "level", "carrier", "role", "peer"),
            (
                ((it.name, it.site.name, it.site.level, it.carrier, it.role, it.peer), 1.0)
                for it in known
            ),
        )
        yield _family(
            "line_state",
            ("line", "state"),
            (((it.name, state), float(state == state_of(it))) for it in known for state in STATES),
        )
        yield _family(
            "line_availability_ratio",
            ("line",),
            (((it.name,), _up(it)) for it in known),
        )
        yield _family(
            "line_backup_dead",
            ("line",),
            (((it.name,), float(it.name == city.DEAD)) for it in known if it.role == "backup"),
        )
        yield _family(
            "line_state_seconds",
            ("line", "state"),
            (
                ((it.name, state), LOOKED * share)
                for it in known
                for state, share in (("up", _up(it)), ("down", 1 - _up(it)))
            ),
            CounterMetricFamily,
        )
        probed = [it for it in known if state_of(it) != "unknown"]
        yield _family(
            "probe_loss_ratio",
            ("target", "family"),
            (((it.name, "ipv6"), _measured("probe_loss_ratio", it, 0.002)) for it in probed),
        )
        yield _family(
            "probe_rtt_seconds",
            ("target", "family", "stat"),
            (
                ((it.name, "ipv6", "median"), _measured("probe_rtt_seconds", it, 0.012))
                for it in probed
                if state_of(it) != "down"
            ),
        )


def _up(it: CityLine) -> float:
    return 0.258 if it.name == city.DEAD else 0.9992


def state_of(it: CityLine) -> str:
    if it.name == city.DEAD:
        return "down"
    lot = random.Random(it.name).random()  # noqa: S311 - a story, no secret
    return (
        "down" if lot < 0.002 else "degraded" if lot < 0.008 else "unknown" if lot < 0.011 else "up"
    )


def text() -> str:
    registry = CollectorRegistry()
    registry.register(_Told())
    return generate_latest(registry).decode()


def _measured(name: str, it: CityLine, scale: float) -> float:
    if state_of(it) == "down":
        return 1.0
    lot = random.Random(f"{name} {it.name}").random()  # noqa: S311 - a story, no secret
    worse = 20.0 if state_of(it) == "degraded" else 1.0
    return round(scale * (0.2 + lot) * worse, 5)


def _family(
    name: str,
    labels: tuple[str, ...],
    values: Iterator[tuple[tuple[str, ...], float]],
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily] = GaugeMetricFamily,
) -> Metric:
    made = kind(f"jianwei_{name}", "As the agent tells it.", labels=labels)
    for of, value in values:
        made.add_metric(of, value)
    return made
