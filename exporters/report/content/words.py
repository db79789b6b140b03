"""Every word of the report's own content but the summary's (summarywords.py): causes, calendars, figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporters.report.content.decomposition import What
from rules.model import Text

CAUSE: Final[Mapping[What, Text]] = {
    "new": Text("新增 {n} 台（{points}）", "{n} new ({points})"),
    "moved_in": Text("划入 {n} 台（{points}）", "{n} moved in ({points})"),
    "came": Text(
        "上月中途新增或划入 {n} 台（{points}）", "{n} came during the month before ({points})"
    ),
    "gone": Text("释放或不再见到 {n} 台（{points}）", "{n} gone ({points})"),
    "moved_out": Text("划出 {n} 台（{points}）", "{n} moved out ({points})"),
    "resized": Text("调整规格 {n} 台（{points}）", "{n} resized ({points})"),
    "measured": Text("新有数据 {n} 台（{points}）", "{n} measured now and not before ({points})"),
    "unmeasured": Text("本月缺数据 {n} 台（{points}）", "{n} not measured now ({points})"),
    "hours": Text("计入时长变化 {n} 台（{points}）", "{n} counted for other hours ({points})"),
}
USE: Final[Mapping[int, Text]] = {
    1: Text("原有 {n} 台用量上升（{points}）", "more use of {n} as before ({points})"),
    0: Text("原有 {n} 台用量持平（{points}）", "same use of {n} as before ({points})"),
    -1: Text("原有 {n} 台用量下降（{points}）", "less use of {n} as before ({points})"),
}
WORDS: Final[Mapping[str, Text]] = {
    "change": Text(
        "使用率 {change} 个百分点：{causes}", "use {change} percentage points: {causes}"
    ),
    "unknown_both": Text("本月和上月的使用率均未知", "use is not known of this month or the last"),
    "unknown_now": Text("本月使用率未知", "use is not known of this month"),
    "unknown_before": Text("上月使用率未知，无法比较", "use is not known of the month before"),
    "no_before": Text("无上月数据，无法比较", "there is no month before to compare with"),
    "calendar": Text(
        "{year}年节假日和调休：{source}；工作时间 {hours}",
        "holidays and make-up workdays of {year}: {source}; working hours {hours}",
    ),
    "calendar_missing": Text(
        "缺少{year}年节假日数据，按周一至周五为工作日；工作时间 {hours}",
        "no holidays of {year} are known, so Monday to Friday are workdays; working hours {hours}",
    ),
    "no_hours": Text("未设", "none"),
    "told_by_cloud": Text("云平台上报", "told by the cloud"),
    "told_by_nobody": Text("未提供", "not told"),
    "cpu": Text("CPU 平均使用率", "Average use of CPU"),
    "granted": Text("vCPU 分配率", "vCPUs granted of usable"),
    "reclaimable": Text("可回收 vCPU", "vCPUs to come free"),
    "grow": Text("需扩容云主机", "Servers to grow"),
    "coverage": Text("数据覆盖率", "Coverage of data"),
    "cpu_note": Text("占使用情况已知的核·时", "of core hours whose use is known"),
    "granted_note": Text("最后已分配 ÷ 可分配", "granted in the end ÷ usable"),
    "granted_untold": Text("可分配容量未提供", "usable capacity is not told"),
    "unsized_note": Text("另有 {n} 项规格未知，未计入", "{n} of unknown size are not in it"),
    "reclaimable_note": Text("建议回收和缩减的资源", "of resources to be reclaimed or shrunk"),
    "grow_note": Text("按阈值判为繁忙", "busy by the thresholds"),
    "coverage_note": Text(
        "使用情况已知的核·时 ÷ 分配的核·时", "core hours whose use is known ÷ those granted"
    ),
}


def say(key: str, **values: object) -> Text:
    """Both languages; values that are Text are told in each."""
    return fill(WORDS[key], **values)


def fill(words: Text, **values: object) -> Text:
    told = {
        language: words.of(language).format(
            **{k: v.of(language) if isinstance(v, Text) else v for k, v in values.items()}
        )
        for language in ("zh", "en")
    }
    return Text(told["zh"], told["en"])


def listed(parts: list[Text], zh: str = "、", en: str = ", ") -> Text:
    return Text(zh.join(it.zh for it in parts), en.join(it.en for it in parts))
