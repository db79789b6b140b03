"""Interfaces of devices for people: state, speed, octets, and reasons in words, Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from collectors.link.interfaces import DevicePoll, DeviceReason, InterfaceCounters, InterfaceReason
from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral
from rules.model import Text

MAX_CELL = 60  # columns

_HEADER = (
    Text("设备", "Device"),
    Text("接口", "Interface"),
    Text("状态", "State"),
    Text("速率", "Speed"),
    Text("接收字节", "Bytes in"),
    Text("发送字节", "Bytes out"),
    Text("说明", "Notes"),
)

_STATES: Mapping[str, Text] = {
    "up": Text("正常", "up"),
    "down": Text("断开", "DOWN"),
    "admin": Text("已停用", "shut down"),
    "testing": Text("测试", "testing"),
    "unknown": Text("未知", "unknown"),
    "dormant": Text("休眠", "dormant"),
    "not_present": Text("不存在", "not present"),
    "lower_layer_down": Text("下层断开", "LOWER LAYER DOWN"),
}

DEVICE_REASONS: Mapping[DeviceReason, Text] = {
    "": Text("", ""),
    "timeout": Text("超时无应答(或团体名错误)", "no answer in time (or wrong community)"),
    "no_address": Text("名称没有地址", "the name has no address"),
    "unreachable": Text("不可达", "unreachable"),
    "refused": Text("端口未开放", "the port is closed"),
    "community": Text("团体名错误", "wrong community"),
    "unknown_user": Text("用户不存在", "unknown user"),
    "wrong_digest": Text("认证口令或算法错误", "wrong authentication secret or algorithm"),
    "decryption": Text("加密口令或算法错误", "wrong privacy secret or algorithm"),
    "security_level": Text("安全级别不符", "the security level is not supported"),
    "time_window": Text("时间窗口不符", "not in the time window"),
    "not_permitted": Text("无权读取", "not permitted"),
    "no_interfaces": Text("设备未给出接口", "the device shows no interfaces"),
    "snmp_error": Text("SNMP 错误", "SNMP error"),
    "ssh_unreachable": Text("SSH 无法连接", "no SSH connection"),
    "ssh_host_key": Text("SSH 主机密钥不可信", "the SSH host key is not trusted"),
    "ssh_login": Text("SSH 登录失败", "SSH login failed"),
    "command": Text("命令失败", "the command failed"),
    "malformed": Text("应答格式错误", "malformed answer"),
    "error": Text("内部错误", "internal error"),
}
INTERFACE_REASONS: Mapping[InterfaceReason, Text] = {
    "no_interface": Text("没有此接口", "no such interface"),
    "ambiguous": Text("接口名不唯一", "the name is not unique"),
    "no_counters": Text("没有流量计数", "no octet counters"),
    "unread": Text("未读取", "not read"),
}
_BITS_32 = Text("32 位计数", "32-bit counters")

Row = tuple[str, ...]


def table(polls: Sequence[DevicePoll], language: str) -> str:
    """One line an interface; one for a device that did not answer."""
    rows: list[Row] = [tuple(text.of(language) for text in _HEADER)]
    for poll in polls:
        rows += (tuple(cut(cell, MAX_CELL) for cell in row) for row in _rows(poll, language))
    return "\n".join(aligned(rows))


def _rows(poll: DevicePoll, language: str) -> Iterator[Row]:
    device, notes = neutral(poll.device), " ".join(map(neutral, poll.notes))
    if poll.reason:
        why = _words(DEVICE_REASONS[poll.reason].of(language), poll.detail)
        yield device, "", "", "", "", "", " ".join(filter(None, (why, notes)))
    for row in poll.interfaces:
        yield device, *_cells(row, notes, language)
    for missing in poll.missing:
        if missing.reason != "unread":
            why = _words(INTERFACE_REASONS[missing.reason].of(language), missing.detail)
            yield device, neutral(missing.name), "", "", "", "", why


def _cells(row: InterfaceCounters, notes: str, language: str) -> Row:
    state = "admin" if row.admin == "down" else row.oper
    narrow = _BITS_32.of(language) if row.bits == 32 else ""
    return (
        neutral(row.name),
        _STATES[state].of(language),
        speed(row.speed),
        str(row.in_octets),
        str(row.out_octets),
        " ".join(filter(None, (narrow, neutral(row.alias), notes))),
    )


def speed(bits: float | None) -> str:
    """bit/s in the unit in which people say it."""
    if bits is None:
        return ""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits >= size:
            return f"{bits / size:g} {unit}"
    return f"{bits:g} bit/s"


def _words(reason: str, detail: str) -> str:
    return f"{reason} ({neutral(detail)})" if detail else reason
