"""Crypto policy, national cryptography, disk encryption, residual information, the ssh client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.crypto import cryptopolicy, diskencryption, national, residual, sshclient
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    Glob,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
)
from collectors.rows import FileStat
from collectors.sources.local import LocalSource

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def files(them: Mapping[str, str | Answer]) -> Answer:
    return Answer(
        "content",
        children=tuple((p, c if isinstance(c, Answer) else text(c)) for p, c in them.items()),
    )


def stats(*paths: str) -> Answer:
    return Answer("content", msgspec.json.encode([FileStat(p, "link", 0, 0, 0) for p in paths]))


def facts(collector: Collector, answers: Mapping[Any, Answer]) -> dict[str, Fact]:
    """Its facts; what is not among the answers is absent, a pattern without matches is empty."""
    known = {key: answer for key, answer in answers.items() if not isinstance(key, str)}
    by_path = {key: answer for key, answer in answers.items() if isinstance(key, str)}

    def nothing(reading: Reading) -> Answer:
        if isinstance(reading, Stat):
            return stats()
        return Answer("content") if isinstance(reading, Glob) else ABSENT

    for reading in collector.readings():
        known.setdefault(reading, nothing(reading))
        if isinstance(reading, Glob) and reading.names:
            # what a test has by path is a part of such an answer
            paths = [f"{reading.pattern}/{name}" for name in reading.names]
            them = {path: by_path[path] for path in paths if path in by_path}
            known[reading] = files(them) if them else known[reading]
    while True:
        try:
            made = list(collector.parse(Answers(known)))
        except NeedMore as need:
            known |= {reading: nothing(reading) for reading in need.readings}
            continue
        return {fact.name: fact for fact in made if isinstance(fact, Fact)}


# --- crypto policy ------------------------------------------------------------------------------

CNF = """
HOME = .
openssl_conf = init   # a comment
[ init ]
ssl_conf = ssl
[ssl]
system_default = tls
[ tls ]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=2
[ other ]
MinProtocol = None
[ tls ]
TLS.MinProtocol = TLSv1.2
.include = more
"""


def policy(answers: Mapping[Any, Answer]) -> Any:
    return facts(cryptopolicy.CryptoPolicyCollector(), answers)["crypto_policy"]


def test_what_every_tls_program_begins_with() -> None:
    fact = policy({cryptopolicy.OPENSSL[0]: text(CNF)})
    assert fact.value["min_protocol"] == "TLSv1.2"  # set twice: the later one
    assert fact.value["seclevel"] == 2
    assert fact.sources["min_protocol"] == "/etc/ssl/openssl.cnf:14"
    assert (fact.value["policy"], fact.value["fips"]) == ("", False)


def test_a_folder_of_settings_is_included() -> None:
    fact = policy(
        {
            cryptopolicy.OPENSSL[0]: text(CNF),
            Glob("/etc/ssl/more/*.cnf", masked=True): files(
                {"/etc/ssl/more/a.cnf": "CipherString = ALL:@SECLEVEL=0\n"}
            ),
        }
    )
    assert fact.value["seclevel"] == 0
    assert fact.sources["seclevel"] == "/etc/ssl/more/a.cnf:1"


@pytest.mark.parametrize(
    "cnf",
    [
        CNF.replace("openssl_conf", "# openssl_conf"),
        CNF.replace("ssl_conf = ssl", ""),
        "",
        "[tls]\nMinProtocol = TLSv1",
    ],
)
def test_settings_that_nothing_leads_to_do_not_count(cnf: str) -> None:
    value = policy({cryptopolicy.OPENSSL[1]: text(cnf)}).value
    assert (value["min_protocol"], value["seclevel"]) == ("", -1)
    assert value["openssl_config"] == "/etc/pki/tls/openssl.cnf"


def test_policy_of_the_rpm_family() -> None:
    value = policy(
        {
            cryptopolicy.CONFIG: text("# LEGACY\n\ndefault:sha1 # why\n"),
            cryptopolicy.CURRENT: text("LEGACY\n"),
            cryptopolicy.FIPS: text("1\n"),
        }
    ).value
    assert (value["policy"], value["subpolicies"], value["current"]) == (
        "DEFAULT",
        ["SHA1"],
        "LEGACY",
    )
    assert value["fips"]


def test_one_part_that_is_denied_makes_the_policy_unknown() -> None:
    for reading in (cryptopolicy.CONFIG, cryptopolicy.OPENSSL[0]):
        with pytest.raises(Unavailable, match="permission denied"):
            policy({reading: DENIED})


# --- national cryptography ----------------------------------------------------------------------


def test_what_openssl_of_this_machine_lists() -> None:
    found = facts(
        national.NationalCryptoCollector(),
        LocalSource().answer([national.VERSION, national.LISTS]),
    )["national_crypto"].value
    assert found["openssl"].startswith("OpenSSL ")
    assert (found["sm2"], found["sm3"], found["sm4"]) == (True, True, True)


def test_national_algorithms_of_other_parts() -> None:
    found = facts(
        national.NationalCryptoCollector(),
        {
            national.LISTS: text("SHA256\nMD5-SM34\n"),
            national.KERNEL: text("name : ecb(sm4)\ndriver : sm3-x\nname\t: sm3\n"),
            national.MODULES: stats("/lib/modules/5/kernel/crypto/sm4_generic.ko.xz"),
            national.RANDOM: text("none\n"),
            national.PAM: files(
                {
                    "/etc/pam.d/system-auth": "password sufficient pam_unix.so sm3 shadow\n",
                    "/etc/pam.d/old": "#password sufficient pam_unix.so sm3\n",
                    "/etc/pam.d/su": "auth required pam_rootok.so sm3\n",
                }
            ),
            national.PROGRAMS[0]: stats("/opt/tongsuo/bin/openssl"),
        },
    )["national_crypto"].value
    assert found == {
        "openssl": "",
        "sm2": False,
        "sm3": False,
        "sm4": False,
        "programs": ["/opt/tongsuo/bin/openssl"],
        "devices": [],
        "kernel": ["ecb(sm4)", "sm3"],
        "modules": ["sm4_generic.ko.xz"],
        "random": "",
        "pam_sm3": ["/etc/pam.d/system-auth"],
    }


# --- disks --------------------------------------------------------------------------------------


def test_what_lies_on_encrypted_devices() -> None:
    mapped = {
        "/sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-0123-luks\n",
        "/sys/block/dm-0/dm/name": "luks\n",
        "/sys/block/dm-1/dm/uuid": "LVM-a\n",
        "/sys/block/dm-1/dm/name": "vg-root\n",
        "/sys/block/dm-2/dm/uuid": "LVM-b\n",
        "/sys/block/dm-2/dm/name": "vg-mixed\n",
        "/sys/block/dm-3/dm/uuid": "CRYPT-PLAIN-swap\n",
        "/sys/block/dm-3/dm/name": "swap\n",
    }
    mounts = (
        "/dev/mapper/vg-root / ext4 rw 0 0\n/dev/mapper/vg-mixed /srv/a\\040b xfs rw 0 0\n"
        "/dev/sda1 /boot ext4 rw 0 0\n/dev/loop1 /snap/x squashfs ro 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
        "/dev/mapper/vg-root /var/bind ext4 rw 0 0\nodd\n/dev/sr0 /cd iso9660 ro 0 0\n"
    )
    known: dict[Reading, Answer] = {
        diskencryption.MAPPED: files(mapped),
        diskencryption.SLAVES: stats(
            *("/sys/block/dm-1/slaves/dm-0", "/sys/block/dm-2/slaves/dm-0"),
            *("/sys/block/dm-2/slaves/sdb1", "/sys/block/dm-0/slaves/sda3"),
        ),
        diskencryption.MOUNTS: text(mounts),
        diskencryption.SWAPS: text(
            "Filename Type\n/dev/dm-3 partition 1 0 -2\n/dev/zram0 partition 1 0 1\n/swap file 1 0 1\n"
        ),
        diskencryption.CRYPTTAB: text(
            "# luks x\nswap /dev/sda4 /dev/urandom swap,cipher=sm4-xts-plain64\n"
        ),
        diskencryption.TABLE: text(
            "luks: 0 1951744 crypt aes-xts-plain64 :64:logon:x 0 8:3 32768\n"
        ),
    }
    value = facts(diskencryption.DiskEncryptionCollector(), known)["disk_encryption"].value
    assert {row["key"]: row["encrypted"] for row in value["filesystems"]} == {
        "/": True,
        "/srv/a b": False,
        "/boot": False,
    }
    assert {row["key"]: row["encrypted"] for row in value["swaps"]} == {
        "/dev/dm-3": True,
        "/swap": False,
    }
    assert [(row["name"], row["type"], row["cipher"]) for row in value["devices"]] == [
        ("luks", "LUKS2", "aes-xts-plain64"),
        ("swap", "PLAIN", "sm4-xts-plain64"),
    ]


def test_no_mounts_is_no_disk_seen() -> None:
    with pytest.raises(Unavailable, match="/proc/mounts"):
        facts(diskencryption.DiskEncryptionCollector(), {})


# --- what is left behind ------------------------------------------------------------------------


def test_histories() -> None:
    found = facts(
        residual.ResidualCollector(),
        {
            residual.PROFILES[0]: text(
                "HISTSIZE=1000\n# HISTSIZE=1\nexport PATH HISTSIZE\nMYHISTSIZE=3\n"
            ),
            residual.PROFILES[3]: text("HISTCONTROL=x\n"),
            residual.PROFILE_D: files(
                {"/etc/profile.d/z.sh": "export HISTSIZE='50'; readonly HISTSIZE HISTFILESIZE=\n"}
            ),
        },
    )["shell_history"].value
    assert [(row["name"], row["value"], row["last"], row["source"]) for row in found] == [
        ("HISTSIZE", 1000, False, "/etc/profile:1"),
        ("HISTSIZE", 50, True, "/etc/profile.d/z.sh:1"),
        ("HISTFILESIZE", -1, True, "/etc/profile.d/z.sh:1"),
    ]


@pytest.mark.parametrize(
    ("etc", "lib", "mounts", "row"),
    [
        ("", "q /tmp 1777 root root 10d\n", "", (False, False, 10)),
        ("", "D /tmp 1777 root root -\n", "", (False, True, 0)),
        ("", "D! /tmp\n", "tmpfs /tmp tmpfs rw 0 0\n", (True, True, 0)),
        ("q /tmp 1777 root root 2w3d\n", "q /tmp 1777 root root 1d\n", "", (False, False, 17)),
        ("# q /tmp 1777 root root 2d\n", "q /tmp 1777 root root 1d\n", "", (False, False, 0)),
        ("", "q /tmp 1777 root root ~12h\n", "", (False, False, 1)),
        ("", "x /tmp/x\nd /tmp 1777 root root aAmM:5d\n", "", (False, False, 5)),
    ],
)
def test_temporary_folders(etc: str, lib: str, mounts: str, row: tuple[bool, bool, int]) -> None:
    known: dict[Any, Answer] = {
        "/usr/lib/tmpfiles.d/tmp.conf": text(lib),
        residual.MOUNTS: text(mounts),
    }
    if etc:
        known[residual.TMPFILES] = files({"/etc/tmpfiles.d/tmp.conf": etc})
    tmp, _ = facts(residual.ResidualCollector(), known)["temporary_folders"].value
    assert (tmp["memory"], tmp["at_boot"], tmp["age_days"]) == row


# --- ssh ----------------------------------------------------------------------------------------


def test_ssh_client() -> None:
    main = "Include ssh_config.d/*.conf\nHost old\n  Ciphers +3des-cbc\n#MACs x\nHost *\nStrictHostKeyChecking NO\n"
    found = facts(
        sshclient.SshClientCollector(),
        {
            sshclient.MAIN: text(main),
            sshclient.USUAL: files(
                {"/etc/ssh/ssh_config.d/a.conf": "UserKnownHostsFile /dev/null\nUser x\n"}
            ),
        },
    )["ssh_client"].value
    assert [(row["key"], row["value"], row["source"].rpartition("/")[2]) for row in found] == [
        ("host * userknownhostsfile", "/dev/null", "a.conf:1"),
        ("host old ciphers", "+3des-cbc", "ssh_config:3"),
        ("host * stricthostkeychecking", "no", "ssh_config:6"),
    ]


# --- whatever there is --------------------------------------------------------------------------

WORDS = "= [ ] . include .include # \\ dm-0 CRYPT- /dev/mapper/x / HISTSIZE= q /tmp 10d Host Include sm3 @SECLEVEL=1"
ODD = st.lists(st.sampled_from([*WORDS.split(), "\n", " ", "\t", "\0", '"']), max_size=30).map(
    "".join
) | st.text(max_size=50)
COLLECTORS: tuple[Collector, ...] = (
    cryptopolicy.CryptoPolicyCollector(),
    national.NationalCryptoCollector(),
    diskencryption.DiskEncryptionCollector(),
    residual.ResidualCollector(),
    sshclient.SshClientCollector(),
)


def everything(collector: Collector, content: str) -> dict[Reading, Answer]:
    """Each file has this content."""
    known: dict[Reading, Answer] = {}
    for reading in collector.readings():
        if isinstance(reading, Glob):
            base = reading.pattern.replace("*", "x")
            paths = [f"{base}/{name}" for name in reading.names] or [base]
            known[reading] = files(dict.fromkeys(paths, content))
        elif not isinstance(reading, Stat):
            known[reading] = text(content)
    return known


@settings(max_examples=150, deadline=None)
@given(ODD)
def test_any_text(content: str) -> None:
    for collector in COLLECTORS:
        with contextlib.suppress(ParseError, Unavailable):
            facts(collector, everything(collector, content))


@pytest.mark.parametrize(
    "line",
    [
        *(
            "HISTSIZE=" * 20,
            "a = b",
            "[" * 100,
            "x\\",
            ".include /x",
            "q /tmp 1777 root root " + "9d" * 50,
        ),
        *(
            "/dev/mapper/a /x ext4 rw",
            "Host " + "a" * 100,
            "sm" * 100,
            "name : " + "sm3" * 60,
            "@SECLEVEL=1" * 15,
        ),
    ],
)
def test_many_odd_lines_are_read_in_time(line: str) -> None:
    start = time.perf_counter()
    for collector in COLLECTORS:
        with contextlib.suppress(ParseError, Unavailable):
            facts(collector, everything(collector, f"{line}\n" * 10_000))
    assert time.perf_counter() - start < 20  # 1 s on an idle machine
