"""Words that every page may need: the frame, the states, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "product": Text("见微", "Jianwei"),
    "console": Text("见微 · 核查处置台", "Jianwei review console"),
    "example": Text("示例数据", "Example data"),
    "skip": Text("跳到正文", "Skip to content"),
    "other_language": Text("English", "中文"),
    "log_out": Text("退出", "Log out"),
    "save": Text("保存", "Save"),
    "cancel": Text("取消", "Cancel"),
    "close": Text("关闭", "Close"),
    "search": Text("查询", "Search"),
    "none": Text("无", "none"),
    "not_known": Text("未知", "not known"),
    "nobody_department": Text("未归属", "nobody's"),
    "yes": Text("是", "yes"),
    "no": Text("否", "no"),
    "all": Text("全部", "all"),
    # navigation
    "nav.overview": Text("总览", "Overview"),
    "nav.hits": Text("问题", "Hits"),
    "nav.waivers": Text("豁免", "Waivers"),
    "nav.manual": Text("人工核查", "Manual items"),
    "nav.hosts": Text("主机", "Hosts"),
    "nav.rules": Text("规则", "Rules"),
    "nav.fleet": Text("代理", "Fleet"),
    "nav.lines": Text("线路与 IPv6", "Lines and IPv6"),
    "nav.reports": Text("月报", "Reports"),
    "nav.windows": Text("维护与静默", "Windows"),
    "nav.notifications": Text("通知", "Notifications"),
    "nav.users": Text("用户", "Users"),
    "nav.log": Text("审计日志", "Audit log"),
    "nav.profile": Text("我的账户", "My account"),
    # severities, states, verdicts, roles
    "severity.critical": Text("严重", "critical"),
    "severity.high": Text("高", "high"),
    "severity.medium": Text("中", "medium"),
    "severity.low": Text("低", "low"),
    "severity.info": Text("提示", "info"),
    "state.new": Text("新发现", "new"),
    "state.acknowledged": Text("已确认", "acknowledged"),
    "state.waived": Text("已豁免", "waived"),
    "state.fixed": Text("已整改", "fixed"),
    "state.regressed": Text("复发", "regressed"),
    "verdict.pass": Text("通过", "pass"),
    "verdict.fail": Text("不通过", "fail"),
    "verdict.not_applicable": Text("不适用", "not applicable"),
    "verdict.unknown": Text("未知", "unknown"),
    "verdict.manual": Text("人工核查", "manual"),
    "role.viewer": Text("查看员", "viewer"),
    "role.analyst": Text("分析员", "analyst"),
    "role.approver": Text("审批员", "approver"),
    "role.administrator": Text("系统管理员", "administrator"),
    "role.auditor": Text("审计员", "auditor"),
    # refusals
    "refused.title": Text("未能完成", "Not done"),
    "refused.back": Text("返回", "Back"),
    "not_found": Text("没有这一页，或您无权查看。", "There is no such page, or it is not for you."),
    "forbidden": Text("您的角色不能做这件事。", "Your role may not do this."),
    "log_in_first": Text("请先登录。", "Log in first."),
    "csrf": Text(
        "页面已过期，没有改动任何内容；请刷新后重试。",
        "The page is too old; nothing was changed. Reload it and try again.",
    ),
    "conflict": Text(
        "其他人刚刚改动了它，您的改动没有保存；请查看最新内容后再改。",
        "Somebody else has just changed it; your change was not saved. Look at it as it is now and try again.",
    ),
    "bad_parameter": Text(
        "参数 {name} 有误：{problem}", "The parameter {name} is wrong: {problem}"
    ),
    "bad_parameter_unknown": Text(
        "没有名为 {name} 的参数。", "There is no parameter named {name}."
    ),
    "bad_body": Text("请求内容不是有效的 JSON：{problem}", "The body is not valid JSON: {problem}"),
    "too_large": Text("内容超过 {limit} 字节。", "It is larger than {limit} bytes."),
    "too_many": Text(
        "请求过于频繁，请 {seconds} 秒后再试。", "Too many requests; try again in {seconds} s."
    ),
    "unavailable": Text(
        "数据库暂时不可用或正忙，没有改动任何内容；请 {seconds} 秒后再试。",
        "The database cannot be reached or is busy; nothing was changed. Try again in {seconds} s.",
    ),
    "broken": Text(
        "控制台内部出错，没有改动任何内容；详情在它的日志里。",
        "The console failed; nothing was changed. Its log says more.",
    ),
}
