"""Open files of the whole system: /proc/sys/fs/file-nr, proc(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

FILE_NR = File("/proc/sys/fs/file-nr")


class FilefdCollector(Collector, frozen=True):
    """Open files and how many there may be."""

    name: ClassVar[str] = "filefd"

    def readings(self) -> tuple[File, ...]:
        return (FILE_NR,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/sys/fs/file-nr"):
            allocated, _, maximum = map(float, answers.text(FILE_NR).split())
        yield gauge("node_filefd_allocated", "Files open in the whole system.", sample(allocated))
        yield gauge("node_filefd_maximum", "Files that can be open at most.", sample(maximum))
