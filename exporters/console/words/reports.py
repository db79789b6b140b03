"""Words of the archive of monthly reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "reports.title": Text("月报存档", "Monthly reports"),
    "reports.month": Text("月份", "Month"),
    "reports.whole": Text("全市月报", "The whole report"),
    "reports.own": Text(
        "您可以查看本部门的专页；全市月报只对全部部门的用户开放。",
        "You see your departments' excerpts; the whole report is for those who see every department.",
    ),
    "reports.file": Text("文件", "File"),
    "reports.language": Text("语言", "Language"),
    "reports.language.zh": Text("中文", "Chinese"),
    "reports.language.en": Text("英文", "English"),
    "reports.size": Text("大小", "Size"),
    "reports.made": Text("生成时间", "Made"),
    "reports.read": Text("在线查看", "Read"),
    "reports.read_it": Text("在线查看 {name}", "Read {name}"),
    "reports.get": Text("下载 {name}", "Download {name}"),
    "reports.none": Text("还没有月报。", "There are no reports yet."),
    "reports.none_of_month": Text("{month} 没有月报。", "There is no report for {month}."),
    "reports.not_configured": Text(
        "没有配置月报目录；请在控制台配置文件里把 reports 设为 jianwei report 的输出目录。",
        "No folder of reports is configured: set reports to the one that jianwei report writes into.",
    ),
    "reports.unreadable": Text(
        "月报目录无法读取（{problem}），请联系管理员。",
        "The folder of reports cannot be read ({problem}); tell an administrator.",
    ),
}
