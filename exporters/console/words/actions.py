"""What the audit log says was done: a word for every action that is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "action.fleet.enrol": Text("生成登记命令", "made an enrolment line"),
    "action.fleet.enrolled": Text("代理已登记", "an agent was enrolled"),
    "action.fleet.revoke": Text("吊销代理令牌", "revoked an agent's token"),
    "action.hits.acknowledge": Text("确认问题", "acknowledged hits"),
    "action.hits.ask_ticket": Text("申请工单", "asked for a ticket"),
    "action.hits.assign": Text("指派问题", "assigned hits"),
    "action.hits.close_ticket": Text("关闭工单", "closed a ticket"),
    "action.hits.comment": Text("备注问题", "commented on a hit"),
    "action.hits.set_ticket": Text("填写工单号", "set a hit's ticket"),
    "action.hits.ticket": Text("建立工单", "opened a ticket"),
    "action.hits.unacknowledge": Text("撤销确认", "took an acknowledgement back"),
    "action.hits.unassign": Text("取消指派", "unassigned hits"),
    "action.log.export": Text("导出审计日志", "exported the audit log"),
    "action.login.done": Text("登录成功", "logged in"),
    "action.login.failed": Text("登录失败", "failed to log in"),
    "action.login.out": Text("退出登录", "logged out"),
    "action.login.password": Text("密码验证通过", "gave the right password"),
    "action.login.totp": Text("双因素验证通过", "gave the right code"),
    "action.manual.answer": Text("答复人工核查", "answered a manual item"),
    "action.manual.withdraw": Text("撤回人工答复", "withdrew an answer"),
    "action.notify.retry": Text("重发通知", "sent a message again"),
    "action.notify.test": Text("发送测试通知", "sent a test message"),
    "action.profile.password": Text("修改本人密码", "changed their password"),
    "action.profile.recovery_codes": Text("重新生成恢复码", "made new recovery codes"),
    "action.profile.session_ended": Text("结束一个会话", "ended a session"),
    "action.profile.sessions_ended": Text("结束其他会话", "ended their other sessions"),
    "action.profile.totp_off": Text("停用双因素验证", "turned the second factor off"),
    "action.profile.totp_on": Text("启用双因素验证", "turned the second factor on"),
    "action.tokens.create": Text("生成 API 令牌", "made an API token"),
    "action.tokens.revoke": Text("吊销 API 令牌", "revoked an API token"),
    "action.users.change": Text("修改用户", "changed a user"),
    "action.users.create": Text("新建用户", "created a user"),
    "action.users.directory_down": Text(
        "目录无法核实，会话结束", "the directory did not answer: sessions ended"
    ),
    "action.users.directory_gone": Text(
        "目录中已无此人，会话结束", "no longer in the directory: sessions ended"
    ),
    "action.users.first": Text("创建首个管理员", "created the first administrator"),
    "action.users.provisioned": Text("由目录建立用户", "created from the directory"),
    "action.users.refreshed": Text("由目录更新用户", "refreshed from the directory"),
    "action.users.reset_password": Text("重置密码", "reset a password"),
    "action.users.reset_totp": Text("重置双因素验证", "reset a second factor"),
    "action.users.unlock": Text("解除锁定", "unlocked a user"),
    "action.views.change": Text("修改视图", "changed a view"),
    "action.views.remove": Text("删除视图", "deleted a view"),
    "action.views.save": Text("保存视图", "saved a view"),
    "action.waivers.approve": Text("批准豁免", "approved a waiver"),
    "action.waivers.refuse": Text("拒绝豁免", "refused a waiver"),
    "action.waivers.request": Text("申请豁免", "requested a waiver"),
    "action.waivers.withdraw": Text("撤回豁免", "withdrew a waiver"),
    "action.windows.cancel": Text("取消维护或静默", "cancelled a window"),
    "action.windows.create": Text("新建维护或静默", "created a window"),
}
ACTIONS: Final = tuple(key.removeprefix("action.") for key in WORDS)
