"""Words of an excerpt of the report for one department, Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

LEFT_OUT: Final = "excerpt_"  # begins the codes of gaps of parts that the whole report has
OF_OTHERS: Final = "（涉及其他部门，略 · names others: left out）"
WORDS: Final[Mapping[str, Text]] = {
    "held": Text(
        "{name}持有资源 {resources} 项，已分配 vCPU{vcpus}、内存{memory}、存储{disk}{unknown}。",
        "{name} holds {resources} resources, with vCPUs: {vcpus}, memory: {memory}, storage: "
        "{disk}{unknown}.",
    ),
    "unknown": Text(
        "（另有 {n} 项规格不全，未计入相应合计）", " ({n} of unknown size are not in it)"
    ),
    "used": Text(
        "CPU 平均使用率 {used}%，数据覆盖率 {coverage}%。",
        "{used} % of its CPU were used on average; {coverage} % of it is known.",
    ),
    "used_unknown": Text(
        "本月 CPU 使用率未知（没有数据，或服务器规格未知）。",
        "Its use of CPU is not known (no figures, or servers of unknown size).",
    ),
    "rose": Text(
        "较上月上升 {points} 个百分点。", "That is {points} percentage points more than before."
    ),
    "fell": Text(
        "较上月下降 {points} 个百分点。", "That is {points} percentage points less than before."
    ),
    "same": Text("与上月持平。", "That is as much as in the month before."),
    "due": Text(
        "建议回收 {reclaim} 项、缩减 {shrink} 项，可释放 vCPU{vcpus}、内存{memory}、存储{disk}{unknown}；"
        "建议扩容 {grow} 项。",
        "{reclaim} are to be reclaimed and {shrink} shrunk, by which these come free: vCPUs: {vcpus}, "
        "memory: {memory}, storage: {disk}{unknown}; {grow} are to grow.",
    ),
    "states": Text(
        "闲置 {idle} 项，低使用 {low} 项，繁忙 {busy} 项，数据不足 {insufficient} 项。",
        "{idle} are idle, {low} low, {busy} busy; of {insufficient} too little is known.",
    ),
    "granted": Text("已分配 vCPU", "vCPUs granted"),
    "average": Text("CPU 平均使用率", "Average use of CPU"),
    "reclaimable": Text("可回收 vCPU", "vCPUs to come free"),
    "grow": Text("需扩容资源", "Resources to grow"),
    "coverage": Text("数据覆盖率", "Coverage of data"),
    "n_unknown": Text("另有 {n} 项规格未知", "sizes not known: {n}"),
    "moved": Text("本月划入的资源", "resources that came to it within the month"),
    "month": Text(
        "整月统计含原部门使用时段，不列入摘录",
        "what was measured in the month is of others, too, and not in an excerpt",
    ),
    "left_out": Text("未列入摘录的内容", "what is not in an excerpt"),
    "others": Text(
        "全市容量、趋势和逐日用量不分部门，见全市通报",
        "capacity, trend and days are the city's and of no department: the whole report has them",
    ),
    "showback": Text("未列入摘录：费用分摊", "not in this excerpt: showback"),
    "follow_ups": Text("未列入摘录：整改跟踪", "not in this excerpt: follow-up"),
    "lines": Text("未列入摘录：线路可用率", "not in this excerpt: availability of lines"),
    "ipv6": Text("未列入摘录：IPv6 就绪度", "not in this excerpt: IPv6"),
    "baseline": Text("未列入摘录：安全基线", "not in this excerpt: the baseline"),
    "in_the_whole": Text(
        "全市通报有此部分，其中没有按本部门分列的内容",
        "the whole report has it; nothing of it is told of this department by itself",
    ),
}


def say(key: str, **values: object) -> Text:
    """Both languages; values that are Text are told in each."""
    zh = {name: it.zh if isinstance(it, Text) else it for name, it in values.items()}
    en = {name: it.en if isinstance(it, Text) else it for name, it in values.items()}
    return Text(WORDS[key].zh.format(**zh), WORDS[key].en.format(**en))
