"""Kernel parameters in force: /proc/sys, sysctl documents of the kernel (ip-sysctl, fs, kernel).

What the kernel makes of `all` and an interface's own value differs by parameter; the rows of
`kernel_interfaces` are what holds in the end (include/linux/inetdevice.h of the kernel).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    ParseError,
    Reading,
    Unavailable,
)

ROOT = "/proc/sys"
# Only what everyone may read: one parameter that is denied makes the fact unknown.
KEYS = (
    "fs.suid_dumpable",
    "kernel.core_pattern",
    "kernel.core_uses_pid",
    "kernel.dmesg_restrict",
    "kernel.kptr_restrict",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.sysrq",
    "kernel.unprivileged_bpf_disabled",
    "kernel.yama.ptrace_scope",
    "net.ipv4.icmp_echo_ignore_broadcasts",
    "net.ipv4.icmp_ignore_bogus_error_responses",
    "net.ipv4.ip_forward",
    "net.ipv4.tcp_syncookies",
)
# Of older kernels only root may read these: one that is denied is not there, and its rule unknown.
OF_ROOT = (
    *("fs.protected_fifos", "fs.protected_hardlinks"),
    *("fs.protected_regular", "fs.protected_symlinks"),
)
ROOT_FILES = {key: File(f"{ROOT}/{key.replace('.', '/')}") for key in OF_ROOT}
FILES = {key: File(f"{ROOT}/{key.replace('.', '/')}") for key in KEYS}
IPV4 = Glob(
    f"{ROOT}/net/ipv4/conf/*",
    names=(
        *("accept_redirects", "accept_source_route", "forwarding", "log_martians"),
        *("rp_filter", "secure_redirects", "send_redirects"),
    ),
)
IPV6 = Glob(
    f"{ROOT}/net/ipv6/conf/*",
    names=("accept_ra", "accept_redirects", "accept_source_route", "disable_ipv6", "forwarding"),
)


READINGS: tuple[Reading, ...] = (*FILES.values(), *ROOT_FILES.values(), IPV4, IPV6)


class SysctlCollector(Collector, frozen=True):
    """`sysctl`: name → integer, or text; one that this kernel lacks is not there.

    `kernel_interfaces`: name and for IPv4 rp_filter, accept_redirects, send_redirects,
    accept_source_route and log_martians as they hold; with ipv6_ before it, an interface's own
    value for IPv6. `lo` is left out, `default` is what an interface yet to come would have.
    """

    name: ClassVar[str] = "sysctl"
    facts: ClassVar[tuple[str, ...]] = ("sysctl", "kernel_interfaces")

    def readings(self) -> tuple[Reading, ...]:
        return READINGS

    def parse(self, answers: Answers) -> Iterable[Fact]:
        values, sources = plain(answers)
        rows = {family: interfaces(answers, glob) for family, glob in (("4", IPV4), ("6", IPV6))}
        for family, them in rows.items():
            for name in ("all", "default"):
                for setting, value in them.get(name, {}).items():
                    key = f"net.ipv{family}.conf.{name}.{setting}"
                    values[key] = value
                    sources[key] = f"{ROOT}/net/ipv{family}/conf/{name}/{setting}"
        # a kernel without any setting, or without IPv4, is one that was not seen
        if values:
            yield Fact("sysctl", values, sources)
        else:
            yield Fact("sysctl", None, unavailable=f"absent: {ROOT}")
        if rows["4"]:
            yield Fact("kernel_interfaces", _effective(rows["4"], rows["6"]), {"": f"{ROOT}/net"})
        else:
            yield Fact("kernel_interfaces", None, unavailable=f"absent: {IPV4.pattern}")


def plain(answers: Answers) -> tuple[dict[str, int | str], dict[str, str]]:
    """Values and sources of what is not an interface's."""
    values: dict[str, int | str] = {}
    sources: dict[str, str] = {}
    for key, reading in (FILES | ROOT_FILES).items():
        if key in ROOT_FILES and answers.answer(reading).state == "denied":
            continue
        text = answers.maybe(reading)
        if text is not None:
            values[key], sources[key] = typed(text), reading.path
    return values, sources


def interfaces(answers: Answers, glob: Glob) -> dict[str, dict[str, int]]:
    """The numbers of each interface; one that cannot be read makes the whole unknown."""
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for path, answer in answers.children(glob).items():
        if answer.state == "absent":
            continue  # the interface went away
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        *_, name, setting = path.split("/")
        value = typed(answer.content.decode("utf-8", "replace"))
        if not isinstance(value, int):
            raise ParseError(f"{path}: not a number")
        rows[name][setting] = value
    return rows


def _effective(
    ipv4: dict[str, dict[str, int]], ipv6: dict[str, dict[str, int]]
) -> list[dict[str, Any]]:
    every = ipv4.get("all", {})
    rows = []
    for name in sorted({*ipv4, *ipv6} - {"all", "lo"}):
        row: dict[str, Any] = {"name": name, "source": f"{ROOT}/net/ipv4/conf/{name}"}
        for setting, own in ipv4.get(name, {}).items():
            both = every.get(setting, 0)
            either, together = int(bool(both or own)), int(bool(both and own))
            if setting == "rp_filter":
                row[setting] = max(both, own)
            elif setting == "forwarding":
                row[setting] = own
            elif setting == "accept_source_route":
                row[setting] = together
            elif setting == "accept_redirects":
                row[setting] = together if ipv4[name].get("forwarding") else either
            else:
                row[setting] = either
        row |= {f"ipv6_{setting}": value for setting, value in ipv6.get(name, {}).items()}
        rows.append(row)
    return rows


def typed(text: str) -> int | str:
    text = " ".join(text.split())
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else text
