"""The ways into sshd: AuthenticationMethods of sshd_config(5), and how many kinds of factors each takes.

A key is something one has, a password something one knows; what PAM asks beside is for the fact
`second_factor` to say. A host that vouches for its users is no factor of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_KINDS: Final = {
    "publickey": "key",
    "password": "secret",
    "keyboard-interactive": "secret",
    "gssapi-with-mic": "ticket",
}
_SWITCHES: Final = {
    "publickey": "pubkeyauthentication",
    "password": "passwordauthentication",
    "keyboard-interactive": "kbdinteractiveauthentication",
    "gssapi-with-mic": "gssapiauthentication",
    "hostbased": "hostbasedauthentication",
}


def ways(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of context, way, kinds, pam, source of one context of sshd."""
    told = str(row["authenticationmethods"]).split()
    any_ = told in ([], ["any"])
    for way in _SWITCHES if any_ else dict.fromkeys(told):
        methods = [method.partition(":")[0] for method in way.split(",")]
        if any(row.get(_SWITCHES.get(m, ""), "yes") != "yes" for m in methods):
            continue  # a method that is off lets nobody in
        kinds = {_KINDS[m] for m in methods if m in _KINDS}
        pam = row["usepam"] == "yes" and "secret" in kinds
        context = row["context"]
        yield {
            "way": way if context == "everyone" else f"{context}: {way}",
            "context": context,
            "kinds": len(kinds),
            "pam": pam,
            "source": row["source"],
        }
