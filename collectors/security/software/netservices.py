"""Settings of services that let in whoever comes: vsftpd.conf(5), snmpd.conf(5), hosts_access(5).

A community of SNMP is a password: grep(1) only counts, and none is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Command, Fact, File, Reading, Stat, Unavailable
from collectors.rows import FileStat
from collectors.security.software.everyone import is_everybody

VSFTPD = (File("/etc/vsftpd.conf"), File("/etc/vsftpd/vsftpd.conf"))
SNMPD = Stat("/etc/snmp/snmpd.conf")
_SPACE = "[[:space:]]"
DEFAULT_COMMUNITY = Command(
    (
        *("grep", "-rhc", "-i", "--include=*.conf", "-E"),
        f"^{_SPACE}*(r[ow]community6?{_SPACE}+|authcommunity{_SPACE}+[^{_SPACE[1:-1]}]+{_SPACE}+|com2sec6?{_SPACE}+(-Cn{_SPACE}+[^{_SPACE[1:-1]}]+{_SPACE}+)?"
        f"[^{_SPACE[1:-1]}]+{_SPACE}+[^{_SPACE[1:-1]}]+{_SPACE}+)[\"']?(public|private)[\"']?({_SPACE}|$)",
        "/etc/snmp",
    ),
    ok=(0, 1),
)
ALLOW, DENY = File("/etc/hosts.allow"), File("/etc/hosts.deny")
LIBRARY = (
    *(Stat("/usr/lib/*/libwrap.so.0"), Stat("/usr/lib64/libwrap.so.0")),
    *(Stat("/lib/*/libwrap.so.0"), Stat("/lib64/libwrap.so.0")),
)


class NetservicesCollector(Collector, frozen=True):
    """`ftp`: installed, anonymous (vsftpd lets in whoever has no account).

    `snmp`: installed, default_community (lines of *.conf in and below /etc/snmp with `public` or
    `private`).
    `tcp_wrappers`: library (there is one that programs could use), sshd_limited (hosts.deny refuses
    sshd to all but those of hosts.allow, who are not all).
    """

    name: ClassVar[str] = "netservices"
    facts: ClassVar[tuple[str, ...]] = ("ftp", "snmp", "tcp_wrappers")

    def readings(self) -> tuple[Reading, ...]:
        return (*VSFTPD, SNMPD, DEFAULT_COMMUNITY, ALLOW, DENY, *LIBRARY)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        for name, make in (("ftp", _ftp), ("snmp", _snmp), ("tcp_wrappers", _wrappers)):
            try:
                yield make(answers)
            except Unavailable as error:
                yield Fact(name, None, unavailable=f"{error.state}: {error}")


def _ftp(answers: Answers) -> Fact:
    for reading in VSFTPD:
        text = answers.maybe(reading)
        if text is None:
            continue
        anonymous, source = True, f"{reading.path} (default)"  # where nothing is said
        for number, line in enumerate(text.split("\n"), 1):
            key, equals, value = line.partition("=")
            if equals and key == "anonymous_enable":
                anonymous = value.strip().upper() in ("YES", "TRUE", "1")
                source = f"{reading.path}:{number}"
        return Fact("ftp", {"installed": True, "anonymous": anonymous}, {"anonymous": source})
    return Fact("ftp", {"installed": False, "anonymous": False}, {"": VSFTPD[0].path})


def _snmp(answers: Answers) -> Fact:
    source = {"": SNMPD.pattern}
    if not answers.rows(SNMPD, FileStat):
        return Fact("snmp", {"installed": False, "default_community": 0}, source)
    counted = answers.text(DEFAULT_COMMUNITY).split()  # one for each file
    number = sum(int(it) for it in counted if it.isascii() and it.isdigit() and len(it) < 10)
    return Fact("snmp", {"installed": True, "default_community": number}, source)


def _wrappers(answers: Answers) -> Fact:
    denied = any(
        is_everybody(clients) and not allows
        for clients, allows in _rules(answers.maybe(DENY) or "", allow=False)
    )
    open_ = False
    for clients, allows in _rules(answers.maybe(ALLOW) or "", allow=True):
        if is_everybody(clients):  # what comes behind is not looked at
            denied, open_ = denied or not allows, allows
            break
    value: dict[str, Any] = {
        "library": any(answers.rows(stat, FileStat) for stat in LIBRARY),
        "sshd_limited": denied and not open_,
    }
    return Fact("tcp_wrappers", value, {"": f"{ALLOW.path}, {DENY.path}"})


def _rules(text: str, allow: bool) -> Iterator[tuple[list[str], bool]]:
    """The clients of each rule that is about sshd, and whether it lets them in. All but a few are all to
    let in, and are less than all to refuse."""
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        if line.lstrip().startswith("#"):
            continue
        daemons, colon, rest = line.partition(":")
        if not colon or not _is_of_sshd(daemons):
            continue
        # an IPv6 network in brackets has colons of its own
        words = re.sub(r"\[[^\]]*\]|:", lambda it: " : " if it[0] == ":" else it[0], rest)
        clients, _, options = words.partition(" : ")
        allows = {"deny": False, "allow": True}.get(options.split(" : ")[-1].strip().lower(), allow)
        names = [word for word in re.split(r"[,\s]+", clients) if word]
        plain = [word.lower() for word in names]
        if "except" in plain:
            names = names[: plain.index("except")] if allows else []
        yield names, allows


def _is_of_sshd(daemons: str) -> bool:
    names = [word.partition("@")[0] for word in re.split(r"[,\s]+", daemons.strip().lower())]
    meant, _, but = " ".join(names).partition(" except ")
    return bool({"all", "sshd"} & set(meant.split())) and "sshd" not in but.split()
