"""Words of manual items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
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
    "manual.choose": Text("请选择", "choose"),
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
