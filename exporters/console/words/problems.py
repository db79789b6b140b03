"""What is wrong with a parameter, from msgspec's messages, whose words are English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "problem.missing": Text("缺少该参数", "it is missing"),
    "problem.unknown": Text("没有这个参数", "there is no such parameter"),
    "problem.choice": Text("不能是 {0}", "it may not be {0}"),
    "problem.time": Text("不是有效的日期或时间", "it is no date or time"),
    "problem.shortest": Text("长度至少为 {0}", "its length is at least {0}"),
    "problem.longest": Text("长度至多为 {0}", "its length is at most {0}"),
    "problem.least": Text("不能小于 {0}", "it is not below {0}"),
    "problem.most": Text("不能大于 {0}", "it is not above {0}"),
    "problem.whole": Text("应为整数", "a whole number is expected"),
    "problem.number": Text("应为数字", "a number is expected"),
    "problem.truth": Text("应为 true 或 false", "true or false is expected"),
    "problem.list": Text("应为列表", "a list is expected"),
    "problem.form": Text("格式或取值不正确", "its form or value is wrong"),
}
_MESSAGES: Final = tuple(
    (re.compile(pattern), WORDS[f"problem.{name}"])
    for pattern, name in (
        (r"Object missing required field `\w+`", "missing"),
        (r"Object contains unknown field `.*`", "unknown"),
        (r"Invalid enum value (.*)", "choice"),
        (r"Invalid RFC3339 encoded .*", "time"),
        (r"Expected `\w+` of length >= (\d+)", "shortest"),
        (r"Expected `\w+` of length <= (\d+)", "longest"),
        (r"Expected `\w+` >= (\S+)", "least"),
        (r"Expected `\w+` <= (\S+)", "most"),
        (r"Expected `int`.*", "whole"),
        (r"Expected `float`.*", "number"),
        (r"Expected `bool`.*", "truth"),
        (r"Expected `array`.*", "list"),
    )
)


def said(message: str) -> Text:
    for pattern, text in _MESSAGES:
        if found := pattern.fullmatch(message):
            return Text(*(one.format(*found.groups()) for one in (text.zh, text.en)))
    return WORDS["problem.form"]
