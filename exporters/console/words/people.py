"""Words of logging in, accounts and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "login.title": Text("登录", "Log in"),
    "login.name": Text("用户名", "User name"),
    "login.password": Text("密码", "Password"),
    "login.wrong": Text("用户名或密码不对。", "The user name or the password is wrong."),
}
