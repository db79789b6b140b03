"""Facts about what starts and what runs: systemd units, System V scripts, xinetd and inetd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, NeedMore, ParseError, Reading, Stat, Unavailable
from collectors.observe import observe
from collectors.rows import FileStat
from collectors.security.software.packagedb import DATABASES, READINGS
from collectors.security.software.services import (
    BOOTED,
    DEFAULT,
    INETD,
    OWN,
    PROGRAMS,
    SCRIPTS,
    SHOW,
    WANTS,
    XINETD,
    XINETD_MAIN,
    ServicesCollector,
)
from collectors.sources.local import LocalSource
from tests.collectors.test_security_facts import ABSENT, DENIED, children, facts, rows, text

ETC = "/etc/systemd/system"
USR = "/usr/lib/systemd/system"
STATS: tuple[Reading, ...] = (OWN, *WANTS, BOOTED, *SCRIPTS, *PROGRAMS, *DEFAULT, *READINGS)
EMPTY: dict[Reading, Answer] = {
    **dict.fromkeys(STATS, rows()),
    **dict.fromkeys((XINETD, *INETD), Answer("content")),
}


def link(path: str, target: str = "") -> FileStat:
    return FileStat(path, "link", 0o777, 0, 0, target=target)


def directory(path: str) -> FileStat:
    return FileStat(path, "directory", 0o755, 0, 0)


def seen(answers: dict[Reading, Answer]) -> dict[str, Fact]:
    return facts(ServicesCollector(), {**EMPTY, **answers})


def units(answers: dict[Reading, Answer]) -> dict[str, dict[str, Any]]:
    return {row["unit"]: row for row in seen(answers)["services"].value}


def shown(*units: tuple[str, str, str]) -> Answer:
    blocks = (
        f"Id={unit}\nActiveState={active}\nUnitFileState={state}\nMainPID=7\n"
        f"FragmentPath={USR}/{unit}\n"
        for unit, active, state in units
    )
    return text("\n".join(blocks))


def test_links_say_what_is_enabled() -> None:
    found = units(
        {
            WANTS[0]: rows(
                link(f"{ETC}/multi-user.target.wants/ssh.service", f"{USR}/ssh.service"),
                link(f"{ETC}/sockets.target.wants/cups.socket", f"{USR}/cups.socket"),
                link(f"{ETC}/timers.target.wants/apt.timer", f"{USR}/apt.timer"),
                link(f"{ETC}/multi-user.target.wants/rpcbind.service", f"{USR}/rpcbind.service"),
            ),
            OWN: rows(
                directory(f"{ETC}/multi-user.target.wants"),
                link(f"{ETC}/rpcbind.service", "/dev/null"),
                link(f"{ETC}/sshd.service", f"{USR}/ssh.service"),
                FileStat(f"{ETC}/own.service", "file", 0o644, 0, 0, size=10),
                FileStat(f"{ETC}/empty.service", "file", 0o644, 0, 0, size=0),
            ),
        }
    )
    assert {unit: (row["enabled"], row["masked"]) for unit, row in found.items()} == {
        "ssh.service": (True, False),
        "cups.socket": (True, False),
        "rpcbind.service": (False, True),  # masked, whatever wants it
        "sshd.service": (True, False),
        "empty.service": (False, True),
    }
    assert found["cups.socket"]["name"] == "cups"
    assert found["ssh.service"]["path"] == f"{USR}/ssh.service"
    assert not found["ssh.service"]["active"]  # nobody runs it


def test_the_manager_says_what_is_active() -> None:
    found = units(
        {
            BOOTED: rows(directory("/run/systemd/system")),
            SHOW: shown(
                ("ssh.service", "active", "enabled"),
                ("telnet.socket", "active", "static"),
                ("cron.service", "inactive", "disabled"),
                ("gone.service", "inactive", "enabled"),
            ),
        }
    )
    assert {unit: (row["enabled"], row["active"]) for unit, row in found.items()} == {
        "ssh.service": (True, True),
        "telnet.socket": (False, True),
        "gone.service": (True, False),
    }
    assert found["ssh.service"]["pid"] == 7


@pytest.mark.parametrize("answer", [DENIED, ABSENT, Answer("failed", reason="exit status 1")])
def test_a_manager_that_does_not_answer_is_no_pass(answer: Answer) -> None:
    with pytest.raises(Unavailable):
        seen({BOOTED: rows(directory("/run/systemd/system")), SHOW: answer})


def test_the_package_of_a_unit() -> None:
    enabled = rows(
        link(f"{ETC}/x.wants/ssh.service", "/lib/systemd/system/ssh.service"),
        link(f"{ETC}/x.wants/own.service", f"{ETC}/own.service"),
    )
    database: dict[Reading, Answer] = {DATABASES["dpkg"][0]: rows(link("/var/lib/dpkg/status"))}
    with pytest.raises(NeedMore) as need:
        units({WANTS[0]: enabled, **database})
    (command,) = need.value.readings
    told = text(f"openssh-server: {USR}/ssh.service\n")
    found = units({WANTS[0]: enabled, **database, command: told})
    packages = {unit: row["package"] for unit, row in found.items()}
    assert packages == {"ssh.service": "openssh-server", "own.service": ""}
    database = {DATABASES["rpm"][0]: rows(link("/var/lib/rpm/Packages"))}
    with pytest.raises(NeedMore) as need:
        units({WANTS[0]: enabled, **database})
    (command,) = need.value.readings
    told = text(f"file {ETC}/own.service is not owned by any package\nopenssh-server\n")
    found = units({WANTS[0]: enabled, **database, command: told})
    assert {unit: row["package"] for unit, row in found.items()} == packages


def test_scripts_where_there_is_no_unit_of_that_name() -> None:
    def native(name: str) -> tuple[Stat, ...]:
        return tuple(Stat(f"{folder}/{name}.service") for folder in (USR, USR[4:], ETC))

    answers: dict[Reading, Answer] = {
        SCRIPTS[0]: rows(
            link("/etc/rc2.d/S01ssh"), link("/etc/rc2.d/S20nis"), link("/etc/rc2.d/S")
        ),
        SCRIPTS[1]: rows(link("/etc/rc.d/rc3.d/S20nis")),
        **dict.fromkeys((*native("ssh"), *native("nis")), rows()),
        native("ssh")[0]: rows(link(f"{USR}/ssh.service")),
    }
    found = units(answers)
    assert list(found) == ["init.d/nis"]
    assert (found["init.d/nis"]["name"], found["init.d/nis"]["kind"]) == ("nis", "sysv")


XINETD_CONF = "defaults\n{\n\tinstances = 60\n\tdisabled = time\n\tdisabled += ftp\n}\nincludedir /etc/xinetd.d\n"


def test_xinetd() -> None:
    files: dict[str, str | Answer] = {
        "telnet": "# on\nservice telnet\n{\n\tdisable = no\n\tserver = /usr/sbin/in.telnetd\n}\n",
        "echo": "service echo\n{\n disable = yes\n id = echo-stream\n}\nservice echo\n{\n id = echo-dgram\n}\n",
        "time": "service time\n{\n}\n",
        "ftp": "service ftp\n{\n disable=no\n}\n",
        "cut": "service cut\n{\n disable = no\n",
    }
    found = units({XINETD_MAIN: text(XINETD_CONF), XINETD: children("/etc/xinetd.d", files)})
    assert {unit: row["enabled"] for unit, row in found.items()} == {
        "xinetd/telnet": True,
        "xinetd/echo-stream": False,
        "xinetd/echo-dgram": True,
        "xinetd/time": False,
        "xinetd/ftp": False,
    }
    assert found["xinetd/telnet"]["source"] == "/etc/xinetd.d/telnet:2"
    only: dict[Reading, Answer] = {XINETD_MAIN: text("defaults\n{\nenabled = ftp\n}\n")}
    found = units({**only, XINETD: children("/etc/xinetd.d", files)})
    assert [unit for unit, row in found.items() if row["enabled"]] == ["xinetd/ftp"]
    # files for a program that is not there start nothing
    assert units({XINETD: children("/etc/xinetd.d", files)}) == {}
    with pytest.raises(Unavailable):
        units({XINETD_MAIN: text(""), XINETD: children("/etc/xinetd.d", {"telnet": DENIED})})


def test_inetd() -> None:
    conf = (
        "#telnet stream tcp nowait root /usr/sbin/telnetd\n"
        "#<off># shell stream tcp nowait root /usr/sbin/in.rshd\n"
        "127.0.0.1:daytime stream tcp nowait root internal\n"
        "login stream tcp nowait root /usr/sbin/rlogind rlogind\nbad line\n"
    )
    found = units({INETD[0]: children("/etc", {"inetd.conf": conf})})
    assert {row["name"]: row["source"] for row in found.values()} == {
        "daytime": "/etc/inetd.conf:3",
        "login": "/etc/inetd.conf:4",
    }


@pytest.mark.parametrize(
    ("default", "manager", "graphical"),
    [
        ("multi-user.target", True, False),
        ("graphical.target", True, True),
        ("graphical.target", False, False),  # as Debian's servers come
        ("runlevel5.target", True, True),
    ],
)
def test_boot(default: str, manager: bool, graphical: bool) -> None:
    own = [link(f"{ETC}/ctrl-alt-del.target", "/dev/null")]
    if manager:
        own.append(link(f"{ETC}/display-manager.service", f"{USR}/gdm.service"))
    found = seen(
        {
            OWN: rows(*own),
            DEFAULT[0]: rows(link(f"{ETC}/default.target", f"{USR}/{default}")),
            DEFAULT[1]: rows(link(f"{USR}/default.target", f"{USR}/graphical.target")),
            PROGRAMS[0]: rows(link("/usr/lib/systemd/systemd")),
        }
    )["boot"].value
    assert found == {
        "systemd": True,
        "booted": False,
        "default_target": default,
        "graphical": graphical,
        "ctrl_alt_del": "masked",
    }


def test_without_systemd() -> None:
    found = seen({})
    assert found["services"].value == []
    assert not found["boot"].value["systemd"]
    assert found["boot"].value["ctrl_alt_del"] == "reboot.target"


@pytest.mark.skipif(not shutil.which("systemctl"), reason="needs systemctl")
def test_a_tree_that_systemctl_changes(tmp_path: Path) -> None:
    """What systemctl does offline is what is read."""
    folder = tmp_path / "usr/lib/systemd/system"
    folder.mkdir(parents=True)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.service").write_text(
            "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
        )
    for words in (["enable", "one.service"], ["mask", "two.service"]):
        subprocess.run(["systemctl", f"--root={tmp_path}", *words], check=True, capture_output=True)
    (seen_,) = observe(LocalSource(str(tmp_path)), [ServicesCollector()])
    assert not seen_.failure
    found = {row["unit"]: row for row in {f.name: f for f in seen_.facts}["services"].value}
    assert found["one.service"]["enabled"]
    assert found["two.service"]["masked"]


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=200))
def test_any_text(shown_: str, xinetd: str, inetd: str) -> None:
    answers: dict[Reading, Answer] = {
        **EMPTY,
        BOOTED: rows(directory("/run/systemd/system")),
        SHOW: Answer("content", shown_.encode("utf-8", "replace")),
        XINETD_MAIN: Answer("content", xinetd.encode("utf-8", "replace")),
        INETD[0]: Answer(
            "content",
            children=(("/etc/inetd.conf", Answer("content", inetd.encode("utf-8", "replace"))),),
        ),
    }
    try:
        made = list(ServicesCollector().parse(Answers(answers)))
    except ParseError:
        return
    msgspec.json.encode([fact.value for fact in made if isinstance(fact, Fact)])


def test_10_000_bad_lines() -> None:
    bad = "service x = += { } [\n" * 10_000
    found = units(
        {
            BOOTED: rows(directory("/run/systemd/system")),
            SHOW: text("Id=\n=\n\n" * 10_000),
            XINETD_MAIN: text(bad + "{ disable = " * 10_000),
            INETD[0]: children("/etc", {"inetd.conf": "a b c d e f\n" * 10_000}),
        }
    )
    assert len(found) == 1
