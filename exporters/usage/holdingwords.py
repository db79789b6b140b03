"""Every word of the tables of what is held, Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from collectors.cloud.events import What
from collectors.cloud.model import State
from collectors.cloud.owners import UNASSIGNED, How
from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "name": Text("名称", "Name"),
    "id": Text("标识", "Id"),
    "kind": Text("类型", "Kind"),
    "state": Text("状态", "State"),
    "vcpus": Text("vCPU", "vCPU"),
    "memory": Text("内存 GiB", "Memory GiB"),
    "disk": Text("磁盘 GiB", "Disk GiB"),
    "department": Text("部门", "Department"),
    "system": Text("业务系统", "System"),
    "region": Text("区域", "Region"),
    "environment": Text("环境", "Environment"),
    "how": Text("归属依据", "Known by"),
    "detail": Text("出处", "From"),
    "unknown": Text("未知", "unknown"),
    "unlimited": Text("不限", "no limit"),
    "unassigned": Text(UNASSIGNED, "(unassigned)"),
    "total": Text("合计", "Total"),
    "quota": Text("配额", "Quota"),
    "allocated": Text("已分配", "Allocated"),
    "used": Text("已使用", "Used"),
    "known": Text("已知占比", "Known"),
    "vcpu_hours": Text("本月核·时", "vCPU hours"),
    "servers": Text("云主机", "Servers"),
    "stopped": Text("已关机", "Stopped"),
    "volumes": Text("云硬盘 GiB", "Volumes GiB"),
    "detached": Text("未挂载", "Detached"),
    "systems": Text("系统", "Systems"),
    "time": Text("时间", "Time"),
    "event": Text("事件", "Event"),
    "before": Text("之前", "Before"),
    "after": Text("之后", "After"),
    "nothing": Text("没有资源。", "There is no resource."),
    "conflicts": Text(
        "{} 个资源的归属来源不一致，以靠前的来源为准",
        "resources whose sources disagree (the earlier one is believed): {}",
    ),
    "left": Text("{} 个资源未归属", "unassigned resources: {}"),
    "unsized": Text(
        "{} 个资源有未知的规格，未计入该项合计",
        "resources with a size that is not known, and missing in the sum of it: {}",
    ),
    "problem": Text("未能查看：{}", "could not be seen: {}"),
    "loose": Text(
        "对照表中未匹配任何资源的行：{}", "rows of the override table that fit nothing: {}"
    ),
    "capacity": Text("容量：{}", "Capacity: {}"),
    "scale_alone": Text("算力规模：已分配 {granted} vCPU", "Compute scale: {granted} vCPU granted"),
    "scale": Text(
        "算力规模：已分配 {granted} vCPU，已使用 {used}（已知占比 {known}）",
        "Compute scale: {granted} vCPU granted, {used} used (known of {known})",
    ),
    "migration": Text(
        "上云率：{ratio}（{on_cloud} / {systems} 个系统，计划上云 {planned} 个）",
        "Migration to the cloud: {ratio} ({on_cloud} of {systems} systems, {planned} planned)",
    ),
    "migration_unknown": Text(
        "上云率：未知（共 {systems} 个系统，其中 {unsure} 个因云未完全查看而无法判断）",
        "Migration to the cloud: unknown (of {systems} systems, {unsure} hang on what was not seen)",
    ),
    "contradicted": Text("登记与实际不符：{}", "the registry says otherwise than the cloud: {}"),
    "unregistered": Text("未登记的系统：{}", "systems in no registry: {}"),
}

HOW: Final[Mapping[How, Text]] = {
    "override": Text("人工对照表", "override table"),
    "metadata": Text("云主机元数据", "server metadata"),
    "project": Text("项目", "project"),
    "nova": Text("Nova 元数据", "Nova XML"),
    "libvirt": Text("libvirt 元数据", "libvirt metadata"),
    "unassigned": Text("无", "nothing"),
}

STATE: Final[Mapping[State, Text]] = {
    "active": Text("运行", "active"),
    "stopped": Text("关机", "stopped"),
    "paused": Text("暂停", "paused"),
    "building": Text("创建中", "building"),
    "error": Text("故障", "error"),
    "available": Text("可用", "available"),
    "released": Text("已释放", "released"),
    "unknown": Text("未知", "unknown"),
}

KIND: Final[Mapping[str, Text]] = {
    "server": Text("云主机", "server"),
    "volume": Text("云硬盘", "volume"),
    "host": Text("物理机", "host"),
    "container": Text("容器", "container"),
    "project": Text("项目", "project"),
}

ENVIRONMENT: Final[Mapping[str, Text]] = {
    "production": Text("生产", "production"),
    "test": Text("测试", "test"),
    "development": Text("开发", "development"),
    "staging": Text("预发布", "staging"),
    "recovery": Text("灾备", "recovery"),
    "backup": Text("备份", "backup"),
}

EVENT: Final[Mapping[What, Text]] = {
    "applied": Text("申请", "applied"),
    "granted": Text("发放", "granted"),
    "returned": Text("重新出现", "returned"),
    "started": Text("启用", "started"),
    "stopped": Text("关机", "stopped"),
    "failed": Text("故障", "failed"),
    "paused": Text("暂停", "paused"),
    "released": Text("释放", "released"),
    "resized": Text("变更规格", "resized"),
    "moved": Text("变更归属", "moved"),
    "transferred": Text("变更项目", "transferred"),
    "attached": Text("挂载", "attached"),
    "detached": Text("卸载", "detached"),
    "renamed": Text("更名", "renamed"),
    "quota": Text("变更配额", "quota changed"),
}


def say(key: str, language: str) -> str:
    return WORDS[key].of(language)


def of(words: Mapping[Any, Text], value: str, language: str) -> str:
    """The word for a value, or the value itself where it is one of somebody else's."""
    return words[value].of(language) if value in words else value
