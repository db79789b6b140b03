"""Who may do what by sudo: against sudo's own parser, and what goes beyond it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Fact,
    File,
    Glob,
    NeedMore,
    ParseError,
    Reading,
    Unavailable,
)
from collectors.rows import Uname
from collectors.security.identity import sudoerslines
from collectors.security.identity.accounts import GROUP, PASSWD
from collectors.security.identity.sudoers import MAIN, UNAME, SudoersCollector
from collectors.security.identity.sudoerspeople import People
from collectors.security.identity.sudoersrules import Policy

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")
DROP_INS = Glob("/etc/sudoers.d/*")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def folder(files: dict[str, Answer]) -> Answer:
    return Answer("content", children=tuple(files.items()))


def facts(main: Answer, more: dict[Reading, Answer] | None = None) -> dict[str, Fact]:
    uname = Uname("Linux", "gov-01.example", "6.1", "", "x86_64", "")
    known: dict[Reading, Answer] = {
        MAIN: main,
        UNAME: Answer("content", msgspec.json.encode([uname])),
        DROP_INS: folder({}),
        **(more or {}),
    }
    while True:
        try:
            made = list(SudoersCollector().parse(Answers(known)))
        except NeedMore as need:
            known |= {r: ABSENT if isinstance(r, File) else folder({}) for r in need.readings}
            continue
        return {fact.name: fact for fact in made if isinstance(fact, Fact)}


def rules(content: str, passwd: str = "", group: str = "") -> list[dict[str, Any]]:
    people: dict[Reading, Answer] = {PASSWD: text(passwd), GROUP: text(group)}
    found: list[dict[str, Any]] = facts(text(content), people)["sudo_rules"].value
    return found


def defaults(content: str) -> dict[str, Any]:
    found: dict[str, Any] = facts(text(content))["sudo"].value["defaults"]
    return found


# --- against cvtsudoers -------------------------------------------------------------------------

Rule = tuple[str, tuple[str, ...], tuple[str, ...], bool | None, str]


def ours(content: str) -> list[Rule]:
    """Each command of each specification, with every alias resolved, nothing overridden."""
    policy = Policy(People())
    for line in sudoerslines.lines("/s", content):
        policy.add(line)
    assert policy.not_understood == []
    found: list[Rule] = []
    for spec in policy._specifications:
        for row in policy._rows(spec, {}):
            for command in (*row["commands"], *(f"!{name}" for name in row["denied"])):
                plain = command.replace("\\", "")
                as_ = tuple(row["runas"])
                found.append((row["who"], tuple(row["hosts"]), as_, row["nopasswd"], plain))
    return sorted(found)


def named(entry: dict[str, Any]) -> str:
    key = next(key for key in entry if key != "negated" and not key.startswith("sha"))
    name = entry[key]
    prefix = {"usergroup": "%", "userid": "#", "usergid": "%#", "netgroup": "+"}.get(key, "")
    return f"{'!' if entry.get('negated') else ''}{prefix}{name}"


def sudos(content: str) -> list[Rule]:
    run = subprocess.run(
        ["cvtsudoers", "-f", "json", "-e"],
        input=content.encode(),
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: set[Rule] = set()
    for spec in json.loads(run.stdout or "{}").get("User_Specs", []):
        users = last_wins(map(named, spec["User_List"]))
        hosts = tuple(last_wins(map(named, spec["Host_List"])))
        by_kind: dict[tuple[Any, ...], list[str]] = {}
        for part in spec["Cmnd_Specs"]:
            as_ = tuple(last_wins(map(named, part.get("runasusers", [{"username": "root"}]))))
            tags = {k: v for option in part.get("Options", []) for k, v in option.items()}
            # what it says of setenv for ALL is no tag of the line
            kind = (as_, tags.get("authenticate"), tags.get("noexec"))
            commands = list(map(named, part["Commands"]))
            denied = [name for name in commands if name.startswith("!")]
            for other, before in by_kind.items():
                if other[0] == as_:
                    before[:] = [name for name in before if f"!{name.lstrip('!')}" not in denied]
            by_kind.setdefault(kind, []).extend(commands)
        for (as_, asked, _), commands in by_kind.items():
            for user in (user for user in users if not user.startswith("!")):
                for command in last_wins(commands):
                    free = asked is False
                    found.add((user, hosts, as_, free, command.replace("\\", "")))
    return sorted(found)


def last_wins(members: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for member in members:
        if member.lstrip("!") == "ALL":
            found.clear()
        found.pop(member.lstrip("!"), None)
        found[member.lstrip("!")] = member
    return list(found.values())


SAMPLES = (
    "root ALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n",
    "User_Alias ADM = zhang, %ops : X=li\nCmnd_Alias SH=/bin/sh, /bin/bash\n"
    "ADM, !X ALL=(root:adm) NOPASSWD: /bin/a b\\=c, SH, PASSWD: /bin/c : db=(op) /bin/x\n",
    "# a comment that does not go on \\\nzed ALL=(ALL) ALL\n",
    "wang \\\n  ALL = \\\n  NOPASSWD: /bin/a, \\\n  /bin/b # the end\n",
    "#1000 ALL=(#0) /bin/a\n%#27 ALL=/bin/b\n+net ALL=(bin, !root) NOEXEC: /bin/c\n",
    "Host_Alias WEB = www1, 10.0.0.0/8\nRunas_Alias DB = oracle, pgsql\nli WEB=(DB) NOPASSWD:ALL\n",
    "Cmnd_Alias A = /bin/a\nCmnd_Alias B = A, !/bin/b, C\nCmnd_Alias C = /bin/c\nli ALL=B, !C\n",
    '"li ming" ALL=/bin/a\n%domain\\ admins ALL=/bin/b\n',
    "li ALL = NOPASSWD: ^/[a-z/]+$, /usr/bin/[b]ash\n",
    "li ALL=sha224:" + "0" * 56 + " /bin/a, /bin/b *, sudoedit /etc/motd\n",
    "li,wang   ALL = ( ALL ) NOPASSWD : NOEXEC : /bin/a,/bin/b\n",
    "Cmnd_Alias D = sha224:" + "0" * 56 + " /bin/a\nli ALL = D, /bin/c\n",
)


@pytest.mark.parametrize("content", SAMPLES)
def test_samples_as_sudo_reads_them(content: str) -> None:
    assert shutil.which("cvtsudoers")
    assert ours(content) == sudos(content)


user = st.sampled_from(["li", "%ops", "#1000", "UA", "UB", "!li", "! UA", "zhang"])
host = st.sampled_from(["ALL", "www", "HA", "!www", "10.0.0.0/8"])
as_user = st.sampled_from(["root", "ALL", "RA", "#0", "!root"])
command = st.sampled_from(
    ["ALL", "/bin/a", "CA", "CB", "!/bin/a", "/bin/b x\\,y", "/usr/bin/", "!CA"]
)
tag = st.sampled_from(["", "NOPASSWD: ", "PASSWD:", "NOEXEC: ", "NOPASSWD:NOEXEC:"])
gap = st.sampled_from([",", ", ", " , ", ", \\\n  "])


@st.composite
def specifications(draw: st.DrawFn) -> str:
    def listed(one: st.SearchStrategy[str]) -> str:
        return draw(gap).join(draw(st.lists(one, min_size=1, max_size=3)))

    commands = []
    for _ in range(draw(st.integers(1, 4))):
        as_ = draw(st.sampled_from(["", "run"])) and f"({listed(as_user)}) "
        commands.append(f"{as_}{draw(tag)}{draw(command)}")
    return f"{listed(user)} {listed(host)} = {draw(gap).join(commands)}"


ALIASES = """\
User_Alias UA = zhang, %web : UB = UA, !li
Host_Alias HA = db1, !www
Runas_Alias RA = oracle, !root
Cmnd_Alias CA = /bin/c, /bin/d e
Cmnd_Alias CB = CA, !/bin/c
"""


@settings(max_examples=60, deadline=None)
@given(st.lists(specifications(), min_size=1, max_size=3))
def test_generated_ones_as_sudo_reads_them(lines: list[str]) -> None:
    content = ALIASES + "\n".join(lines) + "\n"
    assert sorted(set(ours(content))) == sudos(content)


# --- what goes beyond ---------------------------------------------------------------------------


def test_without_sudo() -> None:
    found = facts(ABSENT)
    assert found["sudo"].value == {"installed": False}
    assert found["sudo_rules"].value == []


def test_denied_is_unknown() -> None:
    with pytest.raises(Unavailable, match="permission denied"):
        facts(DENIED)


def test_the_later_rule_wins() -> None:
    (row,) = rules("li ALL=(ALL) NOPASSWD: ALL\nli ALL=(ALL) ALL\n")
    assert not row["nopasswd"]
    (row,) = rules("li ALL=(ALL) ALL\nli ALL=(ALL) NOPASSWD: ALL\n")
    assert row["nopasswd"]
    # of other users, other hosts, or as fewer users it takes the place of nothing
    for later in (
        "wang ALL=(ALL) ALL",
        "li www=(ALL) ALL",
        "li ALL=(bin) ALL",
        "li ALL=(ALL) /bin/a",
    ):
        assert any(row["nopasswd"] for row in rules(f"li ALL=(ALL) NOPASSWD: ALL\n{later}\n"))


def test_tags_and_defaults() -> None:
    (row,) = rules("Defaults !authenticate\nli ALL=ALL\n")
    assert row["nopasswd"]
    (row,) = rules("Defaults !authenticate\nli ALL=PASSWD: ALL\n")
    assert not row["nopasswd"]
    first, second = rules("User_Alias A=li\nDefaults:A !authenticate\nli ALL=/a\nwang ALL=/a\n")
    assert (first["nopasswd"], second["nopasswd"]) == (True, False)
    (row,) = rules("li ALL = () /bin/a\n")
    assert (row["runas"], row["root"]) == ([], False)


PASSWD_TEXT = """\
root:x:0:0::/root:/bin/bash
toor:x:+0:7::/root:/bin/bash
li:x:1000:100::/home/li:/bin/bash
wang:x:1001:1001::/home/wang:/bin/bash
"""
GROUP_TEXT = "root:x:0:\nadm:x:4:root\nseven:x:7:\nusers:x:100:\nwang:x:1001:\nops:x:50:li,wang\n"


@pytest.mark.parametrize(
    ("runas", "root"),
    [
        ("ALL", True),
        ("#00", True),
        ("toor", True),
        ("%root", True),
        ("%adm", True),  # root is a member
        ("%seven", True),  # toor's own
        ("%#0", True),
        ("%#7", True),
        ("+net", True),  # may hold root
        ("ALL, !root", True),  # everybody who can be root
        ("li", False),
        ("#1000", False),
        ("%users", False),
        ("%#100", False),
        ("!root", False),
    ],
)
def test_who_is_root(runas: str, root: bool) -> None:
    (row,) = rules(f"zhang ALL=({runas}) ALL\n", PASSWD_TEXT, GROUP_TEXT)
    assert row["root"] is root


@pytest.mark.parametrize(
    ("group", "free"),
    [
        ("users", {"li", "%users", "%ops", "gone", "ALL", "#1000"}),
        ("wang", {"wang", "%ops", "gone", "ALL", "%wang"}),
        ("ldap", {"li", "wang", "%users", "%ops", "gone", "ALL", "#1000", "%wang"}),
    ],
)
@pytest.mark.parametrize("where", ["", ":gone", "@ALL"])
def test_a_group_that_is_never_asked(group: str, free: set[str], where: str) -> None:
    names = ("li", "wang", "%users", "%ops", "gone", "ALL", "#1000", "%wang")
    lines = "".join(f"{name} ALL=PASSWD: ALL\n" for name in names)
    found = rules(f"Defaults{where} exempt_group={group}\n{lines}", PASSWD_TEXT, GROUP_TEXT)
    assert {row["who"] for row in found if row["nopasswd"]} == free


@pytest.mark.parametrize(
    "later",
    [
        "li ALL=(ALL:ALL) NOTAFTER=20010101000000Z ALL",
        "li ALL=(ALL:ALL) NOTBEFORE=20990101000000Z ALL",
        "li ALL=(ALL:ALL) CHROOT=/srv ALL",
        f"li ALL=(ALL:ALL) sha224:{'0' * 56} ALL",
        f"Cmnd_Alias X = sha224:{'0' * 56} ALL\nli ALL=(ALL:ALL) X",
        "li ALL=(ALL:ALL) NOTAFTER=20010101000000Z !ALL",
        # as another group is not taken back
        "li ALL=(ALL) ALL",
        "li ALL=(ALL:users) ALL",
        "li ALL=(ALL) !ALL",
    ],
)
def test_a_later_rule_that_does_not_always_hold(later: str) -> None:
    first = rules(f"li ALL=(ALL:ALL) NOPASSWD: ALL\n{later}\n")[0]
    assert (first["nopasswd"], first["all"], first["limited"]) == (True, True, False)
    joined = later.partition(")")[2].strip()
    if "Alias" not in later and "users" not in later and later.count(":ALL") == 1:
        first = rules(f"li ALL=(ALL:ALL) NOPASSWD: ALL, PASSWD: {joined}\n")[0]
        assert (first["nopasswd"], first["all"]) == (True, True)


def test_two_rules_of_limited_time_both_stand() -> None:
    found = rules(
        "li ALL=(ALL) NOTBEFORE=20200101000000Z NOPASSWD: ALL\n"
        "li ALL=(ALL) NOTAFTER=20010101000000Z ALL\n"
    )
    assert [(row["nopasswd"], row["limited"]) for row in found] == [(True, True), (False, True)]


def test_a_later_rule_for_every_group_takes_its_place() -> None:
    (row,) = rules("li ALL=(ALL:ALL) NOPASSWD: ALL\nli ALL=(ALL : ALL) ALL\n")
    assert not row["nopasswd"]


@pytest.mark.parametrize("odd", ["nan", "inf", "1e3", "1_0", "x"])
def test_a_time_that_sudo_does_not_take(odd: str) -> None:
    found = facts(text(f"Defaults timestamp_timeout={odd}\n"))["sudo"].value
    assert found["defaults"]["timestamp_timeout"] == 5.0
    assert len(found["not_understood"]) == 1


@pytest.mark.parametrize("scope", [">root", "@ALL", "!/bin/sh"])
def test_a_part_of_what_is_done_is_not_asked_for(scope: str) -> None:
    (row,) = rules(f"Defaults:li authenticate\nDefaults{scope} !authenticate\nli ALL=ALL\n")
    assert row["nopasswd"]


def test_what_is_not_meant() -> None:
    first, second = rules("li ALL=NOPASSWD: /bin/a, /bin/b, PASSWD: !/bin/a\n")
    assert (first["commands"], second["commands"], second["denied"]) == (["/bin/b"], [], ["/bin/a"])
    (row,) = rules("li ALL = !/bin/a, ALL\n")
    assert (row["all"], row["denied"]) == (True, [])
    (row,) = rules("li ALL = ALL, !/bin/a\n")
    assert (row["all"], row["denied"]) == (True, ["/bin/a"])
    assert [row["who"] for row in rules("ALL, !li ALL=/bin/a\n")] == ["ALL"]
    assert rules("ALL, !li ALL=/bin/a\n")[0]["except"] == ["li"]
    (row,) = rules("li ALL = CWD=/tmp TIMEOUT=8h NOPASSWD: /bin/a\n")
    assert (row["commands"], row["nopasswd"]) == (["/bin/a"], True)


def test_keys_do_not_move_with_lines_and_are_unique() -> None:
    before = rules("li ALL=/a, NOPASSWD: /b\n")
    after = rules("# more\n\nli ALL=/a, NOPASSWD: /b\n")
    keys = ["li /etc/sudoers", "li /etc/sudoers #2"]
    assert [row["key"] for row in before] == [row["key"] for row in after] == keys


def test_defaults_set_twice_and_switched_off() -> None:
    found = defaults(
        'Defaults use_pty, logfile="/var/log/sudo.log"\nDefaults !syslog,timestamp_timeout = 30\n'
        'Defaults !use_pty\nDefaults env_keep += "A B", env_keep -= A\nDefaults:li !use_pty\n'
        "# Defaults targetpw\n"
    )
    assert (found["use_pty"], found["logfile"], found["syslog"]) == (False, "/var/log/sudo.log", "")
    assert found["timestamp_timeout"] == 30.0
    assert found["env_keep"] == "B"
    assert found["targetpw"] is False
    fact = facts(text("# x\nDefaults use_pty\n"))["sudo"]
    assert fact.sources["defaults.use_pty"] == "/etc/sudoers:2"


def test_includes() -> None:
    more: dict[Reading, Answer] = {
        DROP_INS: folder(
            {
                "/etc/sudoers.d/90-ops": text("ops ALL=ALL\n@include local"),
                "/etc/sudoers.d/old.bak": text("evil ALL=NOPASSWD: ALL"),
                "/etc/sudoers.d/x~": DENIED,
                "/etc/sudoers.d/folder": Answer("failed", reason="Is a directory"),
            }
        ),
        File("/etc/sudoers.d/local"): text("local ALL=/a"),
        File("/etc/sudoers.gov-01"): text("host ALL=/b"),
    }
    main = "#includedir /etc/sudoers.d\n@include /etc/sudoers.%h\n@include /missing\nlast ALL=/c\n"
    found = facts(text(main), more)["sudo_rules"].value
    assert [row["who"] for row in found] == ["ops", "local", "host", "last"]
    assert found[1]["source"] == "/etc/sudoers.d/local:1"


def test_a_drop_in_that_cannot_be_read_makes_all_unknown() -> None:
    more: dict[Reading, Answer] = {DROP_INS: folder({"/etc/sudoers.d/ops": DENIED})}
    with pytest.raises(Unavailable, match=r"sudoers\.d/ops"):
        facts(text("@includedir /etc/sudoers.d\n"), more)


def test_loops_end() -> None:
    with pytest.raises(ParseError, match="levels"):
        facts(text("@include /etc/sudoers\n"))
    with pytest.raises(ParseError, match="names itself"):
        rules("User_Alias A=B\nUser_Alias B=A\nA ALL=ALL\n")
    more: dict[Reading, Answer] = {
        File(f"/i{n}"): text(f"@include /i{n + 1}\n@include /i{n + 1}\n") for n in range(100)
    }
    with pytest.raises(ParseError, match="lines in all"):
        facts(text("@include /i0\n"), more)


def test_what_is_not_understood_is_told() -> None:
    found = facts(text("nonsense\nUser_Alias lower=li\nDefaults passwd_tries=x\nli ALL=ALL\n"))
    places = [row["source"] for row in found["sudo"].value["not_understood"]]
    assert places == ["/etc/sudoers:1", "/etc/sudoers:2", "/etc/sudoers:3"]
    assert len(found["sudo_rules"].value) == 1


HOSTILE = (
    "li ALL=ALL\n" * 10_000,
    "".join(f"u{n} ALL=(r{n}) NOPASSWD: /bin/{n}\n" for n in range(10_000)),
    "Defaults:u !authenticate\n" * 10_000 + "u ALL=/a\n" * 100,
    "a \\\n" * 10_000,
    "User_Alias A=" + "," * 100_000,
    "".join(f"User_Alias A{n}=A{n + 1},A{n + 1}\n" for n in range(100)) + "A0 ALL=ALL\n",
    "x" * 100_000 + "=" * 100_000,
    "".join(f"Defaults:u{n} exempt_group=g{n}\n%g{n} ALL=ALL\n" for n in range(5_000)),
    "u ALL=NOTAFTER=20010101000000Z ALL\n" * 10_000,
    '"' * 100_000,
    "\\" * 100_001,
    "(" * 50_000 + ")" * 50_000 + " ALL=(",
    "NOPASSWD:" * 20_000,
    "li ALL=" + ", ".join(f"(u{n}) /bin/{n}, !/bin/x{n}" for n in range(10_000)),
    "li ALL=/a," + ", ".join(f"!/bin/x{n}" for n in range(10_000)),
    "User_Alias A=" + ",".join(f"u{n}" for n in range(5000)) + "\n" + "A ALL=/a\n" * 1000,
)


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_end(content: str) -> None:
    with contextlib.suppress(ParseError):
        facts(text(content))


alphabet = st.sampled_from(
    [*'\\#@"(),:=!% \n\tAaZ%+', "ALL", "NOPASSWD:", "User_Alias ", "Defaults", "@include /x"]
)


@given(st.lists(alphabet, max_size=40).map("".join) | st.text())
def test_any_text_gives_facts_or_one_error(content: str) -> None:
    try:
        found = facts(text(content))
    except ParseError:
        return
    json.dumps([fact.value for fact in found.values()])
