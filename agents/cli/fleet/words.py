"""What `jianwei fleet` says to people, in Chinese and English."""

from __future__ import annotations

from typing import Final

from agents.fleet.model import State
from rules.model import Text

STATES: Final[dict[State, Text]] = {
    "waiting": Text("等待", "waiting"),
    "running": Text("进行中", "running"),
    "changed": Text("已变更", "changed"),
    "unchanged": Text("无变化", "unchanged"),
    "failed": Text("失败", "failed"),
    "refused": Text("被拒绝", "refused"),
    "unreachable": Text("无法连接", "unreachable"),
    "skipped": Text("未执行", "skipped"),
}
STEPS: Final = {
    "connect": Text("连接", "connect"),
    "look": Text("查看", "look"),
    "upload": Text("上传", "upload"),
    "unpack": Text("解包", "unpack"),
    "configure": Text("配置", "configure"),
    "activate": Text("启用", "activate"),
    "rollback": Text("回退", "rollback"),
    "remove": Text("清理", "remove"),
    "uninstall": Text("卸载", "uninstall"),
}
HOST: Final = Text("主机", "Host")
STATE: Final = Text("状态", "State")
STEP: Final = Text("步骤", "Step")
BEFORE: Final = Text("原版本", "Before")
AFTER: Final = Text("现版本", "After")
VERSION: Final = Text("版本", "Version")
PREVIOUS: Final = Text("上一版本", "Previous")
SYSTEM: Final = Text("操作系统", "System")
RUNS: Final = Text("运行", "Runs")
SINCE: Final = Text("启动时间", "Since")
READY: Final = Text("就绪", "Ready")
CONFIG: Final = Text("配置", "Configuration")
SECONDS: Final = Text("秒", "Seconds")
WHY: Final = Text("说明", "Why")
YES: Final = Text("是", "yes")
NO: Final = Text("否", "no")
SAME: Final = Text("一致", "same")
DIFFERS: Final = Text("不一致", "differs")
NOTHING: Final = Text("无需操作", "nothing to do")
HOSTS: Final = Text("共 {} 台主机", "{} hosts")
ALIKE: Final = Text("{} 台：{}", "{} hosts: {}")
NOT_SHOWN: Final = Text(
    "另有 {} 台未显示：--json 或重定向到文件可列出全部",
    "{} hosts more are not shown: --json or a file as output has them all",
)
LOOKED: Final = Text("已查看", "looked at")
MORE_FAIL: Final = Text(
    "更多失败的主机见最后的表", "more hosts that fail are in the table at the end"
)
CHECKING: Final = Text("检查配置：{}/{}", "checking configurations: {} of {}")
NOT_DONE: Final = Text(
    "未执行任何操作；加 --yes 则不再询问", "nothing was done; --yes does it without asking"
)
MORE: Final = Text("另有 {} 台进行中", "and {} more at work")
TO_CHANGE: Final = Text(
    "{} 台需变更，共发送 {}；{} 台无需操作，{} 台有问题",
    "{} hosts to change, {} to send; {} with nothing to do, {} with a problem",
)
CANARY: Final = Text("金丝雀（按清单的顺序）：{}", "canary, in the order of the inventory: {}")
SERVED_HERE: Final = Text(
    "注意：{} 台主机（如 {}）的代理只监听本机（web.listen），Prometheus 无法访问：请在配置中写 "
    'listen: ["${{address}}:9808"]；由代理推送时写 agent: none',
    "note: {} hosts ({} …) have an agent that listens on loopback alone (web.listen), where Prometheus "
    'cannot reach it: give them a config with listen: ["${{address}}:9808"], or agent: none if it pushes',
)
STOPPED: Final = Text("已停止：{}", "stopped: {}")
STOPPING: Final = Text(
    "不再开始新的主机，进行中的步骤会做完；再按一次立即结束",
    "no new hosts begin, running steps finish; once more ends at once",
)
LOGS: Final = Text("日志：{}", "logs: {}")
ASK_ROLLBACK: Final = Text(
    "将 {} 台主机回退到上一版本，是否继续？", "Go back to the version before on {} hosts?"
)
ASK_UNINSTALL: Final = Text("从 {} 台主机卸载，是否继续？", "Uninstall from {} hosts?")
NONE_LEFT: Final = Text("没有需要处理的主机", "no host is left to do")
TORN: Final = Text(
    "日志中有 {} 行无法读取，已略过", "{} lines of the journal cannot be read and are left out"
)
