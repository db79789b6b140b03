"""Mandatory access control, malware, AIDE, backups, trusted boot, time sources."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Collector, Glob, Reading, Stat, Unavailable
from collectors.rows import Process
from collectors.security.logging import timesources
from collectors.security.logging.timesources import TimeSourcesCollector
from collectors.security.protection import antimalware, backups, integrity, mac, scheduled
from collectors.security.protection import trustedboot as boot
from collectors.security.protection.antimalware import AntimalwareCollector
from collectors.security.protection.backups import BackupsCollector
from collectors.security.protection.engines import ENGINES, Engine
from collectors.security.protection.integrity import AideCollector
from collectors.security.protection.mac import MacCollector
from collectors.security.protection.trustedboot import TrustedBootCollector
from tests.collectors.securityfacts import CLOCK, DENIED, facts, rows, stat, text, tree

CRON_D = Glob("/etc/cron.d/*", masked=True)


def value(collector: Collector, answers: dict[Reading, Answer]) -> Any:
    found = facts(collector, answers)
    return found[collector.facts[0]].value


def processes(*names: str) -> Answer:
    return rows(*(Process(n, name, "S", 1) for n, name in enumerate(names, 1)))


# --- mandatory access control ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enforce", "config", "mode", "configured", "active"),
    [
        ("1", "SELINUX=enforcing\nSELINUXTYPE=targeted\n", "enforcing", "enforcing", "selinux"),
        ("0", "#SELINUX=enforcing\nSELINUX=permissive\n", "permissive", "permissive", ""),
        # the first counts, at the beginning of a line, if it is a mode
        ("1\n", "SELINUX=permissive\nSELINUX=enforcing\n", "enforcing", "permissive", "selinux"),
        ("1", "SELINUX = enforcing\n", "enforcing", "", "selinux"),
        ("1", " SELINUX=enforcing\n", "enforcing", "", "selinux"),
        ("1", "SELINUX=on\nSELINUX= Enforcing # now\n", "enforcing", "enforcing", "selinux"),
        (None, "SELINUX=disabled\n", "absent", "disabled", ""),
        (None, None, "absent", "", ""),
    ],
)
def test_selinux(
    enforce: str | None, config: str | None, mode: str, configured: str, active: str
) -> None:
    answers: dict[Reading, Answer] = {}
    if enforce is not None:
        answers[mac.ENFORCE] = text(enforce)
    if config is not None:
        answers[mac.SELINUX] = text(config)
    found = value(MacCollector(), answers)
    assert found["selinux"]["mode"] == mode
    assert found["selinux"]["configured"] == configured
    assert found["active"] == active


def test_selinux_domains_that_nothing_holds_back() -> None:
    module = "/var/lib/selinux/targeted/active/modules/400/permissive_httpd_t"
    answers: dict[Reading, Answer] = {
        mac.ENFORCE: text("1"),
        mac.SELINUX: text("SELINUX=enforcing\nSELINUXTYPE=targeted\n"),
        mac.PERMISSIVE[0]: rows(
            stat(module, kind="directory"), stat(module.replace("targeted", "mls"))
        ),
    }
    assert value(MacCollector(), answers)["selinux"]["permissive"] == ["httpd_t"]
    answers[mac.SELINUX] = text("SELINUXTYPE=minimum\n selinuxtype=mls \n")
    found = value(MacCollector(), answers)["selinux"]
    assert (found["policy"], found["permissive"]) == ("mls", ["httpd_t"])
    # root's alone to look at: the rest is known all the same
    answers[mac.PERMISSIVE[0]] = DENIED
    found = value(MacCollector(), answers)
    assert (found["selinux"]["permissive"], found["active"]) == (None, "selinux")


def test_apparmor() -> None:
    profiles = "/usr/bin/man (enforce)\na (b) (complain)\nx (unconfined)\n(enforce)\nodd\n"
    answers: dict[Reading, Answer] = {mac.APPARMOR: text("Y\n"), mac.PROFILES: text(profiles)}
    found = value(MacCollector(), answers)
    assert found["apparmor"] == {"enabled": True, "enforce": 1, "complain": 1, "unconfined": 1}
    assert found["active"] == "apparmor"
    # loaded and switched off; on, and not to be looked at
    assert value(MacCollector(), {**answers, mac.APPARMOR: text("N\n")})["active"] == ""
    with pytest.raises(Unavailable):
        value(MacCollector(), {**answers, mac.PROFILES: DENIED})


def test_kysec() -> None:
    told = (
        "KySec status: Normal\n\nexec control: warning\nnet control : warning\nfile protect: on\n"
    )
    answers: dict[Reading, Answer] = {mac.KYSEC_STATUS: text(told)}
    assert value(MacCollector(), answers)["kysec"]["installed"] is False
    answers[mac.KYSEC] = rows(stat("/etc/kysec", kind="directory"))
    found = value(MacCollector(), answers)
    assert found["kysec"] == {"installed": True, "status": "normal", "exec_control": "warning"}
    assert found["active"] == "kysec"


# --- malware --------------------------------------------------------------------------------------


def test_engines_that_run_and_that_are_installed() -> None:
    answers: dict[Reading, Answer] = {
        antimalware.PROCESSES: processes("clamd", "AliYunDunMonitor", "osqueryd"),
        antimalware.CLOCK: rows(CLOCK),
        Stat("/usr/sbin/clamd"): rows(stat("/usr/sbin/clamd")),
        Stat("/var/lib/clamav/*.cvd"): rows(stat("/var/lib/clamav/main.cvd", days=300)),
        Stat("/var/lib/clamav/*.cld"): rows(stat("/var/lib/clamav/daily.cld", days=2.5)),
        Stat("/sangfor/edr"): rows(stat("/sangfor/edr", kind="directory")),
    }
    found = facts(AntimalwareCollector(), answers)
    malware = {row["name"]: row for row in found["antimalware"].value}
    assert {name: row["running"] for name, row in malware.items()} == {
        "ClamAV": True,
        "深信服 Sangfor EDR": False,
        "阿里云安骑士 Aegis": True,
    }
    assert malware["ClamAV"]["signature_days"] == 2
    assert malware["阿里云安骑士 Aegis"]["signature_days"] == -1
    assert {row["name"] for row in found["hids"].value} == {
        "深信服 Sangfor EDR",
        "阿里云安骑士 Aegis",
        "osquery",
    }


def test_an_engine_of_the_settings() -> None:
    one = Engine("own", ("ownd",), ("/opt/own",), ("/opt/own/*.sig",))
    answers: dict[Reading, Answer] = {
        antimalware.PROCESSES: processes("ownd"),
        antimalware.CLOCK: rows(CLOCK),
        Stat("/opt/own/*.sig"): rows(stat("/opt/own/a.sig", days=9)),
    }
    (row,) = value(AntimalwareCollector(engines=(one,)), answers)
    assert (row["name"], row["running"], row["signature_days"]) == ("own", True, 9)
    assert value(AntimalwareCollector(), answers) == []


def test_without_the_processes_nothing_is_known_of_engines() -> None:
    with pytest.raises(Unavailable):
        value(
            AntimalwareCollector(), {antimalware.PROCESSES: DENIED, antimalware.CLOCK: rows(CLOCK)}
        )


def test_the_table_of_engines_can_match() -> None:
    for engine in ENGINES:
        assert engine.processes, engine.name
        assert all(len(name) <= 15 for name in engine.processes), engine.name
        assert all(path.startswith("/") for path in engine.paths + engine.signatures)
        assert engine.malware or engine.intrusion


# --- AIDE -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("database_in=file:/var/lib/aide/aide.db\n", "/var/lib/aide/aide.db"),
        (
            "#database=file:/old\n@@define DBDIR /srv/a\ndatabase=file:@@{DBDIR}/b.gz\n",
            "/srv/a/b.gz",
        ),
        ("database_in=file:/a\ndatabase_in=file:/b\n", "/b"),
        ("database_out=file:/a\ndatabase_new=file:/a\n", ""),
        ("database=file:@@{NOWHERE}x\n", ""),
        ("database=file:/var/lib/*\n", ""),
        ("database=http://x/\n", ""),
    ],
)
def test_database_of_aide(config: str, path: str) -> None:
    assert integrity.database(config) == path


def test_aide_with_database_schedule_and_report() -> None:
    answers: dict[Reading, Answer] = {
        integrity.CLOCK: rows(CLOCK),
        integrity.CONFIGS[1]: text("database=file:/srv/aide.db.gz\n"),
        integrity.PROGRAMS[1]: rows(stat("/usr/sbin/aide", 0o700)),
        Stat("/srv/aide.db.gz"): rows(stat("/srv/aide.db.gz", 0o600, days=40.5)),
        integrity.REPORTS: rows(stat("/var/log/aide/aide.log", days=1.2)),
        CRON_D: tree({"/etc/cron.d/aide": "# aide\n5 4 * * * root /usr/sbin/aide --check\n"}),
        scheduled.TIMERS: rows(stat("/etc/systemd/system/timers.target.wants/aidecheck.timer")),
    }
    assert value(AideCollector(), answers) == {
        "installed": True,
        "configured": True,
        "database": "/srv/aide.db.gz",
        "database_days": 40,
        "schedule": [
            "/etc/cron.d/aide:2",
            "/etc/systemd/system/timers.target.wants/aidecheck.timer",
        ],
        "checked_days": 1,
    }


def test_a_database_not_yet_in_place_and_words_that_are_no_aide() -> None:
    answers: dict[Reading, Answer] = {
        integrity.CLOCK: rows(CLOCK),
        integrity.DATABASES: rows(stat("/var/lib/aide/aide.db.new.gz")),
        CRON_D: tree({"/etc/cron.d/x": "1 1 * * * root /usr/bin/raided; x --aided y\n"}),
    }
    found = value(AideCollector(), answers)
    assert (found["database"], found["database_days"], found["schedule"]) == ("", -1, [])


def test_a_crontab_that_cannot_be_read_makes_the_schedule_unknown() -> None:
    answers: dict[Reading, Answer] = {
        integrity.CLOCK: rows(CLOCK),
        Glob("/var/spool/cron/*", masked=True): tree({"/var/spool/cron/root": DENIED}),
    }
    with pytest.raises(Unavailable):
        value(AideCollector(), answers)
    # a folder that the pattern matches as well is no crontab
    folder = Answer("failed", reason="Is a directory")
    answers[Glob("/var/spool/cron/*", masked=True)] = tree({"/var/spool/cron/crontabs": folder})
    assert value(AideCollector(), answers)["schedule"] == []


# --- backups --------------------------------------------------------------------------------------


def backed_up(**more: Any) -> list[tuple[str, str, int]]:
    answers: dict[Reading, Answer] = {
        backups.CLOCK: rows(CLOCK),
        backups.PROCESSES: more.pop("processes", processes("cron")),
        CRON_D: tree({"/etc/cron.d/x": more.pop("cron", "")}),
    }
    answers |= {Stat(pattern): rows(*them) for pattern, them in more.pop("stats", {}).items()}
    found = value(BackupsCollector(**more), answers)
    return [(row["kind"], row["name"], row["age_days"]) for row in found]


def test_jobs_agents_and_results() -> None:
    line = "0 2 * * * root PGPASSWORD=hunter2 /usr/bin/pg_dump app > /backup/app.sql\n"
    found = backed_up(
        cron=line,
        processes=processes("bacula-fd"),
        stats={"/backup/*": [stat("/backup/app.sql", days=1.1), stat("/backup/old", days=90)]},
    )
    assert found == [
        ("job", "pg_dump", -1),
        ("agent", "Bacula", -1),
        ("result", "/backup/app.sql", 1),
    ]
    assert "hunter2" not in repr(found)


def test_where_nothing_tells_of_backups_that_is_said() -> None:
    debian = [stat("/var/backups/dpkg.status.0"), stat("/var/backups/alternatives.tar.0")]
    assert backed_up(stats={"/var/backups/*": debian}) == [("none", "host", -1)]
    assert backed_up(cron="# rsync a b\n1 1 * * * root /usr/bin/target\n") == [("none", "host", -1)]


def test_places_of_the_settings() -> None:
    found = backed_up(paths=("/mnt/nas/*",), stats={"/mnt/nas/*": [stat("/mnt/nas/a", days=3)]})
    assert found == [("result", "/mnt/nas/a", 3)]


@given(st.text())
def test_any_crontab(content: str) -> None:
    backed_up(cron=content)
    integrity.database(content)


def test_ten_thousand_odd_lines_are_read_in_time() -> None:
    start = time.perf_counter()
    backed_up(
        cron="1 1 * * * root /x/" + "-backup" * 30_000 + "\n" + "1 1 * * * root rsync-x a\n" * 9999
    )
    integrity.database("@@define a b\ndatabase=file:/@@{a}\n" * 10_000)
    profiles = text("x (enforce) (\n" * 10_000)
    value(MacCollector(), {mac.APPARMOR: text("Y"), mac.PROFILES: profiles})
    sources("server " + "a." * 30_000 + "\n" + "pool x.pool.ntp.org.x\n" * 10_000)
    assert time.perf_counter() - start < 10  # 0.3 s on an idle machine


# --- trusted boot ---------------------------------------------------------------------------------


def test_trusted_boot() -> None:
    answers: dict[Reading, Answer] = {
        boot.EFI: rows(stat("/sys/firmware/efi", kind="directory")),
        boot.SECURE_BOOT: Answer("content", b"\6\0\0\0\1"),
        boot.TPM: rows(stat("/sys/class/tpm/tpm0", kind="link")),
        boot.TPM_VERSION: tree({"/sys/class/tpm/tpm0/tpm_version_major": "2\n"}),
        boot.IMA: text("2317\n"),
        boot.LOCKDOWN: text("none [integrity] confidentiality\n"),
        boot.CMDLINE: text("quiet ima_appraise=enforce\n"),
    }
    assert value(TrustedBootCollector(), answers) == {
        "efi": True,
        "secure_boot": True,
        "tpm": 2,
        "tcm": False,
        "ima": 2317,
        "appraise": True,
        "lockdown": "integrity",
    }
    # an old kernel does not tell of the version
    del answers[boot.TPM_VERSION]
    assert value(TrustedBootCollector(), answers)["tpm"] == 1


def test_what_cannot_be_read_of_the_boot_is_unknown_and_not_off() -> None:
    denied: dict[Reading, Answer] = dict.fromkeys(
        (boot.SECURE_BOOT, boot.IMA, boot.LOCKDOWN), DENIED
    )
    found = value(TrustedBootCollector(), denied)
    assert (found["secure_boot"], found["ima"], found["lockdown"]) == (None, None, "unknown")
    nothing = value(TrustedBootCollector(), {})
    assert (nothing["secure_boot"], nothing["ima"], nothing["tpm"]) == (False, 0, 0)
    odd = value(TrustedBootCollector(), {boot.SECURE_BOOT: text("1"), boot.IMA: text("many")})
    assert (odd["secure_boot"], odd["ima"]) == (None, None)


# --- time sources ---------------------------------------------------------------------------------


def sources(content: str, more: dict[Reading, Answer] | None = None) -> list[tuple[str, bool]]:
    answers = {timesources.CHRONY[1]: text(content), **(more or {})}
    return [(row["address"], row["public"]) for row in value(TimeSourcesCollector(), answers)]


def test_sources_of_chrony() -> None:
    content = (
        "#server 10.0.0.1\n! pool x\nserver 10.66.1.1 iburst\npool 2.debian.pool.ntp.org iburst\n"
        "Peer ntp.site.example\nsourcedir /etc/chrony/sources.d\nserver 127.127.1.0\n"
        "keyfile /etc/chrony/chrony.keys\nserver ntp1.aliyun.com\nserver mypool.ntp.organic\n"
    )
    there = tree({"/etc/chrony/sources.d/a.sources": "server 10.66.1.2\n"})
    assert sources(content, {Glob("/etc/chrony/sources.d/*.sources"): there}) == [
        ("10.66.1.1", False),
        ("2.debian.pool.ntp.org", True),
        ("ntp.site.example", False),
        ("10.66.1.2", False),
        ("ntp1.aliyun.com", True),
        ("mypool.ntp.organic", False),
    ]


def test_sources_of_timesyncd_add_up_until_they_are_taken_back() -> None:
    conf: dict[Reading, Answer] = {
        timesources.TIMESYNCD[0]: text("[Time]\n#NTP=a\nNTP=b c\nFallbackNTP=d\n"),
        timesources.DROP_INS[0]: tree({"/etc/systemd/timesyncd.conf.d/z.conf": "[Time]\nNTP=e\n"}),
    }
    found = value(TimeSourcesCollector(), conf)
    assert [row["address"] for row in found] == ["b", "c", "e"]
    back = tree({"/etc/systemd/timesyncd.conf.d/z.conf": "[Time]\nNTP=\nNTP=f\n"})
    found = value(TimeSourcesCollector(), {**conf, timesources.DROP_INS[0]: back})
    assert [(row["address"], row["source"]) for row in found] == [
        ("f", "/etc/systemd/timesyncd.conf.d/z.conf:3")
    ]


def test_a_chrony_that_includes_itself_ends() -> None:
    again = tree({"/etc/chrony/chrony.conf": "include /etc/chrony/chrony.conf\n"})
    with pytest.raises(ValueError, match="without end"):
        sources("include /etc/chrony/chrony.conf\n", {Glob("/etc/chrony/chrony.conf"): again})
