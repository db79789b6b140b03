"""Every word of the landing page, Chinese and English, and how its figures are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

Say = Callable[[str], str]


class Words(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str


TEXT: dict[str, Words] = {
    "product": Words("见微", "Jianwei"),
    "title": Words("主机概览", "Host overview"),
    "other_language": Words("English", "中文"),
    "up": Words("已运行", "up"),
    "agent_since": Words("代理启动于", "agent since"),
    "insecure": Words(
        "本页面可被其他主机访问，但缺少 TLS 或身份认证：请配置 web.config_file。",
        "Other hosts can reach this page, but TLS or authentication is missing: "
        "set web.config_file.",
    ),
    "usage": Words("资源使用", "Usage"),
    "cpu": Words("处理器", "CPU"),
    "cpus": Words("核", "cores"),
    "since_boot": Words("开机以来平均", "mean since boot"),
    "memory": Words("内存", "Memory"),
    "swap": Words("交换空间", "Swap"),
    "no_swap": Words("未配置", "none"),
    "load": Words("平均负载", "Load"),
    "load_hint": Words("1、5、15 分钟", "1, 5, 15 minutes"),
    "disks": Words("磁盘", "Disks"),
    "mountpoint": Words("挂载点", "Mounted on"),
    "type": Words("类型", "Type"),
    "used": Words("已用", "Used"),
    "available": Words("可用", "Available"),
    "size": Words("容量", "Size"),
    "readonly": Words("只读", "read-only"),
    "no_answer": Words("无响应", "no answer"),
    "network": Words("网络", "Network"),
    "interface": Words("接口", "Interface"),
    "state": Words("状态", "State"),
    "receive": Words("接收", "Received"),
    "transmit": Words("发送", "Sent"),
    "if_up": Words("启用", "up"),
    "if_down": Words("未启用", "down"),
    "probes": Words("链路探测", "Link probes"),
    "target": Words("目标", "Target"),
    "address": Words("地址", "Address"),
    "family": Words("协议", "Family"),
    "result": Words("结果", "Result"),
    "rtt": Words("平均时延", "Mean RTT"),
    "loss": Words("丢包率", "Loss"),
    "reachable": Words("可达", "reachable"),
    "ipv6": Words("IPv6 状态", "IPv6"),
    "addresses": Words("全局地址", "Global addresses"),
    "gateways": Words("默认网关", "Default gateways"),
    "listeners": Words("监听套接字", "Listening sockets"),
    "packs": Words("检查与评分", "Checks and scores"),
    "pack": Words("规则包", "Rule pack"),
    "score": Words("得分", "Score"),
    "pass": Words("通过", "Pass"),
    "fail": Words("不通过", "Fail"),
    "verdict_unknown": Words("未知", "Unknown"),
    "manual": Words("待人工确认", "Manual"),
    "not_applicable": Words("不适用", "Not applicable"),
    "audited": Words("检查时间", "Checked at"),
    "collectors": Words("采集项", "Collectors"),
    "collectors_off": Words("未启用", "Off"),
    "ok": Words("正常", "ok"),
    "links": Words("服务地址", "Endpoints"),
    "link_metrics": Words("指标（Prometheus）", "metrics (Prometheus)"),
    "link_findings": Words("检查结果（JSON）", "findings (JSON)"),
    "link_probe": Words("按需探测：?target=…&module=…", "probe on demand: ?target=…&module=…"),
    "link_healthy": Words("存活状态", "liveness"),
    "link_ready": Words("就绪状态", "readiness"),
    "link_reload": Words("重新加载配置（POST）", "reload the configuration (POST)"),
    "none": Words("无", "none"),
    "unknown": Words("未知", "unknown"),
    "seconds": Words("秒", "s"),
    "minutes": Words("分", "min"),
    "hours": Words("小时", "h"),
    "days": Words("天", "d"),
    # why a collector brought nothing
    "failure_absent": Words("不存在", "absent"),
    "failure_denied": Words("无权限", "denied"),
    "failure_failed": Words("读取失败", "failed"),
    "failure_parse": Words("格式异常", "malformed"),
    "failure_timeout": Words("超时", "timed out"),
    "failure_bug": Words("程序错误", "bug"),
    # why a probe had no answer
    "reason_dns_nxdomain": Words("域名不存在", "no such name"),
    "reason_dns_timeout": Words("域名解析超时", "DNS timed out"),
    "reason_dns_error": Words("域名解析失败", "DNS failed"),
    "reason_dns_rcode": Words("DNS 返回错误码", "DNS answered with an error code"),
    "reason_dns_answer": Words("DNS 应答内容不符", "DNS answer is not as expected"),
    "reason_dns_truncated": Words("DNS 应答被截断", "DNS answer truncated"),
    "reason_dns_malformed": Words("DNS 应答格式错误", "DNS answer malformed"),
    "reason_not_allowed": Words("不在允许列表", "not on the allow-list"),
    "reason_connect_refused": Words("连接被拒绝", "connection refused"),
    "reason_connect_reset": Words("连接被重置", "connection reset"),
    "reason_tls_handshake": Words("TLS 握手失败", "TLS handshake failed"),
    "reason_tls_expired": Words("证书已过期", "certificate expired"),
    "reason_tls_not_yet_valid": Words("证书尚未生效", "certificate not yet valid"),
    "reason_tls_name_mismatch": Words("证书域名不符", "certificate is for another name"),
    "reason_tls_untrusted": Words("证书不受信任", "certificate not trusted"),
    "reason_tls_missing": Words("未使用 TLS", "no TLS where it is required"),
    "reason_tls_unwanted": Words("不应使用 TLS", "TLS where it is not wanted"),
    "reason_http_status": Words("HTTP 状态码不符", "HTTP status is not as expected"),
    "reason_http_version": Words("HTTP 版本不符", "HTTP version is not as expected"),
    "reason_http_redirect": Words("重定向异常", "bad redirect"),
    "reason_http_protocol": Words("HTTP 应答格式错误", "HTTP answer malformed"),
    "reason_header_mismatch": Words("HTTP 头不符", "header is not as expected"),
    "reason_body_mismatch": Words("页面内容不符", "body is not as expected"),
    "reason_body_too_large": Words("页面过大", "body too large"),
    "reason_response_mismatch": Words("应答内容不符", "answer is not as expected"),
    "reason_stamp_malformed": Words("STAMP 应答格式错误", "STAMP answer malformed"),
    "reason_stamp_authentication": Words("STAMP 认证失败", "STAMP authentication failed"),
    "reason_no_address": Words("无此协议的地址", "no address of this family"),
    "reason_timeout": Words("超时", "timed out"),
    "reason_unreachable_network": Words("网络不可达", "network unreachable"),
    "reason_unreachable_host": Words("主机不可达", "host unreachable"),
    "reason_unreachable_port": Words("端口不可达", "port unreachable"),
    "reason_unreachable_admin": Words("被管理策略禁止", "prohibited"),
    "reason_ttl_exceeded": Words("跳数耗尽", "hop limit exceeded"),
    "reason_no_route": Words("无路由", "no route"),
    "reason_permission": Words("无权限", "no permission"),
    "reason_error": Words("错误", "error"),
}


def text(key: str, language: str) -> str:
    """One text in `zh` or `en`; KeyError if there is none of that name."""
    words = TEXT[key]
    return words.en if language == "en" else words.zh


def share_of(share: float | None, say: Say) -> str:
    """A ratio in percent: `82.5 %`."""
    return say("unknown") if share is None else f"{share * 100:.1f} %"


def moment(moment: datetime) -> str:
    """Date and time with the name of their zone."""
    return escape(moment.strftime("%Y-%m-%d %H:%M:%S %Z"))


def shortened(words: str, limit: int) -> str:
    """The beginning, with an ellipsis where something is left out."""
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def duration(seconds: float, say: Say) -> str:
    """The two largest units: `3 d 4 h`, `12 min`."""
    whole = int(seconds)
    for unit, name, smaller, smaller_name in (
        (_DAY, "days", _HOUR, "hours"),
        (_HOUR, "hours", _MINUTE, "minutes"),
    ):
        if whole >= unit:
            return f"{whole // unit} {say(name)} {whole % unit // smaller} {say(smaller_name)}"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE} {say('minutes')}"
    return f"{whole} {say('seconds')}"


def size(bytes: float) -> str:
    """Bytes in binary units: `15.6 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if bytes < 1024:
            return f"{bytes:.0f} B" if unit == "B" else f"{bytes:.1f} {unit}"
        bytes /= 1024
    return f"{bytes:.1f} PiB"


def rate(bytes: float | None) -> str:
    """Bytes a second as bits a second, as lines are sold: `1.2 Mbit/s`."""
    if bytes is None:
        return "—"
    bits = bytes * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000:
            return f"{bits:.0f} {unit}" if unit == "bit/s" else f"{bits:.1f} {unit}"
        bits /= 1000
    return f"{bits:.1f} Tbit/s"
