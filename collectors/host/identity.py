"""Which host: machine-id(5), uname(2).

machine-id(5) asks not to show the id itself to a network, hence a hash of it. Without one the id
is a hash of the host's name. Either stays the same over reboots, updates and addresses.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from collectors.model import Answers, File, Inventory, Reading, malformed
from collectors.rows import Uname

UNAME = Inventory("uname")
MACHINE_ID = File("/etc/machine-id")
READINGS: Final[tuple[Reading, ...]] = (UNAME, MACHINE_ID)


class Identity(NamedTuple):
    """`id` has 32 hexadecimal digits; `source` is what it was made of."""

    id: str
    name: str
    source: str


def identity(answers: Answers) -> Identity:
    """Raises ParseError, Unavailable."""
    with malformed("uname"):
        (uname,) = answers.rows(UNAME, Uname)
    machine = (answers.maybe(MACHINE_ID) or "").strip()
    if re.fullmatch(r"[0-9a-f]{32}", machine) and machine.strip("0"):
        return Identity(host_id(machine), uname.nodename, MACHINE_ID.path)
    return Identity(host_id(uname.nodename), uname.nodename, "uname")


def host_id(of: str) -> str:
    """32 hexadecimal digits that stand for a machine-id or a name."""
    return hashlib.sha256(b"jianwei host\0" + of.encode("utf-8", "replace")).hexdigest()[:32]
