"""Defaults for new accounts and their passwords: /etc/login.defs, login.defs(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, File

LOGIN_DEFS = File("/etc/login.defs")


class LoginDefsCollector(Collector, frozen=True):
    """`login_defs`: name → value. A decimal number is an integer, `027` (octal) stays a text."""

    name: ClassVar[str] = "login_defs"
    facts: ClassVar[tuple[str, ...]] = ("login_defs",)

    def readings(self) -> tuple[File, ...]:
        return (LOGIN_DEFS,)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        values: dict[str, str | int] = {}
        sources = {"": LOGIN_DEFS.path}
        for number, line in enumerate(answers.text(LOGIN_DEFS).split("\n"), 1):
            words = line.split(None, 1)
            if len(words) < 2 or words[0].startswith("#"):
                continue
            name, value = words[0], words[1].strip().strip('"')
            # the last one wins, as in the tools that read it
            values[name] = _typed(value)
            sources[name] = f"{LOGIN_DEFS.path}:{number}"
        yield Fact("login_defs", values, sources)


def _typed(text: str) -> str | int:
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) < 16
    return int(text) if plain and (digits == "0" or digits[0] != "0") else text
