"""A Debian host before and after it is hardened by what the rules' `fix` texts say."""

from __future__ import annotations

import re

import pytest

from rules import pack as packs
from tests.hardening import Hardening, fixes

pytestmark = pytest.mark.timeout(900)

# What cannot be mended there, and so may be as it is.
_KERNEL = "the kernel is this machine's, and only the network's parameters may be set"
_AUDIT = "the kernel says nothing of its audit in a namespace"
_HARDWARE = "it is about this machine's firmware, disks or processor"
_LISTENERS = "listeners are asked from the machine they are on, not from outside"
NOT_MENDED = {
    "linux.audit.running": _AUDIT,
    "linux.audit.rules-loaded": _AUDIT,
    "linux.audit.nothing-hidden": _AUDIT,
    "linux.audit.immutable": _AUDIT,
    "linux.audit.none-lost": _AUDIT,
    "linux.kernel.no-suid-dumps": _KERNEL,
    "linux.kernel.aslr": _KERNEL,
    "linux.kernel.addresses-hidden": _KERNEL,
    "linux.kernel.log-of-root": _KERNEL,
    "linux.kernel.no-foreign-ptrace": _KERNEL,
    "linux.kernel.protected-links": _KERNEL,
    "linux.kernel.no-bpf-of-users": _KERNEL,
    "linux.kernel.sysrq-limited": _KERNEL,
    "linux.kernel.settings-in-force": _KERNEL,
    "linux.kernel.settings-survive-reboot": _KERNEL,
    "linux.kernel.modules-signed": _KERNEL,
    "linux.kernel.no-crash-dumps": _KERNEL,
    "linux.kernel.no-removable-storage": "this machine may have loaded such a module",
    "linux.kernel.no-rare-filesystems": "this machine may have loaded such a module",
    "linux.kernel.no-rare-protocols": "this machine may have loaded such a module",
    "linux.network.no-bluetooth": "this machine may have loaded such a module",
    "linux.boot.audited-from-the-start": "it is about this machine's kernel command line",
    "linux.boot.not-weakened": "it is about this machine's kernel command line",
    "linux.kernel.cpu-faults-mitigated": _HARDWARE,
    "linux.boot.secure-boot": _HARDWARE,
    "linux.boot.trust-module": _HARDWARE,
    "linux.boot.measured": _HARDWARE,
    "linux.disk.data-encrypted": _HARDWARE,
    "linux.disk.swap-encrypted": _HARDWARE,
    "linux.time.synchronised": "it is about this machine's clock",
    "linux.mac.active": _KERNEL,
    "linux.mac.apparmor-no-complain": _KERNEL,
    "linux.mac.selinux-after-reboot": _KERNEL,
    "linux.malware.protection-runs": "no product is there that could be installed",
    "linux.tls.listener-protocols": _LISTENERS,
    "linux.tls.listener-ciphers": _LISTENERS,
    "linux.tls.listener-certificates-in-date": _LISTENERS,
    "linux.tls.listener-certificates-renewed": _LISTENERS,
    "linux.tls.listener-certificate-strength": _LISTENERS,
    "linux.tls.listener-not-self-signed": _LISTENERS,
    "linux.updates.no-security-updates-pending": "the host has no way to a mirror",
    "linux.updates.index-fresh": "the host has no way to a mirror",
    "linux.updates.no-reboot-pending": "it cannot be booted",
}
# Texts that name no file, keyword or program: what there is to do depends on what was found.
NAMELESS = {
    "linux.ssh-keys.limited",
    "linux.sudo.all-to-admins-only",
    "linux.certificates.signature",
    "linux.certificates.renewed-in-time",
    "linux.certificates.not-self-signed",
    "linux.network.no-dead-rules",
    "linux.network.no-idle-openings",
    "linux.network.no-wide-openings",
    "linux.network.sources-named",
    "linux.network.dangerous-services-shut",
    "linux.network.stateful",
    "linux.services.no-clear-text-remote-access",
    "linux.services.data-stores-not-everywhere",
}
# Paths, keywords and programs.
WORDS = re.compile(r"/(?:etc|var|boot|lib|usr|dev)/[\w./-]*\w|[A-Za-z_][\w.-]{4,}")


def test_fixes_are_of_rules(hardened: Hardening) -> None:
    assert set(fixes()) - set(hardened.before.verdicts) == set()
    assert set(NOT_MENDED) - set(hardened.before.verdicts) == set()


def test_every_fixed_rule_passes(hardened: Hardening) -> None:
    told = {r: hardened.after.told(r) for r in fixes() if hardened.after.outcome(r) != "pass"}
    assert {rule: it for rule, it in told.items() if rule not in NOT_MENDED} == {}


def test_most_of_them_failed_before(hardened: Hardening) -> None:
    mended = [
        rule
        for rule in fixes()
        if (hardened.before.outcome(rule), hardened.after.outcome(rule)) == ("fail", "pass")
    ]
    assert len(mended) >= 170


def test_all_is_well_in_the_end(hardened: Hardening) -> None:
    """Nothing got worse, and whatever is not well has a reason here."""
    after = hardened.after
    left = [rule for rule in after.verdicts if after.outcome(rule) in ("fail", "unknown")]
    assert {rule: after.told(rule) for rule in left if rule not in NOT_MENDED} == {}


def test_lines_and_texts_name_the_same() -> None:
    """Each rule's fix text, in either language, has a path, a keyword or a program that its lines have."""
    texts = {rule.id: rule.fix for rule in packs.load("mlps-l3").rules if rule.fix}
    nameless = set()
    for rule, lines in fixes().items():
        text = texts[rule]
        said = set(WORDS.findall(f"{text.zh} {text.en}"))
        said |= {path.rpartition("/")[2] for path in said if "/" in path}
        if not any(word in line for word in said for line in lines):
            nameless.add(rule)
    assert nameless == NAMELESS
