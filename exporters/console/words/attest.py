"""Words of waivers, and those that waivers, manual items and windows share."""

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
        "申请人不能审批自己的申请，换用本人的其他账户也不行。",
        "Nobody approves what they asked for themselves, by whichever account.",
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
}
