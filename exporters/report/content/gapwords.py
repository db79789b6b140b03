"""Words of the page about the quality of data: what could not be measured, why, and what to do; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rules.model import Text


class Said(NamedTuple):
    what: Text
    why: Text
    remedy: Text = Text("", "")


_LOOK: Final = Text("核对采集是否覆盖该资源", "see whether it is looked at at all")

# By the code of the first reason that a resource could not be judged for (rules/usagereasons.py).
INSUFFICIENT: Final[Mapping[str, Said]] = {
    "coverage": Said(
        Text("数据覆盖率不足的资源", "resources with too little coverage"),
        Text("本月有数据的时段少于阈值", "fewer slots of the month have data than the threshold"),
        Text("检查采集是否中断", "see whether looking was interrupted"),
    ),
    "cpu_unknown": Said(
        Text("没有 CPU 数据的资源", "resources without figures of CPU"),
        Text("云平台或主机未提供可用的 CPU 计数", "neither cloud nor host told its use of CPU"),
        Text(
            "开启虚拟化层统计，或在主机内安装采集", "let its hypervisor tell, or look from inside"
        ),
    ),
    "age": Said(
        Text("分配时间过短的资源", "resources granted too short a time ago"),
        Text("分配不足规定天数，下月再评判", "it will be judged next month"),
    ),
    "begun": Said(
        Text("本月天数不足而未评判的资源", "resources not judged since the month has just begun"),
        Text("本月已过天数少于阈值", "fewer days of the month have passed than the threshold"),
    ),
    "resized": Said(
        Text("本月调整过规格的资源", "resources resized within the month"),
        Text("前后数据属于两种规格，不可合并评判", "figures are of two sizes"),
    ),
    "not_seen": Said(
        Text("月末未再见到的资源", "resources not seen when the month ended"),
        Text(
            "云平台不再报告，是否仍在占用未知", "the cloud tells of it no more; is it still held?"
        ),
        Text("核对云平台连接和资源去向", "see whether the cloud is reached and where it went"),
    ),
    "released": Said(
        Text("本月已释放的资源", "resources released within the month"),
        Text(
            "已归还，不再评判，不计入月末已分配",
            "it is given back, and in no sum of the month's end",
        ),
    ),
    "volume_unknown": Said(
        Text("状态异常的云硬盘", "volumes in another state"),
        Text("是否挂载未知", "whether they are attached is not known"),
        _LOOK,
    ),
    "volume_untold": Said(
        Text("状态未知的云硬盘", "volumes of unknown state"),
        Text("云平台未提供状态和挂载情况", "the cloud told neither state nor attachment"),
        _LOOK,
    ),
}
OTHERWISE: Final = Said(
    Text("数据不足的资源", "resources of which too little is known"),
    Text("见各资源的理由", "see the reasons of each"),
)

SAID: Final[Mapping[str, Said]] = {
    "memory_unknown": Said(
        Text("内存使用未知的资源", "resources whose use of memory is not known"),
        Text("客户机无气球驱动，分配量不等于使用量", "without a balloon driver nobody can tell"),
        Text("在客户机启用 virtio-balloon", "enable virtio-balloon in the guest"),
    ),
    "network_unknown": Said(
        Text("网络流量未知的资源", "resources whose network is not known"),
        Text(
            "缺一个方向或样本过少，不判为闲置",
            "a direction or too much of it is missing: never idle",
        ),
        _LOOK,
    ),
    "unsized": Said(
        Text("规格不全的资源", "resources with a size that is not known"),
        Text(
            "云平台未提供，未计入相应合计", "the cloud did not tell; they are not in the sum of it"
        ),
        Text("核对规格是否可见", "see whether flavours can be read"),
    ),
    "unassigned": Said(
        Text("未归属的资源", "unassigned resources"),
        Text("元数据、项目和对照表均未说明归属", "neither metadata, project nor table say whose"),
        Text("在对照表或标签中登记部门", "enter its department in the override table or a tag"),
    ),
    "conflicts": Said(
        Text("归属来源不一致的资源", "resources whose sources disagree about their owner"),
        Text("以靠前的来源为准", "the earlier source is believed"),
        Text("统一标签与对照表", "make tags and table say the same"),
    ),
    "same_name": Said(
        Text("重名的资源名称", "names that several resources have"),
        Text("按标识区分，不合并", "they are told apart by their ids"),
    ),
    "not_seen": Said(
        Text("月末未见到的资源", "resources not seen when the month ended"),
        Text(
            "云平台不再报告，是否仍在占用未知", "the cloud tells of it no more; is it still held?"
        ),
        Text("核对云平台连接和资源去向", "see whether the cloud is reached and where it went"),
    ),
    "days": Said(
        Text("没有任何数据的天数", "days without any data"),
        Text("采集未运行，或数据未保留到现在", "nothing looked, or it was not kept"),
        Text("检查采集与保留期限", "see whether the agent ran, and how long data are kept"),
    ),
    "few_days": Said(
        Text("有数据的天数", "days with data"),
        Text(
            "少于阈值要求，本月不作评判，数字仅供参考",
            "fewer than the thresholds ask for: nothing is judged, figures are for information",
        ),
    ),
    "core_hours": Said(
        Text("使用情况未知的核·时", "core hours whose use is not known"),
        Text("不计入使用率的分子和分母", "they are in neither part of the use"),
        Text("见以下各项", "see the others here"),
    ),
    "estimates": Said(
        Text("分位数为估算的资源", "resources whose quantiles are estimates"),
        Text(
            "五分钟数据已过保留期，按日摘要估算", "five-minute data are kept no more: from sketches"
        ),
        Text("在保留期内生成报告", "make the report while they are kept"),
    ),
    "no_slots": Said(
        Text("无法给出合并分位数和峰值的部门", "departments without quantiles and peaks together"),
        Text(
            "部分日期只有日摘要，不能逐五分钟相加",
            "some days are known by sketches alone, which do not add up slot by slot",
        ),
        Text("在保留期内生成报告", "make the report while five-minute data are kept"),
    ),
    "under_way": Said(
        Text("本月尚未过去的天数", "days of the month to come"),
        Text("本月未结束，只供观察，不作回收和调整建议", "it is not over: to be watched, no more"),
    ),
    "capacity": Said(
        Text("未提供的容量", "capacities that are not told"),
        Text("云平台和报告配置均未提供，无法计算分配率", "neither cloud nor profile tell them"),
        Text("在报告配置中填写容量", "enter them in the profile"),
    ),
    "clouds": Said(
        Text("未提供容量的云平台", "clouds that did not tell their capacity"),
        Text(
            "其上有已分配资源而容量未知，全域可分配总量未知，无法计算分配率",
            "they hold resources, so what there is in all is not known, nor what share is granted",
        ),
        Text(
            "核对采集账号能否读取该平台容量，或在报告配置中填写全域容量",
            "see whether its capacity may be read, or enter that of all in the profile",
        ),
    ),
    "trend": Said(
        Text("趋势中没有数据的月份", "months of the trend without data"),
        Text("当时尚未采集，或已过保留期", "nothing looked then, or it is kept no more"),
    ),
    "exemptions": Said(
        Text("不适用于任何资源的豁免", "exemptions that are for no resource"),
        Text("资源已不存在，或填写有误", "what they are for is gone, or mistyped"),
        Text("核对豁免文件", "see the file of exemptions"),
    ),
    "price_departments": Said(
        Text("价格表中没有对应资源的部门", "departments of the price table that hold nothing"),
        Text("部门名称填写有误，或本月没有资源", "mistyped, or without resources this month"),
        Text("核对价格表中的部门名称", "see the names of departments in the price table"),
    ),
    "follow_ups_stand": Said(
        Text("本次未更新的整改台账", "the file of follow-ups was not carried on"),
        Text("", ""),
    ),
    "calendar": Said(
        Text("缺少节假日数据的年份", "years without holidays"),
        Text(
            "按周一至周五为工作日，工作时间统计可能有偏差", "Monday to Friday are taken as workdays"
        ),
        Text("更新节假日文件", "update the file of holidays"),
    ),
    "prices": Said(
        Text("未提供价格表", "no price table was given"),
        Text("不作费用分摊", "there is no showback"),
        Text("在报告配置中指定价格表", "name it in the profile"),
    ),
    "follow_ups": Said(
        Text("未提供整改台账", "no file of follow-ups was given"),
        Text("无法跟踪确认、执行和复核", "what came of earlier advice is not known"),
        Text("在报告配置中指定台账文件", "name it in the profile"),
    ),
    "lines": Said(
        Text("未提供线路数据", "no data of lines were given"),
        Text("不报告线路可用率", "availability of lines is not told"),
        Text("在报告配置中指定线路数据", "name them in the profile"),
    ),
    "ipv6": Said(
        Text("未提供 IPv6 评测结果", "no results of IPv6 were given"),
        Text("不报告 IPv6 得分", "scores of IPv6 are not told"),
        Text("在报告配置中指定评测结果", "name them in the profile"),
    ),
    "baseline": Said(
        Text("未提供基线核查结果", "no results of baseline audits were given"),
        Text("不报告基线得分", "scores of the baseline are not told"),
        Text("在报告配置中指定核查结果", "name them in the profile"),
    ),
}
