"""Reasons of plans and rollouts in Chinese. They are kept in English, in the journal and in JSON; what hosts say is
shown as it is."""

from __future__ import annotations

import functools
import re
from typing import Final

from agents.fleet import plan

_CHINESE: Final = {
    "{} is not there": "主机上没有 {}",
    "{} is damaged": "{} 已损坏",
    "release {} is there with other content: give the new build another version": (
        "主机上的版本 {} 内容不同：请为新的构建使用另一个版本号"
    ),
    "{} is there with other content": "主机上的 {} 内容不同",
    "the configuration differs": "配置不一致",
    "there is none yet": "尚无配置",
    "from {} to {}": "从 {} 到 {}",
    "back, from {} to {}": "降级：从 {} 到 {}",
    "{} runs, the bundle has {}: rollback or deploy goes back": (
        "正在运行 {}，安装包是较旧的 {}：降级请用 rollback 或 deploy"
    ),
    "the first version": "首个版本",
    "{} is put there anew": "重新放置 {}",
    "the configuration is new": "配置已更新",
    "the unit differs": "systemd 单元不一致",
    "the unit is not there": "没有 systemd 单元",
    "it does not run": "未在运行",
    "it would not start with the host": "未设为开机启动",
    "it runs and is not ready": "正在运行但未就绪",
    "all of it goes, {} with it": "全部移除，包括 {}",
    "all but its state goes, {} with it": "除状态数据外全部移除，包括 {}",
    "no agent is here to upgrade: jianwei fleet deploy puts one": (
        "没有可升级的代理：请用 jianwei fleet deploy 安装"
    ),
    plan.NOT_ROOT: "不是 root：请以 root 登录，或为该主机设置 sudo",
    plan.FOREIGN: "主机上有以其他方式安装的代理：请移走其 jianwei-agent.service 和 /etc/jianwei",
    "no systemd is here, which is to run the agent": "主机没有 systemd，无法运行代理",
    "the host is {}, the bundle for {}: give it a bundle of its own": (
        "主机架构是 {}，安装包用于 {}：请使用对应的安装包"
    ),
    "no room on the disk: {} are free for /opt/jianwei, {} are needed": (
        "磁盘空间不足：/opt/jianwei 可用 {}，需要 {}"
    ),
    "there is no version before this one to go back to": "没有可回退的上一版本",
    "not begun: the canary {} did not end well": "未开始：金丝雀主机 {} 未成功",
    "not begun: {} hosts failed, {} may": "未开始：已有 {} 台失败，上限 {} 台",
    "not begun: {} does not take the password of sudo": "未开始：{} 不接受 sudo 密码",
    "not begun: interrupted": "未开始：已中断",
    "ended after {}: {}; the same command goes on": "在 {} 之后结束：{}；重新执行同一命令即可继续",
    "ended before anything was done: {}; the same command goes on": (
        "尚未操作即结束：{}；重新执行同一命令即可继续"
    ),
}


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(re.escape(english).replace(r"\{\}", "(.+?)"), re.DOTALL), chinese)
        for english, chinese in _CHINESE.items()
    )


def said(text: str, language: str) -> str:
    """A reason in the language; another text as it is."""
    if language == "en":
        return text
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(text):
            return chinese.format(*match.groups())
    return text
