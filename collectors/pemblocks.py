"""Of PEM text (RFC 7468) the certificates and nothing else: a key beside one never leaves the host.

The same on every way: this function where the bytes are read by us, AWK where a host's shell does.
A line passes only between the two marks and only if it is base64, so a mark that is missing or
glued to another (files put together without a newline) cannot let a key through.
"""

from __future__ import annotations

import re

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"
_BEGINS = re.compile(rb"-----BEGIN CERTIFICATE-----[ \t\r]*\Z")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+[ \t\r]*\Z")

AWK = r"""
/-----END / { if (on) print "-----END CERTIFICATE-----"; on = 0 }
/-----BEGIN / {
    if (on = ($0 ~ /-----BEGIN CERTIFICATE-----[ \t\r]*$/)) print "-----BEGIN CERTIFICATE-----"
    next
}
on && /^[A-Za-z0-9+\/=]+[ \t\r]*$/ { print }
"""


def certificates_only(content: bytes) -> bytes:
    """The certificate blocks of a file; nothing of a file without."""
    kept: list[bytes] = []
    on = False
    for line in content.split(b"\n"):
        if b"-----END " in line:
            if on:
                kept.append(END)
            on = False
        if b"-----BEGIN " in line:
            on = _BEGINS.search(line) is not None
            if on:
                kept.append(BEGIN)
        elif on and _BASE64.match(line):
            kept.append(line)
    return b"".join(line + b"\n" for line in kept)
