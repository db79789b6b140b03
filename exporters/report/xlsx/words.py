"""Every word of the workbook that is no head of a column, Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporters.report.document import Showback
from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "title": Text("月度资源使用通报", "Monthly Resource Utilisation Report"),
    "total": Text("合计（随筛选）", "Total (of what is shown)"),
    "none": Text("无", "none"),
    "page": Text("第 &P 页，共 &N 页", "Page &P of &N"),
    "back": Text("← 目录", "← Contents"),
    "cover": Text("封面", "Cover"),
    "estate": Text("全市总览", "Estate"),
    "definitions": Text("口径说明", "Definitions"),
    "uncounted": Text("不计入合计", "Not in sums"),
    "contents": Text("目录", "Contents"),
    "summary": Text("摘要", "Summary"),
    "figures": Text("主要指标", "Figures"),
    "figure": Text("指标", "Figure"),
    "value": Text("本月", "This month"),
    "before": Text("上月", "Month before"),
    "note": Text("说明", "Note"),
    "scope": Text("范围", "Scope"),
    "city": Text("地区", "City"),
    "example": Text("示例数据", "Example data"),
    "issuer": Text("发布单位", "Published by"),
    "department": Text("部门", "Department"),
    "month": Text("月份", "Month"),
    "since": Text("起", "From"),
    "until": Text("止（不含）", "Until (not in it)"),
    "zone": Text("时区", "Time zone"),
    "made": Text("生成时间", "Made"),
    "source": Text("数据来源", "Data from"),
    "history": Text("内嵌历史库 {0}", "embedded history {0}"),
    "prometheus": Text("时序数据库 {0}", "time-series database {0}"),
    "error": Text("估算分位数的最大相对误差", "Largest relative error of estimated quantiles"),
    "days": Text("有数据的天数", "Days with data"),
    "days_in_month": Text("本月天数（至今）", "Days of the month so far"),
    "workdays": Text("工作日", "Workdays"),
    "calendar": Text("日历与工作时间", "Calendar and working hours"),
    "coverage": Text("数据覆盖率", "Coverage"),
    "data_hash": Text("数据摘要 SHA-256", "SHA-256 of the data"),
    "thresholds": Text("阈值版本 SHA-256", "SHA-256 of the thresholds"),
    "under_way": Text(
        "本月未结束：数字只供观察，不作回收和调整建议。",
        "The month is not over: figures are to be watched, and nothing is advised by them.",
    ),
    "empty": Text(
        "空单元格表示未知，不等于 0。单位见表头；合计行随筛选变化。",
        "An empty cell is not known, which is not 0. Units are in the heads; totals are of what is shown.",
    ),
    "capacity": Text("容量与分配", "Capacity and what is granted"),
    "resource": Text("资源", "Resource"),
    "unit": Text("单位", "Unit"),
    "physical": Text("物理容量", "Physical"),
    "usable": Text("可分配容量", "Usable"),
    "granted": Text("已分配", "Granted"),
    "unknown": Text("未知项", "Unknown of"),
    "granted_share": Text("分配率", "Granted of usable"),
    "used": Text("平均使用", "Used on average"),
    "told_by": Text("容量出处", "Told by"),
    "vcpus": Text("vCPU", "vCPUs"),
    "memory": Text("内存", "Memory"),
    "disk": Text("存储", "Storage"),
    "load": Text("全体云主机 CPU", "CPU of all servers"),
    "states": Text("按状态", "By state"),
    "state": Text("状态", "State"),
    "advice": Text("按建议", "By advice"),
    "count": Text("数量", "Count"),
    "kinds": Text("按类型", "By kind"),
    "own": Text("部门指标", "Figures"),
    "rank": Text("浪费排名", "Rank by waste"),
    "rank_before": Text("上月排名", "Rank before"),
    "resources": Text("资源数", "Resources"),
    "granted_vcpus": Text("已分配 vCPU", "Granted vCPU"),
    "granted_memory": Text("已分配内存 GiB", "Granted memory GiB"),
    "granted_disk": Text("已分配存储 GiB", "Granted storage GiB"),
    "due_vcpus": Text("建议回收或缩减 vCPU", "vCPU to reclaim or shrink"),
    "due_memory": Text("建议回收或缩减内存 GiB", "Memory GiB to reclaim or shrink"),
    "due_disk": Text("建议回收存储 GiB", "Storage GiB to reclaim"),
    "size_unknown": Text("另有 {n} 项未知，未计入", "{n} are not known and not in it"),
    "average": Text("CPU 平均使用率", "CPU used on average"),
    "p50": Text("CPU 中位数", "CPU P50"),
    "p95": Text("CPU 95 百分位", "CPU P95"),
    "peak": Text("CPU 峰值", "CPU peak"),
    "peak_at": Text("峰值时间", "Peak at"),
    "work": Text("工作时间平均", "In working hours"),
    "off": Text("非工作时间平均", "Off hours"),
    "change": Text("较上月变化（百分点）", "Change from the month before (points)"),
    "memory_used": Text("内存使用率", "Memory used"),
    "granted_core_hours": Text("分配 核·时", "Granted core hours"),
    "used_core_hours": Text("使用 核·时", "Used core hours"),
    "waste": Text("未使用 核·时", "Unused core hours"),
    "rest": Text(
        "资源过多，此处未列全，其余见“资源明细”。",
        "There are more than fit; the rest is in Resources.",
    ),
    "not_counted": Text(
        "物理机和本月已释放的资源，不计入合计",
        "Machines themselves and what was released: in no sum",
    ),
    "parameter": Text("阈值参数", "Threshold"),
    "term": Text("术语", "Term"),
    "meaning": Text("含义", "Meaning"),
    "costs_incomplete": Text(
        "有未定价或规格未知的部分，费用不含这些部分。",
        "Some of it is unpriced or of unknown size: costs are without that part.",
    ),
    "costs_unsized": Text(
        "{0:,} 台·时的云主机规格不全。", "{0:,} server hours have a size that is not known."
    ),
    "costs_unsized_volumes": Text(
        "{0:,} 块·时的云硬盘容量未知。", "{0:,} volume hours are of unknown size."
    ),
    "costs_days": Text(
        "本月 {1:g} 天中只有 {0:g} 天有数据，费用只是这些天的费用。",
        "There are data of {0:g} of the month's {1:g} days, and costs are of those days alone.",
    ),
}
TERMS: Final[tuple[tuple[Text, Text], ...]] = (
    (
        Text("未知", "not known"),
        Text(
            "没有测到或不足以判断的值为空，不作 0，不计入合计；旁列其项数。",
            "What was not measured is empty, never 0 and in no sum; how many those are is told beside.",
        ),
    ),
    (
        Text("使用率", "used"),
        Text(
            "使用的核·时 ÷ 使用情况已知的核·时；未知部分不在分子也不在分母。",
            "Core hours used of those whose use is known; what is not known is in neither part.",
        ),
    ),
    (
        Text("覆盖率", "coverage"),
        Text(
            "使用情况已知的核·时 ÷ 分配的核·时。",
            "Core hours whose use is known of those that were granted.",
        ),
    ),
    (
        Text("95 百分位", "P95"),
        Text(
            "本月五分钟平均值的 95 百分位；标明估算的由每日摘要得出。",
            "95th percentile of the month's five-minute averages; where estimated, from daily sketches.",
        ),
    ),
    (
        Text("部门、系统的分位数和峰值", "quantiles and peaks of departments and systems"),
        Text(
            "所属云主机逐五分钟相加后计算，不是各主机数值的平均。",
            "Of all its servers added up slot by slot, no mean of theirs.",
        ),
    ),
    (
        Text("工作时间", "working hours"),
        Text(
            "按节假日和调休日历，当地时间。",
            "By the calendar of holidays and make-up workdays, local time.",
        ),
    ),
    (
        Text("建议回收或缩减", "to reclaim or shrink"),
        Text(
            "连续数月闲置、长期停机或未挂载的建议回收，连续低使用的建议缩减到目标规格。建议供人决定。",
            "Idle for months, stopped or detached for long: reclaim. Low for months: shrink to the target. "
            "People decide.",
        ),
    ),
    (
        Text("阈值", "thresholds"),
        Text(
            "为本地参数，不是官方标准；列于下表。",
            "Local parameters, and no official standard; they are below.",
        ),
    ),
    (
        Text("费用", "costs"),
        Text(
            "价格表中当时有效的价格 × 数量；没有价格的为未定价，不作 0。",
            "Prices in force at the time × amounts; what has no price is unpriced, never 0.",
        ),
    ),
    (
        Text("线路可用率", "availability of lines"),
        Text(
            "剔除维护窗口后，已知时间中可用的比例。",
            "Of known time outside maintenance windows.",
        ),
    ),
    (
        Text("IPv6 得分", "score of IPv6"),
        Text(
            "部门得分为所属对象的平均，未评测的按 0 计。",
            "A department's is the mean of its subjects; what was not tested counts as 0.",
        ),
    ),
)


def costs_note(part: Showback | None, language: str) -> str:
    """Why costs are not of all that was granted, or not of all of the month."""
    if part is None:
        return ""
    days, whole = (round(it or 0, 1) for it in (part.days, part.days_in_month))
    told = (
        (not part.complete, "costs_incomplete", ()),
        (part.unsized, "costs_unsized", (round(part.unsized),)),
        (part.unsized_volumes, "costs_unsized_volumes", (round(part.unsized_volumes),)),
        (days < whole, "costs_days", (days, whole)),
    )
    return " ".join(say(key, language).format(*it) for there, key, it in told if there)


def say(key: str, language: str) -> str:
    return WORDS[key].of(language)
