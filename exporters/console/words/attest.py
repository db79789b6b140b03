"""Words of waivers, manual items, maintenance windows and silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    # of all three
    "attest.text": Text("包含文字", "Text"),
    "attest.nothing": Text("没有符合条件的记录。", "There is nothing like that."),
    "attest.next": Text("下一页", "Next page"),
    "attest.pages": Text("翻页", "Pages"),
    "attest.blank": Text("“{name}”不能为空。", "{name} may not be empty."),
    "attest.long": Text(
        "“{name}”不能超过 {most} 个字符。", "{name} may have {most} characters at most."
    ),
    "attest.control": Text(
        "“{name}”含有控制字符或改变文字方向的字符。",
        "{name} has a control character or a mark that turns the direction of text.",
    ),
    "attest.many": Text("“{name}”最多 {most} 项。", "{name} may have {most} entries at most."),
    "attest.day": Text(
        "“{name}”须在 {first} 至 {last} 之间。", "{name} must be from {first} to {last}."
    ),
    "attest.department": Text(
        "没有部门“{name}”，或不在您的管理范围内。",
        "There is no department {name}, or it is not yours.",
    ),
    "attest.after": Text("翻页参数有误。", "The parameter of the next page is wrong."),
    # waivers
    "waivers.new": Text("申请豁免", "Ask for a waiver"),
    "waivers.file": Text("导出豁免文件（供代理使用）", "Waivers file for agents"),
    "waivers.caption": Text(
        "豁免须由申请人和责任人以外的人审批，到期自动失效。",
        "Somebody other than the requester and the owner approves a waiver; it ends by itself.",
    ),
    "waivers.code": Text("编号", "Code"),
    "waivers.state": Text("状态", "State"),
    "waivers.state.requested": Text("待审批", "requested"),
    "waivers.state.approved": Text("生效中", "approved"),
    "waivers.state.refused": Text("已驳回", "refused"),
    "waivers.state.withdrawn": Text("已撤销", "withdrawn"),
    "waivers.state.expired": Text("已到期", "expired"),
    "waivers.within": Text("到期时间", "Expiring"),
    "waivers.days": Text("{n} 天内", "within {n} days"),
    "waivers.left": Text("剩余 {n} 天", "{n} days left"),
    "waivers.rule": Text("规则", "Rule"),
    "waivers.rule_hint": Text(
        "规则编号，例如 linux.sshd.no-root-login", "Its id, as linux.sshd.no-root-login"
    ),
    "waivers.hosts": Text("主机", "Hosts"),
    "waivers.hosts_hint": Text(
        "主机名或主机标识，每行一个，可用 * 和 ?。",
        "Names or ids, one a line; * and ? as in a shell.",
    ),
    "waivers.instance": Text("对象", "Instance"),
    "waivers.instance_hint": Text(
        "* 表示任意对象；留空表示规则只针对主机本身。",
        "* for any; empty where the rule is about the host as such.",
    ),
    "waivers.instance_none": Text("主机本身", "the host as such"),
    "waivers.departments": Text("部门", "Departments"),
    "waivers.departments_hint": Text(
        "不选则为您可见的全部部门。", "None chosen: all that you see."
    ),
    "waivers.evidence": Text("证据", "Evidence"),
    "waivers.evidence_bound": Text(
        "仅在实际值与申请时一致时有效", "in force only while the hit shows what it showed then"
    ),
    "waivers.evidence_first": Text(
        "以首次豁免时的实际值为准，变化即失效", "bound to what a hit shows when it is first waived"
    ),
    "waivers.bound_yes": Text("绑定目前的实际值", "Bind it to what they show now"),
    "waivers.bound_no": Text("绑定批准时的实际值", "Bind it to what they show when it is approved"),
    "waivers.covers": Text("覆盖范围", "Covers"),
    "waivers.coverage": Text(
        "覆盖 {hosts} 台主机上的 {hits} 个未关闭问题；另有 {waived} 个已豁免。",
        "Covers {hits} open hits on {hosts} hosts; {waived} more are waived already.",
    ),
    "waivers.hits_now": Text("目前由它豁免的问题", "Hits that it waives now"),
    "waivers.what": Text("豁免范围", "What it is for"),
    "waivers.who": Text("理由与责任", "Why, and who answers for it"),
    "waivers.reason": Text("理由", "Reason"),
    "waivers.reason_hint": Text(
        "为什么暂时不能整改，采取了什么补偿措施。",
        "Why it cannot be fixed yet, and what is done instead.",
    ),
    "waivers.owner": Text("责任人", "Owner"),
    "waivers.owner_hint": Text("对这一风险负责的人。", "Who answers for the risk."),
    "waivers.requester": Text("申请人", "Requester"),
    "waivers.approver": Text("审批人", "Approver"),
    "waivers.note": Text("审批意见", "Note"),
    "waivers.note_hint": Text("驳回时必填。", "A refusal needs one."),
    "waivers.expires": Text("截止日期", "Last day"),
    "waivers.expires_hint": Text(
        "最后一天，不晚于 {last}。", "Its last day, {last} at the latest."
    ),
    "waivers.expired_note": Text(
        "本豁免已于 {day} 到期，不再生效；相关问题已重新打开。",
        "It expired on {day} and is in force no more; its hits are open again.",
    ),
    "waivers.preview": Text("查看覆盖范围", "See what it covers"),
    "waivers.preview_hint": Text(
        "填写规则和主机后，先查看它会覆盖多少问题。",
        "Give a rule and hosts, then see how many hits it covers.",
    ),
    "waivers.preview_first": Text(
        "提交前请先查看覆盖范围。", "See what it covers before you send it."
    ),
    "waivers.send": Text("提交申请", "Send for approval"),
    "waivers.of_hits": Text(
        "为所选 {hits} 个问题申请 {waivers} 项豁免。", "{waivers} waivers for {hits} hits."
    ),
    "waivers.each": Text("每条规则、每个对象一项豁免。", "One for each rule and instance."),
    "waivers.decide": Text("审批", "Decide"),
    "waivers.approve": Text("批准", "Approve"),
    "waivers.refuse": Text("驳回", "Refuse"),
    "waivers.withdraw": Text("撤销豁免", "Withdraw"),
    "waivers.withdraw_hint": Text(
        "撤销后，相关问题立即重新打开。", "Its hits are open again at once."
    ),
    "waivers.withdraw_sure": Text("确定撤销这项豁免？", "Withdraw this waiver?"),
    "waivers.withdraw_whole": Text(
        "撤销的是整项豁免，由它豁免的其他问题也会重新打开。",
        "A waiver is withdrawn as a whole: other hits that it waives are open again, too.",
    ),
    "waivers.none_waived": Text(
        "所选问题目前都没有被本控制台的豁免覆盖。",
        "None of the chosen hits is waived by this console.",
    ),
    "waivers.requested": Text("已提交 {code}，等待审批。", "{code} was sent for approval."),
    "waivers.requested_many": Text(
        "已提交 {count} 项豁免，等待审批。", "{count} waivers were sent for approval."
    ),
    "waivers.done_approve": Text("已批准，立即生效。", "Approved, and in force at once."),
    "waivers.done_refuse": Text("已驳回。", "Refused."),
    "waivers.done_withdraw": Text(
        "已撤销，相关问题已重新打开。", "Withdrawn; its hits are open again."
    ),
    "waivers.own_request": Text(
        "申请人不能审批自己的申请。", "Nobody approves what they asked for themselves."
    ),
    "waivers.own": Text(
        "责任人不能审批自己负责的豁免。", "Nobody approves a waiver that they own."
    ),
    "waivers.wider": Text(
        "豁免范围超出您的部门，须由范围更大的审批员审批。",
        "It is for more than your departments: somebody who sees them all decides.",
    ),
    "waivers.not_yours": Text(
        "只有申请人或审批人可以撤销。", "Only its requester or its approver withdraws it."
    ),
    "waivers.over": Text(
        "截止日期已过，不能再批准。", "Its last day is over; it cannot be approved."
    ),
    "waivers.no_host": Text(
        "请填写至少一台主机；全部主机写 *。", "Name at least one host; * is for all of them."
    ),
    "waivers.no_rule": Text("没有规则 {name}。", "There is no rule {name}."),
    "waivers.no_hit": Text(
        "所选问题已整改或不可见，无需豁免。", "None of the chosen hits can be waived."
    ),
    "waivers.many_hits": Text("一次最多选择 {most} 个问题。", "Choose {most} hits at most."),
    "waivers.evidence_wrong": Text("证据标识有误。", "The evidence is no hash."),
    # windows
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
    # manual items
    "manual.what": Text(
        "程序无法判断的要求，由人按部门核查并留存证据；答复到期后须重新核查，不改变代理的判定。",
        "What no program can judge: people answer by department, with evidence. An expired answer counts for nothing; none changes an agent's verdict.",
    ),
    "manual.state": Text("状态", "State"),
    "manual.state.open": Text("待核查", "open"),
    "manual.state.answered": Text("已答复", "answered"),
    "manual.state.expiring": Text("30 天内到期", "expiring within 30 days"),
    "manual.state.expired": Text("已到期，待重新核查", "expired, open again"),
    "manual.department": Text("部门", "Department"),
    "manual.clause": Text("条款", "Clause"),
    "manual.unit": Text("测评单元", "Unit"),
    "manual.question": Text("核查内容", "Question"),
    "manual.hosts": Text("涉及主机", "Hosts"),
    "manual.host_count": Text("{n} 台", "{n}"),
    "manual.answer": Text("结论", "Answer"),
    "manual.none": Text("尚无答复", "no answer yet"),
    "manual.caption": Text("每条规则、每个部门一项。", "One for each rule and department."),
    "manual.standing": Text("目前的答复", "The answer that stands"),
    "manual.until": Text("有效期至 {day}", "until {day}"),
    "manual.expired_on": Text("已于 {day} 到期", "expired on {day}"),
    "manual.give": Text("填写答复", "Answer"),
    "manual.text": Text("核查情况", "What was found"),
    "manual.text_hint": Text(
        "查了什么、看到什么、依据是什么。",
        "What was looked at, what was seen, what it is based on.",
    ),
    "manual.expires": Text("有效期至", "Last day"),
    "manual.expires_hint": Text("最后一天，不晚于 {last}。", "Its last day, {last} at the latest."),
    "manual.host": Text("只针对一台主机", "For one host only"),
    "manual.host_hint": Text(
        "主机名或标识；留空则针对该部门涉及的全部主机。",
        "Its name or id; empty: all hosts of the department.",
    ),
    "manual.files": Text("证据附件", "Evidence"),
    "manual.files_hint": Text(
        "PNG、JPEG、PDF、UTF-8 文本、DOCX、XLSX（不含宏），最多 10 个，合计不超过 {limit} MiB。",
        "PNG, JPEG, PDF, text in UTF-8, DOCX, XLSX without macros; 10 at most, {limit} MiB together.",
    ),
    "manual.history": Text("答复记录", "All answers"),
    "manual.all_hosts": Text("全部主机", "all hosts"),
    "manual.withdraw": Text("撤回", "Take back"),
    "manual.withdraw_sure": Text("确定撤回这条答复？", "Take this answer back?"),
    "manual.replaced": Text("{when} 被取代或撤回", "replaced or taken back {when}"),
    "manual.beside": Text(
        "代理对该规则的判定仍为“人工核查”。", "The agents' verdict of this rule stays manual."
    ),
    "manual.answered_now": Text("已保存答复。", "The answer was saved."),
    "manual.withdrawn_now": Text("已撤回，该项重新待核查。", "Taken back; the item is open again."),
    "manual.no_host": Text(
        "该部门没有主机 {name}，或不止一台。",
        "The department has no host {name}, or more than one.",
    ),
    "manual.many_files": Text("附件最多 {most} 个。", "There may be {most} files."),
    "manual.wrong_file": Text(
        "“{name}”不是允许的文件类型，或文件已损坏。",
        "{name} is of no kind that is kept, or it is damaged.",
    ),
}
