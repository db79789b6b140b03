"""Words of the reasons of a judgement; Chinese and English.

A number that is held against a threshold is told with as many digits as it takes to be seen on its side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rules.model import Text
from rules.usagejudgement import Reason

_KILO: Final = 1000.0
DIGITS: Final = 6

WORDS: Final[Mapping[str, Text]] = {
    "cpu": Text("CPU 95 百分位{about} {value}%", "P95 CPU {about}{value} %"),
    "cpu_below": Text(
        "CPU 95 百分位{about} {value}% < {limit}%", "P95 CPU {about}{value} % < {limit} %"
    ),
    "cpu_above": Text(
        "CPU 95 百分位{about} {value}% > {limit}%", "P95 CPU {about}{value} % > {limit} %"
    ),
    "network_below": Text(
        "网络至多{about} {value} kB/s < {limit} kB/s",
        "network at most {about}{value} kB/s < {limit} kB/s",
    ),
    "network_unknown": Text("网络流量未知，不判为闲置", "network not known, so not called idle"),
    "memory": Text("内存 95 百分位{about} {value}%", "P95 memory {about}{value} %"),
    "memory_below": Text(
        "内存 95 百分位{about} {value}% < {limit}%", "P95 memory {about}{value} % < {limit} %"
    ),
    "memory_above": Text(
        "内存 95 百分位{about} {value}% > {limit}%", "P95 memory {about}{value} % > {limit} %"
    ),
    "memory_unknown": Text("内存使用未知", "use of memory not known"),
    "memory_gap": Text(
        "此前月份内存未知，不给出内存目标", "memory of a month before not known, so no target of it"
    ),
    "steal_above": Text(
        "CPU 等待宿主机 95 百分位{about} {value}% > {limit}%",
        "P95 steal {about}{value} % > {limit} %",
    ),
    "saturated": Text("CPU 已用满，实际需求可能更高", "CPU is used up; more may be wanted"),
    "host_contended": Text(
        "在等宿主机分配 CPU，增加 vCPU 无济于事", "it waits for its host; more vCPUs do not help"
    ),
    "peak": Text("但 {text} 曾达 {value}%", "but it was at {value} % on {text}"),
    "near": Text(
        "数值为估算（误差 {value}%），距阈值太近，不据此判定",
        "estimated (error {value} %) too near a threshold to be held against it",
    ),
    "coverage": Text("数据覆盖率 {value}% < {limit}%", "coverage {value} % < {limit} %"),
    "cpu_unknown": Text("没有可用的 CPU 数据", "no usable figures of CPU"),
    "age": Text(
        "{text} 起分配，仅 {value} 天 < {limit} 天", "granted {text}, {value} days < {limit} days"
    ),
    "part": Text(
        "{text} 起分配，按此后 {value} 天评判", "granted {text}; judged by the {value} days since"
    ),
    "resized": Text(
        "{text} 调整过规格，前后数据不可合并", "resized on {text}; figures are of two sizes"
    ),
    "not_seen": Text("{text} 后未再见到，已 {value} 天", "not seen since {text}, {value} days"),
    "released": Text("已于 {text} 释放", "released on {text}"),
    "stopped": Text(
        "{text} 起停机，已 {value} 天 ≥ {limit} 天，仍占用资源",
        "stopped since {text}, {value} days ≥ {limit} days, and still held",
    ),
    "stopped_for": Text("{text} 起停机，已 {value} 天", "stopped since {text}, {value} days"),
    "detached": Text(
        "{text} 起未挂载，已 {value} 天 ≥ {limit} 天",
        "detached since {text}, {value} days ≥ {limit} days",
    ),
    "detached_for": Text("{text} 起未挂载，已 {value} 天", "detached since {text}, {value} days"),
    "attached": Text("已挂载；卷内用量未知", "attached; how full it is is not known"),
    "volume_unknown": Text("卷状态为 {text}，何时起未知", "state {text}, since when is not known"),
    "volume_untold": Text(
        "卷的状态和挂载情况未知", "neither its state nor whether it is attached is known"
    ),
    "size_unknown": Text("vCPU 规格未知，无法给出目标规格", "vCPUs not known, so no target size"),
    "smallest": Text("已是合适的最小规格", "no smaller size would do"),
    "machine": Text(
        "物理机不作回收或调整建议", "a machine itself is not to be reclaimed or resized"
    ),
    "begun": Text("本月仅过 {value} 天 < {limit} 天", "{value} days of the month < {limit} days"),
    "under_way": Text(
        "本月未结束（已过 {value} 天），只供观察",
        "the month is not over ({value} days so far): to be watched, no more",
    ),
    "months": Text("已连续 {value} 个月", "month {value} in a row"),
    "moved": Text("{text} 变更过归属部门", "went to another department on {text}"),
    "exempt": Text("已豁免（{text}）", "exempt ({text})"),
    "exemption_expired": Text("豁免已过期（{text}）", "its exemption has expired ({text})"),
}
_ABOUT: Final = Text("约", "about ")
_SEPARATOR: Final = Text("，", ", ")
_IN_KILO: Final = ("network_below",)
_WHOLE: Final = frozenset(
    {
        "months",
        "age",
        "part",
        "begun",
        "under_way",
        "not_seen",
        "stopped",
        "stopped_for",
        "detached",
        "detached_for",
    }
)


def words(reasons: Sequence[Reason], language: str) -> str:
    """All of them in a line."""
    return _SEPARATOR.of(language).join(said(one, language) for one in reasons)


def said(reason: Reason, language: str) -> str:
    """One of them. What `text` holds may be anybody's: it is for who shows it to escape."""
    value, limit = reason.value, reason.limit
    if reason.code in _IN_KILO:
        value, limit = value and value / _KILO, limit and limit / _KILO
    first = 0 if reason.code in _WHOLE else 1
    return (
        WORDS[reason.code]
        .of(language)
        .format(
            value="?" if value is None else number(value, limit, first),
            limit="?" if limit is None else f"{limit:g}",
            text=reason.text or "?",
            about=_ABOUT.of(language) if reason.estimated else "",
        )
    )


def number(value: float, limit: float | None, digits: int = 1) -> str:
    """With one digit behind the point, or as many as show on which side of the limit it is."""
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    for places in range(digits, DIGITS + 1):
        text = f"{value:.{places}f}"
        if limit is None or _side(float(text), limit) == _side(value, limit):
            return text
    return repr(value)


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)
