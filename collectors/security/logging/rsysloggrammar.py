"""What the statements of rsyslog's configuration begin with, in both of its styles: the RainerScript reference
and rsyslog.conf(5)."""

from __future__ import annotations

import re

# What a statement begins with, each tried where the one before ended. Where one does not end, the
# file does not parse: nothing is looked at twice.
SPACE = re.compile(r"(?:[ \t\r\n;]+|#[^\n]*)+")
LINE = re.compile(r"(?:[^\n\\]|\\.)*", re.DOTALL)
OBJECT = re.compile(r"([a-z_]+)[ \t\r\n]*\(", re.IGNORECASE)
INSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|[^")#]+', re.DOTALL)
PARAM = re.compile(
    r'(?<![\w.])([\w.]{1,64})[ \t\r\n]*=[ \t\r\n]*\[?[ \t\r\n]*"((?:[^"\\]|\\.)*)"', re.DOTALL
)
IF = re.compile(r"(?:else[ \t\r\n]+)?if\b", re.IGNORECASE)
CONDITION = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?!\bthen\b)[^"'])*+\bthen\b""",
    re.DOTALL | re.IGNORECASE,
)
SELECTOR = re.compile(r"[\w*,;!=-]*[\w*]\.(?:[\w*,.;!=-]|(?<=[;,])\\\n[ \t]*)++(?=[ \t{\\])")
CONTINUED = re.compile(r"\\\n[ \t]*")
PROPERTY = re.compile(r':[\w!$.-]+[ \t]*,[ \t]*!?\w+[ \t]*,[ \t]*"(?:[^"\\\n]|\\.)*"')
FORWARD = re.compile(r"(@@?)(?:\([^)\n]*\))?(\[[^\]\n]+\]|[^:;\s]+)(?::(\w+))?")
RELP = re.compile(r":omrelp:(\[[^\]\n]+\]|[^:;\s]+)(?::(\w+))?")
FILE = re.compile(r"-?(/[^;\s]+)")
STOP = re.compile(r"(?:stop\b|~(?=[ \t\r\n}]|$))[ \t]*", re.IGNORECASE)
CALL = re.compile(r"call[ \t]+([\w.-]{1,100})", re.IGNORECASE)
WORD = re.compile(
    r"""(?:continue|reset|unset|set)\b(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^;\n}])*+""",
    re.DOTALL | re.IGNORECASE,
)
OCTAL = re.compile(r"[0-7]{1,5}")
