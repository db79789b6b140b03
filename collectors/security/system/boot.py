"""What the kernel was started with, and what it says of the processor's faults.

/proc/cmdline and the kernel's kernel-parameters document; /sys/devices/system/cpu/vulnerabilities and
/sys/kernel/kexec_crash_loaded (ABI/testing of the kernel's documentation). Of the command line only
what bears on security is kept: it may hold credentials (systemd.set_credential).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Unavailable

CMDLINE = File("/proc/cmdline")
VULNERABILITIES = Glob("/sys/devices/system/cpu/vulnerabilities/*")
CRASH = File("/sys/kernel/kexec_crash_loaded")
KEPT = frozenset(
    (
        *("apparmor", "audit", "audit_backlog_limit", "enforcing", "ima_policy", "init_on_alloc"),
        *("init_on_free", "ipv6.disable", "kaslr", "kpti", "kvec", "lockdown", "lsm", "mce"),
        *("mitigations", "module.sig_enforce", "nokaslr", "nopti", "nosmap", "nosmep", "pti"),
        *("nospectre_v1", "nospectre_v2", "page_poison", "slab_nomerge", "slub_debug", "l1tf"),
        *("mds", "tsx_async_abort", "spec_store_bypass_disable", "spectre_v2", "security"),
        *("selinux", "vsyscall", "crashkernel", "retbleed", "srbds", "nospec_store_bypass_disable"),
        *("kpatch", "init", "single", "systemd.debug-shell", "randomize_kstack_offset", "iommu"),
    )
)


class BootCollector(Collector, frozen=True):
    """`boot_parameters`: rows of text (`audit=1`, `nokaslr`), name, value, of those that bear on security;
    of one given twice the last. `cpu_vulnerabilities`: rows of name, state, vulnerable.
    `kdump`: loaded, reserved (crashkernel is on the command line).
    """

    name: ClassVar[str] = "boot"
    facts: ClassVar[tuple[str, ...]] = ("boot_parameters", "cpu_vulnerabilities", "kdump")

    def readings(self) -> tuple[Reading, ...]:
        return (CMDLINE, VULNERABILITIES, CRASH)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        given = parse_cmdline(answers.text(CMDLINE))
        yield Fact(
            "boot_parameters",
            [
                {"text": text, "name": name, "value": value, "source": CMDLINE.path}
                for name, (text, value) in given.items()
            ],
        )
        yield _vulnerabilities(answers)
        loaded = answers.maybe(CRASH)
        yield Fact(
            "kdump",
            {"loaded": (loaded or "").strip() == "1", "reserved": "crashkernel" in given},
            {"loaded": CRASH.path, "reserved": CMDLINE.path},
        )


def parse_cmdline(text: str) -> dict[str, tuple[str, str]]:
    """Name → (text, value); what follows `--` is init's."""
    found = {}
    for word in text.split():
        if word == "--":
            break
        name, _, value = word.strip('"').partition("=")
        if name in KEPT:
            found[name] = f"{name}={value}" if "=" in word else name, value
    return found


def _vulnerabilities(answers: Answers) -> Fact:
    rows = []
    for path, answer in answers.children(VULNERABILITIES).items():
        if answer.state == "absent":
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        state = answer.content.decode("utf-8", "replace").strip()
        rows.append(
            {
                "name": path.rpartition("/")[2],
                "state": state[:200],
                # "Not affected", "Mitigation: …", "Vulnerable …"; "KVM: Mitigation: …" of a host of machines
                "vulnerable": "Vulnerable" in state.partition(";")[0],
                "source": path,
            }
        )
    if not rows:  # not an architecture, or a kernel, that tells
        return Fact("cpu_vulnerabilities", None, unavailable=f"absent: {VULNERABILITIES.pattern}")
    return Fact("cpu_vulnerabilities", rows)
