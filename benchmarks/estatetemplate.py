"""What a page of one of our agents looks like: taken from a real agent on this machine, twice, so that what moves on
a page moves in the simulation too. The text and OpenMetrics formats both stay as the agent writes them.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from benchmarks.exporter import agent

Behaviour = Literal["counter", "gauge", "fixed", "now", "boot"]
APART: Final = 1.0  # seconds between the two looks
ACCEPTS: Final = ("text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0")
_CPU0: Final = 'cpu="0"'
_OWN: Final = ("node_uname_info",)  # an agent's own page part has these


class Line(msgspec.Struct, frozen=True):
    """A line of a page: a comment, or the name and labels of a series and how its value goes."""

    text: str
    behaviour: Behaviour = "fixed"
    base: float = 0.0
    rate: float = 0.0  # a second
    unit: float = 0.0  # values are multiples of it; 0 is any
    comment: bool = False


class Template(msgspec.Struct, frozen=True):
    """The pages of one machine in both formats, without the end mark."""

    plain: tuple[Line, ...]
    openmetrics: tuple[Line, ...]


def taken() -> Template:
    """From a real agent with its defaults, which this starts and ends."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "jianwei.yaml")
        config.write_text("state_dir: state\n")
        with agent("--config", str(config)) as running:
            first = [running.scrape(accept=accept).decode() for accept in ACCEPTS]
            time.sleep(APART)
            second = [running.scrape(accept=accept).decode() for accept in ACCEPTS]
    return Template(*(tuple(lines(*both)) for both in zip(first, second, strict=True)))


def lines(first: str, second: str) -> Iterator[Line]:
    """The lines of the second page, with what became of each value since the first."""
    before = dict(_value(line) for line in first.splitlines() if line and line[0] != "#")
    boot = next((v for k, v in before.items() if k.startswith("node_boot_time_seconds")), 0.0)
    up = time.time() - boot if boot else 86400.0
    kind = ""
    skipped = False
    for line in second.splitlines():
        if line == "# EOF" or not line:
            continue
        if line.startswith("#"):
            _, word, name, *rest = line.split(" ", 3)
            skipped = name in _OWN
            if word == "TYPE":
                kind = rest[0]
            if not skipped:
                yield Line(line, comment=True)
        elif not skipped:
            series, value = _value(line)
            yield Line(series, *_going(series, kind, before.get(series, value), value, up))


def _value(line: str) -> tuple[str, float]:
    series, _, value = line.rpartition(" ")
    return series, float(value)


def _going(
    series: str, kind: str, before: float, after: float, up: float
) -> tuple[Behaviour, float, float, float]:
    """Behaviour, base, rate and unit of a series."""
    if series.startswith("node_time_seconds"):
        return "now", 0.0, 0.0, 0.0
    if series.startswith(("node_boot_time_seconds", "process_start_time_seconds")):
        return "boot", 0.0, 0.0, 0.0
    whole = float(before).is_integer() and float(after).is_integer()
    if kind == "counter" or (kind in ("unknown", "untyped") and after > before):
        return "counter", 0.0, max(after, 0.0) / up, 1.0 if whole else 0.01
    if before == after or after != after:
        return "fixed", after, 0.0, 0.0
    return "gauge", after, 0.0, (4096.0 if after % 4096 == 0 else 1.0) if whole else 0.0


def sized(page: tuple[Line, ...], series: int) -> tuple[Line, ...]:
    """With so many series: more CPUs for more of them, less of large families for fewer."""
    have = sum(not line.comment for line in page)
    if have > series:
        return tuple(_shortened(page, series))
    copied = [line for line in page if not line.comment and _CPU0 in line.text]
    more: dict[int, list[Line]] = {}
    cpu = 1 + max(
        (int(n) for line in page for n in re.findall(r'cpu="(\d+)"', line.text)), default=0
    )
    place = {id(line): index for index, line in enumerate(page)}
    while have < series and copied:
        for line in copied[: series - have]:
            end = _family_end(page, place[id(line)])
            text = line.text.replace(_CPU0, f'cpu="{cpu}"')
            more.setdefault(end, []).append(msgspec.structs.replace(line, text=text))
            have += 1
        cpu += 1
    made: list[Line] = []
    for index, line in enumerate(page):
        made += [line, *more.get(index, ())]
    return tuple(made)


def _family_end(page: tuple[Line, ...], index: int) -> int:
    """Where the last line of the family of this one is: families stand together."""
    while index + 1 < len(page) and not page[index + 1].comment:
        index += 1
    return index


def _shortened(page: tuple[Line, ...], series: int) -> Iterator[Line]:
    """Of the largest families the last series go first; where each has but one, the last families do."""
    families: list[list[Line]] = []
    for line in page:
        if line.comment and (not families or not families[-1][-1].comment):
            families.append([])
        families[-1].append(line)
    sizes = [sum(not line.comment for line in family) for family in families]
    while sum(sizes) > series and max(sizes) > 1:
        largest = sizes.index(max(sizes))
        families[largest].pop()
        sizes[largest] -= 1
    for family in families[:series]:
        yield from family
