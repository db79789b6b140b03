"""Which actions of rsyslog get the records of logins: filters, rulesets and what is discarded on the way.

A record goes through the statements of its ruleset in their order until a `stop`, `~` or omdiscard: RainerScript
reference and rsyslog.conf(5). An action gets the logins where its filter surely takes facility authpriv from info on,
and nothing before it may have thrown some of them away. A condition that this cannot tell surely takes none, and may
take them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

DEFAULT = "RSYSLOG_DefaultRuleset"
MAX_CALLS = 50

_ATOM = re.compile(
    r"\$!?([\w-]{1,40})[ \t\r\n]*(==|!=|contains_i|contains|startswith_i|startswith)"
    r"[ \t\r\n]*(?:'([^'\\]*)'|\"([^\"\\]*)\")",
    re.IGNORECASE,
)
_JOINED = re.compile(r"[\s()]|\band\b|\bor\b|\bthen\b", re.IGNORECASE)
_PRIFILT = re.compile(r"""prifilt\(\s*(?:"([^"]*)"|'([^']*)')\s*\)""")
_PROPERTY = re.compile(r':([\w!$.-]+)[ \t]*,[ \t]*(!?)(\w+)[ \t]*,[ \t]*"([^"\\]*)"')
_AUTHPRIV = {"authpriv", "10", "*"}
_AUTH = {"auth", "security", "4", "*"}  # sshd's own by default

# What a record of a login may have in it, in small letters.
_PROGRAMS = (
    "sshd",
    "sshd-session",
    "sudo",
    "su",
    "login",
    "systemd-logind",
    "gdm-password",
    "polkitd",
)
_MESSAGES = (
    *("accepted password for", "accepted publickey for", "failed password for", "invalid user"),
    *("pam_unix(sshd:session): session opened for user", "session closed for user", "(uid=0)"),
    *("pam_unix(sshd:auth): authentication failure", "command=", "new session"),
)
_SAMPLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("programname", "app-name", "syslogtag"), _PROGRAMS),
    **dict.fromkeys(("msg", "rawmsg", "rawmsg-after-pri"), _MESSAGES),
    **dict.fromkeys(("fromhost", "fromhost-ip"), ("127.0.0.1", "localhost")),
    **dict.fromkeys(("syslogfacility-text",), ("auth", "authpriv")),
    **dict.fromkeys(("syslogfacility",), ("4", "10")),
    **dict.fromkeys(("inputname",), ("imuxsock", "imjournal")),
}
_ALL = {"syslogfacility-text": "authpriv", "syslogfacility": "10"}


class Takes(NamedTuple):
    """Whether it surely takes all records of logins, and whether it may take any."""

    surely: bool
    perhaps: bool

    def __and__(self, other: Takes) -> Takes:
        return Takes(self.surely and other.surely, self.perhaps and other.perhaps)

    @property
    def otherwise(self) -> Takes:
        """What `else` takes."""
        return Takes(not self.perhaps, not self.surely)


ALL, UNKNOWN = Takes(True, True), Takes(False, True)


class Scope(NamedTuple):
    """A block: what it is for, which records it takes, and of which ruleset it is."""

    selector: str = ""
    takes: Takes = ALL
    ruleset: str = ""


class Event(NamedTuple):
    """A statement: an action (its row), a `stop`, or a call of a ruleset by its name."""

    takes: Takes
    row: dict[str, Any] | None = None
    calls: str = ""


def selector(text: str) -> Takes:
    """`auth,authpriv.*;mail.none`: the parts in their order, a later one over an earlier."""
    surely, perhaps = False, {"auth": False, "authpriv": False}
    for part in text.lower().split(";"):
        names, _, level = part.strip().rpartition(".")
        facilities = {name.strip() for name in names.split(",")}
        private = bool(facilities & _AUTHPRIV)
        if level == "none" or level.startswith("!"):
            surely = surely and not private
        elif private and level in ("*", "debug", "info"):
            surely = True
        if not level.startswith("!"):
            for name, words in (("authpriv", _AUTHPRIV), ("auth", _AUTH)):
                if facilities & words:
                    perhaps[name] = level != "none"
    return Takes(surely, any(perhaps.values()))


def filtered(text: str) -> Takes:
    """Of a selector or a property's filter (`:msg, contains, "x"`)."""
    if not text.startswith(":"):
        return selector(text)
    match = _PROPERTY.fullmatch(text)
    if match is None or match[2]:
        return UNKNOWN
    name, operation, value = match[1].lower(), match[3].lower(), match[4].lower()
    operations = {"isequal": "==", "contains": "contains", "startswith": "startswith"}
    return _atom(name, operations.get(operation, ""), value)


def condition(text: str) -> Takes:
    """Of what stands between `if` and `then`."""
    found = []
    for match in _PRIFILT.finditer(text):
        found.append(selector(match[1] or match[2] or ""))
    rest = _PRIFILT.sub(" ", text)
    for match in _ATOM.finditer(rest):
        value = match[3] if match[3] is not None else match[4] or ""
        found.append(_atom(match[1].lower(), match[2].lower().removesuffix("_i"), value.lower()))
    if not found or _JOINED.sub("", _ATOM.sub(" ", rest)):
        return UNKNOWN  # a negation, a function, a number
    if len(found) == 1:
        return found[0]
    # Of several joined by whatever: none takes any, then the whole takes none.
    joined_by_or = not re.search(r"\band\b", rest, re.IGNORECASE)
    return Takes(
        joined_by_or and any(one.surely for one in found), any(one.perhaps for one in found)
    )


def _atom(name: str, operation: str, value: str) -> Takes:
    if name not in _SAMPLES or not operation or not value:
        return UNKNOWN
    if operation == "!=":
        local = name.startswith("fromhost") and value in _SAMPLES[name]
        return Takes(False, not local)
    same = any(value in sample or sample in value for sample in _SAMPLES[name])
    return Takes(operation == "==" and _ALL.get(name) == value, same)


def within(scopes: Iterable[Scope]) -> tuple[Takes, str]:
    """What gets through all of these blocks, and whose ruleset it is (empty where none says)."""
    takes, ruleset = ALL, ""
    for scope in scopes:
        takes, ruleset = takes & scope.takes, scope.ruleset or ruleset
    return takes, ruleset


def mark(events: dict[str, list[Event]], default: str) -> None:
    """Say in each row, as `logins`, whether it gets the records of logins."""
    for them in events.values():
        for event in them:
            if event.row is not None:
                event.row["logins"] = False
    _walk(events, default, True, 0, set())


def _walk(
    events: dict[str, list[Event]], ruleset: str, sure: bool, depth: int, seen: set[str]
) -> bool:
    """Whether all records of logins still come out at the end of a ruleset."""
    if depth > MAX_CALLS or ruleset in seen:
        return False
    seen.add(ruleset)
    for event in events.get(ruleset, ()):
        if event.row is not None:
            event.row["logins"] = sure and event.takes.surely
        elif not event.calls:
            sure = sure and not event.takes.perhaps
        elif event.takes.perhaps:
            kept = _walk(events, event.calls, sure and event.takes.surely, depth + 1, seen)
            sure = sure and (kept or not _stops(events, event.calls))
    return sure


def _stops(events: dict[str, list[Event]], ruleset: str) -> bool:
    """Whether a ruleset throws anything away, itself or by one that it calls."""
    return any(event.row is None and event.takes.perhaps for event in events.get(ruleset, ()))
