"""A path for people: one line a hop, then how it ended. Chinese or English."""

from __future__ import annotations

from collections.abc import Sequence

from agents.cli.probetable import Words
from collectors.link.path import Hop, Path
from exporters.findings.text import neutral, width
from exporters.prometheus.landingtext import text as landing_text

_HOP = Words("跳", "Hop")
_ADDRESS = Words("地址", "Address")
_NAME = Words("名称", "Name")
_RTT = Words("往返 ms", "RTT ms")
_REACHED = Words("已到达,共 {hops} 跳", "reached, {hops} hops")
_NOT_REACHED = Words("未到达:{reason}", "not reached: {reason}")
_MTU = Words("路径 MTU {mtu} 字节", "path MTU {mtu} bytes")
_TOLD = Words("(由 {address} 告知)", " (told by {address})")
_HOLE = Words(
    ";黑洞:更大的报文被丢弃且无任何通知",
    "; a black hole: larger packets vanish without a word",
)
_NO_MTU = Words(
    "路径 MTU 未知:目标不应答 ICMP 回显", "path MTU unknown: the target answers no echo"
)
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}


def table(path: Path, language: str, names: bool = False, mtu: bool = True) -> str:
    """What comes from the network is shown with its control characters escaped."""
    where = f" ({path.address})" if path.address and path.address != path.target else ""
    lines = [f"{path.target}{where}  {_FAMILIES[path.family]}  {path.method.upper()}"]
    if path.hops:
        head = [_HOP.of(language), _ADDRESS.of(language), _RTT.of(language)]
        if names:
            head.append(_NAME.of(language))
        rows = [head, *(row for hop in path.hops for row in _rows(hop, language, names))]
        lines += _aligned(rows)
    lines.append(_end(path, language))
    if path.reached and mtu:
        lines.append(_mtu(path, language))
    return "\n".join(neutral(line) for line in lines)


def _rows(hop: Hop, language: str, names: bool) -> list[list[str]]:
    """One line for each alternative; the time and what was said in the first."""
    rows = []
    for number, address in enumerate(hop.addresses or ("*",)):
        first = number == 0
        time = f"{hop.rtt * 1000:.2f}" if first and hop.rtt is not None else ""
        row = [str(hop.ttl) if first else "", address, time]
        if names:
            row.append(hop.names[number] if number < len(hop.names) else "")
        if first and hop.reason:
            row.append(landing_text(f"reason_{hop.reason}", language))
        rows.append(row)
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    columns = max(map(len, rows))
    widths = [
        max((width(row[n]) for row in rows if n < len(row)), default=0) for n in range(columns)
    ]
    return [
        "  ".join(cell + " " * (widths[n] - width(cell)) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _end(path: Path, language: str) -> str:
    if path.reached:
        return _REACHED.of(language).format(hops=len(path.hops))
    reason = landing_text(f"reason_{path.reason}", language)
    detail = f" ({path.detail})" if path.detail else ""
    return _NOT_REACHED.of(language).format(reason=reason) + detail


def _mtu(path: Path, language: str) -> str:
    if path.mtu is None:
        return _NO_MTU.of(language)
    words = _MTU.of(language).format(mtu=path.mtu)
    if path.mtu_source:
        words += _TOLD.of(language).format(address=path.mtu_source)
    return words + (_HOLE.of(language) if path.mtu_black_hole else "")
