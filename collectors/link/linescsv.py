"""Lines from a spreadsheet (collectors/csvtable.py): the columns, and what stands in their cells.

Several targets stand in one cell, with spaces or `;` between them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from collectors import csvtable
from collectors.csvtable import Heads, Row, Table

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("名称", "线路", "线路名称", "线路名", "line"),
    "site": ("站点", "单位", "接入单位", "单位名称", "站点名称"),
    "level": ("级别", "层级", "单位级别", "行政级别"),
    "carrier": ("运营商", "承建商", "isp"),
    "role": ("角色", "主备", "主/备", "线路角色"),
    "peer": ("对端线路", "对端", "配对线路", "主备对端"),
    "bandwidth": ("带宽", "合同带宽", "签约带宽"),
    "targets": ("目标", "目标地址", "探测目标", "地址", "target", "address"),
    "family": ("协议", "地址族", "ip协议"),
    "probes": ("探测", "探测方式", "probe"),
    "dscp": ("服务等级",),
    "payload": ("载荷", "包长", "负载字节"),
    "source": ("源", "源地址", "源接口"),
    "device": ("设备", "设备名称", "路由器"),
    "interface": ("接口", "端口", "接口名称"),
}
HEADS: Final = Heads(COLUMNS, ("name", "targets"))


def looks_like_csv(content: bytes) -> bool:
    """Whether the first row is one of columns that we know."""
    return csvtable.looks_like(content, HEADS)


def parse(content: bytes, path: str) -> Table:
    """The rows of a table; raises DocumentError where it is none."""
    return csvtable.parse(content, path, HEADS, _row)


def _row(given: Row) -> Row:
    row: Row = {key: given[key] for key in given if key not in ("device", "interface")}
    if "targets" in row:
        row["targets"] = csvtable.listed(row["targets"])
    if "probes" in row:
        row["probes"] = [_probe(text) for text in re.split(r"[;；\s]+", row["probes"])]
    if "device" in given or "interface" in given:
        parts = {"device": given.get("device"), "name": given.get("interface")}
        row["interface"] = {key: value for key, value in parts.items() if value}
    return row


def _probe(text: str) -> Any:
    """`icmp`, or `MODULE=TARGET`."""
    module, equals, target = text.partition("=")
    return {"module": module, "target": target} if equals else text
