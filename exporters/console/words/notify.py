"""Words of messages to people, and of the page of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "notify.title": Text("通知", "Notifications"),
    "notify.subject": Text("【见微】{what}", "[Jianwei] {what}"),
    "notify.example": Text("示例数据", "example data"),
    "notify.kind.new": Text("新发现问题 {count} 项", "{count} new hits"),
    "notify.kind.regressed": Text("复发问题 {count} 项", "{count} hits have regressed"),
    "notify.kind.waiver_expiring": Text("即将到期的豁免 {count} 项", "{count} waivers expire soon"),
    "notify.kind.agent_silent": Text(
        "{count} 台主机的代理失联", "The agents of {count} hosts went silent"
    ),
    "notify.kind.agent_back": Text(
        "{count} 台主机的代理恢复上报", "The agents of {count} hosts are back"
    ),
    "notify.kind.ticket_failed": Text(
        "工单创建失败 {count} 次", "{count} tickets could not be made"
    ),
    "notify.kind.test": Text("测试消息，收到即表示通知配置正常", "A test: notifications arrive"),
    "notify.name.new": Text("新发现问题", "New hits"),
    "notify.name.regressed": Text("问题复发", "Regressed hits"),
    "notify.name.waiver_expiring": Text("豁免即将到期", "Waivers that expire"),
    "notify.name.agent_silent": Text("代理失联", "Silent agents"),
    "notify.name.agent_back": Text("代理恢复", "Agents that are back"),
    "notify.name.ticket_failed": Text("工单失败", "Failed tickets"),
    "notify.name.test": Text("测试", "Test"),
    "notify.name.ticket": Text("新建工单", "New ticket"),
    "notify.name.ticket_close": Text("关闭工单", "Close a ticket"),
    "notify.expires": Text("{detail} 到期", "expires on {detail}"),
    "notify.since": Text("自 {detail} 起", "since {detail}"),
    "notify.more": Text("另有 {count} 项", "and {count} more"),
    "notify.open": Text("打开控制台查看", "Open the console"),
    "notify.colon": Text("：", ": "),
    "notify.comma": Text("，", ", "),
    "notify.receivers": Text("接收方", "Receivers"),
    "notify.rules": Text("通知规则", "Rules"),
    "notify.messages": Text("消息", "Messages"),
    "notify.configured": Text(
        "接收方和规则写在配置文件里，界面上不能改地址。",
        "Receivers and rules are in the configuration file; no address can be changed here.",
    ),
    "notify.no_receivers": Text("还没有配置接收方。", "No receiver is configured."),
    "notify.no_rules": Text(
        "还没有配置规则，不会发送通知。", "No rule is configured: nothing is sent."
    ),
    "notify.name": Text("名称", "Name"),
    "notify.format": Text("形式", "Format"),
    "notify.format.generic": Text("通用 webhook", "webhook"),
    "notify.format.wecom": Text("企业微信", "WeCom"),
    "notify.format.dingtalk": Text("钉钉", "DingTalk"),
    "notify.format.feishu": Text("飞书", "Feishu"),
    "notify.format.mail": Text("邮件", "e-mail"),
    "notify.format.itsm": Text("工单系统", "ticket system"),
    "notify.where": Text("地址", "Where"),
    "notify.language": Text("语言", "Language"),
    "notify.language.zh": Text("中文", "Chinese"),
    "notify.language.en": Text("英文", "English"),
    "notify.waiting": Text("待发送", "Waiting"),
    "notify.last": Text("最近送达", "Last delivered"),
    "notify.test": Text("发送测试消息", "Send a test"),
    "notify.tested": Text(
        "测试消息已排入队列，稍后刷新可见结果。", "A test was put into the queue."
    ),
    "notify.retry": Text("立即重试", "Try again now"),
    "notify.retried": Text("消息将立即重新发送。", "The message is sent again at once."),
    "notify.events": Text("事件", "Events"),
    "notify.severity": Text("最低级别", "Severity at least"),
    "notify.departments": Text("部门", "Departments"),
    "notify.quiet": Text("静默时段", "Quiet hours"),
    "notify.quiet_hours": Text(
        "{begins} 至 {ends} 暂缓发送", "messages wait from {begins} to {ends}"
    ),
    "notify.quiet_urgent": Text("严重问题照常发送", "those of critical hits do not"),
    "notify.time": Text("时间", "Time"),
    "notify.what": Text("内容", "What"),
    "notify.to": Text("接收方", "To"),
    "notify.state": Text("状态", "State"),
    "notify.state.waiting": Text("待发送", "waiting"),
    "notify.state.delivered": Text("已送达", "delivered"),
    "notify.state.given_up": Text("已放弃", "given up"),
    "notify.state.suppressed": Text("维护或静默期间，未发送", "suppressed by a window"),
    "notify.attempts": Text("尝试次数", "Attempts"),
    "notify.problem": Text("问题", "Problem"),
    "notify.due": Text("下次尝试", "Next attempt"),
    "notify.no_messages": Text("没有消息。", "There are no messages."),
    "notify.older": Text("更早的消息", "Older messages"),
    "notify.once": Text(
        "消息至少送达一次：控制台在发送途中中断时，同一消息可能重复，编号相同。",
        "A message is delivered at least once: one that was under way when a console stopped may come twice, "
        "with the same number.",
    ),
    "notify.no_receiver": Text("没有名为 {name} 的接收方。", "There is no receiver named {name}."),
    "notify.not_waiting": Text("这条消息不能重发。", "This message cannot be sent again."),
    "notify.gone": Text("接收方已不在配置中", "the receiver is not in the configuration any more"),
    "tickets.ask": Text("转工单", "Ask for a ticket"),
    "tickets.none": Text("没有配置工单系统。", "No ticket system is configured."),
    "tickets.asked": Text(
        "已提交工单请求，编号返回后显示在问题页。",
        "A ticket was asked for; its number is shown with the hit when it comes.",
    ),
    "tickets.already": Text(
        "已有工单或正在创建，没有重复创建。", "There is a ticket already, or it is being made."
    ),
    "tickets.many": Text("一次最多 {most} 项。", "At most {most} at once."),
    "tickets.several": Text("{title} 等 {count} 项", "{title} and others, {count} in all"),
}
