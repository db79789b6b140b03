"""What a policy reads of a host, as readings that work on every source alike.

Contents are asked for by Glob, which never waits for the writer of a FIFO; kinds by Stat.
Some places are never read: devices, and files of the kernel whose reading changes something.
"""

from __future__ import annotations

import re
from collections import deque

from collectors.model import MEBIBYTE, Answer, Answers, Command, Glob, NeedMore, Reading, Stat
from collectors.rows import FileStat
from rules.sca.lines import Content

FILE_LIMIT = 4 * MEBIBYTE
OUTPUT_LIMIT = MEBIBYTE
COMMAND_TIMEOUT = 10.0  # seconds
MAX_DEPTH = 8  # folders within folders
MAX_FOLDERS = 256  # that one rule lists
MAX_FILES = 500  # whose content one rule looks at

_NEVER = re.compile(
    r"/dev/(?!shm/)|/proc/(kmsg|kcore|kpage\w+|sysrq-trigger|\d+/(mem|pagemap)|self/(mem|pagemap))$"
    r"|/sys/kernel/(debug|tracing)/"
)
# password hashes, private keys, key tables: read on this machine only, and never told
_SECRET = re.compile(
    r"/etc/(g?shadow|security/opasswd)|(_key|key\.pem|\.key|\.keytab|\.p12|\.pfx|\.jks)$|/private/"
    r"|/\.ssh/(id_|identity)|^/proc/\d+/environ$|\bg?shadow\b"
)


class Missing(Exception):
    """There is no such thing; `str()` says what."""


class Unseen(Exception):
    """It could not be looked at; `str()` says why."""


def secret(text: str) -> bool:
    """Whether what is at a path, or what a command tells, may be a secret."""
    return bool(_SECRET.search(text))


def command(argv: tuple[str, ...]) -> Command:
    """Wazuh takes any exit status, and standard error as well."""
    return Command(argv, COMMAND_TIMEOUT, OUTPUT_LIMIT, tuple(range(256)), errors=True)


class Places:
    """Looks at answers; every method raises NeedMore, Missing or Unseen. `remote`: the host is not
    this machine, so secrets are not asked for."""

    def __init__(self, answers: Answers, remote: bool) -> None:
        self._answers, self._remote = answers, remote

    def content(self, path: str) -> Content:
        """A file's content."""
        if _NEVER.match(path):
            raise Unseen(f"{path} is not read: a device, or of the kernel")
        try:
            hidden = secret(path) or secret(self._leads_to(path))
        except NeedMore as error:
            if self._remote:  # what a link to a secret leads to must not come with the answer
                raise
            raise NeedMore(*error.readings, Glob(literal(path), limit=FILE_LIMIT)) from error
        if hidden and self._remote:
            raise Unseen(f"{path} is not read over the network: it holds secrets")
        answer = self._one(path)
        if answer is None or answer.state == "absent":
            raise Missing(f"there is no {path}")
        if answer.state != "content":
            raise Unseen(f"{path}: {answer.reason or answer.state}")
        return Content(path, answer.content, hidden)

    def _leads_to(self, path: str) -> str:
        """The real path of a link, else the path: a secret does not become none by another name."""
        row = self._stat(path)
        return row.target if row and row.kind == "link" else path

    def _one(self, path: str) -> Answer | None:
        answer = self._answers.answer(Glob(literal(path), limit=FILE_LIMIT))
        if answer.state != "content":
            return answer
        return answer.children[0][1] if answer.children else None

    def kind(self, path: str) -> str:
        """`file`, `directory`, `other`, or empty where there is nothing; links are followed."""
        row = self._stat(path)
        if row is not None and row.kind == "link":
            row = self._stat(row.target) if row.target else None
            if row is not None and row.kind == "link":
                raise Unseen(f"{path} is a symbolic link that leads in a circle")
        return row.kind if row else ""

    def _stat(self, path: str) -> FileStat | None:
        rows = self._rows(Stat(literal(path)))
        return rows[0] if rows else None

    def _rows(self, reading: Stat) -> list[FileStat]:
        answer = self._answers.answer(reading)
        if answer.state == "absent":
            return []
        if answer.state != "content":
            raise Unseen(f"{reading.pattern}: {answer.reason or answer.state}")
        return self._answers.rows(reading, FileStat)

    def files(self, folder: str) -> tuple[list[FileStat], str]:
        """Files and links in a folder and in those within it, and why there may be more, or nothing.
        What a link leads to is not entered."""
        first, more = self._listed(folder)
        try:
            kind = self.kind(folder)
        except NeedMore as error:
            raise NeedMore(*error.readings, *more) from error
        if not kind:
            raise Missing(f"there is no {folder}")
        if kind != "directory":
            raise Unseen(f"{folder} is no directory")
        found: list[FileStat] = []
        rows, left, folders, unseen = first, deque[tuple[str, int]](), 1, ""
        depth = 0
        while True:
            if isinstance(rows, str):
                unseen = unseen or rows
                rows = []
            found += [row for row in rows if row.kind in ("file", "link")]
            within = [row.path for row in rows if row.kind == "directory"]
            folders += len(within)
            if within and (depth == MAX_DEPTH or folders > MAX_FOLDERS):
                unseen = (
                    f"{folder} has more than {MAX_FOLDERS} folders, or more than {MAX_DEPTH} deep"
                )
                within = []
            left += ((path, depth + 1) for path in within)
            if not left:
                break
            here, depth = left.popleft()
            rows, unasked = self._listed(here)
            more += unasked
        if more:
            raise NeedMore(*more)
        return sorted(found, key=lambda row: row.path), unseen

    def _listed(self, folder: str) -> tuple[list[FileStat] | str, list[Reading]]:
        """What is in a folder, or why that is not known, and what has to be asked for it."""
        base = literal(folder).rstrip("/")
        rows: list[FileStat] = []
        unasked: list[Reading] = []
        # a pattern finds hidden names only if it begins with a dot itself
        for pattern in (f"{base}/*", f"{base}/.*"):
            try:
                rows += self._rows(Stat(pattern))
            except NeedMore as error:
                unasked += error.readings
            except Unseen as error:
                return str(error), []
        return rows, unasked


def literal(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return re.sub(r"([*?\[])", r"[\1]", path)
