"""Metrics that other programs leave in files: *.prom in the Prometheus text format 0.0.4.

Write such a file under another name and rename it, so that it is never seen half written. A file
with a timestamp, with anything that is not the format, or with a type or a series that contradicts
an earlier file or with a name of the agent's own is skipped whole, and `node_textfile_scrape_error` is 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, cast, get_args

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Family,
    Glob,
    Kind,
    ParseError,
    Reading,
    Sample,
    Stat,
    gauge,
    malformed,
    sample,
)
from collectors.rows import FileStat

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MTIME, ERROR = "node_textfile_mtime_seconds", "node_textfile_scrape_error"
RESERVED = ("jianwei_", "process_", "node_scrape_collector_", "node_textfile_")
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

Families = dict[str, Family]


class TextfileCollector(Collector, frozen=True):
    """What is in the *.prom files of a directory; `directory` may have `*` in it."""

    name: ClassVar[str] = "textfile"

    directory: str = "/var/lib/jianwei/textfile"

    def readings(self) -> tuple[Reading, ...]:
        pattern = f"{self.directory.rstrip('/')}/*.prom"
        return Glob(pattern), Stat(pattern)

    def parse(self, answers: Answers) -> Iterable[Family]:
        glob, stat = self.readings()
        times = {row.path: row.mtime for row in answers.rows(stat, FileStat)}
        families: Families = {}
        good: list[Sample] = []
        skipped = 0
        for path, answer in answers.children(cast(Glob, glob)).items():
            try:
                new = _families(answer)
                families |= {name: _joined(families.get(name), new[name], path) for name in new}
            except ParseError:
                skipped += 1
            else:
                good.append(sample(times.get(path, 0.0), file=path))
        yield from families.values()
        yield gauge(MTIME, "When a file that was read was last written.", *good)
        yield gauge(ERROR, "Whether a file was skipped.", sample(float(skipped > 0)))


def _families(answer: Answer) -> Families:
    if answer.state != "content":
        raise ParseError(answer.reason)
    return read(answer.content)


def read(content: bytes) -> Families:
    """The families of one file by name; raises ParseError."""
    from prometheus_client.parser import text_string_to_metric_families

    families: Families = {}
    with malformed("textfile"):
        text = content.decode()
        bare = _bare_counters(text)
        for metric in text_string_to_metric_families(text):
            if metric.samples:
                family = _family(metric, bare)
                families[family.name] = _joined(families.get(family.name), family)
    return families


def _bare_counters(text: str) -> set[str]:
    """Counters without `_total` in their name: the parser gives them one, Go leaves them alone."""
    lines = (line.split() for line in text.splitlines() if line.startswith("#"))
    counters = {line[2] for line in lines if line[1:2] == ["TYPE"] and line[3:] == ["counter"]}
    if both := [name for name in counters if f"{name}_total" in counters]:
        raise ParseError(f"{both[0]} is there with and without _total")
    return {name for name in counters if not name.endswith("_total")}


def _family(metric: Metric, bare: set[str]) -> Family:
    kind = "untyped" if metric.type == "unknown" else metric.type
    if kind not in get_args(Kind):
        raise ValueError(f"no type {kind}")
    total = "_total" if kind == "counter" and metric.name not in bare else ""
    name = metric.name + total
    if not METRIC_NAME.fullmatch(name):
        raise ValueError(f"no name for a metric: {name}")
    if name.startswith(RESERVED):
        raise ValueError(f"{name} is the agent's own")
    return Family(name, cast(Kind, kind), metric.documentation, list(_samples(metric)))


def _samples(metric: Metric) -> Iterator[Sample]:
    for it in metric.samples:
        if it.timestamp is not None:
            raise ValueError("has a timestamp")
        if bad := [label for label in it.labels if not LABEL_NAME.fullmatch(label)]:
            raise ValueError(f"no name for a label: {bad[0]}")
        suffix = "" if metric.type == "counter" else it.name[len(metric.name) :]
        yield Sample(tuple(sorted(it.labels.items())), float(it.value), suffix)


def _joined(old: Family | None, new: Family, path: str = "") -> Family:
    """Two parts of one family; raises ParseError where they contradict each other."""
    help_ = (old.help if old else "") or new.help or (path and f"From {path}.")
    samples = [*(old.samples if old else ()), *new.samples]
    if old and old.kind != new.kind:
        raise ParseError(f"{new.name} is {old.kind} and {new.kind}")
    if len({(it.labels, it.suffix) for it in samples}) < len(samples):
        raise ParseError(f"{new.name} has a series twice")
    return Family(new.name, new.kind, help_, samples)
