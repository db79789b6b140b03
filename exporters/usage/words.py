"""Every word of the judgements of use, Chinese and English; reasons have theirs in
rules/usagereasons.py, kinds and environments in holdingwords.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text
from rules.usagejudgement import Advice, State

STATE: Final[Mapping[State, Text]] = {
    "idle": Text("闲置", "idle"),
    "low": Text("低使用", "low"),
    "right-sized": Text("适配", "right-sized"),
    "busy": Text("繁忙", "busy"),
    "insufficient": Text("数据不足", "insufficient data"),
    "exempt": Text("豁免", "exempt"),
    "stopped": Text("停机占用", "stopped but held"),
    "detached": Text("未挂载卷", "detached volume"),
    "in-use": Text("在用", "in use"),
}
ADVICE: Final[Mapping[Advice, Text]] = {
    "none": Text("无", "none"),
    "watch": Text("观察", "watch"),
    "shrink": Text("缩减", "shrink"),
    "grow": Text("扩容", "grow"),
    "reclaim": Text("回收", "reclaim"),
}
WORDS: Final[Mapping[str, Text]] = {
    "resource": Text("资源标识", "Resource id"),
    "name": Text("名称", "Name"),
    "kind": Text("类型", "Kind"),
    "department": Text("部门", "Department"),
    "system": Text("业务系统", "System"),
    "region": Text("区域", "Region"),
    "environment": Text("环境", "Environment"),
    "month": Text("月份", "Month"),
    "state": Text("状态", "State"),
    "found": Text("豁免前状态", "State without exemption"),
    "advice": Text("建议", "Advice"),
    "months": Text("连续月数", "Months in a row"),
    "reason": Text("理由", "Reason"),
    "granted": Text("已分配", "Granted"),
    "target": Text("目标规格", "Target"),
    "granted_vcpus": Text("分配 vCPU", "Granted vCPU"),
    "granted_memory": Text("分配内存 GiB", "Granted memory GiB"),
    "granted_disk": Text("分配存储 TiB", "Granted storage TiB"),
    "target_vcpus": Text("目标 vCPU", "Target vCPU"),
    "target_memory": Text("目标内存 GiB", "Target memory GiB"),
    "free_vcpus": Text("可回收 vCPU", "Reclaimable vCPU"),
    "free_memory": Text("可回收内存 GiB", "Reclaimable memory GiB"),
    "free_disk": Text("可回收存储 TiB", "Reclaimable storage TiB"),
    "granted_core_hours": Text("分配 核·时", "Granted core hours"),
    "used_core_hours": Text("使用 核·时", "Used core hours"),
    "used_share": Text("使用率", "Used"),
    "known_share": Text("已知占比", "Known"),
    "granted_gib_hours": Text("分配内存 GiB·时", "Granted GiB hours"),
    "cpu": Text("CPU 95 百分位 %", "P95 CPU %"),
    "memory": Text("内存 95 百分位 %", "P95 memory %"),
    "steal": Text("CPU 等待 95 百分位 %", "P95 steal %"),
    "network": Text("网络 95 百分位至多 kB/s", "P95 network at most kB/s"),
    "cpu_use": Text("CPU 均/中/95/峰 %", "CPU mean/50/95/peak %"),
    "cpu_hours": Text("工时/非工时 %", "Work/off %"),
    "memory_use": Text("内存均/中/95/峰 %", "Memory mean/50/95/peak %"),
    "of_cpu": Text("CPU %", "CPU %"),
    "of_memory": Text("内存 %", "Memory %"),
    "of_net_rx": Text("网络流入 kB/s", "Network in kB/s"),
    "of_net_tx": Text("网络流出 kB/s", "Network out kB/s"),
    "average": Text("平均", "average"),
    "p50": Text("中位数", "P50"),
    "p95": Text("95 百分位", "P95"),
    "peak": Text("峰值", "peak"),
    "peak_at": Text("峰值时间", "peak at"),
    "work": Text("工作时间平均", "average in working hours"),
    "off": Text("非工作时间平均", "average off hours"),
    "coverage": Text("覆盖率 %", "Coverage %"),
    "exemption": Text("豁免编号", "Exemption"),
    "exemption_reason": Text("豁免理由", "Why it is exempt"),
    "exemption_owner": Text("豁免责任人", "Exemption's owner"),
    "exemption_expires": Text("豁免到期", "Exempt until"),
    "expired": Text("（已过期）", " (expired)"),
    "unknown": Text("未知", "unknown"),
    "under_way": Text("（未结束，只供观察）", " (not over: to be watched, no more)"),
    "unmatched": Text(
        "豁免 {0} 不适用于 {1} 的任何资源，请检查拼写",
        "exemption {0} is for no resource of {1}; is it mistyped?",
    ),
    "nothing": Text("没有资源", "no resources"),
    "all": Text("合计", "All"),
    "resources": Text("资源数", "Resources"),
    "due": Text("建议回收或缩减", "To reclaim or shrink"),
    "watched": Text("观察中", "Watched"),
    "unjudged": Text("数据不足", "Not judged"),
    "more_unknown": Text("另 {} 项未知", "{} unknown"),
    "shares": Text(
        "{resources} 项资源；数据不足 {insufficient}；未归属 {unassigned}；"
        "{measured} 项按 CPU 数据评判的资源中，内存未知 {memory}。",
        "{resources} resources; not enough data of {insufficient}; unassigned {unassigned}; "
        "of {measured} with figures of CPU, memory is not known of {memory}.",
    ),
    "note": Text(
        "建议供人决定：通报、确认、执行、复核。阈值为本地参数，不是官方标准。",
        "Advice for people to decide by: notify, confirm, carry out, review. "
        "Thresholds are local parameters and no official standard.",
    ),
}


def say(key: str, language: str) -> str:
    return WORDS[key].of(language)
