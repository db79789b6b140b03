"""Heads of the columns of the report's tables, with their units, Chinese and English; and words of a few values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporters.usage.words import ADVICE, STATE
from rules.model import Text

_SUMS: Final[Mapping[str, Text]] = {
    "granted": Text("已分配", "Granted"),
    "target": Text("目标", "Target"),
    "free": Text("可释放", "To come free if acted on"),
    "due": Text("建议回收或缩减", "To reclaim or shrink"),
    "watched": Text("观察中", "Watched"),
    "held": Text("占用", "Held"),
    "planned": Text("计划释放", "Planned"),
    "realised": Text("实际释放", "Realised"),
}
_UNITS: Final[Mapping[str, Text]] = {
    "vcpus": Text(" vCPU", " vCPU"),
    "memory": Text("内存 GiB", " memory GiB"),
    "disk": Text("存储 GiB", " storage GiB"),
    "vcpus_unknown": Text(" vCPU 未知项", ", vCPU unknown of"),
    "memory_unknown": Text("内存未知项", ", memory unknown of"),
    "disk_unknown": Text("存储未知项", ", storage unknown of"),
}
_METRICS: Final[Mapping[str, Text]] = {
    "cpu": Text("CPU ", "CPU "),
    "memory": Text("内存", "Memory "),
}
_PARTS: Final[Mapping[str, Text]] = {
    "average": Text("平均 %", "average %"),
    "p50": Text("中位数 %", "P50 %"),
    "p95": Text("95 百分位 %", "P95 %"),
    "peak": Text("峰值 %", "peak %"),
    "peak_at": Text("峰值时间", "peak at"),
    "work": Text("工作时间平均 %", "working hours %"),
    "off": Text("非工作时间平均 %", "off hours %"),
    "coverage": Text("覆盖率 %", "coverage %"),
}
_NETWORK: Final[Mapping[str, Text]] = {
    "net_rx_average": Text("网络流入平均 kB/s", "Network in, average kB/s"),
    "net_rx_p95": Text("网络流入 95 百分位 kB/s", "Network in, P95 kB/s"),
    "net_rx_peak": Text("网络流入峰值 kB/s", "Network in, peak kB/s"),
    "net_tx_average": Text("网络流出平均 kB/s", "Network out, average kB/s"),
    "net_tx_p95": Text("网络流出 95 百分位 kB/s", "Network out, P95 kB/s"),
    "net_tx_peak": Text("网络流出峰值 kB/s", "Network out, peak kB/s"),
    "network": Text("网络 95 百分位至多 kB/s", "P95 network at most kB/s"),
    "steal_p95": Text("CPU 等待 95 百分位 %", "P95 steal %"),
}


def _joined(firsts: Mapping[str, Text], seconds: Mapping[str, Text]) -> dict[str, Text]:
    return {
        f"{one}_{other}": Text(first.zh + second.zh, first.en + second.en)
        for one, first in firsts.items()
        for other, second in seconds.items()
    }


HEADS: Final[Mapping[str, Text]] = {
    **_joined(_SUMS, _UNITS),
    **_joined(_METRICS, _PARTS),
    **_NETWORK,
    **{f"state_{it}": Text(f"{text.zh} 项", f"{text.en}, count") for it, text in STATE.items()},
    **{
        f"advice_{it}": Text(f"建议{text.zh} 项", f"Advice: {text.en}")
        for it, text in ADVICE.items()
    },
    "resource": Text("资源标识", "Resource id"),
    "name": Text("名称", "Name"),
    "kind": Text("类型", "Kind"),
    "department": Text("部门", "Department"),
    "system": Text("业务系统", "System"),
    "region": Text("区域", "Region"),
    "environment": Text("环境", "Environment"),
    "project": Text("项目", "Project"),
    "attribution": Text("归属依据", "Department known by"),
    "state": Text("状态", "State"),
    "found": Text("豁免前状态", "State without exemption"),
    "advice": Text("建议", "Advice"),
    "months": Text("连续月数", "Months in a row"),
    "reason": Text("理由", "Reason"),
    "counted": Text("计入合计", "In sums"),
    "estimated": Text("分位数为估算", "Quantiles estimated"),
    "seen": Text("月末仍可见", "Seen at the end"),
    "exemption": Text("豁免编号", "Exemption"),
    "exemption_reason": Text("豁免理由", "Why it is exempt"),
    "owner": Text("责任人", "Owner"),
    "approver": Text("批准人", "Approver"),
    "expires": Text("到期日", "Expires"),
    "days_left": Text("剩余天数", "Days left"),
    "rank": Text("名次", "Rank"),
    "rank_before": Text("上月名次", "Rank before"),
    "resources": Text("资源数", "Resources"),
    "granted_core_hours": Text("分配 核·时", "Granted core hours"),
    "known_core_hours": Text("使用已知的 核·时", "Core hours with use known"),
    "used_core_hours": Text("使用 核·时", "Used core hours"),
    "waste": Text("未使用 核·时", "Unused core hours"),
    "used": Text("CPU 使用率 %", "CPU used %"),
    "used_before": Text("上月 CPU 使用率 %", "CPU used before %"),
    "change": Text("变化（百分点）", "Change (points)"),
    "change_reason": Text("变化原因", "Why it changed"),
    "cpu_cores": Text("平均使用 vCPU", "vCPUs used on average"),
    "coverage": Text("数据覆盖率 %", "Coverage %"),
    "memory_used": Text("内存使用率 %", "Memory used %"),
    "item": Text("计费项", "Item"),
    "unit": Text("单位", "Unit"),
    "granted": Text("分配量", "Granted"),
    "used_amount": Text("使用量", "Used"),
    "used_known": Text("使用量完整", "Use known of all"),
    "unpriced": Text("未定价的分配量", "Granted without a price"),
    "granted_cost": Text("按分配计费", "Cost of granted"),
    "used_cost": Text("按使用计费", "Cost of used"),
    "currency": Text("币种", "Currency"),
    "prices": Text("执行价格", "Prices in force"),
    "since": Text("起始时间", "Since"),
    "until": Text("结束时间", "Until"),
    "days": Text("天数", "Days"),
    "long_enough": Text("已达回收期限", "Long enough to reclaim"),
    "departments": Text("涉及部门", "Departments"),
    "id": Text("编号", "Id"),
    "step": Text("进度", "Step"),
    "notified": Text("首次通报月份", "First told in"),
    "told": Text("通报月数", "Months told"),
    "confirmed": Text("确认日期", "Confirmed"),
    "carried_out": Text("执行日期", "Carried out"),
    "reviewed": Text("复核日期", "Reviewed"),
    "saved_cost": Text("每月节省费用", "Saved a month"),
    "by": Text("经办人", "By"),
    "note": Text("备注", "Note"),
    "month": Text("月份", "Month"),
    "granted_vcpus_average": Text("平均分配 vCPU", "Granted vCPU, average"),
    "granted_memory_average": Text("平均分配内存 GiB", "Granted memory GiB, average"),
    "granted_disk_average": Text("平均分配存储 GiB", "Granted storage GiB, average"),
    "day": Text("日期", "Day"),
    "workday": Text("工作日", "Workday"),
    "line": Text("线路", "Line"),
    "site": Text("接入点", "Site"),
    "level": Text("级别", "Level"),
    "carrier": Text("运营商", "Carrier"),
    "availability": Text("可用率 %", "Availability %"),
    "target_availability": Text("目标可用率 %", "Target %"),
    "met": Text("达标", "Met"),
    "whole": Text("数据足够", "Known for long enough"),
    "down": Text("中断 小时", "Down, hours"),
    "unknown_hours": Text("未知 小时", "Unknown, hours"),
    "maintenance_hours": Text("维护 小时", "Maintenance, hours"),
    "outages": Text("中断次数", "Outages"),
    "longest": Text("最长中断 小时", "Longest outage, hours"),
    "for_lines": Text("适用线路", "Lines"),
    "for_levels": Text("适用级别", "Levels"),
    "maintenance_reason": Text("维护事由", "Reason"),
    "matched": Text("涉及线路数", "Lines matched"),
    "window_hours": Text("剔除 小时", "Left out, hours"),
    "subjects": Text("评测对象数", "Subjects"),
    "tested": Text("已评测", "Tested"),
    "subject": Text("评测对象", "Subject"),
    "subject_kind": Text("对象类型", "Kind of subject"),
    "score": Text("得分", "Score"),
    "score_before": Text("上月得分", "Score before"),
    "score_change": Text("得分变化", "Change of score"),
    "hosts": Text("主机数", "Hosts"),
    "audited": Text("已核查", "Audited"),
    "failed": Text("不符合项", "Failed"),
    "unknown_verdicts": Text("未知项", "Unknown"),
    "manual": Text("待人工项", "Manual"),
    "open_hits": Text("未整改命中", "Open hits"),
    "host": Text("主机", "Host"),
    "rule": Text("规则", "Rule"),
    "title": Text("规则名称", "Title"),
    "severity": Text("严重程度", "Severity"),
    "instance": Text("命中对象", "Instance"),
    "workflow": Text("处置状态", "Workflow"),
    "waiver": Text("豁免编号", "Waiver"),
    "waiver_reason": Text("豁免理由", "Why it is waived"),
    "hits": Text("涉及命中", "Hits"),
    "code": Text("代码", "Code"),
    "what": Text("未能测量的内容", "What is not known"),
    "why": Text("原因", "Why"),
    "count": Text("数量", "Count"),
    "share": Text("占比 %", "Share %"),
    "examples": Text("举例", "Examples"),
    "remedy": Text("处理办法", "Remedy"),
}
STEP: Final[Mapping[str, Text]] = {
    "notified": Text("已通报", "notified"),
    "confirmed": Text("已确认", "confirmed"),
    "carried_out": Text("已执行", "carried out"),
    "reviewed": Text("已复核", "reviewed"),
    "declined": Text("不采纳", "declined"),
    "lapsed": Text("已失效", "lapsed"),
}
LEVEL: Final[Mapping[str, Text]] = {
    "province": Text("省级", "province"),
    "city": Text("市级", "city"),
    "county": Text("县区级", "county"),
    "town": Text("乡镇级", "town"),
    "village": Text("村级", "village"),
}
SEVERITY: Final[Mapping[str, Text]] = {
    "info": Text("提示", "info"),
    "low": Text("低", "low"),
    "medium": Text("中", "medium"),
    "high": Text("高", "high"),
    "critical": Text("严重", "critical"),
}
WORKFLOW: Final[Mapping[str, Text]] = {
    "new": Text("新发现", "new"),
    "acknowledged": Text("已确认", "acknowledged"),
    "waived": Text("已豁免", "waived"),
    "fixed": Text("已整改", "fixed"),
    "regressed": Text("复发", "regressed"),
}
