"""Every word of `jianwei report --check`, Chinese and English, by the code of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

RULES: Final = "deploy/prometheus/jianwei-usage-rules.yml"

WORDS: Final[Mapping[str, Text]] = {
    "server": Text("{server}：{kind} {version}", "{server}: {kind} {version}"),
    "server.unreachable": Text("数据库无法读取：{why}", "the database cannot be read: {why}"),
    "server.refused": Text("查询未能完成：{why}", "a query did not succeed: {why}"),
    "server.thanos": Text(
        "Thanos 由降采样数据算出的百分位数不正确；本程序只取原始数据（max_source_resolution=0s）",
        "quantiles that Thanos makes of downsampled data are wrong; only raw data is asked for "
        "(max_source_resolution=0s)",
    ),
    "server.remarks": Text(
        "数据库在答复中附有说明", "the database said something beside its answers"
    ),
    "limits": Text("单次查询上限：{limits}", "limits of a query: {limits}"),
    "limits.low": Text("单次查询上限偏低：{limits}", "limits of a query are low: {limits}"),
    "retention": Text(
        "数据保留 {kept}，所需月份自 {needed} 天前起",
        "data is kept for {kept}; {needed} days are needed",
    ),
    "retention.short": Text(
        "数据只保留 {kept}，而 {month} 始于 {age} 天前，月度通报需保留 {needed} 天",
        "data is kept for {kept} alone; {month} began {age} days ago, and a monthly report needs "
        "{needed} days",
    ),
    "retention.trend": Text(
        "数据只保留 {kept}，趋势需要 {needed} 天",
        "data is kept for {kept} alone; the trend needs {needed} days",
    ),
    "retention.size": Text(
        "数据超过 {size} 时最旧的先被删除", "beyond {size} the oldest data is deleted"
    ),
    "retention.unknown": Text(
        "数据库未说明保留期，只能按已有样本判断",
        "the database does not tell how long data is kept; judged by what is there",
    ),
    "month.future": Text("{month} 尚未开始", "{month} has not begun"),
    "month.under_way": Text(
        "{month} 尚未结束，只检查到现在", "{month} is not over; checked up to now"
    ),
    "recorded": Text(
        "{name}：{resources} 项资源，每项每天 {daily} 个样本（应为 288 个）",
        "{name}: {resources} resources, {daily} samples of each a day (of 288)",
    ),
    "recorded.rule": Text(
        "{name} 没有样本，而 {raw} 有：缺少记录规则",
        "{name} has no samples, though {raw} has: the recording rule is missing",
    ),
    "recorded.absent": Text("{name} 和 {raw} 都没有样本", "neither {name} nor {raw} has samples"),
    "recorded.copies": Text(
        "{name} 中有 {count} 项资源各有多个序列",
        "{name}: resources with several series each: {count}",
    ),
    "interval.wrong": Text(
        "{name} 每小时 {hourly} 个样本，应为 12 个", "{name} has {hourly} samples an hour, not 12"
    ),
    "coverage": Text(
        "本月 {percent}% 的小时有样本（{hours}/{all}）",
        "{percent}% of the month's hours have samples ({hours} of {all})",
    ),
    "gaps.days": Text("{count} 天全天没有样本", "days without any samples: {count}"),
    "gaps.hours": Text(
        "另有 {hours} 小时没有任何样本", "hours without any samples beside those days: {hours}"
    ),
    "gaps.partial": Text(
        "{hours} 小时内样本不全（多数资源不足 11 个）",
        "hours in which samples are missing (below 11 of most resources): {hours}",
    ),
    "gaps.resources": Text(
        "{hours} 小时内有数据的资源不到平时的一半（平时 {usual} 项）",
        "hours in which less than half of the usual {usual} resources are told: {hours}",
    ),
    "months": Text("此前 {count} 个月均有数据", "months before, each with data: {count}"),
    "months.missing": Text("此前 {count} 个月没有数据", "months before without data: {count}"),
    "months.partial": Text(
        "此前 {count} 个月的数据不全", "months before of which data is missing: {count}"
    ),
    "facts": Text("{name}：{resources} 个序列", "{name}: {resources} series"),
    "facts.absent": Text("{name} 没有样本", "{name} has no samples"),
    "facts.capacity": Text("{name} 没有样本", "{name} has no samples"),
    "facts.days": Text("{name} 有 {count} 天没有样本", "{name}: days without samples: {count}"),
    "facts.unused": Text(
        "{count} 项运行中的资源没有 CPU 使用数据（共 {all} 项）",
        "active resources without any use of CPU: {count} of {all}",
    ),
    "facts.unknown": Text(
        "{count} 项有使用数据的资源没有基本信息（共 {all} 项）",
        "resources with use and without facts: {count} of {all}",
    ),
    "facts.copies": Text(
        "{count} 项资源由多个代理上报", "resources that several agents tell of: {count}"
    ),
    "facts.agree": Text(
        "{count} 项资源既有基本信息又有使用数据", "resources with facts and use: {count}"
    ),
}
REMEDIES: Final[Mapping[str, Text]] = {
    "server.unreachable": Text(
        "检查地址、网络和凭据", "see to the address, the network and credentials"
    ),
    "server.refused": Text(
        "提高数据库的查询上限或超时，或检查其日志",
        "raise the limits or the time-out of the database, or read its log",
    ),
    "server.thanos": Text(
        "原始数据的保留期（--retention.resolution-raw）须覆盖所需月份",
        "keep raw data (--retention.resolution-raw) for the months that are needed",
    ),
    "server.remarks": Text(
        "请阅读；缺少数据时先修复", "read it; where data is missing, see to that first"
    ),
    "limits.low": Text("提高 {flags}", "raise {flags}"),
    "retention.short": Text("设置 {flag}{days}d 或更长", "set {flag}{days}d or longer"),
    "retention.trend": Text("设置 {flag}{days}d 或更长", "set {flag}{days}d or longer"),
    "retention.size": Text("按磁盘余量设定足够的容量", "give it as much as the months need"),
    "retention.unknown": Text(
        "确认保留期不少于 {days} 天", "make sure that it is {days} days or more"
    ),
    "month.future": Text("换一个月份", "name another month"),
    "recorded.rule": Text(
        f"将 {RULES} 加入 rule_files 并重新加载；以往的可用 promtool tsdb create-blocks-from rules 补算（VictoriaMetrics 用 vmalert -replay）",
        f"name {RULES} in rule_files and reload; what is past can be made up by promtool tsdb "
        "create-blocks-from rules (VictoriaMetrics: vmalert -replay)",
    ),
    "recorded.absent": Text(
        "检查代理是否启用 clouds 并被抓取；平台不提供的指标（如 steal）在通报中为未知",
        "see that an agent looks at clouds and is scraped; what a platform does not tell (such as "
        "steal) is unknown in the report",
    ),
    "recorded.copies": Text(
        "多个 Prometheus 计算同一规则时应去重（Thanos --query.replica-label，VictoriaMetrics -dedup.minScrapeInterval）；通报取其中最大值",
        "where several evaluate one rule, deduplicate (Thanos --query.replica-label, "
        "VictoriaMetrics -dedup.minScrapeInterval); the report takes the highest",
    ),
    "interval.wrong": Text(
        f"按 {RULES} 以 interval: 5m 计算，不要另行抽稀或加密",
        f"evaluate {RULES} with its interval: 5m, neither thinned out nor more often",
    ),
    "coverage": Text(
        "覆盖率低于 80% 的资源一律判为数据不足；请补数据或换月份",
        "below 80% all resources are insufficient data; make up for it or name another month",
    ),
    "gaps.days": Text(
        "查明当天代理、抓取或规则停在何处；这些天在通报中为未知",
        "find what stopped then: agent, scrape or rule; the report has those days as unknown",
    ),
    "gaps.hours": Text(
        "查明当时代理、抓取或规则停在何处", "find what stopped then: agent, scrape or rule"
    ),
    "gaps.partial": Text(
        "检查抓取和规则计算是否超时", "see whether scrapes or evaluations ran late"
    ),
    "gaps.resources": Text(
        "检查当时是否有云平台或代理未上报", "see whether a cloud or an agent was away then"
    ),
    "months.missing": Text(
        "环比和趋势将缺少这些月份", "change and trend will be without these months"
    ),
    "months.partial": Text("这些月份的趋势只代表已有的部分", "their trend is of what is there"),
    "facts.absent": Text(
        "检查代理的 clouds 与抓取配置（metrics_path、relabel 是否丢弃）",
        "see to clouds of the agent and to the scrape (metrics_path; dropped by a relabel rule?)",
    ),
    "facts.capacity": Text(
        "总量由报告的配置给出，或由能查看容量的代理（OpenStack Placement、libvirt）提供",
        "tell capacity in the profile of the report, or let an agent tell it (OpenStack Placement, "
        "libvirt)",
    ),
    "facts.days": Text("查明当天代理或抓取停在何处", "find what stopped then: agent or scrape"),
    "facts.unused": Text(
        "检查平台能否提供使用数据（Nova diagnostics 2.48 以上，libvirt）；通报中判为数据不足",
        "see whether the platform tells use (Nova's diagnostics from 2.48, libvirt); the report "
        "has them as insufficient data",
    ),
    "facts.unknown": Text(
        "这些资源不在通报内；检查基本信息是否被丢弃或超出上限（2 万项）",
        "they are in no report; see whether their facts are dropped or beyond the limit (20,000)",
    ),
    "facts.copies": Text(
        "一个云平台只由一个代理查看，或核对各代理的归属配置一致",
        "let one agent look at a cloud, or see that all have the same owners",
    ),
}
LEVEL: Final[Mapping[str, Text]] = {
    "ok": Text("正常", "ok"),
    "warning": Text("警告", "warning"),
    "error": Text("错误", "error"),
}
SUMMARY: Final[Mapping[str, Text]] = {
    "error": Text(
        "{errors} 项错误、{warnings} 项警告：先处理错误，数字才可信。",
        "errors: {errors}, warnings: {warnings}; trust no number before the errors are gone.",
    ),
    "warning": Text(
        "没有错误；{warnings} 项警告会在通报中注明。",
        "no errors; warnings that the report will tell of: {warnings}.",
    ),
    "ok": Text("一切就绪。", "everything is there."),
}
