"""Words of logging in by a directory: LDAP and OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

WORDS: Final[Mapping[str, Text]] = {
    "directory.down": Text(
        "统一身份目录暂时无法访问，目录用户现在不能登录；本地用户不受影响。",
        "The directory cannot be reached: its users cannot log in now. Local users can.",
    ),
    "directory.name_taken": Text(
        "本系统已有名为 {name} 的其他账户，请联系管理员。",
        "There is another account named {name} here; ask an administrator.",
    ),
    "directory.refused": Text(
        "统一身份认证没有通过，请重新登录。",
        "The identity provider's answer was not accepted. Log in again.",
    ),
    "directory.nobody": Text(
        "您的账户没有使用本系统的权限，请联系管理员。",
        "Your account has no role here; ask an administrator.",
    ),
    "directory.expired": Text(
        "登录已超时或不是由本页发起，请重新登录。",
        "The login took too long or was not begun here. Log in again.",
    ),
    "directory.button": Text("统一身份认证登录", "Log in with single sign-on"),
}
