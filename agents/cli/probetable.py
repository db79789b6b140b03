"""Probe results for people: both families side by side, reasons in words, Chinese or English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from collectors.link.statistics import rtt_statistics
from collectors.model import AddressFamily, ProbeResult
from exporters.prometheus.landingtext import text as landing_text

GAP = "  "
STATISTICS = ("min", "median", "p95", "max")


class Words(NamedTuple):
    zh: str
    en: str

    def of(self, language: str) -> str:
        return self.en if language == "en" else self.zh


_TARGET = Words("目标", "Target")
_LOSS = Words("丢包", "Loss")
_RTT = Words("往返 ms 最小/中位/p95/最大", "RTT ms min/median/p95/max")
_LATE = Words("迟到", "late")
_DUPLICATES = Words("重复", "duplicates")
_WAITING = Words("等待", "waiting")
_PROGRESS = Words(
    "{done}/{all} 个目标已有结果,{up} 个应答",
    "{done} of {all} targets have results, {up} answering",
)
_DATAGRAM = Words(
    "无原始套接字权限,使用 ICMP 数据报套接字。",
    "Without the privilege for raw sockets: ICMP datagram sockets are used.",
)
_FAMILIES: dict[AddressFamily, str] = {"ipv4": "IPv4", "ipv6": "IPv6"}


class Cell(NamedTuple):
    text: str
    colour: str | None = None


def table(results: Sequence[ProbeResult], language: str) -> str:
    """One line a target; a column group for each family that has results."""
    families = [family for family in _FAMILIES if any(r.family == family for r in results)]
    by_target: dict[str, dict[AddressFamily, ProbeResult]] = {}
    for result in results:
        by_target.setdefault(result.target, {})[result.family] = result
    rows = [[Cell(_TARGET.of(language))]]
    for family in families:
        rows[0] += [Cell(_FAMILIES[family]), Cell(_LOSS.of(language)), Cell(_RTT.of(language))]
    for target, of_family in by_target.items():
        rows.append([Cell(target), *_cells(families, of_family, language)])
    widths = [
        max(map(_width, (cell.text for cell in column))) for column in zip(*rows, strict=True)
    ]
    lines = [GAP.join(map(_padded, row, widths)).rstrip() for row in rows]
    if any(result.mode == "datagram" for result in results):
        lines.append(_DATAGRAM.of(language))
    return "\n".join(lines)


def progress(results: Sequence[ProbeResult], language: str) -> str:
    """One line about a round under way."""
    targets = {result.target for result in results}
    done = {result.target for result in results if result.success or result.reason}
    up = {result.target for result in results if result.success}
    return _PROGRESS.of(language).format(done=len(done), all=len(targets), up=len(up))


def _cells(
    families: Sequence[AddressFamily],
    of_family: Mapping[AddressFamily, ProbeResult],
    language: str,
) -> list[Cell]:
    cells = []
    for family in families:
        if result := of_family.get(family):
            loss = Cell(f"{result.loss * 100:.3g}%" if result.sent else "")
            cells += [Cell(result.address or "—"), loss, _outcome(result, language)]
        else:
            cells += [Cell("—"), Cell(""), Cell("")]
    return cells


def _outcome(result: ProbeResult, language: str) -> Cell:
    """Times, or why there are none."""
    extras = [
        f"{words.of(language)} {count}"
        for words, count in ((_LATE, result.late), (_DUPLICATES, result.duplicates))
        if count
    ]
    if result.success:
        rtt = rtt_statistics(result.rtts)
        times = "/".join(f"{rtt[name] * 1000:.2f}" for name in STATISTICS)
        return Cell(" ".join((times, *extras)), "yellow" if result.loss else "green")
    if not result.reason:
        return Cell(_WAITING.of(language))
    words = [landing_text(f"reason_{result.reason}", language), *extras]
    if result.detail and result.sent:  # of a name that has no address, the words say it all
        words.append(f"({result.detail})")
    return Cell(" ".join(words), "red")


def _padded(cell: Cell, width: int) -> str:
    padding = " " * (width - _width(cell.text))
    return (click.style(cell.text, fg=cell.colour) if cell.colour else cell.text) + padding


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
