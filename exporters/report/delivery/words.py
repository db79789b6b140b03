"""Words of deliveries, in both languages: subjects, letters, and what is told of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "subject": ("{0}{1}资源使用通报", "{0}: utilisation report for {2}"),
    "subject_of": ("{0}{1}资源使用通报（{3}）", "{0}: utilisation report for {2} ({3})"),
    "dear": ("各相关单位：", "To whom it concerns,"),
    "dear_of": ("{0}：", "To {0},"),
    "sent": (
        "现将{0}{1}月度资源使用通报发送给你们，请查收附件。",
        "please find attached the utilisation report of {0} for {2}.",
    ),
    "sent_of": (
        "现将{0}{1}月度资源使用通报中涉及你单位的部分发送给你们，请查收附件，并按要求反馈确认意见。",
        "please find attached the part of the utilisation report of {0} for {2} that is about you; please confirm it.",
    ),
    "files": ("附件（SHA-256）：", "Attachments (SHA-256):"),
    "data": ("数据校验值：{0}", "Hash of the data: {0}"),
    "automatic": (
        "本邮件由系统自动发送，请勿直接回复。",
        "This mail was sent by a program; please do not reply.",
    ),
    "no_department": ("通报中没有部门“{0}”", "there is no department {0!r} in the report"),
    "no_files": (
        "没有生成所需格式的文件：{0}",
        "none of the formats it is to have was made: {0}",
    ),
    "too_large": (
        "邮件大小 {0:.1f} MiB，超过上限 {1:.1f} MiB；请减少 formats 中的格式，或调大 max_bytes",
        "the mail is {0:.1f} MiB, more than {1:.1f} MiB: leave out one of formats, or raise max_bytes",
    ),
    "server_limit": (
        "邮件大小 {0:.1f} MiB，超过邮件服务器上限 {1:.1f} MiB；请减少 formats 中的格式",
        "the mail is {0:.1f} MiB, more than the {1:.1f} MiB that the server takes: leave out one of formats",
    ),
    "delivered": ("已送达", "delivered"),
    "already": ("已于 {0} 送达，不再重复发送", "delivered on {0} already, not sent again"),
    "already_other": (
        "已于 {0} 送达，此后数据有变化；如需重发请加 --again",
        "delivered on {0} already, with other figures; --again sends it again",
    ),
    "failed": ("未送达：{0}", "not delivered: {0}"),
    "folder": ("目录", "folder"),
    "smtp": ("邮件", "mail"),
    "webhook": ("接口", "webhook"),
}


def say(key: str, *values: object) -> Text:
    """The words with values in their places; one that is a Text is in each language its own."""
    zh, en = _WORDS[key]
    return Text(zh.format(*_of("zh", values)), en.format(*_of("en", values)))


def _of(language: str, values: tuple[object, ...]) -> list[object]:
    return [it.of(language) if isinstance(it, Text) else it for it in values]
