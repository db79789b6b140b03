"""Words of the one page that a director reads; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "scale": Text(
        "{month}，{city}共有 {departments} 个部门、{systems} 个业务系统在用云资源，{when}已分配云主机 "
        "{servers} 台、云硬盘 {volumes} 块，合计 vCPU{vcpus}、内存{memory}、存储{disk}{unsized}{lost}。"
        "{capacity}",
        "In {month}, {departments} departments with {systems} systems held cloud resources{city}: "
        "{servers} servers and {volumes} volumes {when}, with vCPUs: "
        "{vcpus}, memory: {memory}, storage: {disk}{unsized}{lost}. {capacity}",
    ),
    "when": Text("月末", "when the month ended"),
    "when_seen": Text("截至 {until} ", "as of {until}"),
    "part_of_month": Text(
        "本月仅 {since} 至 {until} 有数据，此外的分配和使用均未知；核·时和费用只计有数据的时段，数据覆盖率按全月计算。",
        "There are data from {since} to {until} alone: what was granted and used at other times of the month is not "
        "known. Core hours and money are of that time, coverage of data is of the whole month.",
    ),
    "unsized": Text(
        "（另有 {n} 项规格不全，未计入相应合计）", " ({n} of unknown size are not in it)"
    ),
    "lost": Text(
        "（另有 {n} 项此前已不再见到，是否仍占用未知，未计入）",
        " ({n} were seen no more before that: whether they are held is not known, and they are not in it)",
    ),
    "unknown": Text("未知", "not known"),
    "capacity": Text(
        "可分配 vCPU {usable} 个，分配率 {share}。",
        "Of {usable} usable vCPUs, {share} are granted.",
    ),
    "capacity_unknown": Text(
        "可分配容量未提供，分配率无法计算。",
        "Usable capacity is not told, so what share is granted is not known.",
    ),
    "capacity_partly": Text(
        "有 {n} 个云平台未提供容量，可分配总量未知，分配率无法计算。",
        "Clouds that did not tell what they have: {n}, so what share is granted is not known.",
    ),
    "use": Text(
        "CPU 平均使用率 {average}{change}{quantiles}{hours}。数据覆盖率 {coverage}，以上均按使用情况已知的核·时计算{unknown}。",
        "Average use of CPU was {average}{change}{quantiles}{hours}. Coverage of data is {coverage}: "
        "all of this is of core hours whose use is known{unknown}.",
    ),
    "use_unknown": Text(
        "本月 CPU 使用率未知（没有数据，或服务器规格未知），不作判断。",
        "The use of CPU is not known (no figures, or servers of unknown size), and nothing is said of it.",
    ),
    "change": Text("（较上月 {points} 个百分点）", " ({points} points from the month before)"),
    "no_change": Text("（无上月数据可比）", " (no month before to compare with)"),
    "quantiles": Text(
        "，合并负荷中位数 {p50}、95 百分位 {p95}，峰值 {peak}（{at}）",
        ", of all together the median {p50}, P95 {p95} and the peak {peak} ({at})",
    ),
    "hours": Text(
        "；工作时间平均 {work}，非工作时间平均 {off}",
        "; {work} in working hours and {off} off hours",
    ),
    "not_counted": Text(
        "，另有 {hours} 核·时（{share}）使用情况未知，不计入",
        "; of {hours} core hours ({share}) it is not, and they are in none of it",
    ),
    "waste": Text(
        "分配而未使用的核·时最多的部门：{departments}。",
        "Most core hours granted and not used: {departments}.",
    ),
    "waste_one": Text(
        "{name}（{hours} 核·时，使用率 {percent}）", "{name} ({hours} core hours, {percent} used)"
    ),
    "risen": Text(
        "使用率变化最大的部门：{name}，{points} 个百分点。",
        "The use of {name} changed most, by {points} points.",
    ),
    "advice": Text(
        "本月建议回收 {reclaim} 项、缩减 {shrink} 项，可回收 vCPU{vcpus}、内存{memory}、存储{disk}{unknown}；"
        "另有 {watch} 项继续观察，{grow} 台云主机繁忙、建议扩容。",
        "To be reclaimed: {reclaim}; to be shrunk: {shrink}. That frees vCPUs: {vcpus}, memory: {memory}, "
        "storage: {disk}{unknown}. To be watched: {watch}; busy servers to grow: {grow}.",
    ),
    "due_unknown": Text("（其中 {n} 项数量未知，未计入）", " (of {n} it is not known how much)"),
    "held": Text(
        "停机仍占用的云主机 {servers} 台、未挂载的云硬盘 {volumes} 块，其中 {due} 项已达回收期限。",
        "Held without use: {servers} stopped servers and {volumes} volumes attached to nothing, {due} of "
        "them for long enough to be reclaimed.",
    ),
    "exempt": Text(
        "豁免 {n} 项在案，其中 {soon} 项将在月末后 30 天内到期，{expired} 项至月末已过期。",
        "Exemptions: {n}, of which {soon} end within 30 days of the end of the month and {expired} have ended by then.",
    ),
    "unjudged": Text(
        "未能评判的资源 {insufficient} 项（数据不足、刚分配或本月调整过规格），未归属任何部门的资源 {unassigned} 项。"
        "未评判不等于闲置，详见数据质量一节。",
        "Not judged (too few data, just granted, or resized within the month): {insufficient}; of no department: "
        "{unassigned}. What is not judged is not idle; see the quality of data.",
    ),
    "saved": Text(
        "整改台账 {rows} 项；本月经复核落实释放 vCPU {now} 个，累计 {ever} 个。",
        "Followed up: {rows}. By review {now} vCPUs came free this month, {ever} in all.",
    ),
    "cost": Text(
        "按价格表，本月分配费用 {granted} {currency}{days}；{use}{unpriced}。",
        "By the price table what was granted cost {granted} {currency}{days}; {use}{unpriced}.",
    ),
    "cost_use": Text(
        "其中用量已知的部分 {known} {currency}，这部分中已使用 {used} {currency}{rest}",
        "{known} {currency} of it is for what has known use, {used} {currency} of that for what was used{rest}",
    ),
    "cost_rest_unknown": Text("，其余用量未知", "; how much of the rest was used is not known"),
    "cost_use_unknown": Text("用量未知", "how much of it was used is not known"),
    "cost_days": Text(
        "（全月 {whole} 天中只有 {days} 天有数据，只计这些天）",
        " (for the {days} of {whole} days alone of which there are data)",
    ),
    "unpriced": Text(
        "（部分项目无价格或规格未知，未计入）",
        " (some has no price or unknown size and is not in it)",
    ),
    "lines": Text(
        "线路 {lines} 条，已测 {measured} 条{judged}。",
        "Of {lines} lines {measured} were measured{judged}.",
    ),
    "lines_judged": Text(
        "；可评判 {judged} 条，其中达标 {met} 条、未达标 {missed} 条",
        "; of {judged} that could be judged {met} kept their target and {missed} missed it",
    ),
    "lines_left": Text(
        "；另有 {left} 条因未设目标或数据不足未评判，不视为达标",
        "; {left} were not judged, for want of a target or of data, and have not passed",
    ),
    "lines_none": Text(
        "；因未设目标或数据不足，均未评判是否达标",
        "; none was judged, for want of a target or of data, and none has passed",
    ),
    "ipv6": Text("IPv6 综合得分 {score}{change}。", "The score of IPv6 is {score}{change}."),
    "baseline": Text(
        "基线核查主机 {audited} 台（共 {hosts} 台），未关闭的问题{hits}{blind}。",
        "{audited} of {hosts} hosts were audited against the baseline; open hits: {hits}{blind}.",
    ),
    "blind": Text("（另有 {n} 个部门未知）", " (of {n} departments that is not known)"),
    "few_days": Text(
        "本月仅有 {days} 天数据（应有 {whole} 天），不足以评判，本报告数字仅供参考。",
        "There are data of {days} days alone (of {whole}), too few to judge by: all figures are for information.",
    ),
    "under_way": Text(
        "本月尚未结束，本报告截至 {until}，只供观察，不作回收和调整建议。",
        "The month is not over: this is up to {until}, to be watched, and advises nothing more.",
    ),
    "note": Text(
        "阈值为本地参数，不是官方标准；本报告只提建议，按“通报、确认、执行、复核”由人决定。",
        "Thresholds are local parameters and no official standard. This report advises; people decide: notify, "
        "confirm, carry out, review.",
    ),
}
