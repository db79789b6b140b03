"""What the parts on lines, IPv6 and the baseline could not measure, and why: for the page about the quality of data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from exporters.report.document import BaselinePart, Gap, Ipv6Part, LinesPart, Outdated
from rules.model import Text

EXAMPLES: Final = 5


class _Said(NamedTuple):
    what: Text
    why: Text
    remedy: Text


_OUTDATED: Final = Text(
    "最近一次早于月末前 35 天或晚于月末后 7 天（日期见示例），按未测处理，不计入得分",
    "the last was made more than 35 days before the month's end or 7 days after it (see the examples): they count as not"
    " looked at",
)

_SAID: Final[Mapping[str, _Said]] = {
    "lines_unmeasured": _Said(
        Text("未测到的线路", "lines that were not measured"),
        Text("本月没有任何探测结果，可用率未知", "nothing is known of them in this month"),
        Text(
            "核对探测代理是否运行，以及历史记录或记录规则是否启用",
            "see whether an agent probes them, and whether its history or the recording rules are on",
        ),
    ),
    "lines_partly": _Said(
        Text("探测时间不足的线路", "lines that are known for too little of the time"),
        Text(
            "已知时间低于规定比例，不判定是否达标", "nobody says whether the promise was kept"
        ),
        Text("检查探测代理是否中断", "see whether probing was interrupted"),
    ),
    "lines_no_target": _Said(
        Text("没有可用率目标的线路", "lines without a promised availability"),
        Text("所属层级未设定目标或层级未知", "nothing is promised for their level, or it is unknown"),
        Text("在报告配置中设定 sla，并在线路文件中填写层级", "write sla and levels"),
    ),
    "maintenance_nothing": _Said(
        Text("未匹配到线路的维护窗口", "maintenance windows that no line is in"),
        Text("窗口所写线路或层级没有对应线路，未扣除任何时间", "nothing was left out for them"),
        Text("核对维护文件中的线路名称", "see how the lines are called there"),
    ),
    "ipv6_untested": _Said(
        Text("未评测 IPv6 的对象", "sites and hosts not tested for IPv6"),
        Text("没有评测结果，均值中按 0 分计", "there is no result; in means they count as 0"),
        Text("安排评测，或从清单中移除已下线对象", "have them tested, or take them from the list"),
    ),
    "not_audited": _Said(
        Text("未核查的主机（示例为部门）", "hosts that were not audited (examples: departments)"),
        Text("未核查主机不计入得分，也不视为通过", "those hosts are in no score, and none has passed"),
        Text("安排基线核查", "have them audited"),
    ),
    "ipv6_outdated": _Said(
        Text("评测结果不属本月的对象", "sites and hosts whose results are not of this month"),
        _OUTDATED,
        Text("按月重新评测，并更新报告配置中的结果文件", "test them every month, and name the new results"),
    ),
    "audits_outdated": _Said(
        Text("核查结果不属本月的主机", "hosts whose audits are not of this month"),
        _OUTDATED,
        Text("按月重新核查，并更新报告配置中的结果文件", "audit them every month, and name the new results"),
    ),
    "no_hits": _Said(
        Text("未提供问题台账的部门", "departments of which no hits were given"),
        Text("未整改问题数和最早问题未知", "how many are open, and since when, is not known"),
        Text("用 --hits 保留核查命中，并提供导出结果", "keep them by --hits and give the list"),
    ),
}  # fmt: skip


def gaps(
    lines: LinesPart | None, ipv6: Ipv6Part | None, baseline: BaselinePart | None
) -> tuple[Gap, ...]:
    """Of parts that there are."""
    return (
        *(_of_lines(lines) if lines else ()),
        *(_of_ipv6(ipv6) if ipv6 else ()),
        *(_of_baseline(baseline) if baseline else ()),
    )


def _of_lines(part: LinesPart) -> Iterator[Gap]:
    count = len(part.lines)
    yield from _some(
        "lines_unmeasured", [one.name for one in part.lines if one.availability is None], count
    )
    partly = [one.name for one in part.lines if one.availability is not None and not one.whole]
    yield from _some("lines_partly", partly, count)
    yield from _some("lines_no_target", [it.name for it in part.lines if it.target is None], count)
    nothing = [one.reason for one in part.maintenance if not one.matched]
    yield from _some("maintenance_nothing", nothing, len(part.maintenance))


def _of_ipv6(part: Ipv6Part) -> Iterator[Gap]:
    untested = [one.name for one in part.subjects if one.score is None]
    yield from _some("ipv6_untested", untested, len(part.subjects))
    yield from _some("ipv6_outdated", _dated(part.outdated), len(part.subjects))


def _of_baseline(part: BaselinePart) -> Iterator[Gap]:
    hosts = sum(one.hosts for one in part.departments)
    missing = [one for one in part.departments if one.audited < one.hosts]
    names = [one.name for one in sorted(missing, key=lambda it: it.audited - it.hosts) if one.name]
    if missing:
        count = sum(one.hosts - one.audited for one in missing)
        yield _gap("not_audited", count, 100 * count / hosts, names)
    yield from _some("audits_outdated", _dated(part.outdated), hosts)
    if blind := [one.name for one in part.departments if one.open_hits is None]:
        share = 100 * len(blind) / len(part.departments)
        yield _gap("no_hits", len(blind), share, [name for name in blind if name])


def _dated(outdated: Sequence[Outdated]) -> list[str]:
    return [f"{one.name} {one.time.date()}" for one in outdated]


def _some(code: str, names: Sequence[str], of: int) -> Iterator[Gap]:
    if names:
        yield _gap(code, len(names), 100 * len(names) / of, names)


def _gap(code: str, count: int, share: float | None = None, names: Sequence[str] = ()) -> Gap:
    what, why, remedy = _SAID[code]
    return Gap(code, what, why, count, share, tuple(names[:EXAMPLES]), remedy)
