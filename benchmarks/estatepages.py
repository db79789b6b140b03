"""Pages of many agents, made as they are asked for and cheap enough for it.

Most of a page is that of a kind of machine at an age and is made and compressed once for all agents of the kind; what
an agent says of itself follows as further blocks of the same deflate stream (RFC 1951, RFC 1952): one gzip member, as the
agent writes it. Counters only grow while an agent lives, and begin anew when it restarts.
"""

from __future__ import annotations

import math
import struct
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from benchmarks.estatetemplate import Line, Template, sized

KINDS: Final = 64
WEEK: Final = 7 * 86400.0
LIFE: Final = 20  # scrapes that something short-lived is seen for
RESOURCES, LINES = 4, 2
STATES: Final = ("up", "degraded", "down", "unknown")
_RESOURCE: Final = (
    "cpu_ratio",
    "memory_ratio",
    "steal_ratio",
    "receive_bytes_per_second",
    "transmit_bytes_per_second",
)
_SHORT: Final = ("cpu_user_seconds_total", "memory_rss", "fs_reads_bytes_total", "threads")
_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_KEPT: Final = 4 * KINDS


class Moment(NamedTuple):
    """Where an agent is in its life."""

    agent: int
    scrape: int  # of the whole run
    age: int  # scrapes since the last restart
    young: bool  # it has restarted in this run


class Part(NamedTuple):
    text: bytes
    coded: bytes  # raw deflate, ended at a byte, not finished
    crc: int


class Pages:
    """`series` on each page; of them the share `churn` is of things that come and go."""

    def __init__(self, template: Template, series: int, churn: float, interval: float) -> None:
        self._interval = interval
        self._short = round(series * churn / len(_SHORT))
        own = 1 + RESOURCES * len(_RESOURCE) + LINES * len(STATES) + self._short * len(_SHORT)
        if own >= series:
            raise ValueError(f"a page of {series} series is too small: an agent's own are {own}")
        self._kinds = tuple(
            _Kind(sized(page, series - own)) for page in (template.plain, template.openmetrics)
        )
        self._parts: OrderedDict[tuple[bool, int, int, bool], Part] = OrderedDict()

    def page(self, at: Moment, openmetrics: bool) -> bytes:
        """The text."""
        return self._shared(at, openmetrics).text + self._own(at, openmetrics)

    def gzipped(self, at: Moment, openmetrics: bool) -> bytes:
        """The page as our agent compresses it."""
        shared, own = self._shared(at, openmetrics), self._own(at, openmetrics)
        coder = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        end = struct.pack("<II", zlib.crc32(own, shared.crc), len(shared.text) + len(own))
        return b"".join((_HEAD, shared.coded, coder.compress(own), coder.flush(), end))

    def _shared(self, at: Moment, openmetrics: bool) -> Part:
        key = (openmetrics, at.agent % KINDS, at.age, at.young)
        part = self._parts.get(key)
        if part is None:
            alive = (0.0 if at.young else WEEK) + at.age * self._interval
            text = self._kinds[openmetrics].text(at.agent % KINDS, alive)
            coder = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
            coded = coder.compress(text) + coder.flush(zlib.Z_FULL_FLUSH)
            part = self._parts[key] = Part(text, coded, zlib.crc32(text))
            while len(self._parts) > _KEPT:
                self._parts.popitem(last=False)
        return part

    def _own(self, at: Moment, openmetrics: bool) -> bytes:
        """What only this agent says."""
        name = f"agent{at.agent:05d}"
        alive = (0.0 if at.young else WEEK) + at.age * self._interval
        wave = [0.5 + 0.45 * math.sin(0.01 * alive + at.agent + n) for n in range(RESOURCES)]
        out = [
            "# TYPE node_uname_info gauge",
            f'node_uname_info{{machine="x86_64",nodename="{name}",release="6.1.0",sysname="Linux"}} 1.0',
        ]
        for n, what in enumerate(_RESOURCE):
            out.append(f"# TYPE jianwei_resource_{what} gauge")
            scale = 1.0 if what.endswith("ratio") else 1e6
            for k in range(RESOURCES):
                value = round(wave[(k + n) % RESOURCES] * scale, 4)
                out.append(
                    f'jianwei_resource_{what}{{cloud="gov",resource="{name}-vm{k}"}} {value}'
                )
        out.append(_type("jianwei_line_state_seconds_total", "counter", openmetrics))
        for k in range(LINES):
            for state in STATES:
                value = round(alive * (0.99 if state == "up" else 0.001), 1)
                out.append(
                    f'jianwei_line_state_seconds_total{{line="{name}-line{k}",state="{state}"}} {value}'
                )
        out += self._short_lived(at, openmetrics)
        if openmetrics:
            out.append("# EOF")
        return ("\n".join(out) + "\n").encode()

    def _short_lived(self, at: Moment, openmetrics: bool) -> Iterator[str]:
        slots = range(self._short)
        born = [divmod(at.scrape + n * LIFE // max(1, self._short), LIFE) for n in slots]
        for what in _SHORT if self._short else ():
            counts = what.endswith("_total")
            yield _type(f"container_{what}", "counter" if counts else "gauge", openmetrics)
            for n, (generation, age) in zip(slots, born, strict=True):
                id = f"/job/{at.agent:05d}-{n}-{generation}"
                # of a restarted machine they begin anew as its other counters do
                value = float(min(age, at.age) if counts else 4096 * (age * 37 % 19 + 1))
                yield f'container_{what}{{id="{id}",name="job-{n}-{generation}"}} {value}'


def _type(name: str, kind: str, openmetrics: bool) -> str:
    name = name.removesuffix("_total") if openmetrics else name
    return f"# TYPE {name} {kind}"


class _Kind:
    """The lines that the agents of a kind share, as columns."""

    def __init__(self, page: tuple[Line, ...]) -> None:
        self._heads: list[str] = []  # comments before a series, and the series itself
        series: list[Line] = []
        head = ""
        for line in page:
            head += line.text + ("\n" if line.comment else " ")
            if not line.comment:
                self._heads.append(head)
                series.append(line)
                head = ""
        self._tail = head
        is_ = {
            kind: np.array([line.behaviour == kind for line in series])
            for kind in ("counter", "gauge", "now", "boot")
        }
        self._is = is_
        self._base, self._rate, self._unit = (
            np.array([getattr(line, name) for line in series]) for name in ("base", "rate", "unit")
        )
        self._phase = np.arange(len(series)) * 2.399963  # the golden angle: no two alike

    def text(self, kind: int, alive: float) -> bytes:
        """Of a machine of this kind that has been up for so many seconds."""
        factor = 0.5 + kind / KINDS * 2
        phase = self._phase + kind
        # its slope is positive everywhere: 1 + 0.8 cos
        counted = (
            self._rate * factor * (alive + 120 * (np.sin(alive / 150 + phase) - np.sin(phase)))
        )
        noise = np.sin(alive * 12.9898 + phase * 78.233) * 43758.5453
        moving = 1 + 0.05 * np.sin(alive / 900 + phase) + 0.01 * (noise - np.floor(noise))
        values = np.where(self._is["counter"], counted, self._base)
        values = np.where(self._is["gauge"], self._base * moving, values)
        unit = np.where(self._unit > 0, self._unit, 1.0)
        values = np.where(self._unit > 0, np.floor(values / unit) * unit, values)
        values = np.where(self._unit == 0.01, np.round(values, 2), values)
        now = time.time()
        values[self._is["now"]] = now
        values[self._is["boot"]] = math.floor(now - alive)
        pairs = zip(self._heads, values.tolist(), strict=True)
        return ("".join(f"{head}{_number(value)}\n" for head, value in pairs) + self._tail).encode()


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return repr(value) if abs(value) != math.inf else ("+Inf" if value > 0 else "-Inf")
