"""Words of maintenance windows and silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "windows.what": Text(
        "维护期和静默期内不发送通知；线路的维护时间不计入可用率。",
        "Nobody is told of anything within them; maintenance of lines is left out of their availability.",
    ),
    "windows.new": Text("新建维护期或静默期", "New window"),
    "windows.file": Text("导出维护时间（供月报使用）", "Maintenance for the report"),
    "windows.caption": Text("时间按本地时区显示。", "Times are of the site's zone."),
    "windows.state": Text("状态", "State"),
    "windows.state.current": Text("未结束", "not over"),
    "windows.state.past": Text("已结束或已取消", "over or cancelled"),
    "windows.kind": Text("类型", "Kind"),
    "windows.kind.maintenance": Text("维护", "Maintenance"),
    "windows.kind.silence": Text("静默", "Silence"),
    "windows.does": Text("作用", "What it does"),
    "windows.does.maintenance": Text(
        "维护：不发送通知，线路可用率扣除这段时间，并在月报中列出。",
        "Maintenance: nobody is told; the time is left out of the availability of lines, and the report lists it.",
    ),
    "windows.does.silence": Text(
        "静默：只是不发送通知，可用率照常计算。",
        "Silence: nobody is told; availability counts as always.",
    ),
    "windows.reason": Text("原因", "Reason"),
    "windows.when": Text("时间", "When"),
    "windows.zone": Text("按 {zone} 时区填写。", "In the zone {zone}."),
    "windows.begins": Text("开始", "Begins"),
    "windows.ends": Text("结束", "Ends"),
    "windows.recurs": Text("重复", "Recurs"),
    "windows.once": Text("不重复", "once"),
    "windows.every.week": Text("每周", "every week"),
    "windows.every.month": Text("每月", "every month"),
    "windows.weekdays": Text("每周的哪几天", "Days of the week"),
    "windows.month_days": Text("每月的哪几天", "Days of the month"),
    "windows.weekday.1": Text("周一", "Monday"),
    "windows.weekday.2": Text("周二", "Tuesday"),
    "windows.weekday.3": Text("周三", "Wednesday"),
    "windows.weekday.4": Text("周四", "Thursday"),
    "windows.weekday.5": Text("周五", "Friday"),
    "windows.weekday.6": Text("周六", "Saturday"),
    "windows.weekday.7": Text("周日", "Sunday"),
    "windows.day": Text("{n} 日", "day {n}"),
    "windows.over_night": Text("（跨日）", "(to a later day)"),
    "windows.from": Text("自 {day} 起", "from {day}"),
    "windows.until_day": Text("至 {day}", "until {day}"),
    "windows.until": Text("重复到哪一天", "Recurs until"),
    "windows.until_hint": Text("留空则一直重复，直到取消。", "Empty: until it is cancelled."),
    "windows.scope": Text("范围", "Scope"),
    "windows.scope_hint": Text(
        "各项都满足才在范围内；都不填则为您可见的全部。",
        "What is named must all be so; nothing named is everything that you see.",
    ),
    "windows.everything": Text("全部", "everything"),
    "windows.hosts": Text("主机", "Hosts"),
    "windows.departments": Text("部门", "Departments"),
    "windows.lines": Text("线路", "Lines"),
    "windows.lines_hint": Text(
        "线路名，每行一个，可用 * 和 ?。", "Names, one a line; * and ? as in a shell."
    ),
    "windows.rules": Text("规则", "Rules"),
    "windows.rules_hint": Text(
        "规则编号，可用 *；填写后只针对这些规则的通知。",
        "Ids, * allowed; named, it is for what is told of these rules alone.",
    ),
    "windows.now": Text("目前", "Now"),
    "windows.on": Text("生效中", "on"),
    "windows.next": Text("下次 {when}", "next {when}"),
    "windows.is_over": Text("已结束", "over"),
    "windows.cancelled_at": Text("{when} 取消", "cancelled {when}"),
    "windows.by": Text("创建人", "Made by"),
    "windows.cancel": Text("取消这一条", "Cancel it"),
    "windows.cancel_sure": Text(
        "确定取消？已发生的部分不变。", "Cancel it? What is over stays as it was."
    ),
    "windows.created": Text("已保存。", "Saved."),
    "windows.was_cancelled": Text("已取消。", "Cancelled."),
    "windows.file_failed": Text(
        "已保存，但月报用的维护文件没有写成；控制台日志里有原因。",
        "Saved, but the maintenance file for the report was not written; the console's log says why.",
    ),
    "windows.order": Text("结束时间须晚于开始时间。", "The end must be after the beginning."),
    "windows.days": Text("请选择重复的日子。", "Choose the days on which it recurs."),
    "windows.long": Text("一次不能超过 {days} 天。", "It may last {days} days at most."),
    "windows.first_day": Text(
        "开始日期须是所选的日子之一。", "The day on which it begins must be one of the chosen days."
    ),
    "windows.early": Text("开始时间不能早于一天前。", "It may not begin more than a day ago."),
    "windows.over": Text("这段时间已经过去。", "It would be over already."),
    "windows.time": Text(
        "“{name}”不是时间，例如 2026-12-01T22:00。", "{name} is no time; write 2026-12-01T22:00."
    ),
    "windows.month": Text("月份写成 2026-12。", "Write a month as 2026-12."),
    "windows.too_many": Text(
        "未结束的维护期和静默期最多 {most} 条。", "There may be {most} windows that are not over."
    ),
}
