"""Whether a file is a Wazuh SCA policy rather than a pack; asked of every pack that is named by path."""

from __future__ import annotations

import re

from collectors import strictyaml
from rules.packfile import Read, path_of
from rules.settings import is_path

_IS_POLICY = re.compile(rb"""(?m)^(?:\xef\xbb\xbf)?["']?policy["']?[ \t]*:[ \t\r]*(?:$|[{#&])""")
_HAS_CHECKS = re.compile(rb"""(?m)^(?:\xef\xbb\xbf)?["']?checks["']?[ \t]*:""")


def is_policy(content: bytes) -> bool:
    """Whether a document is one of these rather than a pack."""
    return bool(_IS_POLICY.search(content) and _HAS_CHECKS.search(content))


def policy_of(name: str, read: Read = strictyaml.read) -> bytes | None:
    """The content of a policy, None of a pack; raises DocumentError."""
    if not is_path(name):
        return None
    content = read(path_of(name))
    return content if is_policy(content) else None
