"""Facts of access control: passwords' dates, groups, homes, last logins, keys."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Command,
    Fact,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
)
from collectors.observe import observe
from collectors.rows import AuthorizedKey, Clock, FileStat, ShadowEntry
from collectors.security.identity import homes
from collectors.security.identity.accounts import (
    CLOCK,
    GROUP,
    PASSWD,
    SHADOW,
    AccountsCollector,
    parse_passwd,
)
from collectors.security.identity.authorizedkeys import KEYS, AuthorizedKeysCollector, bits
from collectors.security.identity.groups import GroupsCollector
from collectors.security.identity.homes import HomesCollector
from collectors.security.identity.lastlogins import (
    LASTLOG,
    LASTLOG2,
    LastLoginsCollector,
    parse_lastlog,
)
from collectors.sources.local import LocalSource

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")
TODAY = 20_635


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def rows(*them: Any) -> Answer:
    return Answer("content", msgspec.json.encode(them))


NOW = rows(Clock(TODAY * 86400.0 + 3600, "CST", 28800))
PEOPLE = """\
root:x:0:0:root:/root:/bin/bash
bin:x:2:2::/bin:/usr/sbin/nologin
li:x:1000:1000::/home/li:/bin/bash
wang:x:1001:4000::/srv/wang/:/bin/bash
odd:x:1002:1000::/home/[x:/bin/bash
"""


def facts(collector: Collector, answers: dict[Reading, Answer]) -> dict[str, Any]:
    """Values of its facts; what is not among the answers is absent, or an empty list of paths."""
    known = {r: rows() if isinstance(r, Stat) else ABSENT for r in collector.readings()} | answers
    while True:
        try:
            made = list(collector.parse(Answers(known)))
        except NeedMore as need:
            known |= {reading: answers.get(reading, rows()) for reading in need.readings}
            continue
        return {fact.name: fact for fact in made if isinstance(fact, Fact)}


# --- accounts and groups ------------------------------------------------------------------------


def passwords(*entries: ShadowEntry, clock: Answer = NOW) -> dict[str, Any]:
    answers: dict[Reading, Answer] = {PASSWD: text(PEOPLE), GROUP: text("li:x:1000:\n")}
    found = facts(AccountsCollector(), {**answers, SHADOW: rows(*entries), CLOCK: clock})
    return {row["name"]: row for row in found["passwords"].value}


@pytest.mark.parametrize(
    ("expires", "expired"),
    [(None, False), (TODAY + 1, False), (TODAY, True), (1, True), (0, True), (-1, False)],
)
def test_expiry(expires: int | None, expired: bool) -> None:
    row = passwords(ShadowEntry("li", "$6$", expires=expires))["li"]
    assert row["expired"] is expired


@pytest.mark.parametrize(
    ("changed", "days"), [(None, -1), (0, -1), (TODAY, 0), (TODAY - 91, 91), (TODAY + 9, -1)]
)
def test_days_since_the_last_change(changed: int | None, days: int) -> None:
    row = passwords(ShadowEntry("li", "$6$", changed=changed, inactive_days=30))["li"]
    assert (row["changed_days"], row["inactive_days"]) == (days, 30)


def test_without_a_clock_passwords_are_not_known() -> None:
    answers: dict[Reading, Answer] = {PASSWD: text(PEOPLE), GROUP: text(""), SHADOW: rows()}
    found = facts(AccountsCollector(), answers)
    assert found["accounts"].value
    assert found["passwords"].unavailable.startswith("absent: clock")


def test_own_groups() -> None:
    answers: dict[Reading, Answer] = {
        PASSWD: text("a:$6$x:1:1::/:\nb::2:9::/:\n"),
        GROUP: text("g:x:1:\n"),
        CLOCK: NOW,
    }
    first, second = facts(AccountsCollector(), answers)["accounts"].value
    assert (first["group"], second["group"]) == ("g", "")
    assert (first["in_passwd"], second["in_passwd"]) == ("hash", "empty")


class Passwd(ctypes.Structure):
    """struct passwd of glibc."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("password", ctypes.c_char_p),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("gecos", ctypes.c_char_p),
        ("home", ctypes.c_char_p),
        ("shell", ctypes.c_char_p),
    )


def of_libc(content: str, path: Path) -> list[tuple[str, int, int]]:
    """Name, UID and GID of each account, as fgetpwent(3) reads them."""
    path.write_bytes(content.encode())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype, libc.fgetpwent.restype = ctypes.c_void_p, ctypes.POINTER(Passwd)
    libc.fgetpwent.argtypes = libc.fclose.argtypes = [ctypes.c_void_p]
    file = libc.fopen(str(path).encode(), b"r")
    found = []
    while row := libc.fgetpwent(file):
        found.append((row[0].name.decode(), row[0].uid, row[0].gid))
    libc.fclose(file)
    return found


uid_text = st.sampled_from(
    [
        *(
            "0",
            "+0",
            " 0",
            "\t+00",
            "-0",
            "00",
            "0 ",
            "0x0",
            "",
            "a",
            "1000",
            "-1",
            " ",
            "+ 0",
            "+",
            "١",
        ),
        *("4294967295", "4294967296", "18446744073709551615", "18446744073709551616"),
        *("-18446744073709551615", "-18446744073709551616", "99999999999999"),
    ]
)
name_text = st.sampled_from(["li", " toor", "\ttoor", "#x", " #x", "\u00a0root", "", " "])
ends = st.sampled_from(["", ":", "::/:/bin/sh", "::/:/bin/sh:more", ":g"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(name_text, uid_text, uid_text, ends), max_size=5))
def test_accounts_as_the_c_library_reads_them(
    tmp_path: Path, lines: list[tuple[str, str, str, str]]
) -> None:
    content = "".join(f"{name}:x:{uid}:{gid}{end}\n" for name, uid, gid, end in lines)
    # without a name it is an account to the library, and told apart by us
    libc = [row for row in of_libc(content, tmp_path / "passwd") if row[0]]
    assert [(row["name"], row["uid"], row["gid"]) for row in parse_passwd(content)] == libc


def test_lines_that_are_no_account_are_told() -> None:
    content = "root:x:0:0::/:\ntoor:x:zero:0::/:\n# no\n\n  \n+\n::0:0::/:\nx:x:0\n"
    found = facts(AccountsCollector(), {PASSWD: text(content), GROUP: text(""), CLOCK: NOW})
    keys = [row["name"] for row in found["odd_accounts"].value]
    assert keys == ["/etc/passwd:2", "/etc/passwd:7", "/etc/passwd:8"]


def test_uid_0_in_another_spelling() -> None:
    content = "root:x:0:0::/:\ntoor::+0:0::/root:/bin/bash\nspot:: 0:0::/:/bin/bash\n"
    found = facts(AccountsCollector(), {PASSWD: text(content), GROUP: text(""), CLOCK: NOW})
    assert [row["uid_count"] for row in found["accounts"].value] == [3, 3, 3]


def test_groups_in_another_spelling() -> None:
    group = " docker:x:+50: li, wang \nshort:x:51\n +evil:x:0:\n"
    found = facts(GroupsCollector(), {PASSWD: text("root:x:0:0::/:\n"), GROUP: text(group)})
    told = [(row["name"], row["gid"], row["members"]) for row in found["groups"].value]
    assert told == [("docker", 50, ["li", "wang"]), ("short", 51, [])]
    assert [row["entry"] for row in found["nis_entries"].value] == ["+evil"]


def test_groups() -> None:
    group = "root:x:0:\nops:x:50:li,wang\ndup:x:50:\nli:$6$x:1000:\nli:x:7:\n+:::\nbad:x:y:\n"
    found = facts(GroupsCollector(), {PASSWD: text(PEOPLE + "+@net::::::\n"), GROUP: text(group)})
    by_source = {row["source"]: row for row in found["groups"].value}
    assert len(by_source) == 5
    ops, own = by_source["/etc/group:2"], by_source["/etc/group:4"]
    assert (ops["members"], ops["gid_count"]) == (["li", "wang"], 2)
    assert (own["members"], own["name_count"], own["password"]) == (["li", "odd"], 2, True)
    assert [row["line"] for row in found["nis_entries"].value] == ["/etc/passwd:6", "/etc/group:6"]


# --- homes --------------------------------------------------------------------------------------


def directory(path: str, uid: int, mode: int = 0o700, kind: Any = "directory") -> FileStat:
    return FileStat(path, kind, mode, uid, uid)


def test_homes() -> None:
    answers: dict[Reading, Answer] = {
        PASSWD: text(PEOPLE),
        Stat("/root"): rows(directory("/root", 0)),
        Stat("/home/*"): rows(directory("/home/li", 1001, 0o755)),
        Stat("/home/*/.ssh"): rows(directory("/home/li/.ssh", 1000)),
        Stat("/srv/wang"): rows(directory("/srv/wang", 1001, 0o777, "link")),
        Stat("/srv/wang/.[rs]hosts"): rows(directory("/srv/wang/.rhosts", 1001, 0o600, "file")),
    }
    found = facts(HomesCollector(), answers)
    states = {row["name"]: (row["state"], row["own"]) for row in found["homes"].value}
    assert states == {
        "root": ("there", True),
        "li": ("there", False),
        "wang": ("link", True),
        "odd": ("odd", False),
    }
    files = [(row["key"], row["own"]) for row in found["home_files"].value]
    assert files == [("li /home/li/.ssh", True), ("wang /srv/wang/.rhosts", True)]


def test_homes_that_cannot_be_listed_are_not_known() -> None:
    with pytest.raises(Unavailable):
        facts(HomesCollector(), {PASSWD: text(PEOPLE), Stat("/home/*"): DENIED})


def test_homes_of_others_are_closed_to_a_plain_user() -> None:
    found = facts(HomesCollector(), {PASSWD: text(PEOPLE), Stat("/home/*/.ssh"): DENIED})
    assert found["homes"].value
    assert found["home_files"].unavailable.startswith("denied: stat /home")


def test_no_user_makes_the_answers_longer() -> None:
    """Each pattern finds at most what is judged of a home, whatever lies there."""
    below = [r for r in HomesCollector().readings() if isinstance(r, Stat) and "/." in r.pattern]
    named = [f"/home/li/{name}" for name in homes.NAMES]
    found = [path for r in below for path in named if fnmatchcase(path, r.pattern)]
    assert sorted(found) == sorted(named)
    for odd in (
        ".r1234567",
        ".ssh/authorized_keys3",
        ".ssh/authorized_keys.bak",
        ".npmrc",
        ".rhostsx",
    ):
        assert not any(fnmatchcase(f"/home/li/{odd}", r.pattern) for r in below)


def test_a_missing_home() -> None:
    row = facts(HomesCollector(), {PASSWD: text(PEOPLE)})["homes"].value[1]
    assert (row["path"], row["state"], row["owner"]) == ("/home/li", "missing", -1)


def test_too_many_homes_elsewhere() -> None:
    passwd = "".join(f"u{n}:x:{n}:1::/srv/u{n}:/bin/sh\n" for n in range(10_000))
    with pytest.raises(ParseError, match="more than"):
        facts(HomesCollector(), {PASSWD: text(passwd)})


def test_homes_of_a_real_tree(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    uid = os.geteuid()
    (tmp_path / "etc/passwd").write_text(f"li:x:{uid}:1::/home/li:/bin/sh\nx:x:5:1::/opt/a/b:\n")
    (tmp_path / "home/li/.ssh").mkdir(parents=True)
    (tmp_path / "home/li/.ssh/authorized_keys").touch(0o600)
    (tmp_path / "opt/a/b").mkdir(parents=True)
    (observation,) = observe(LocalSource(str(tmp_path)), [HomesCollector()])
    there, files = (fact.value for fact in observation.facts)
    assert [(row["name"], row["state"]) for row in there] == [("li", "there"), ("x", "there")]
    assert [row["what"] for row in files] == [".ssh", ".ssh/authorized_keys"]
    assert files[1]["mode_octal"] == "0600"


# --- last logins --------------------------------------------------------------------------------

TABLE = """\
Username         Port     From                                       Latest
root             pts/0    10.0.0.1                                   Mon Jun 29 23:59:59 +0800 2026
bin                                                                  **Never logged in**
li               tty1                                                Sun Jan  4 09:00:00 +0000 2026
averyveryverylongname pts/1    2001:db8::1                           Thu Jan  1 00:00:00 +0000 1970
odd              x                                                   Fri Feb 31 00:00:00 +0000 2026
"""


def test_the_table_of_lastlog() -> None:
    assert parse_lastlog(TABLE) == {
        "root": 20_633,
        "bin": None,
        "li": 20_457,
        "averyveryverylongname": 0,
    }


@pytest.mark.skipif(not shutil.which("lastlog"), reason="takes lastlog")
def test_the_real_lastlog() -> None:
    answer = LocalSource().answer([LASTLOG])[LASTLOG]
    found = parse_lastlog(answer.content.decode())
    assert "root" in found


def last_logins(
    table: Answer, *keys: AuthorizedKey, command: Command = LASTLOG, shadow: Answer | None = None
) -> dict[str, Any]:
    entries = (
        ShadowEntry("root", "$6$", changed=TODAY - 10),
        ShadowEntry("li", "$6$", changed=TODAY - 400),
        ShadowEntry("wang", "locked", changed=TODAY - 400, expires=1),
        ShadowEntry("odd", "empty", changed=TODAY - 5),
    )
    answers: dict[Reading, Answer] = {PASSWD: text(PEOPLE), CLOCK: NOW, KEYS: rows(*keys)}
    answers |= {SHADOW: shadow or rows(*entries), command: table}
    found = facts(LastLoginsCollector(), answers)["last_logins"].value
    return {row["name"]: (row["seen"], row["days"]) for row in found}


def test_who_may_log_in_and_when_they_did() -> None:
    # wang's password is locked and there is no key: not among them
    assert last_logins(text(TABLE)) == {
        "root": ("yes", 2),
        "li": ("yes", 178),
        "odd": ("unknown", -1),
    }
    key = AuthorizedKey("wang", "/k", 1, "ssh-ed25519", 51)
    assert last_logins(text(TABLE), key)["wang"] == ("unknown", -1)
    assert "wang" in last_logins(text(TABLE), AuthorizedKey("wang", "/k", error="denied"))


def test_never_counts_from_the_day_of_the_password() -> None:
    table = "Username\nli    **Never logged in**\n"
    assert last_logins(text(table))["li"] == ("never", 400)


def test_the_newer_lastlog() -> None:
    assert last_logins(text(TABLE), command=LASTLOG2)["li"] == ("yes", 178)


@pytest.mark.parametrize("answer", [ABSENT, DENIED, Answer("failed", reason="exit status 1")])
def test_without_a_record_nothing_is_known(answer: Answer) -> None:
    with pytest.raises(Unavailable):
        last_logins(answer)


def test_without_shadow_nothing_is_known() -> None:
    with pytest.raises(Unavailable):
        last_logins(text(TABLE), shadow=DENIED)


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("ssh-rsa", 279, 2048),
        ("ssh-rsa", 277, 2048),  # an exponent of one byte
        ("ssh-rsa", 151, 1024),
        ("ssh-rsa", 407, 3072),
        ("ssh-rsa", 535, 4096),
        ("ssh-rsa", 0, 0),
        ("ssh-dss", 433, 1024),
        ("ssh-ed25519", 51, 256),
        ("sk-ecdsa-sha2-nistp256@openssh.com", 100, 256),
        ("ecdsa-sha2-nistp521", 172, 521),
        ("ssh-rsa-cert-v01@openssh.com", 900, 0),
    ],
)
def test_bits(kind: str, size: int, expected: int) -> None:
    assert bits(kind, size) == expected


def test_keys() -> None:
    them = (
        AuthorizedKey("root", "/root/.ssh/authorized_keys", 3, "ssh-rsa", 279, ("from",), 5),
        AuthorizedKey("li", "/home/li/.ssh/authorized_keys", error="Permission denied"),
        AuthorizedKey("gone", "/home/gone/.ssh/authorized_keys", 1),
    )
    found = facts(AuthorizedKeysCollector(), {PASSWD: text(PEOPLE), KEYS: rows(*them)})
    root, li, gone = found["authorized_keys"].value
    assert root["key"] == "root /root/.ssh/authorized_keys:3"
    assert (root["uid"], root["bits"], root["limited"]) == (0, 2048, True)
    assert (li["error"], li["type"]) == ("Permission denied", "")
    assert (gone["uid"], gone["type"]) == (-1, "")


def test_keys_that_ssh_keygen_makes(tmp_path: Path) -> None:
    for kind, size in (("rsa", "2048"), ("rsa", "3072"), ("ed25519", "256"), ("ecdsa", "384")):
        path = tmp_path / f"{kind}{size}"
        argv = ["ssh-keygen", "-q", "-t", kind, "-b", size, "-N", "", "-f", str(path), "-C", "x y"]
        subprocess.run(argv, check=True)
        home = tmp_path / "home/li/.ssh"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(f"{path}.pub", home / "authorized_keys")
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc/passwd").write_text("li:x:1:1::/home/li:/bin/sh\n")
        (observation,) = observe(LocalSource(str(tmp_path)), [AuthorizedKeysCollector()])
        (row,) = observation.facts[0].value
        assert (row["bits"], row["comment"]) == (int(size), 3)


# --- any input ----------------------------------------------------------------------------------

odd_text = st.text() | st.lists(st.sampled_from([*":\n+-#x10/ ", "root", "/home/a"])).map("".join)


@given(passwd=odd_text, group=odd_text, table=odd_text)
def test_any_text_gives_facts_or_one_error(passwd: str, group: str, table: str) -> None:
    answers: dict[Reading, Answer] = {PASSWD: text(passwd), GROUP: text(group), CLOCK: NOW}
    answers |= {SHADOW: rows(), KEYS: rows(), LASTLOG: text(table)}
    for collector in (GroupsCollector(), HomesCollector(), LastLoginsCollector()):
        try:
            json.dumps([fact.value for fact in facts(collector, answers).values()])
        except ParseError:
            continue


def test_ten_thousand_lines_end() -> None:
    passwd = "".join(f"u{n}:x:{n}:{n}::/home/u{n}:/bin/sh\n" for n in range(10_000))
    group = "".join(f"g:x:{n}:" + "a," * 5 + "\n" for n in range(10_000))
    table = "Username\n" + "".join(f"u{n}  **Never logged in**\n" for n in range(10_000))
    entries = rows(*(ShadowEntry(f"u{n}", "$6$", changed=1) for n in range(10_000)))
    answers: dict[Reading, Answer] = {PASSWD: text(passwd), GROUP: text(group), CLOCK: NOW}
    answers |= {SHADOW: entries, KEYS: rows(), LASTLOG: text(table)}
    for collector in (GroupsCollector(), HomesCollector(), LastLoginsCollector()):
        assert facts(collector, answers)
