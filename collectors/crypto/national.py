"""What of the national cryptography this host has: SM2, SM3 and SM4 (GB/T 32918, 32905, 32907).

`openssl list` of OpenSSL's library (openssl-list(1)), programs of Tongsuo, BabaSSL and GmSSL by their usual paths,
/proc/crypto (the kernel's algorithms; a module that nobody needs yet is not among them), PAM by its files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    File,
    Glob,
    Reading,
    Stat,
    Unavailable,
)
from collectors.rows import FileStat

VERSION = Command(("openssl", "version"), timeout=3)
LISTS = Command(
    ("openssl", "list", "-public-key-algorithms", "-digest-algorithms", "-cipher-algorithms"),
    timeout=3,
)
KERNEL = File("/proc/crypto")
MODULES = Stat("/lib/modules/*/kernel/crypto/sm[34]*")
RANDOM = File("/sys/class/misc/hw_random/rng_current")
PAM = Glob("/etc/pam.d/*")
# Wide patterns, as each costs a host a process; what is meant is in the expressions.
PROGRAMS = tuple(
    Stat(pattern)
    for pattern in (
        *("/opt/*/bin/openssl", "/usr/local/*/bin/openssl"),
        *("/usr/bin/[gt][mo][sn]*", "/usr/local/bin/[gt][mo][sn]*"),
    )
)
_PROGRAM = re.compile(
    r"/[^/]*(?:tongsuo|babassl)[^/]*/bin/openssl|/(?:gmssl|tongsuo)$", re.IGNORECASE
)
# Cards and modules of commercial cryptography: drivers of two makers, the interface of GM/T 0018.
DEVICES = (Stat("/dev/[hs][cw][ct]*"), Stat("/usr/lib*/libs[dw]*.so*"))
_DEVICE = re.compile(r"/dev/(?:swcsm|hct_).*|/usr/lib[^/]*/lib(?:sdf|swsds)[^/]*")
_WORDS = {
    name: re.compile(rf"(?:^|[^A-Za-z0-9]){name}(?:$|[^A-Za-z0-9])", re.I)
    for name in ("sm2", "sm3", "sm4")
}
_SM = re.compile(r"\bsm[234][\w@.-]*", re.IGNORECASE)


class NationalCryptoCollector(Collector, frozen=True):
    """`national_crypto`: openssl (its version's line, empty without), sm2, sm3, sm4 (the library has it),
    programs and devices (paths of Tongsuo, GmSSL; of cards and their libraries), kernel (sm algorithms by the
    kernel's names) and modules (files of such that it could load), random (its hardware generator), pam_sm3 (files whose pam_unix hashes with SM3)."""

    name: ClassVar[str] = "national_crypto"
    facts: ClassVar[tuple[str, ...]] = ("national_crypto",)

    def readings(self) -> tuple[Reading, ...]:
        return (VERSION, LISTS, KERNEL, MODULES, RANDOM, PAM, *PROGRAMS, *DEVICES)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        version = (answers.maybe(VERSION) or "").strip()
        lists = answers.maybe(LISTS) or ""
        yield Fact(
            "national_crypto",
            {
                "openssl": version.split("\n")[0][:200],
                **{name: word.search(lists) is not None for name, word in _WORDS.items()},
                "programs": _paths(answers, PROGRAMS, _PROGRAM),
                "devices": _paths(answers, DEVICES, _DEVICE),
                "kernel": _kernel(answers.maybe(KERNEL) or ""),
                "modules": [path.rpartition("/")[2] for path in _paths(answers, (MODULES,), _SM)],
                "random": _random(answers.maybe(RANDOM) or ""),
                "pam_sm3": _pam(answers),
            },
            {"": "openssl list", "kernel": KERNEL.path, "pam_sm3": "/etc/pam.d"},
        )


def _paths(answers: Answers, stats: Iterable[Stat], meant: re.Pattern[str]) -> list[str]:
    return [
        row.path
        for stat in stats
        if answers.answer(stat).state != "absent"
        for row in answers.rows(stat, FileStat)
        if meant.search(row.path)
    ]


def _random(text: str) -> str:
    """The hardware generator that feeds the kernel; nothing where there is none."""
    name = text.strip()
    return "" if name == "none" else name


def _kernel(text: str) -> list[str]:
    names = (line.partition(":") for line in text.split("\n") if line.startswith("name"))
    return sorted({name.strip() for _, _, name in names if _SM.search(name)})


def _pam(answers: Answers) -> list[str]:
    """Files with a line of pam_unix, not commented out, that has the word sm3."""
    found = []
    for path, answer in answers.children(PAM).items():
        if answer.state not in ("content", "absent"):
            raise Unavailable(File(path), answer)
        text = answer.content.decode("utf-8", "replace")
        lines = (line.partition("#")[0].split() for line in text.split("\n"))
        if any("sm3" in words and any("pam_unix" in word for word in words) for words in lines):
            found.append(path)
    return found
