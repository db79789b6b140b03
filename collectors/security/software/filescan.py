"""SUID and SGID files, what anybody may write, and what nobody owns, on all local file systems.

A walk of the whole tree: slow, so it is an inventory with a schedule of its own. Packages that own
a file: dpkg-query(1), rpm(8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, Reading, Walk, malformed
from collectors.rows import Noted, Walked
from collectors.security.software import localfs
from collectors.security.software.owners import packages_of
from collectors.security.software.packagedb import READINGS, manager

ANYBODY, SUID, SGID = 0o002, 0o4000, 0o2000
MAX_ASKED = 300  # SUID and SGID files whose package is asked for


class FileScanCollector(Collector, frozen=True):
    """`file_scan`: age, complete, entries, and lists of rows

    suid: path, kind (suid, sgid, suid+sgid), mode_octal, uid, gid, known (a package manager could
    tell whose it is), package (empty: no package owns it).
    problems: path, why: what was not seen; none where complete.
    writable: path, kind, mode_octal, uid, gid: files that anybody may write, and directories that
    anybody may write without the sticky bit. unowned: path, kind, uid, gid.
    """

    name: ClassVar[str] = "filescan"
    facts: ClassVar[tuple[str, ...]] = ("file_scan",)

    # Images of containers are not this host's files, and have rules of their own.
    exclude: tuple[str, ...] = (
        *("/proc", "/sys", "/dev", "/run/user", "/var/lib/docker", "/var/lib/containers"),
        *("/var/lib/containerd", "/var/lib/kubelet", "/var/lib/lxc", "/snap"),
    )
    entries: int = 20_000_000
    seconds: float = 600.0

    def readings(self) -> tuple[Reading, ...]:
        return (*localfs.TABLES, *READINGS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        reading = Walk(
            localfs.roots(answers, self.exclude),
            self.exclude,
            entries=self.entries,
            seconds=self.seconds,
        )
        with malformed("walk"):
            (walked,) = answers.rows(reading, Walked)
        problems = list(_problems(walked))
        # a file system that is seen at two places below each other is walked twice
        by_path = {row.path: row for row in walked.noted}
        noted = [by_path[path] for path in sorted(by_path)]
        packages = _packages(noted, manager(answers), answers)
        yield Fact(
            "file_scan",
            {
                "age": 0,
                "complete": not problems,
                "entries": walked.entries,
                "problems": problems,
                "suid": [
                    _suid(row, packages)
                    for row in noted
                    if row.kind == "file" and row.mode & (SUID | SGID)
                ],
                "writable": [
                    _row(row)
                    for row in noted
                    if row.kind in ("file", "directory")
                    and row.mode & ANYBODY
                    and not (row.kind == "directory" and row.mode & 0o1000)
                ],
                "unowned": [_row(row) for row in noted if row.unowned],
            },
            {"": "walk over local file systems"},
        )


def _problems(walked: Walked) -> Iterator[dict[str, str]]:
    for path in walked.unread:
        yield {"path": path, "why": "could not be read"}
    if walked.after:
        yield {"path": "/", "why": "the walk has not come to its end yet"}
    if walked.dropped:
        yield {"path": "/", "why": f"{walked.dropped} files more than can be told"}


def _row(row: Noted) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "mode_octal": f"{row.mode & 0o7777:04o}",
        "uid": row.uid,
        "gid": row.gid,
        "source": row.path,
    }


def _suid(row: Noted, packages: Mapping[str, str | None]) -> dict[str, Any]:
    kinds = [name for bit, name in ((SUID, "suid"), (SGID, "sgid")) if row.mode & bit]
    package = packages.get(row.path)
    known = package is not None
    return {**_row(row), "kind": "+".join(kinds), "package": package or "", "known": known}


def _packages(noted: Iterable[Noted], database: str, answers: Answers) -> dict[str, str | None]:
    """The package of each SUID or SGID file: empty for none, None where nobody can tell."""
    paths = [row.path for row in noted if row.kind == "file" and row.mode & (SUID | SGID)]
    plain = [path for path in dict.fromkeys(paths) if path.isprintable()]
    # no package has a file whose name is not printable
    found: dict[str, str | None] = {path: "" for path in paths if not path.isprintable()}
    found |= packages_of(plain[:MAX_ASKED], database, answers, exact=True)
    return found
