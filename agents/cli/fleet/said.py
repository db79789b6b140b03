"""Reasons of plans and rollouts, and what to do about them, in Chinese. They are kept in English, in the journal and
in JSON; what hosts say in other words is shown as it is."""

from __future__ import annotations

import functools
import re
from typing import Final

from agents.cli.fleet import words
from agents.fleet import plan

_CHINESE: Final = {
    "{} is not there": "主机上没有 {}",
    "{} is damaged": "{} 已损坏",
    "release {} is there with other content: give the new build another version": (
        "主机上的版本 {} 内容不同：请为新的构建使用另一个版本号"
    ),
    "{} is there with other content": "主机上的 {} 内容不同",
    "the configuration differs": "配置不一致",
    "the configuration was changed here": "本机清单的配置已更改",
    "the configuration was changed on the host": "主机上的配置被改动过",
    "the configuration was changed here, and on the host": "本机清单和主机上的配置都已更改",
    "the full bundle (console, report) is here, and would lose its place: "
    "upgrade this host with the bundle jianwei-{}": (
        "主机上是完整安装包（含控制台和报表），不能由代理安装包替换：请用安装包 jianwei-{} 升级此主机"
    ),
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
    "interrupted": "已中断",
    # of the connection
    "cannot connect: {}": "无法建立连接：{}",
    "no SSH session: {}": "无法建立 SSH 会话：{}",
    "Connection refused": "连接被拒绝",
    "Connection reset by peer": "连接被对方重置",
    "No route to host": "没有到主机的路由",
    "Network is unreachable": "网络不可达",
    "Name or service not known": "主机名无法解析",
    "no answer in time": "超时无应答",
    "the host closed the connection": "主机关闭了连接",
    "the connection was lost": "连接中断",
    "it takes nothing for {} s": "主机 {} 秒内未接收数据",
    "no end within {} s": "{} 秒内未结束",
    "unknown {} key {}: compare it with {} of the key in /etc/ssh on the host itself, then {} gives "
    "the line for known_hosts": (
        "未知的 {} 主机密钥 {}：请在主机上用 {} 与 /etc/ssh 中的密钥核对，再用 {} 得到 known_hosts 的一行"
    ),
    "changed {} key {}: {} has another: the host was installed anew, or somebody is in between; find "
    "out which before you replace that line": (
        "{} 主机密钥已改变 {}：与 {} 中的不同；主机可能重装过，也可能遭中间人攻击，查明后再替换该行"
    ),
    "revoked {} key {}: it is revoked in {}": "{} 主机密钥 {} 已被 {} 吊销",
    "not let in; tried {}": "登录被拒绝；已尝试 {}",
    "key {} is encrypted: set key_passphrase": "密钥 {} 已加密：请设置 key_passphrase",
    "key {}: the passphrase is wrong": "密钥 {} 的口令错误",
    "{}: there is no such key file": "没有密钥文件 {}",
    "sudo on {} wants a terminal: put {} in its sudoers": "{} 上的 sudo 需要终端：请在其 sudoers 中加入 {}",
    "sudo on {} wants a password: set sudo_password in the inventory": (
        "{} 上的 sudo 需要密码：请在清单中设置 sudo_password，或使用 --ask-sudo-password"
    ),
    "sudo on {} does not take the password: see sudo_password": (
        "{} 上的 sudo 密码错误：请检查 sudo_password"
    ),
    "there is no sudo on {}: let root log in, or install it": (
        "{} 上没有 sudo：请以 root 登录，或安装 sudo"
    ),
    "sudo on {} does not let {} run /bin/sh: {}": "{} 上的 sudo 不允许 {} 运行 /bin/sh：{}",
    # of the host
    "not root: log in as root, or set sudo for this host": (
        "没有 root 权限：请以 root 登录，或为此主机设置 sudo"
    ),
    "{} is not root's alone: give it to root, and let nobody else write there": (
        "{} 不只属于 root：请改为 root 所有，且不许他人写入"
    ),
    "what is in force cannot be kept: is there room on /etc and {}?": (
        "无法保留现有配置：请检查 /etc 和 {} 的磁盘空间"
    ),
    "{}; and it cannot be gone back from: is there room on /etc? The next command tries again": (
        "{}；且无法回退：请检查 /etc 的磁盘空间，下一次命令会重试"
    ),
    "there is no systemd here": "主机没有 systemd",
    "there is no flock here (util-linux)": "主机没有 flock（util-linux）",
    "somebody else changes this host; try again when that is over": (
        "有人正在变更此主机：请稍后重试"
    ),
    "no room: needs {} MB, has {} MB on {}": "磁盘空间不足：需要 {0} MB，{2} 可用 {1} MB",
    "release {} is here with other content: give the new one another version": (
        "主机上的 {} 内容不同：请为新安装包使用另一个版本号"
    ),
    "release {} is not on this host: deploy it": "主机上没有版本 {}：请部署",
    "files of release {} are damaged: deploy it again": "版本 {} 的文件已损坏：请重新部署",
    "the bundle is not as it was sent: upload it again": "安装包与发送的不一致：请重新上传",
    "{} did not arrive as it was sent: its SHA-256 differs": "{} 与发送的不一致：SHA-256 不同",
    "cannot upload {}: {}": "无法上传 {}：{}",
    "there is no release before to go back to": "没有可回退的上一版本",
    "the configuration is not right: {}": "配置有误：{}",
    "release {} does not run here: {}": "版本 {} 无法在此主机上运行：{}",
    "{}; {} is back and not ready either": "{}；{} 已恢复，但也未就绪",
    "{}; {} is back": "{}；{} 已恢复",
    "{}; there was none before, and none is left running": "{}；此前没有版本，现无代理运行",
    "{} was not ready within {} s": "{} 在 {} 秒内未就绪",
    "{} was not ready within {} s: {}": "{} 在 {} 秒内未就绪：{}",
    "something answers for {}, and systemd says that it does not run": (
        "有其他程序在 {} 的地址上应答，而 systemd 显示代理未运行：请检查端口占用"
    ),
    "no agent is here: jianwei fleet deploy puts one": "主机上没有代理：请用 jianwei fleet deploy 安装",
    "cannot write here: {}": "本机无法写入：{}",
}
# the step that it was in, and whom it was said of
_BEFORE: Final = re.compile(rf"((?:{'|'.join(words.STEPS)}): )?(\S+@\S+:\d+: )?(.*)", re.DOTALL)


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
    if text in words.STEPS:
        return words.STEPS[text].of(language)
    step, hop, rest = _parts(text)
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(rest):
            rest = chinese.format(*(said(part, language) for part in match.groups()))
            break
    before = f"{words.STEPS[step.rstrip(': ')].of(language)}：" if step else ""
    return f"{before}{hop}{rest}"


def without_host(text: str, host: str) -> str:
    """A reason that is the same for other hosts."""
    step, _, rest = _parts(text)
    name = rf"(?<![\w.-]){re.escape(host)}(?![\w.-])"
    return step + re.sub(name, "…", rest)


def _parts(text: str) -> tuple[str, str, str]:
    step, hop, rest = _BEFORE.findall(text)[0]  # all of it is optional
    return step, hop, rest
