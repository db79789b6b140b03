"""rsyslog, journald, logrotate and what is in /var/log; rsyslogd and logrotate themselves."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Glob, ParseError, Reading, Unavailable
from collectors.observe import observe
from collectors.rows import Process
from collectors.security import partial
from collectors.security.logging import auditd, logrotate, logs, rsyslog, rsyslogconfig
from collectors.security.logging.journald import DIRECTORY, DROP_INS, MAINS, JournaldCollector
from collectors.security.logging.logs import AUDIT, LOGS, LogsCollector
from collectors.security.logging.rsyslog import PROCESSES, RsyslogCollector
from collectors.security.software import services
from collectors.security.software.shares import SharesCollector
from collectors.security.system import coredumps, modules, sysctlconfig
from collectors.sources.local import LocalSource
from tests.baselinemachines import BASELINE
from tests.collectors.securityfacts import (
    ABSENT,
    CLOCK,
    DENIED,
    facts,
    rows,
    stat,
    text,
    tree,
)

NOTHING: dict[str, str] = {}


def config(content: str, **files: str) -> rsyslogconfig.Config:
    by_path = {f"/etc/rsyslog.d/{name}.conf": text for name, text in files.items()}
    return rsyslogconfig.parse("/etc/rsyslog.conf", content, lambda _: by_path)


def forwards(content: str) -> list[tuple[str, str, str, bool]]:
    return [(r["target"], r["port"], r["protocol"], r["tls"]) for r in config(content).forwards]


# --- rsyslog --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("*.* @10.1.1.9\n", ("10.1.1.9", "514", "udp", False)),
        ("*.*\t@@(o)log.example:6514;Fmt\n", ("log.example", "6514", "tcp", False)),
        ("*.* @@[2001:db8::9]:514\n", ("2001:db8::9", "514", "tcp", False)),
        ("*.* :omrelp:10.1.1.9:2514\n", ("10.1.1.9", "2514", "relp", False)),
        ('*.* action(type="omfwd" target="a")\n', ("a", "514", "udp", False)),
        (
            '*.* action(type="omfwd"\n  Target="a" port="6514" protocol="tcp" # TLS\n'
            '  StreamDriver="gtls" StreamDriverMode="1")\n',
            ("a", "6514", "tcp", True),
        ),
        (
            '*.* action(type="omfwd" # (see "the manual") StreamDriver="gtls"\n target="a")',
            ("a", "514", "udp", False),
        ),
        # a driver without its mode is clear text, and a mode without a driver
        (
            '*.* action(type="omfwd" target="a" protocol="tcp" StreamDriver="gtls")',
            ("a", "514", "tcp", False),
        ),
        (
            '*.* action(type="omfwd" target="a" protocol="tcp" StreamDriverMode="1")',
            ("a", "514", "tcp", False),
        ),
        (
            '*.* action(type="omfwd" target="a" protocol="tcp" StreamDriverMode="1")\n'
            'global(DefaultNetstreamDriver="ossl")',
            ("a", "514", "tcp", True),
        ),
        (
            "$DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n*.* @@a:6514\n",
            ("a", "6514", "tcp", True),
        ),
        ('action(type="omrelp" target="a" port="20514" tls="on")', ("a", "20514", "relp", True)),
        (
            'action(type="omkafka" topic="x" broker=["k:9092","l:9092"])',
            ("k:9092", "", "kafka", False),
        ),
        (
            'action(type="omelasticsearch" server="https://u:secret@es" serverport="9200" usehttps="on")',
            ("es", "9200", "elasticsearch", True),
        ),
    ],
)
def test_where_records_are_sent(content: str, expected: tuple[str, str, str, bool]) -> None:
    assert forwards(content) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        "#*.* @10.1.1.9\n",
        '/* *.* @10.1.1.9\n action(type="omfwd" target="a") */\n',
        "*.* :omusrmsg:*\n*.* ~\n*.* stop\n*.* *\n",
        'set $.x = "@@10.1.1.9";\n',
    ],
)
def test_what_is_no_forwarding(content: str) -> None:
    assert forwards(content) == []


def test_files_with_selector_mode_and_place() -> None:
    found = config(
        "$FileCreateMode 0640\n$Umask 0022\nauth,authpriv.* -/var/log/auth.log;Fmt\n"
        "$FileCreateMode 0644\n*.info;\\\n\tmail.none /var/log/a\n& /var/log/b\n"
        'if $programname == "then" then {\n  /var/log/c\n  stop\n}\n'
        ':msg, contains, "@@x /y" /var/log/d\n'
        'ruleset(name="remote") { action(type="omfile" file="/var/log/e" fileCreateMode="0600") }\n'
        'action(type="omfile" file="/var/log/f")\n'
    ).files
    assert [(r["path"], r["mode"]) for r in found] == [
        ("/var/log/auth.log", "0640"),
        ("/var/log/a", "0644"),
        ("/var/log/b", "0644"),
        ("/var/log/c", "0644"),
        ("/var/log/d", "0644"),
        ("/var/log/e", "0600"),
        ("/var/log/f", "0644"),
    ]
    assert [r["selector"] for r in found][:2] == ["auth,authpriv.*", "*.info;mail.none"]
    assert [r["selector"] for r in found][3] == "if"
    assert [r["selector"] for r in found][5:] == ["ruleset remote", "*.*"]
    assert found[0]["source"] == "/etc/rsyslog.conf:3"


def test_included_files_count_where_they_stand() -> None:
    found = config(
        "$IncludeConfig /etc/rsyslog.d/*.conf\n*.* /var/log/all\n",
        a="$FileCreateMode 0600\n*.* @@b:514\n",
        b='module(load="imudp")\ninput(type="imudp" port="514")\n',
    )
    assert found.files[0]["mode"] == "0600"
    assert found.forwards[0]["source"] == "/etc/rsyslog.d/a.conf:2"
    assert found.inputs == [{"protocol": "udp", "port": "514", "source": "/etc/rsyslog.d/b.conf:2"}]


def test_secrets_are_not_kept() -> None:
    content = (
        '*.* action(type="ommysql" server="db" db="Syslog" uid="u" pwd="hunter2")\n'
        '*.* action(type="omhttp" server="h" uid="u" pwd="hunter2")\n*.* :ommysql:db,S,u,hunter2\n'
    )
    answers: dict[Reading, Answer] = {rsyslog.MAIN: text(content)}
    assert "hunter2" not in repr(facts(RsyslogCollector(), answers))


@pytest.mark.parametrize(
    "content",
    ["if $msg == 'x'\n*.* @a\n", 'action(type="omfwd" target="a"\n', "$IncludeConfig x\n"],
)
def test_what_rsyslog_would_refuse_is_not_guessed_at(content: str) -> None:
    with pytest.raises(ParseError):
        config(content)


def test_includes_that_never_end() -> None:
    with pytest.raises(ParseError, match="without end"):
        config('include(file="/etc/rsyslog.d/*.conf")', a="$IncludeConfig /etc/rsyslog.d/*.conf")


def test_daemons_and_shippers() -> None:
    processes = rows(Process(1, "rsyslogd", "S", 1), Process(2, "filebeat", "S", 1))
    found = facts(RsyslogCollector(), {PROCESSES: processes})["rsyslog"].value
    assert (found["installed"], found["daemons"], found["shippers"]) == (
        False,
        ["rsyslogd"],
        ["filebeat"],
    )
    answers: dict[Reading, Answer] = {PROCESSES: DENIED, rsyslog.MAIN: text("*.* @a\n")}
    value = facts(RsyslogCollector(), answers)["rsyslog"].value
    assert value["daemons"] is None
    assert len(value["forwards"]) == 1


def test_syslog_ng_alone_is_not_judged_as_nothing() -> None:
    there = rows(stat("/etc/syslog-ng/syslog-ng.conf"))
    found = facts(RsyslogCollector(), {rsyslog.SYSLOG_NG: there})["rsyslog"]
    assert found.value is None
    assert "syslog-ng" in found.unavailable


UNIT = "[Service]\nExecStart=/usr/sbin/rsyslogd -n\nUMask=0066\n"


@pytest.mark.parametrize(
    ("usr", "etc", "dropin", "told", "mode"),
    [
        (None, None, None, "", "0644"),
        (UNIT, None, None, "", "0600"),  # the RPM family's
        (UNIT.replace("UMask", "#UMask"), None, None, "", "0644"),
        (UNIT, "[Service]\nUMask=0027\n", None, "", "0640"),  # the administrator's goes first
        (UNIT, None, "[Service]\nUMask=0022\n", "", "0644"),
        (UNIT, None, "[Unit]\nUMask=0022\n", "", "0600"),  # another section
        (UNIT, None, None, "$Umask 0022\n", "0644"),  # what rsyslog sets itself counts
        (UNIT, None, None, "$FileCreateMode 0640\n", "0600"),
        ("[Service]\nUMask=wide\n", None, None, "", "0644"),
    ],
)
def test_files_are_made_with_the_units_umask(
    usr: str | None, etc: str | None, dropin: str | None, told: str, mode: str
) -> None:
    answers: dict[Reading, Answer] = {rsyslog.MAIN: text(f"{told}*.* /var/log/all\n")}
    for reading, content in zip(rsyslog.UNITS, (etc, usr), strict=True):
        if content is not None:
            answers[reading] = text(content)
    if dropin is not None:
        path = "/etc/systemd/system/rsyslog.service.d/umask.conf"
        answers[rsyslog.DROPINS] = Answer("content", children=((path, text(dropin)),))
    (row,) = facts(RsyslogCollector(), answers)["rsyslog"].value["files"]
    assert row["mode"] == mode


def test_a_unit_that_is_denied_leaves_it_unknown() -> None:
    answers: dict[Reading, Answer] = {
        rsyslog.MAIN: text("*.* /var/log/all\n"),
        rsyslog.UNITS[1]: DENIED,
    }
    with pytest.raises(Unavailable):
        facts(RsyslogCollector(), answers)


@given(st.text() | st.text("*.@/(){}\"'if then$#&:;=\\\n action", max_size=100))
def test_any_configuration(content: str) -> None:
    try:
        found = config(content)
    except ParseError:
        return
    assert all(row["source"].startswith("/etc/rsyslog.conf:") for row in found.files)


@pytest.mark.parametrize("machine", ["debian-default", "debian-hardened", "openeuler-hardened"])
def test_rsyslogd_takes_the_machines_configuration(machine: str, tmp_path: Path) -> None:
    if shutil.which("rsyslogd") is None:
        pytest.skip("needs the Debian package rsyslog")
    etc = BASELINE / "audit" / machine / "root/etc"
    authority = tmp_path / "ca.pem"
    authority.write_text("")

    def here(content: str) -> str:
        content = content.replace("/etc/pki/rsyslog/ca.pem", str(authority))
        content = re.sub(r"/var/(lib|spool)/rsyslog", str(tmp_path), content)
        # of systemd's journal, which Debian's package is not built with
        content = re.sub(
            r'module\(load="imjournal"[^)]*\)', "", content.replace("(e.g. via logger command)", "")
        )
        return content.replace("/etc/rsyslog.d/", f"{tmp_path}/rsyslog.d/")

    (tmp_path / "rsyslog.d").mkdir()
    for path in (etc / "rsyslog.d").glob("*.conf"):
        (tmp_path / "rsyslog.d" / path.name).write_text(here(path.read_text()))
    main = tmp_path / "rsyslog.conf"
    main.write_text(here((etc / "rsyslog.conf").read_text()))
    done = subprocess.run(
        ["rsyslogd", "-N1", "-f", str(main)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


LOGINS = "auth,authpriv.* /var/log/auth.log\n*.* @@10.1.1.9\n"


def logins(content: str, **files: str) -> list[str]:
    """Where the records of logins go."""
    found = config(content, **files)
    return [r.get("path") or r["target"] for r in found.files + found.forwards if r["logins"]]


@pytest.mark.parametrize(
    "before",
    [
        "auth,authpriv.* stop\n",
        "auth.* stop\n",
        "*.* stop\n",
        "authpriv.* ~\n",
        "authpriv.crit ~\n",
        "*.* {\n stop\n}\n",
        "*.*;mail.none { stop }\n",
        "authpriv.* /var/spool/x\n& stop\n",
        'authpriv.* action(type="omdiscard")\n',
        'if $syslogfacility-text == "authpriv" then stop\n',
        "if prifilt('auth,authpriv.*') then { stop }\n",
        "if $programname == 'cron' or $programname == 'sshd' then stop\n",
        "if not ($programname == 'cron') then stop\n",
        "if $programname != 'cron' then stop\n",
        "if $programname == 'cron' then { continue } else { stop }\n",
        "if re_match($msg, '.*') then stop\n",
        ':programname, isequal, "sshd" ~\n',
        ':programname, !isequal, "cron" stop\n',
        ':msg, contains, "session opened for user" stop\n',
        ':msg, regex, ".*" stop\n',
        'ruleset(name="all") {\n *.* stop\n}\ncall all\n',
        "ruleset(name=\"all\") {\n  auth,authpriv.* { stop }\n}\nif $msg contains 'x' then call all\n",
        "$IncludeConfig /etc/rsyslog.d/*.conf\n",
    ],
)
def test_logins_thrown_away_go_nowhere(before: str) -> None:
    assert logins(before + LOGINS, a="*.*\tstop\n") in ([], ["/var/spool/x"])


@pytest.mark.parametrize(
    "before",
    [
        "mail,cron.* stop\n",
        "*.*;auth,authpriv.none stop\n",
        'if $programname == "cron" then stop\n',
        "if $programname == 'cron' and $msg contains 'pam_unix(cron:session)' then { stop }\n",
        'if $fromhost-ip != "127.0.0.1" then {\n  /var/log/others\n  stop\n}\n',
        ':programname, isequal, "dockerd" ~\n',
        ':msg, startswith, "audit: backlog" stop\n',
        "mail.* /var/log/mail\n& stop\n",
        'ruleset(name="remote") {\n *.* /var/log/remote\n stop\n}\n'
        'input(type="imtcp" port="514" ruleset="remote")\n',
        "$RuleSet remote\n*.* ~\n$RuleSet RSYSLOG_DefaultRuleset\n",
        'set $.x = "{ stop }; *.* stop";\n',
    ],
)
def test_what_throws_away_something_else(before: str) -> None:
    assert logins(before + LOGINS)[-2:] == ["/var/log/auth.log", "10.1.1.9"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (LOGINS + "*.* stop\n", ["/var/log/auth.log", "10.1.1.9"]),
        ("authpriv.* /dev/null\nauthpriv.* -/dev/../dev/tty12\nlocal7.debug @@h\n", []),
        ("*.info;mail.none;authpriv.none /var/log/messages\n", []),
        ("*.info;authpriv.none;authpriv.* /var/log/messages\n", ["/var/log/messages"]),
        ("*.*;authpriv.!info /var/log/messages\n", []),
        ("auth.* /var/log/auth.log\n", []),  # sudo's and PAM's are authpriv
        ("10.debug /var/log/secure\n", ["/var/log/secure"]),
        ('if $syslogfacility-text == "authpriv" then /var/log/secure\n', ["/var/log/secure"]),
        ("if $programname == 'sshd' then /var/log/sshd\n", []),
        ('mail.* { action(type="omfile" file="/var/log/a") }\n', []),
        ('*.* { mail.* /var/log/m\n authpriv.* action(type="omfwd" target="h") }\n', ["h"]),
        ('ruleset(name="r") {\n *.* /var/log/all\n}\n', []),
        ('ruleset(name="r") {\n *.* /var/log/all\n}\ncall r\n', ["/var/log/all"]),
        ('ruleset(name="r") {\n *.* /a\n}\n$DefaultRuleset r\n', ["/a"]),
        ("$RuleSet r\n*.* /var/log/all\n", []),
        ('ruleset(name="r") {\n$IncludeConfig /etc/rsyslog.d/*.conf\n}\n', []),
        ("if $programname == 'cron' then {\n /c\n} else {\n /var/log/rest\n}\n", ["/var/log/rest"]),
    ],
)
def test_where_logins_go(content: str, expected: list[str]) -> None:
    assert logins(content, a="*.* /var/log/included\n") == expected


def test_rsyslogd_itself_takes_what_is_thrown_away_for_an_order(tmp_path: Path) -> None:
    """The forms above are rsyslog's, not ours."""
    if shutil.which("rsyslogd") is None:
        pytest.skip("needs the Debian package rsyslog")
    lines = (
        "auth,authpriv.* stop\nauthpriv.* ~\n*.*;mail.none { stop }\n"
        "if prifilt('auth,authpriv.*') then { stop }\nauthpriv.* /dev/null\n"
        "if $programname == 'cron' then { continue } else { stop }\n"
        "$RuleSet remote\n*.* ~\n$RuleSet RSYSLOG_DefaultRuleset\n"
        'ruleset(name="all") {\n *.* stop\n}\n*.* {\n call all\n}\nauthpriv.debug /dev/null\n'
    )
    main = tmp_path / "rsyslog.conf"
    main.write_text(lines)
    done = subprocess.run(
        ["rsyslogd", "-N1", "-f", str(main)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert config(lines).files == []


# --- journald -------------------------------------------------------------------------------------


def journal(answers: dict[Reading, Answer]) -> dict[str, Any]:
    value = facts(JournaldCollector(), answers)["journald"].value
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("storage", "directory", "persistent"),
    [
        ("", True, True),
        ("", False, False),
        ("Storage=auto", True, True),
        ("Storage=persistent", False, True),
        ("Storage=volatile", True, False),
        ("Storage=none", True, False),
        ("#Storage=persistent", False, False),
    ],
)
def test_whether_the_journal_is_persistent(storage: str, directory: bool, persistent: bool) -> None:
    answers: dict[Reading, Answer] = {MAINS[0]: text(f"[Journal]\n{storage}\n")}
    if directory:
        answers[DIRECTORY] = rows(stat("/var/log/journal", kind="directory"))
    assert journal(answers)["persistent"] is persistent


def test_drop_ins_of_the_journal() -> None:
    answers: dict[Reading, Answer] = {
        MAINS[0]: text("[Journal]\nStorage=volatile\nStorage=none\n[Other]\nMaxRetentionSec=1d\n"),
        MAINS[3]: text("[Journal]\nMaxRetentionSec=9day\n"),  # /usr/lib, behind the one in /etc
        DROP_INS[0]: tree({"/etc/systemd/journald.conf.d/50-a.conf": "[Journal]\nSeal=no\n"}),
        DROP_INS[3]: tree(
            {
                "/usr/lib/systemd/journald.conf.d/50-a.conf": "[Journal]\nSeal=yes\nStorage=none\n",
                "/usr/lib/systemd/journald.conf.d/60-b.conf": "[Journal]\nStorage=persistent\n",
                "/usr/lib/systemd/journald.conf.d/70-c.conf": "[Journal]\nMaxRetentionSec=6month 1d\n",
            }
        ),
    }
    found = journal(answers)
    assert (found["storage"], found["persistent"], found["seal"]) == ("persistent", True, False)
    assert found["max_retention_days"] == 183
    assert found["installed"]


@pytest.mark.parametrize(
    ("told", "mib"),
    [
        ("", 0),
        ("SystemMaxUse=10M", 10),
        ("SystemMaxUse=1.5G", 1536),
        ("SystemMaxUse=52428800", 50),
        ("SystemMaxUse=4G\nSystemMaxUse=8M", 8),
        ("SystemMaxUse=4G\nSystemMaxFiles=2", 256),
        ("SystemMaxFileSize=1M", 100),
        ("SystemMaxFileSize=1G\nSystemMaxFiles=0\nSystemMaxUse=800M", 800),
        ("SystemMaxUse=lots", 0),
        ("SystemMaxUse=1", 1),
    ],
)
def test_room_of_the_journal(told: str, mib: int) -> None:
    assert journal({MAINS[0]: text(f"[Journal]\n{told}\n")})["max_mib"] == mib


def test_a_drop_in_that_cannot_be_read_makes_the_journal_unknown() -> None:
    one = tree({"/etc/systemd/journald.conf.d/a.conf": DENIED})
    with pytest.raises(Exception, match="permission denied"):
        journal({DROP_INS[0]: one})
    with pytest.raises(ParseError):
        journal({MAINS[0]: text("[Journal]\nMaxRetentionSec=soon\n")})


# --- logrotate ------------------------------------------------------------------------------------


def blocks(content: str, included: dict[str, str] = NOTHING) -> dict[str, logrotate.Keeping]:
    found = logrotate.blocks("/etc/logrotate.conf", content, lambda _: included)
    return {pattern: block.keeping for block in reversed(found) for pattern in block.patterns}


@pytest.mark.parametrize(
    ("directives", "days"),
    [
        ("weekly\nrotate 27", 189),
        ("rotate 4", 28),
        ("daily\nrotate 190\nmaxage 100", 100),
        ("monthly\nrotate 6", 180),
        ("yearly\nrotate -1", -1),
        ("rotate -1\nmaxage 30", 30),
        ("rotate=30", 210),
        ("#rotate 30\nrotate 1", 7),
        ("rotate 30\nrotate 2", 14),
        ("postrotate\nrotate 99\nendscript\nrotate 3", 21),
        ("size 1M\nweekly\nrotate 27", 189),
        ("minsize 1M\nrotate 27", 189),
        ("maxsize 0\nrotate 27", 189),
    ],
)
def test_how_long_a_log_is_kept(directives: str, days: int) -> None:
    keeping = blocks(f"/var/log/x {{\n{directives}\n}}\n")["/var/log/x"]
    assert (keeping.by, keeping.days) == ("time", days)


@pytest.mark.parametrize(
    "directives",
    [
        *("weekly\nsize +4096k\nrotate 30", "maxsize 1M\nrotate 99"),
        # a period does not take it back
        *("maxsize 1M\nweekly\nrotate 30", "size 1M\nmaxsize 2M\ndaily\nrotate 200"),
    ],
)
def test_days_of_a_log_rotated_by_size_are_not_known(directives: str) -> None:
    assert blocks(f"/var/log/x {{\n{directives}\n}}\n")["/var/log/x"].by == "size"


def test_what_holds_for_all_and_which_block_counts() -> None:
    content = (
        "rotate 4\n/var/log/a {\n}\nrotate 9\ninclude /etc/logrotate.d\n"
        '"/var/log/b" /var/log/c\n/var/log/d\n{\n rotate 2 }\n/var/log/a { rotate 99\n}\n'
    )
    also = {
        "/etc/logrotate.d/z": "/var/log/z {\n}\n",
        "/etc/logrotate.d/z.rpmsave": "/var/log/a {\nrotate 1\n}\n",
        "/etc/logrotate.d/b": "daily\n",
    }
    found = {path: keeping.days for path, keeping in blocks(content, also).items()}
    assert found == {
        "/var/log/a": 28,
        "/var/log/z": 9,
        "/var/log/b": 2,
        "/var/log/c": 2,
        "/var/log/d": 2,
    }


# As logrotate -d has it: below it is asked.
MISTAKEN = {
    "/etc/logrotate.d/one": "/var/log/a {\n weekly\n rotate\n}\n/var/log/b {\n rotate 7\n}\n",
    "/etc/logrotate.d/three": "/var/log/d {\n daily\n maxage x\n}\n",
    "/etc/logrotate.d/two": "daily\nrotate many\n/var/log/c {\n}\n",
    "/etc/logrotate.d/y": "/var/log/a {\n rotate 9\n}\n/var/log/f {\n maxsize 10M\n weekly\n}\n",
    "/etc/logrotate.d/z": "/var/log/e {\n rotate 5\n",
}


def test_a_file_with_a_mistake_is_skipped_as_logrotate_does() -> None:
    found = blocks("weekly\nrotate 4\ninclude /etc/logrotate.d\n", MISTAKEN)
    assert {path: (it.rotate, it.period, it.by) for path, it in found.items()} == {
        "/var/log/a": (9, "weekly", "time"),
        "/var/log/f": (4, "weekly", "size"),
        "/var/log/e": (5, "weekly", "time"),
    }
    with pytest.raises(ParseError, match="without a number"):
        blocks("/var/log/x {\nrotate many\n}\n")


def test_logrotate_itself_skips_it(tmp_path: Path) -> None:
    if shutil.which("logrotate") is None:
        pytest.skip("needs the Debian package logrotate")
    (tmp_path / "d").mkdir(mode=0o755)
    (tmp_path / "d/folder").mkdir()
    for path, content in MISTAKEN.items():
        one = tmp_path / "d" / path.rpartition("/")[2]
        one.write_text(content.replace("/var/log", str(tmp_path)))
        one.chmod(0o644)
    main = tmp_path / "main"
    main.write_text(f"weekly\nrotate 4\ninclude {tmp_path}/d\n")
    main.chmod(0o644)
    done = subprocess.run(
        ["logrotate", "-d", "-s", str(tmp_path / "state"), str(main)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(rf"rotating pattern: {tmp_path}/(\w) .*\((\d+) rotations", done.stderr)
    assert told == [("a", "9"), ("f", "4"), ("e", "5")]


def test_a_folder_among_drop_ins_is_passed_by(tmp_path: Path) -> None:
    """As rsyslogd, augenrules, systemd and logrotate do: a copy that somebody put aside."""
    etc = tmp_path / "etc"
    for name in (
        *("rsyslog.d/old.conf", "audit/rules.d/old.rules", "systemd/journald.conf.d/old.conf"),
        *("logrotate.d/old", "xinetd.d/old", "sysctl.d/old.conf", "modprobe.d/old.conf"),
        *("security/limits.d/old.conf", "exports.d/old.exports"),
    ):
        (etc / name).mkdir(parents=True)
        (etc / name / "x").write_text("never read\n")
    (etc / "rsyslog.conf").write_text("$IncludeConfig /etc/rsyslog.d/*.conf\n*.* /var/log/all\n")
    (etc / "logrotate.conf").write_text("include /etc/logrotate.d\n")
    (etc / "systemd/journald.conf").write_text("[Journal]\nStorage=none\n")
    (etc / "exports").write_text("/srv *(ro)\n")
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/syslog").write_text("")
    source = LocalSource(str(tmp_path))
    for collector in (RsyslogCollector(), LogsCollector(), JournaldCollector(), SharesCollector()):
        (seen,) = observe(source, [collector])
        assert not seen.reason
        assert all(fact.value is not None for fact in seen.facts), seen.facts
    for glob in (auditd.RULES, services.XINETD):
        answers = Answers(source.answer([glob]))
        assert len(answers.children(glob)) == 1
        assert partial.texts(answers, glob.pattern) == {}
    for folders in (sysctlconfig.FOLDERS, modules.FOLDERS, coredumps.LIMITS_D):
        assert folders.texts(Answers(source.answer(folders.readings()))) == []


@given(st.text() | st.text('/{}"\n rotate size=-1include#', max_size=100))
def test_any_logrotate_configuration(content: str) -> None:
    try:
        blocks(content)
    except ParseError:
        return


@pytest.mark.parametrize("machine", ["debian-default", "debian-hardened", "openeuler-hardened"])
def test_logrotate_counts_the_same(machine: str, tmp_path: Path) -> None:
    if shutil.which("logrotate") is None:
        pytest.skip("needs the Debian package logrotate")
    etc = BASELINE / "audit" / machine / "root/etc"

    def here(content: str) -> str:
        # by rotation, which needs root, of a file of this test's owner
        content = re.sub(r"^\s*create .*$", "", content, flags=re.MULTILINE)
        return content.replace("/var/log/", f"{tmp_path}/log/")

    (tmp_path / "log").mkdir(mode=0o755)
    (tmp_path / "d").mkdir()
    for path in (etc / "logrotate.d").iterdir():
        (tmp_path / "d" / path.name).write_text(here(path.read_text()))
        (tmp_path / "d" / path.name).chmod(0o644)
    main = tmp_path / "logrotate.conf"
    content = here((etc / "logrotate.conf").read_text())
    main.write_text(content.replace("/etc/logrotate.d", f"{tmp_path}/d"))
    main.chmod(0o644)
    told = subprocess.run(
        ["logrotate", "-d", "-s", str(tmp_path / "state"), str(main)],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    theirs: dict[str, tuple[str, int]] = {}
    for match in re.finditer(
        r"rotating pattern: (.*?) +(daily|weekly|monthly|yearly) \(?(\d+) rotations",
        told,
        re.DOTALL,
    ):
        for name in match[1].split():
            theirs[name] = (match[2], int(match[3]))
    read = {str(path): path.read_text() for path in (tmp_path / "d").iterdir()}
    found = logrotate.blocks(str(main), main.read_text(), lambda _: read)
    ours = {p: (b.keeping.period, b.keeping.rotate) for b in found for p in b.patterns}
    assert ours == theirs
    assert len(ours) >= 5


# --- what is in /var/log --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("syslog", "syslog"),
        ("syslog.1", "syslog"),
        ("syslog.2.gz", "syslog"),
        ("messages-20260601", "messages"),
        ("messages-20260601.gz", "messages"),
        ("messages-20260601-1780000000.xz", "messages"),
        ("app.log", "app.log"),
        ("app.log.12", "app.log"),
        ("python3.11", "python3"),
        (".1" * 200, ".1" * 200),
    ],
)
def test_names_without_what_rotation_adds(name: str, stem: str) -> None:
    assert logs.stem(name) == stem


def retention(config: str, *files: Any) -> dict[str, Any]:
    answers: dict[Reading, Answer] = {
        logs.CLOCK: rows(CLOCK),
        logs.ROTATE: text(config),
        LOGS: rows(*files),
    }
    found = facts(LogsCollector(), answers)["log_retention"].value
    (row,) = found
    assert isinstance(row, dict)
    return row


def test_retention_of_a_log() -> None:
    old = [stat(f"/var/log/syslog.{n}.gz", days=7 * n) for n in (1, 2, 3)]
    others = (stat("/var/log/app.log"), stat("/var/log/syslog.d", kind="directory"))
    content = "/var/log/syslog {\nweekly\nrotate 4\n}\n"
    row = retention(content, stat("/var/log/syslog"), *old, *others)
    assert row == {
        "log": "/var/log/syslog",
        "by": "time",
        "keep_days": 28,
        "rotate": 4,
        "period": "weekly",
        "files": 3,
        "oldest_days": 21,
        "full": False,
        "source": "/etc/logrotate.conf:1",
    }
    assert retention(content.replace("4", "3"), stat("/var/log/syslog"), *old)["full"]
    # nothing rotates it, and so nothing removes it
    row = retention("", stat("/var/log/messages"))
    assert (row["by"], row["full"]) == ("ever", False)


def test_retention_is_unknown_if_a_part_cannot_be_read() -> None:
    part = tree({"/etc/logrotate.d/rsyslog": DENIED})
    answers: dict[Reading, Answer] = {
        logs.CLOCK: rows(CLOCK),
        logs.ROTATE: text("include /etc/logrotate.d\n"),
        Glob("/etc/logrotate.d/*"): part,
        LOGS: rows(stat("/var/log/syslog")),
        AUDIT: DENIED,
    }
    found = facts(LogsCollector(), answers)
    assert found["log_retention"].unavailable.startswith("denied: ")
    assert found["audit_log_files"].unavailable.startswith("denied: ")
    assert found["log_files"].value
    assert found["audit_retention"].value == []


def test_retention_of_the_audit_log() -> None:
    names = [stat("/var/log/audit/audit.log")]
    names += [stat(f"/var/log/audit/audit.log.{n}", days=3 * n) for n in range(1, 5)]
    content = "max_log_file_action = ROTATE\nnum_logs = {}\n"

    def row(count: int, action: str = "ROTATE") -> dict[str, Any]:
        answers: dict[Reading, Answer] = {
            logs.CLOCK: rows(CLOCK),
            AUDIT: rows(*names),
            auditd.CONF: text(content.format(count).replace("ROTATE", action)),
        }
        (found,) = facts(LogsCollector(), answers)["audit_retention"].value
        assert isinstance(found, dict)
        return found

    assert (row(5)["full"], row(5)["oldest_days"], row(5)["files"]) == (True, 12, 4)
    assert not row(6)["full"]
    assert (row(5, "keep_logs")["full"], row(5, "keep_logs")["by"]) == (False, "ever")


def test_ten_thousand_odd_lines_are_read_in_time() -> None:
    start = time.perf_counter()
    for content in (
        "if " * 10_000 + "\n",
        '*.info;mail.none action(type="omfile" file="/var/log/x"' * 2_000,
        'action(a="b\n' * 10_000,
        "a" * 100_000 + ".b\n",
        "*.* -/var/log/x\\\n" * 10_000,
        "/* /* " * 10_000,
        'x = "' * 20_000,
    ):
        try:
            config(content)
        except ParseError:
            continue
    config("".join(f"local{n % 8}.* -/var/log/{'x' * 80}{n}\n" for n in range(9_999)))
    blocks("".join(f"/var/log/{n} {{\nrotate {n}\nweekly\n}}\n" for n in range(4_000)))
    lines = text("[Journal]\n" + "Storage=persistent\n" * 10_000)
    journal({MAINS[0]: lines})
    found = [stat(f"/var/log/{'.1' * 49}{n}") for n in range(10_000)]
    facts(LogsCollector(), {logs.CLOCK: rows(CLOCK), LOGS: rows(*found), logs.ROTATE: ABSENT})
    assert time.perf_counter() - start < 10  # 1.2 s on an idle machine
