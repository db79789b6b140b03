"""Messages as receivers take them, byte for byte; the signatures; what attackers wrote in a name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import msgspec
import pytest

from collectors.strictyaml import Secret
from exporters.console.notify import formats
from exporters.console.notify.events import Content, Item
from exporters.console.notify.settings import Format, Receiver

NOW = datetime(2026, 3, 5, 2, 30, tzinfo=UTC)
SITE = formats.Site("https://console.example", ZoneInfo("Asia/Shanghai"), False)
HIT = Item(
    "/hits/7", "禁止 root 远程登录", "No root login", "critical", "web-1", "市财政局", rule="r"
)
CONTENT = Content("new", NOW, 12, {"critical": 11, "high": 1}, (HIT,))


def receiver(format: Format, secret: str = "") -> Receiver:
    url = Secret("https://robot.example/send?key=KEYKEYKEY")
    return Receiver(format=format, url=url, secret=Secret(secret) if secret else None)


def test_the_message_of_wecom() -> None:
    made = formats.request(CONTENT, receiver("wecom"), SITE, "id", NOW)
    assert made.url == "https://robot.example/send?key=KEYKEYKEY"
    assert msgspec.json.decode(made.body) == {
        "msgtype": "markdown",
        "markdown": {
            "content": "**【见微】新发现问题 12 项**\n"
            "> 严重 11，高 1\n"
            "> 1. 严重，[禁止 root 远程登录](https://console.example/hits/7)，web-1，市财政局\n"
            "> 另有 11 项"
        },
    }


def test_the_message_of_dingtalk_and_its_signature() -> None:
    made = formats.request(CONTENT, receiver("dingtalk", "SECabc"), SITE, "id", NOW)
    at = 1772677800000
    query = parse_qs(urlsplit(made.url).query)
    told = base64.b64decode(query["sign"][0])
    assert query["timestamp"] == [str(at)]
    assert query["key"] == ["KEYKEYKEY"]
    assert told == hmac.digest(b"SECabc", f"{at}\nSECabc".encode(), hashlib.sha256)
    assert msgspec.json.decode(made.body) == {
        "msgtype": "markdown",
        "markdown": {
            "title": "【见微】新发现问题 12 项",
            "text": "### 【见微】新发现问题 12 项\n\n严重 11，高 1\n\n"
            "1. 严重，[禁止 root 远程登录](https://console.example/hits/7)，web-1，市财政局\n\n另有 11 项",
        },
        "at": {"atMobiles": [], "atUserIds": [], "isAtAll": False},
    }


def test_the_message_of_feishu_and_its_signature() -> None:
    made = formats.request(CONTENT, receiver("feishu", "abc"), SITE, "id", NOW)
    body = msgspec.json.decode(made.body)
    assert body["timestamp"] == "1772677800"
    key = b"1772677800\nabc"
    assert base64.b64decode(body["sign"]) == hmac.digest(key, b"", hashlib.sha256)
    assert body["content"]["text"].startswith("【见微】新发现问题 12 项\n严重 11，高 1\n1. 严重")


def test_the_message_of_a_program_and_its_signature() -> None:
    made = formats.request(CONTENT, receiver("generic", "abc"), SITE, "id", NOW)
    assert made.headers["Idempotency-Key"] == "id"
    signed = hmac.new(b"abc", b"1772677800." + made.body, hashlib.sha256).hexdigest()
    assert made.headers["X-Jianwei-Signature"] == f"t=1772677800,v1={signed}"
    body = msgspec.json.decode(made.body)
    assert body["event"] == "new"
    assert body["count"] == 12
    assert body["items"][0]["url"] == "https://console.example/hits/7"


@pytest.mark.parametrize("format", ["wecom", "dingtalk", "feishu"])
def test_names_that_attackers_chose_are_only_text(format: Format) -> None:
    evil = '<@all> @all @13800000000 [x](https://evil.example) <at user_id="all"></at> &lt;@all&gt; `a` *b*'
    item = Item("/hits/7", evil, evil, "critical", evil, evil)
    content = Content("new", NOW, 1, {"critical": 1}, (item,))
    body = formats.request(content, receiver(format), SITE, "id", NOW).body.decode()
    assert "@" not in body
    assert "<" not in body
    assert "evil.example" in body
    assert "//evil" not in body.replace("：//evil", "")
    assert "[x]" not in body
    assert "&lt" not in body
    assert "`" not in body


@pytest.mark.parametrize(("format", "most"), [("wecom", 4096), ("dingtalk", 20_000)])
def test_no_message_is_longer_than_the_robot_takes(format: Format, most: int) -> None:
    item = Item("/hits/7", "漏" * 200, "x" * 200, "critical", "主" * 200, "部" * 200)
    content = Content("new", NOW, 10, {"critical": 10}, (item,) * 10)
    body = formats.request(content, receiver(format), SITE, "id", NOW).body
    made = msgspec.json.decode(body)
    told = made["markdown"]["content"].encode() if format == "wecom" else body
    assert most // 2 < len(told) <= most
    if format == "wecom":
        assert "另有" in told.decode()


@pytest.mark.parametrize(
    ("format", "body", "problem"),
    [
        ("wecom", b'{"errcode":0,"errmsg":"ok"}', ""),
        ("wecom", b'{"errcode":45009,"errmsg":"api freq out of limit"}', "code 45009: api freq"),
        ("dingtalk", b'{"errcode":310000,"errmsg":"sign not match"}', "code 310000: sign not"),
        ("dingtalk", b"{}", "code None"),
        ("feishu", b'{"code":0,"msg":"success"}', ""),
        ("feishu", b'{"StatusCode":0}', ""),
        ("feishu", b'{"code":19021,"msg":"sign match fail"}', "code 19021: sign match"),
        ("feishu", b"<html>", "its answer is not JSON"),
        ("wecom", b"[]", "its answer is not an object"),
        ("generic", b"anything", ""),
    ],
)
def test_what_a_robot_answers(format: Format, body: bytes, problem: str) -> None:
    told = formats.problem(receiver(format), body)
    assert told.startswith(problem) if problem else told == ""


def test_an_example_says_so_in_either_language() -> None:
    site = SITE._replace(example=True)
    assert formats.title(CONTENT, "zh", site) == "【见微】示例数据 · 新发现问题 12 项"
    assert formats.title(CONTENT, "en", site) == "[Jianwei] example data · 12 new hits"


def test_where_a_robot_is_is_told_without_its_key() -> None:
    one = receiver("dingtalk", "SECabc")
    assert one.shown == "https://robot.example"
    assert "KEYKEYKEY" not in repr(one)
    assert {"KEYKEYKEY", "SECabc"} <= {*one.secrets}
