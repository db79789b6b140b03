"""From observations to the families of one page, each name once.

`node_scrape_collector_*` are node_exporter's series about its collectors.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

from collectors.model import Family, Sample, gauge, sample
from collectors.observe import Observation

log = logging.getLogger(__name__)


def with_scrape_series(observations: Sequence[Observation]) -> list[Family]:
    """The families observed, and for every collector whether it succeeded and how long it took."""
    # text files are other people's: where they repeat a series of the host's, it stays
    ordered = sorted(observations, key=lambda o: o.collector == "textfile")
    families = merged(list(chain.from_iterable(o.families for o in ordered)))
    families += (
        gauge(
            "node_scrape_collector_duration_seconds",
            "How long the collector took.",
            *(Sample((("collector", o.collector),), o.seconds) for o in observations),
        ),
        gauge(
            "node_scrape_collector_success",
            "Whether the collector saw what it looks at.",
            *(
                Sample((("collector", o.collector),), 0.0 if o.failure else 1.0)
                for o in observations
            ),
        ),
    )
    if failures := [o for o in observations if o.failure]:
        families.append(
            gauge(
                "jianwei_collector_failure",
                "Always 1, for each collector that failed; the label reason says what kind it was.",
                *(sample(1.0, collector=o.collector, reason=o.failure) for o in failures),
            )
        )
    return families


def merged(families: list[Family]) -> list[Family]:
    """One family a name: samples of the same name and type together, what came before stays: a sample
    of another type, or of the same labels, is left out."""
    parts: dict[str, list[Family]] = {}
    for family in families:
        parts.setdefault(family.name, []).append(family)
    return [_one(same) if len(same) > 1 else same[0] for same in parts.values()]


def _one(parts: list[Family]) -> Family:
    first, *others = parts
    samples = list(first.samples)
    there = {_series(it) for it in samples}
    for family in others:
        if family.kind != first.kind:
            log.error(
                "%s is a %s and a %s; the latter left out", first.name, first.kind, family.kind
            )
            continue
        new = [it for it in family.samples if _series(it) not in there]
        if twice := len(family.samples) - len(new):
            log.error("%s has %d series twice; the latter left out", first.name, twice)
        samples += new
        there.update(map(_series, new))
    return Family(first.name, first.kind, first.help, tuple(samples))


def _series(it: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    """What Prometheus tells series of one family apart by: an empty label is none."""
    return it.suffix, frozenset(label for label in it.labels if label[1])
