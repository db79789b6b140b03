"""A message as its receiver takes it: JSON of ours, robots of WeCom, DingTalk and Feishu groups, a letter.

WeCom: developer.work.weixin.qq.com/document/path/91770 (markdown, 4096 bytes of content). DingTalk: "custom robot
access" of open.dingtalk.com (markdown, 20,000 bytes of body, `timestamp` and `sign` in the query). Feishu: "custom bot"
of open.feishu.cn (text, 20 KB of body, `timestamp` and `sign` in it). Names of hits, hosts and rules may be an
attacker's: what these apps would read as a mention, a link or markup is written with other characters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from exporters.console.notify.events import Content, Item
from exporters.console.notify.settings import Receiver
from exporters.console.words import say
from exporters.report.delivery.webhook import KEY, SIGNATURE, signature

WECOM_BYTES: Final = 4096  # of the content
DINGTALK_BYTES: Final = 20_000  # of the whole body
FEISHU_BYTES: Final = 20_000
_WIDE: Final = str.maketrans({one: chr(ord(one) + 0xFEE0) for one in "<>[]*`#@&\\|{}"})


class Request(NamedTuple):
    """`url` may have secrets."""

    url: str
    headers: dict[str, str]
    body: bytes


class Site(NamedTuple):
    """What a message must know of the console. `url` is empty where nobody said how people reach it."""

    url: str
    zone: ZoneInfo
    example: bool


def request(content: Content, receiver: Receiver, site: Site, id: str, now: datetime) -> Request:
    """`id` is the same each time the message is sent."""
    assert receiver.url is not None  # noqa: S101 - of a receiver that is not mail
    url = receiver.url.reveal()
    headers = {name: value.reveal() for name, value in receiver.headers.items()}
    secret = receiver.secret.reveal() if receiver.secret else ""
    if receiver.format == "wecom":
        return Request(url, headers, _json(wecom(content, receiver.language, site)))
    if receiver.format == "dingtalk":
        if secret:
            url = signed_url(url, secret, int(now.timestamp() * 1000))
        return Request(url, headers, _json(dingtalk(content, receiver.language, site)))
    if receiver.format == "feishu":
        body = feishu(content, receiver.language, site)
        if secret:
            at = int(now.timestamp())
            body |= {"timestamp": str(at), "sign": feishu_sign(secret, at)}
        return Request(url, headers, _json(body))
    body_bytes = _json(generic(content, site, id))
    headers[KEY] = id
    if secret:
        headers[SIGNATURE] = signature(secret, int(now.timestamp()), body_bytes)
    return Request(url, headers, body_bytes)


def problem(receiver: Receiver, body: bytes) -> str:
    """Why a robot did not take what it answered 200 to; empty where it did."""
    if receiver.format == "generic":
        return ""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "its answer is not JSON"
    if not isinstance(answer, dict):
        return "its answer is not an object"
    names = ("code", "StatusCode") if receiver.format == "feishu" else ("errcode",)
    code = next((answer[name] for name in names if name in answer), None)
    if code == 0:
        return ""
    return f"code {code!s:.20}: {answer.get('errmsg') or answer.get('msg')!s:.200}"


def generic(content: Content, site: Site, id: str) -> dict[str, Any]:
    return {
        "version": 1,
        "event": content.kind,
        "id": id,
        "time": content.time.isoformat(),
        "example": site.example,
        "count": content.count,
        "severities": content.severities,
        "items": [
            {
                "title": {"zh": it.title_zh, "en": it.title_en},
                "severity": it.severity,
                "rule": it.rule,
                "host": it.host,
                "department": it.department,
                "detail": it.detail,
                "url": site.url + it.path if site.url else None,
            }
            for it in content.items
        ],
        "url": site.url or None,
    }


def wecom(content: Content, language: str, site: Site) -> dict[str, Any]:
    def body(named: Sequence[Item]) -> dict[str, Any]:
        lines = _lines(content, named, language, site, linked=True)
        head = f"**{title(content, language, site)}**"
        text = "\n".join([head, *(f"> {one}" for one in lines)])
        return {"msgtype": "markdown", "markdown": {"content": text}}

    return _fitting(
        content, body, lambda made: len(made["markdown"]["content"].encode()) <= WECOM_BYTES
    )


def dingtalk(content: Content, language: str, site: Site) -> dict[str, Any]:
    def body(named: Sequence[Item]) -> dict[str, Any]:
        lines = _lines(content, named, language, site, linked=True)
        head = title(content, language, site)
        text = "\n\n".join([f"### {head}", *lines])
        # nobody is called by name, whatever stands in the text
        return {
            "msgtype": "markdown",
            "markdown": {"title": head, "text": text},
            "at": {"atMobiles": [], "atUserIds": [], "isAtAll": False},
        }

    return _fitting(content, body, lambda made: len(_json(made)) <= DINGTALK_BYTES)


def feishu(content: Content, language: str, site: Site) -> dict[str, Any]:
    def body(named: Sequence[Item]) -> dict[str, Any]:
        lines = _lines(content, named, language, site, linked=False)
        text = "\n".join([title(content, language, site), *lines])
        return {"msg_type": "text", "content": {"text": text}}

    return _fitting(content, body, lambda made: len(_json(made)) <= FEISHU_BYTES - 200)


def letter(content: Content, language: str, site: Site) -> tuple[str, str]:
    """Subject and body of a mail."""
    lines = _lines(content, content.items, language, site, linked=False, plain=True)
    head = title(content, language, site)
    return head, "\n".join([head, "", *lines]) + "\n"


def signed_url(url: str, secret: str, at: int) -> str:
    """DingTalk's: HMAC-SHA256 of `MILLISECONDS\\nSECRET` under the secret, in Base64, in the query."""
    made = hmac.new(secret.encode(), f"{at}\n{secret}".encode(), hashlib.sha256).digest()
    query = urlencode({"timestamp": at, "sign": base64.b64encode(made).decode()})
    return f"{url}{'&' if '?' in url else '?'}{query}"


def feishu_sign(secret: str, at: int) -> str:
    """Feishu's: HMAC-SHA256 of nothing under `SECONDS\\nSECRET`, in Base64."""
    made = hmac.new(f"{at}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(made).decode()


def title(content: Content, language: str, site: Site) -> str:
    what = say(f"notify.kind.{content.kind}", language, count=content.count)
    if site.example:
        what = f"{say('notify.example', language)} · {what}"
    return say("notify.subject", language, what=what)


def plainly(text: str) -> str:
    """Text that chat programs show as it is: no mention, no link, no markup."""
    return text.translate(_WIDE).replace("://", "：//").replace("www.", "www．")


def _lines(
    content: Content,
    named: Sequence[Item],
    language: str,
    site: Site,
    *,
    linked: bool,
    plain: bool = False,
) -> list[str]:
    shown = (lambda text: text) if plain else plainly
    comma = say("notify.comma", language)
    lines = []
    if content.severities:
        lines.append(
            comma.join(
                f"{say(f'severity.{one}', language)} {n}" for one, n in content.severities.items()
            )
        )
    for number, it in enumerate(named, 1):
        words = shown(it.title(language) or it.host)
        if linked and site.url:
            words = f"[{words}]({site.url}{it.path})"
        parts = [say(f"severity.{it.severity}", language)] if it.severity else []
        parts += [words]
        if it.title(language) and it.host:
            parts.append(shown(it.host))
        if it.department is not None:
            parts.append(shown(it.department) or say("nobody_department", language))
        if it.detail:
            parts.append(_detail(content, it, language, site))
        line = f"{number}. {comma.join(parts)}"
        lines.append(line)
        if not linked and site.url:
            lines.append(f"   {site.url}{it.path}")
    if content.count > len(named) and content.items:
        lines.append(say("notify.more", language, count=content.count - len(named)))
    if site.url and len(named) != 1:
        words = say("notify.open", language)
        lines.append(f"[{words}]({site.url}/)" if linked else f"{words} {site.url}/")
    return lines


def _detail(content: Content, it: Item, language: str, site: Site) -> str:
    if content.kind == "waiver_expiring":
        return say("notify.expires", language, detail=it.detail)
    if content.kind == "agent_silent":
        since = datetime.fromisoformat(it.detail).astimezone(site.zone)
        return say("notify.since", language, detail=since.strftime("%Y-%m-%d %H:%M"))
    return plainly(it.detail)


def _fitting(content: Content, body: Any, fits: Any) -> dict[str, Any]:
    """With as many of the named as there is room for."""
    for number in range(len(content.items), -1, -1):
        made: dict[str, Any] = body(content.items[:number])
        if fits(made):
            break
    return made


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
