"""What this host's own ssh client is told for everyone: /etc/ssh/ssh_config, ssh_config(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.crypto import webfiles
from collectors.model import Answers, Collector, Fact, File, Glob, ParseError, Reading
from collectors.security.sshserver import sshdconfig

MAIN = File("/etc/ssh/ssh_config", masked=True)
USUAL = Glob("/etc/ssh/ssh_config.d/*.conf", masked=True)
KEYWORDS = ("stricthostkeychecking", "ciphers", "macs", "kexalgorithms", "userknownhostsfile")
MAX_FILES = 200


class SshClientCollector(Collector, frozen=True):
    """`ssh_client`: rows of key, keyword (small letters), value, host (the Host or Match line it stands under), source,
    for what tells whom the client trusts; no rows where nothing is set."""

    name: ClassVar[str] = "ssh_client"
    facts: ClassVar[tuple[str, ...]] = ("ssh_client",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, USUAL)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        reader = _Reader(answers)
        if (text := answers.maybe(MAIN)) is not None:
            webfiles.ask_for_includes(MAIN.path, text, _included, answers)
            reader.file(MAIN.path, text, "")
        yield Fact("ssh_client", reader.rows, {"": MAIN.path})


def _included(path: str, text: str) -> list[str]:
    return sshdconfig.patterns(path, text, "/etc/ssh")


class _Reader:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._files = 0
        self.rows: list[dict[str, Any]] = []

    def file(self, path: str, text: str, host: str) -> None:
        self._files += 1
        if self._files > MAX_FILES:
            raise ParseError(f"{path}: too many includes")
        for line in sshdconfig.lines(path, text):
            value = " ".join(line.arguments)
            if line.keyword in ("host", "match"):
                host = f"{line.keyword} {value}"
            elif line.keyword == "include":
                for pattern in _absolute(line.arguments):
                    for name, content in webfiles.texts(pattern, self._answers).items():
                        self.file(name, content, host)
            elif line.keyword in KEYWORDS:
                self.rows.append(
                    {
                        "key": f"{host or 'host *'} {line.keyword}",
                        "keyword": line.keyword,
                        "value": value.lower()
                        if line.keyword == "stricthostkeychecking"
                        else value,
                        "host": host,
                        "source": line.source,
                    }
                )


def _absolute(patterns: list[str]) -> list[str]:
    return [one if one.startswith("/") else f"/etc/ssh/{one}" for one in patterns]
