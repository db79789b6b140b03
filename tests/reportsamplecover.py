"""What a made-up report says first and last: its scope, summary, figures, and what could not be measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exporters.report.document import Department, Estate, Figure, Gap, Scope, Source
from rules.model import Text
from rules.usagejudgement import Judgement


def scope(
    month: str, since: datetime, until: datetime, under_way: bool, coverage: float | None
) -> Scope:
    days = (until - since).days
    return Scope(
        city="示例市",
        month=month,
        since=since,
        until=until,
        zone="Asia/Shanghai",
        made=until + timedelta(days=2, hours=9, minutes=30),
        source=Source("history", "usage.db", since - timedelta(days=400), until, 0.01),
        data_hash="5f" * 32,
        thresholds="a1" * 32,
        parameters={
            "idle_cpu": 5.0,
            "low_cpu": 30.0,
            "busy_cpu": 80.0,
            "coverage": 80.0,
            "reclaim_months": 3,
            "vcpu_steps": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
        },
        days=days - 1,
        days_in_month=days,
        under_way=under_way,
        coverage=coverage,
        calendar=Text(
            "国务院办公厅 2026 年放假安排，9:00–18:00", "Holidays of 2026, 9:00 to 18:00"
        ),
        workdays=sum((since + timedelta(days=n)).weekday() < 5 for n in range(days)),
        issuer="示例市政务服务和数据管理局",
    )


def summary(estate: Estate, parts: Sequence[Department]) -> tuple[Text, ...]:
    vcpus, used, first = estate.granted.vcpus.value, estate.load.average or 0.0, parts[0].name
    due = estate.due.vcpus.value
    return (
        Text(
            f"全市共分配 {vcpus:,.0f} vCPU，平均使用率 {used:.1f}%。",
            f"{vcpus:,.0f} vCPUs are granted, and {used:.1f} % of them were used on average.",
        ),
        Text(f"闲置浪费最多的是{first}。", f"{first} wastes most."),
        Text(
            f"建议回收或缩减 {due:,.0f} vCPU。", f"{due:,.0f} vCPUs are to be reclaimed or shrunk."
        ),
    )


def figures(estate: Estate, parts: Sequence[Department]) -> tuple[Figure, ...]:
    costs = [it.showback.reclaimable_cost for it in parts if it.showback]
    money = sum(it for it in costs if it is not None)
    busy = float(estate.states["busy"])
    note = Text("部分未定价", "a part is unpriced")
    return (
        Figure(
            "granted", Text("已分配 vCPU", "Granted vCPUs"), estate.granted.vcpus.value, "vcpus"
        ),
        Figure("used", Text("平均使用率", "Average use"), estate.load.average, "percent", 17.2),
        Figure("due", Text("可回收 vCPU", "To come free"), estate.due.vcpus.value, "vcpus", 210.0),
        Figure("money", Text("可节省费用", "Money to be saved"), money, "money", None, note),
        Figure("busy", Text("繁忙资源", "Busy resources"), busy, "count", 7.0),
    )


def gaps(judged: Sequence[Judgement], parts: Sequence[Department]) -> tuple[Gap, ...]:
    def of(code: str, zh: str, en: str, some: Sequence[str], remedy: Text) -> Gap:
        what, share = Text(zh, en), 100 * len(some) / len(judged)
        why = Text("采集端没有给出数据", "whoever collects gave nothing")
        return Gap(code, what, why, len(some), share, tuple(some[:5]), remedy)

    blind = [it.name for it in judged if it.kind == "server" and "memory" not in it.figures]
    few = [it.name for it in judged if it.state == "insufficient"]
    loose = [it.name for it in judged if not it.department]
    return (
        of("memory", "内存未知的云主机", "servers whose memory is not known", blind,
           Text("安装气球驱动", "install the balloon driver")),
        of("insufficient", "数据不足的资源", "resources with too little data", few, Text("", "")),
        of("unassigned", "未归属的资源", "unassigned resources", loose,
           Text("在对照表中登记", "name their department in the override table")),
        Gap("days", Text("缺数据的日子", "days without data"), Text("采集中断", "it was down"), 1,
            3.2, ("2026-10-09",)),
        Gap("unpriced", Text("未定价的部门", "departments without a price"),
            Text("价格表没有存储价格", "no price of storage"), len(parts)),
    )  # fmt: skip
