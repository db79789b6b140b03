"""Signs of a verified boot: Secure Boot (UEFI 2.10, 3.3 and 32), TPM, IMA, lockdown (kernel documentation
of sysfs and securityfs)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Stat
from collectors.rows import FileStat

EFI = Stat("/sys/firmware/efi")
SECURE_BOOT = File("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
TPM = Stat("/sys/class/tpm/tpm*")
TPM_VERSION = Glob("/sys/class/tpm/tpm*", names=("tpm_version_major",))
TCM = Stat("/dev/tcm*")  # the Chinese standard's own module
IMA = File("/sys/kernel/security/ima/runtime_measurements_count")
LOCKDOWN = File("/sys/kernel/security/lockdown")
CMDLINE = File("/proc/cmdline")


class TrustedBootCollector(Collector, frozen=True):
    """`trusted_boot`: efi, secure_boot (null: cannot be read), tpm (2, 1, 0: none), tcm, ima (count of
    measurements, 0: off, null: cannot be read), appraise, lockdown (none, integrity,
    confidentiality, unknown)."""

    name: ClassVar[str] = "trusted_boot"
    facts: ClassVar[tuple[str, ...]] = ("trusted_boot",)

    def readings(self) -> tuple[Reading, ...]:
        return (EFI, SECURE_BOOT, TPM, TPM_VERSION, TCM, IMA, LOCKDOWN, CMDLINE)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        versions = answers.texts(TPM_VERSION).values()
        tpm = bool(answers.rows(TPM, FileStat))
        value = {
            "efi": bool(answers.rows(EFI, FileStat)),
            "secure_boot": _secure_boot(answers),
            "tpm": max((int(v) for v in versions if v in ("1", "2")), default=int(tpm)),
            "tcm": bool(answers.rows(TCM, FileStat)),
            "ima": _measurements(answers),
            "appraise": "ima_appraise=enforce" in (answers.maybe(CMDLINE) or "").split(),
            "lockdown": _lockdown(answers),
        }
        yield Fact("trusted_boot", value, {"": "/sys/firmware/efi", "ima": IMA.path})


def _secure_boot(answers: Answers) -> bool | None:
    """Four bytes of attributes, one of value."""
    answer = answers.answer(SECURE_BOOT)
    if answer.state == "absent":
        return False
    return answer.content[4] == 1 if len(answer.content) == 5 else None


def _measurements(answers: Answers) -> int | None:
    answer = answers.answer(IMA)
    text = answer.content.strip()
    if answer.state == "absent":
        return 0
    return int(text) if text.isdigit() and len(text) < 19 else None


def _lockdown(answers: Answers) -> str:
    """The word in brackets is the one that holds."""
    answer = answers.answer(LOCKDOWN)
    if answer.state == "absent":
        return "none"
    text = answer.content.decode("utf-8", "replace")
    return text.partition("[")[2].partition("]")[0] or "unknown"
