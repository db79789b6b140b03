"""The least that sudo has to allow: sudoers(5) lines for the commands that collectors run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence

from agents.errors import UserError
from collectors.model import Collector, Command
from collectors.sources.commands import ENVIRONMENT


def sudoers_lines(user: str, collectors: Sequence[Collector]) -> Iterator[str]:
    """One line a command with exactly its arguments; raises UserError for an odd user name.

    Files are not in it: what may not be read takes a group or an ACL, not a root shell.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user):
        raise UserError(f"{user!r} is not a user name")
    yield "# What the collectors run, argument for argument; check this file with: visudo -cf FILE\n"
    readings = [reading for collector in collectors for reading in collector.readings()]
    for argv in sorted({r.argv for r in readings if isinstance(r, Command)}):
        program = shutil.which(argv[0], path=ENVIRONMENT["PATH"])
        if program is None:
            yield f"# {argv[0]} is not on this machine: where it is, its path may differ\n"
            program = f"/usr/bin/{argv[0]}"
        # a command without arguments would be allowed with any
        words = [_escaped(word) for word in argv[1:]] or ['""']
        yield f"{user} ALL=(root) NOPASSWD: {' '.join([_escaped(program), *words])}\n"


def _escaped(word: str) -> str:
    """Every character that sudoers or its wildcards have a meaning for stands for itself.

    sudoers takes a backslash from these alone; what is left is a pattern where `\\` is one.
    """
    return re.sub(r"([*?\[\]!^:,= \t#])", r"\\\1", word.replace("\\", r"\\\\"))
