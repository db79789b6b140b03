"""Words of the fleet: agents, targets, enrolment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "fleet.agents": Text("代理", "Agents"),
    "fleet.agent": Text("代理情况", "The agent"),
    "fleet.silent": Text("失联", "Silent"),
    "fleet.with_problem": Text("采集异常", "With a problem"),
    "fleet.unanswered": Text("从未应答的采集目标", "Targets that never answered"),
    "fleet.targets": Text("采集目标", "Targets"),
    "fleet.files": Text("目标文件", "Targets files"),
    "fleet.file_targets": Text("{count} 个目标", "{count} targets"),
    "fleet.file_problem": Text(
        "目标文件有误，仍按原有内容采集：", "A targets file is wrong; what it said before stays: "
    ),
    "fleet.no_targets": Text("没有符合条件的采集目标。", "No such targets."),
    "fleet.text": Text("名称、标识或地址", "Name, id or address"),
    "fleet.address": Text("地址", "Address"),
    "fleet.host": Text("主机", "Host"),
    "fleet.key": Text("主机标识", "Host id"),
    "fleet.department": Text("部门", "Department"),
    "fleet.system": Text("信息系统", "System"),
    "fleet.region": Text("区域", "Region"),
    "fleet.level": Text("等保级别", "Protection level"),
    "fleet.how": Text("采集方式", "How"),
    "fleet.pull": Text("控制台拉取", "pulled"),
    "fleet.push": Text("代理推送", "pushed"),
    "fleet.version": Text("版本", "Version"),
    "fleet.first_seen": Text("首次接入", "First seen"),
    "fleet.heard": Text("最近联络", "Last heard"),
    "fleet.last_audit": Text("最近核查", "Last audit"),
    "fleet.due": Text("下次拉取", "Next pull"),
    "fleet.audits": Text("收到核查", "Audits"),
    "fleet.unchanged": Text("无变化", "Unchanged"),
    "fleet.failed": Text("失败", "Failed"),
    "fleet.problem": Text("异常", "Problem"),
    "fleet.packs": Text("规则包", "Packs"),
    "fleet.pack": Text("规则包", "Pack"),
    "fleet.state": Text("状态", "State"),
    "fleet.answers": Text("正常", "answers"),
    "fleet.silent_since": Text("自 {time} 起失联", "silent since {time}"),
    "fleet.stale": Text(
        "该主机自 {time} 起没有任何消息，以下为当时的情况；其问题不视为已整改。",
        "Nothing was heard of this host since {time}: this is how it was then. Its hits do not count as fixed.",
    ),
    "fleet.nobody": Text("没有符合条件的代理。", "No such agents."),
    "fleet.next": Text("下一页", "Next page"),
    "fleet.collects": Text("采集内容", "What it tells of"),
    "fleet.collects_hint": Text(
        "根据代理最近上报的核查结果和线路列出；启用了哪些采集器由代理的配置决定，代理不上报。",
        "By the audits and lines that it told last; which collectors run is in the agent's configuration, which it does not tell.",
    ),
    "fleet.score": Text("得分", "Score"),
    "fleet.outcomes": Text("规则结果", "Rules by outcome"),
    "fleet.unjudged": Text(
        "有 {count} 条规则因信息不足未能判定。",
        "{count} rules could not be judged for lack of facts.",
    ),
    "fleet.lines": Text("监测线路", "Lines watched"),
    "fleet.to_host": Text("查看该主机的核查结果", "See this host's findings"),
    "fleet.tokens": Text("推送令牌", "Push tokens"),
    "fleet.token": Text("令牌", "Token"),
    "fleet.created": Text("签发时间", "Issued"),
    "fleet.used": Text("最近使用", "Last used"),
    "fleet.valid": Text("有效", "valid"),
    "fleet.revoke": Text("吊销", "Revoke"),
    "fleet.revoke_sure": Text(
        "吊销后该代理不能再推送，须重新登记。确定吊销吗？",
        "The agent cannot push any more and has to be enrolled again. Revoke it?",
    ),
    "fleet.revoked": Text("令牌已吊销。", "The token is revoked."),
    "fleet.revoked_at": Text("已于 {time} 吊销", "revoked {time}"),
    # enrolment
    "fleet.enrol.title": Text("登记新代理", "Enrol an agent"),
    "fleet.enrol.intro": Text(
        "适用于控制台无法直接访问的主机（如 NAT 之后）：在主机上执行一行命令，代理即自行登记并推送核查结果。",
        "For machines that the console cannot reach, behind NAT for example: one line run there, and the agent enrols and pushes its audits.",
    ),
    "fleet.enrol.labels": Text("主机归属", "Whose machine it is"),
    "fleet.enrol.hours": Text("命令有效期（小时）", "The line is valid for (hours)"),
    "fleet.enrol.replaces": Text("重新登记的主机标识", "Id of the host that is enrolled again"),
    "fleet.enrol.replaces_hint": Text(
        "仅在重装代理或更换令牌时填写；该主机原有令牌在登记后失效，上面未填的归属保持不变。",
        "Only where an agent is installed anew. The tokens that the host had are worth nothing then; what is left empty above stays as it is.",
    ),
    "fleet.enrol.again": Text("重新登记", "Enrol it again"),
    "fleet.enrol.make": Text("生成登记命令", "Make the line"),
    "fleet.enrol.run": Text("在该主机上执行", "Run this on the machine"),
    "fleet.enrol.copy": Text("复制", "Copy"),
    "fleet.enrol.once": Text(
        "命令含一次性令牌，只显示这一次，{time} 前有效，只能使用一次；请勿通过不安全的渠道传送。",
        "The line has a one-time token in it and is shown only now. It is valid until {time}, once; send it by safe ways alone.",
    ),
    "fleet.enrol.state": Text("登记进度", "Has it arrived?"),
    "fleet.enrol.waiting": Text("等待主机接入……", "Waiting for the host …"),
    "fleet.enrol.enrolled": Text(
        "主机已登记，等待第一次核查结果……", "The host is enrolled; waiting for its first audit …"
    ),
    "fleet.enrol.arrived": Text("主机已接入：", "The host has arrived:"),
    "fleet.enrol.expired": Text(
        "命令已于 {time} 失效，请重新生成。", "The line was valid until {time}; make a new one."
    ),
    "fleet.enrol.look": Text("查看登记进度", "Look at this again"),
    # refusals
    "fleet.token_missing": Text("缺少令牌。", "There is no token."),
    "fleet.token_unknown": Text("令牌无效。", "The token is not known."),
    "fleet.token_revoked": Text(
        "令牌已被吊销，请重新登记。", "The token was revoked; enrol the agent again."
    ),
    "fleet.other_host": Text(
        "该令牌只能推送它所登记主机的核查结果。",
        "The token is for another host than this audit is of.",
    ),
    "fleet.other_department": Text(
        "您只能为自己的部门登记主机。", "You may enrol hosts of your own departments only."
    ),
    "fleet.pulled_too": Text(
        "控制台已从 {url} 拉取该主机，不再接受推送。",
        "The console pulls this host from {url} already: it is not pushed, too.",
    ),
    "fleet.bad_audit": Text("内容不是核查结果：{problem}", "The body is no audit: {problem}"),
    "fleet.bad_gzip": Text("内容不是完整的 gzip。", "The body is not a whole gzip."),
    "fleet.enrol_unknown": Text("一次性令牌无效。", "The one-time token is not known."),
    "fleet.enrol_used": Text("一次性令牌已使用过。", "The one-time token was used already."),
    "fleet.enrol_expired": Text("一次性令牌已过期。", "The one-time token has expired."),
    "fleet.enrol_known": Text(
        "该主机已登记；如确需重新登记，请在生成命令时填写它的主机标识。",
        "This host has enrolled already; name it by its id when you make the line.",
    ),
    "fleet.enrol_other": Text(
        "这条命令只能用于重新登记另一台指定的主机。",
        "This line is for another host, which is to be enrolled again.",
    ),
    "fleet.enrol_nobody": Text(
        "没有该标识的主机，或您无权查看。", "There is no host of this id, or it is not for you."
    ),
    "fleet.no_authority": Text(
        "控制台配置的 CA 文件无法读取：{problem}",
        "The console's authority cannot be read: {problem}",
    ),
}
