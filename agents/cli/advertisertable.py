"""Routers and DHCPv6 servers on the links for people, Chinese or English."""

from __future__ import annotations

from collections.abc import Sequence

from agents.cli.probetable import Words
from collectors.ipv6.wire.advertisers import Advertiser, Watched, Why
from exporters.findings.text import neutral, width

_HEAD = (
    Words("接口", "Interface"),
    Words("类型", "Kind"),
    Words("地址", "Address"),
    Words("网卡地址", "Station"),
    Words("预期", "Expected"),
    Words("优先级", "Preference"),
    Words("有效期 s", "Lifetime s"),
    Words("前缀", "Prefixes"),
    Words("说明", "Remarks"),
)
_KINDS = {"ra": Words("路由器", "router"), "dhcpv6": Words("DHCPv6 服务器", "DHCPv6 server")}
_EXPECTED = {True: Words("是", "yes"), False: Words("否", "NO"), None: Words("未配置", "not set")}
_PREFERENCES = {
    "": Words("", ""),
    "low": Words("低", "low"),
    "medium": Words("中", "medium"),
    "high": Words("高", "high"),
}
_WHY: dict[Why, Words] = {
    "not_expected": Words("不在预期名单中", "not among the expected"),
    "several_stations": Words("多个网卡使用同一地址", "several stations use this address"),
    "other_prefix": Words("通告了预期路由器没有的前缀", "another prefix than the expected routers"),
    "other_station": Words(
        "报文来自的网卡与其声明的不同", "names another station than it sends from"
    ),
    "high_preference": Words("高优先级", "high preference"),
    "zero_lifetime": Words("有效期为 0（不作默认路由器）", "zero lifetime (no default router)"),
}
_PROBLEMS = {
    "hop_limit": Words("跳数限制不是 255", "hop limit is not 255"),
    "source": Words("源地址不是链路本地地址", "source is not link-local"),
    "fragment": Words("分片的通告", "in fragments"),
    "malformed": Words("格式错误", "malformed"),
}
_BAD = Words(
    "{device}：{messages} 条应被忽略的通告（{why}），声称来自 {addresses}",
    "{device}: {messages} messages to be ignored ({why}), said to be from {addresses}",
)
_NOBODY = Words("{seconds:g} 秒内没有通告", "nobody advertised within {seconds:g} s")
_UNEXPECTED = Words("{count} 个未预期的通告者", "{count} not expected")
_NONE_UNEXPECTED = Words("没有未预期的通告者", "none that is not expected")
_NO_LIST = Words(
    "未给出预期的路由器或服务器（--router、--dhcpv6），无法判断",
    "nobody said who is expected (--router, --dhcpv6), so nothing is judged",
)
_LOST = Words("监听期间接口断开：{names}", "went down during the watch: {names}")
_UNKNOWN = Words(
    "无法判断是否有未预期的通告者", "whether anybody unexpected advertises is not known"
)
_LIMITED = Words("报文过多，结果不完整", "too many packets: this is not all")
_SHOWN = 3  # prefixes


def table(found: Watched, language: str) -> str:
    """What comes from the network is shown with its control characters escaped."""
    lines = []
    if found.advertisers:
        rows = [[one.of(language) for one in _HEAD]]
        rows += [_row(one, language) for one in found.advertisers]
        lines += _aligned(rows)
    elif not found.unknown:
        lines.append(_NOBODY.of(language).format(seconds=found.seconds))
    for bad in found.bad:
        words = _BAD.of(language).format(
            device=bad.device,
            messages=bad.messages,
            why=_PROBLEMS[bad.problem].of(language),
            addresses=", ".join(bad.addresses),
        )
        lines.append(words)
    if found.limited:
        lines.append(_LIMITED.of(language))
    if found.lost:
        lines.append(_LOST.of(language).format(names=", ".join(found.lost)))
    if found.unexpected:
        lines.append(_UNEXPECTED.of(language).format(count=len(found.unexpected)))
    elif found.unknown:
        lines.append(_UNKNOWN.of(language))
    elif any(one.expected is None for one in found.advertisers):
        lines.append(_NO_LIST.of(language))
    elif found.advertisers:
        lines.append(_NONE_UNEXPECTED.of(language))
    return "\n".join(neutral(line) for line in lines)


def _row(one: Advertiser, language: str) -> list[str]:
    prefixes = ", ".join(one.prefixes[:_SHOWN]) + (", …" if len(one.prefixes) > _SHOWN else "")
    return [
        one.device,
        _KINDS[one.kind].of(language),
        one.address,
        one.station,
        _EXPECTED[one.expected].of(language),
        _PREFERENCES[one.preference].of(language),
        "" if one.lifetime is None else str(one.lifetime),
        prefixes,
        ("、" if language == "zh" else ", ").join(_WHY[why].of(language) for why in one.why),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (widths[n] - width(cell)) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]
