"""Settings of Defaults in sudoers(5), SUDOERS OPTIONS: those that matter with what holds unset."""

from __future__ import annotations

import re
from typing import Any

# What holds where nobody sets it, of what rules ask for; use_pty became a default in sudo 1.9.14 only.
DEFAULTS: dict[str, Any] = {
    "use_pty": False,
    "logfile": "",
    "syslog": "authpriv",
    "authenticate": True,
    "log_input": False,
    "log_output": False,
    "targetpw": False,
    "rootpw": False,
    "runaspw": False,
    "timestamp_timeout": 5.0,
    "passwd_tries": 3,
    "noexec": False,
    "visiblepw": False,
    "exempt_group": "",  # whose members are never asked for a password
    "log_allowed": True,
    "syslog_goodpri": "notice",
}
_NUMBERS = {"timestamp_timeout": float, "passwd_tries": int}
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,9})?")


def setting(text: str, known: dict[str, Any]) -> tuple[str, Any]:
    """A setting of Defaults; no value where it is malformed."""
    name, equals, value = text.partition("=")
    value = value.strip().strip('"')
    if not equals:
        name = text.lstrip("!").strip()
        wanted = (len(text) - len(text.lstrip("!"))) % 2 == 0
        if name in _NUMBERS:  # off is 0; on takes a number
            return name, None if wanted else _NUMBERS[name](0)
        usual = DEFAULTS.get(name)
        if isinstance(usual, str):
            return name, usual if wanted else ""
        return name, wanted
    if name.endswith(("+", "-")):
        base = name[:-1].strip()
        before = known.get(base, "")
        words = before.split() if isinstance(before, str) else []
        changed = value.split()
        kept = [word for word in words if word not in changed]
        return base, " ".join(kept + changed if name.endswith("+") else kept)
    name = name.strip()
    if name not in _NUMBERS:
        return name, value
    return name, _NUMBERS[name](float(value)) if _NUMBER.fullmatch(value) else None
