"""Text in which what is secret by its name is masked: `password=…`, `"token": "…"`, `--secret …`, user and password
of a URL, mysql's -p…, curl's -u name:….

The same on every way: `masked` where the bytes are read by us, AWK where a host's shell does. Both go by lines, look
for the same words (MARKS, in small letters) and write *** in place of the value after: what is quoted up to its quote,
else up to a blank, of mount options up to a comma. Masking again changes nothing. It goes by names, so a secret that
no such word stands before stays.
"""

from __future__ import annotations

import re

MOST = (
    50  # values on one line; what follows more of them, or one on a line longer than LONGEST, goes
)
LONGEST = 4096

_WORD = "(password|passwd|passphrase|pwd|secret|token|community|authorization|api[_-]?key|access[_-]?key)"
_SCHEME = "((basic|bearer|digest|negotiate|token|splunk|apikey)[ \t]+)?"
_Q = "[\"']?"
# As POSIX and Python read them alike. What has to be on the line too, then what stands before a value.
MARKS = (
    ("", f"({_WORD}[a-z0-9_.-]*|pass){_Q}[ \t]*[=:]+[ \t]*{_SCHEME}"),
    ("", f"{_WORD}{_Q}[ \t]+{_SCHEME}"),
    ("", ":om(my|pg)sql:[^,]*,[^,]*,[^,]*,"),
    ("mysql|mariadb|sshpass", "[ \t]-p[ \t]*"),
    ("curl|wget", f"[ \t](-u|--user|--proxy-user)[ \t=]*{_Q}[^ \t:\"']+:"),
)
_URL = "://[^/ \t\"'<>]*@"
_MOUNT = "[ \t](cifs|smb3|smbfs|ceph|davfs|glusterfs|nfs4?|fuse[a-z.]*)[ \t]"
_TAIL = "[]),;\"'}]+$"

_MARKS = tuple((re.compile(a.encode()), re.compile(b.encode())) for a, b in MARKS)
_URL_BYTES, _MOUNT_BYTES = re.compile(_URL.encode()), re.compile(_MOUNT.encode())
_TAIL_BYTES = re.compile(rb"[]),;\"'}]+\Z")
_PATH = re.compile(rb"/[^ \t:]")
_WORDS, _OPTION = re.compile(rb"[^ \t\r]*"), re.compile(rb"[^ \t\r,]*")


def masked(content: bytes) -> bytes:
    """The text of a file without its secrets; a newline ends it."""
    if not content:
        return content
    return b"".join(_line(line) + b"\n" for line in content.removesuffix(b"\n").split(b"\n"))


def _line(line: bytes) -> bytes:
    line = _URL_BYTES.sub(b"://***@", line)
    low = line.lower()
    value = _OPTION if _MOUNT_BYTES.search(low) else _WORDS
    for also, mark in _MARKS:
        if also.search(low):
            line = _after(line, mark, value)
            low = line.lower()
    return line


def _after(line: bytes, mark: re.Pattern[bytes], value: re.Pattern[bytes]) -> bytes:
    low, at, count, out = line.lower(), 0, 0, []
    while match := mark.search(low, at):
        out.append(line[at : match.end()])
        count += 1
        if len(line) > LONGEST or count > MOST:
            return b"".join([*out, b"***"])
        # /etc/passwd is a file and no password
        path = match.start() > at and _PATH.match(line, match.start() - 1) is not None
        at = match.end()
        rest = line[at:]
        first = rest[:1]
        if path or first in (b"", b"=", b":", b"{", b"[", b"("):
            continue
        if first in (b'"', b"'"):
            end = _closing(rest, first)
            if end == len(rest):  # it was the end of what is quoted, or the quote goes on below
                tail = _TAIL_BYTES.search(rest)
                end = max(1, tail.start()) if tail else end
            out.append(first + (b"***" if end > 1 else b""))
        else:
            found = value.match(rest)
            end = found.end() if found else 0
            tail = _TAIL_BYTES.search(rest[:end])
            end = tail.start() if tail else end
            out.append(b"***" if end else b"")
        at += end
    return b"".join([*out, line[at:]])


def _closing(rest: bytes, quote: bytes) -> int:
    """Where the quote that rest begins with ends."""
    at = 1
    while at < len(rest):
        if rest[at : at + 1] == quote:
            return at
        at += 2 if rest[at : at + 1] == b"\\" else 1
    return len(rest)


def _awk(pattern: str) -> str:
    """A pattern as a string of awk."""
    return '"' + pattern.replace('"', '\\"').replace("'", "\\047").replace("\t", "\\t") + '"'


_BEGIN = (
    f"    url = {_awk(_URL)}; mount = {_awk(_MOUNT)}; tail = {_awk(_TAIL)}\n",
    f"    longest = {LONGEST}; most = {MOST}; marks = 0\n",
    *(f"    also[++marks] = {_awk(a)}; mark[marks] = {_awk(b)}\n" for a, b in MARKS),
)
# The function masked(line), of any awk, where LC_ALL is C.
AWK = (
    f"BEGIN {{\n{''.join(_BEGIN)}}}\n"
    + """
function closing(rest, quote,    i, c) {
    for (i = 2; i <= length(rest); i++) {
        c = substr(rest, i, 1)
        if (c == quote) return i - 1
        if (c == "\\\\") i++
    }
    return length(rest)
}
function after(line, mark, value,    low, count, out, c, path, n) {
    low = tolower(line); out = ""; count = 0
    while (match(low, mark)) {
        path = RSTART > 1 && substr(line, RSTART - 1, 2) ~ "^/[^ \\t:]"
        out = out substr(line, 1, RSTART + RLENGTH - 1)
        if (size > longest || ++count > most) return out "***"
        line = substr(line, RSTART + RLENGTH); low = substr(low, RSTART + RLENGTH)
        c = substr(line, 1, 1)
        if (path || c == "" || index("=:{[(", c)) continue
        if (c == "\\"" || c == "\\047") {
            n = closing(line, c)
            if (n == length(line) && match(line, tail)) n = RSTART > 1 ? RSTART - 1 : 1
            out = out c (n > 1 ? "***" : "")
        } else {
            n = match(line, value) ? RLENGTH : 0
            if (match(substr(line, 1, n), tail)) n = RSTART - 1
            if (n > 0) out = out "***"
        }
        line = substr(line, n + 1); low = substr(low, n + 1)
    }
    return out line
}
function masked(line,    i, value) {
    gsub(url, "://***@", line)
    value = tolower(line) ~ mount ? "^[^ \\t\\r,]*" : "^[^ \\t\\r]*"
    for (i = 1; i <= marks; i++) if (also[i] == "" || tolower(line) ~ also[i]) {
        size = length(line); line = after(line, mark[i], value)
    }
    return line
}
"""
)
