"""What is secret by its name is masked, and by every awk as by us."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import secretwords
from collectors.model import Answer, File, Glob, Reading, Stat
from collectors.secretwords import AWK, masked
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from collectors.sources.recorder import record, write
from collectors.sources.ssh.script import opening, questions
from tests.shellhost import ask

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

SECRET = "hunter2"
LINES = [
    # fstab(5): what comes after the password is kept
    "//srv/x /mnt cifs username=u,password=hunter2,nodev,nosuid 0 0",
    "//srv/x /mnt cifs user=u,pass=hunter2,nodev 0 0",
    "mon:/ /ceph ceph name=admin,secret=hunter2==,nodev 0 2",
    # crontab(5)
    "5 4 * * * root mysqldump -u root -phunter2 db >/srv/backup/db.sql",
    "* * * * * root curl -u me:hunter2 https://h/ --proxy-user x:hunter2",
    "* * * * * root sshpass -p hunter2 rsync -a / b:/",
    "RESTIC_PASSWORD='hunter2 hunter2'",
    'export AWS_SECRET_ACCESS_KEY="hunter2\\"hunter2"; restic backup /',
    "@daily root borg create --passphrase hunter2 ssh://backup/x",
    "curl -H \"Authorization: Bearer hunter2\" -H 'X-Token: hunter2' https://h/?token=hunter2",
    # apt, dnf
    "deb http://me:hunter2@mirror.example/debian stable main",
    'Acquire::http::Proxy "http://me:hun@hunter2@proxy:3128/";',
    "proxy=http://me:hunter2@proxy:3128",
    "password = hunter2,;hunter2",
    "proxy_password=hunter2\r",
    # daemon.json, in one line and in many
    '{"http-proxy": "http://me:hunter2@p:3128", "log-opts": {"splunk-token": "hunter2", "x": "y"}}',
    '  "splunk-token" : "hunter2",',
    # rsyslog.conf(5)
    '*.* action(type="ommysql" server="db" uid="u" pwd="hunter2" db="Syslog")',
    "*.* :ommysql:db,Syslog,user,hunter2;Format",
    # /etc/environment, nginx, httpd, snmpd
    "https_proxy=http://me:hunter2@p:3128",
    "API_TOKEN=hunter2",
    "    secure_link_secret hunter2;",
    '    proxy_set_header Authorization "Basic hunter2";',
    'AuthLDAPBindPassword "hunter2"',
    "rocommunity hunter2 default",
    "# password = hunter2",
    "pwd=hunter2 " * 60,
    f"{'x' * 5000} pwd=a b hunter2",
]
KEPT = [
    "UUID=1-2 / ext4 defaults,errors=remount-ro 0 1",
    "# <file system> <mount point> <type> <options> <dump> <pass>",
    "server_tokens off;",
    "ServerTokens Prod",
    "ssl_password_file /etc/keys/pass;",
    "ssl_certificate_key /etc/keys/site.key;",
    "fastcgi_pass unix:/run/php.sock;",
    "proxy_pass http://10.1.1.1:8080/a@b;",
    "17 * * * * root cp /etc/passwd /srv/backup",
    'pwd=""',
    "    '$status $http_authorization ';",
    "location /token { return 301 https://$host$uri; }",
    '{"tokens": ["a"], "userland-proxy": false}',
    "*.info;mail.none;authpriv.none -/var/log/messages",
    "deb [trusted=yes] https://mirror.example/debian stable main",
    "$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat",
]
AWKS = [["mawk"], ["gawk"], ["original-awk"], ["busybox", "awk"]]


@pytest.mark.parametrize("line", LINES)
def test_what_is_masked(line: str) -> None:
    found = masked(line.encode()).decode()
    assert SECRET not in found
    assert "***" in found
    assert masked(found.encode()).decode() == found


@pytest.mark.parametrize("line", KEPT)
def test_what_is_kept(line: str) -> None:
    assert masked(line.encode()).decode() == f"{line}\n"


def test_what_is_around_a_value_is_kept() -> None:
    found = masked("\n".join(LINES[:1] + LINES[14:17] + LINES[21:22]).encode()).decode()
    assert found == (
        "//srv/x /mnt cifs username=u,password=***,nodev,nosuid 0 0\n"
        "proxy_password=***\r\n"
        '{"http-proxy": "http://***@p:3128", "log-opts": {"splunk-token": "***", "x": "y"}}\n'
        '  "splunk-token" : "***",\n'
        "    secure_link_secret ***;\n"
    )
    assert masked(b"") == b""


def by(awk: list[str], content: bytes) -> bytes:
    program = AWK + "{ print masked($0) }"
    done = subprocess.run(
        [*awk, program], input=content, capture_output=True, check=True, env={"LC_ALL": "C"}
    )
    return done.stdout


@pytest.mark.parametrize("awk", AWKS, ids=lambda awk: awk[0])
def test_every_awk_does_the_same(awk: list[str]) -> None:
    if shutil.which(awk[0]) is None:
        pytest.skip(f"needs {awk[0]}")
    awk = [str(shutil.which(awk[0])), *awk[1:]]
    content = (
        "\n".join([*LINES, *KEPT, "", "é=ü pwd=ü x", "Pwd:x"]).encode() + b"\n\xff token=\xfe z"
    )
    assert by(awk, content) == masked(content)


_PIECES = (
    *("password", "TOKEN", "pass", "pwd", "secret", "=", ":", " ", "\t", '"', "'", "\\", ",", ";"),
    *("mysql", " -p", "curl", "-u", "a", "/", "://", "@", "{", ")", "cifs ", "basic ", ":ommysql:"),
    *("\n", "\r", "community", "api_key", "authorization"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=25).map("".join), max_size=40))
def test_any_text_is_masked_alike_and_once(lines: list[str]) -> None:
    content = "\n".join(lines).encode()
    once = masked(content)
    for awk in AWKS:
        if where := shutil.which(awk[0]):
            assert by([where, *awk[1:]], content) == once, awk
    assert masked(once) == once


def test_long_lines_are_masked_in_time() -> None:
    start = time.perf_counter()
    for content in (b"pwd=a " * 100_000, b"/pwd " * 100_000, b"pwd='" * 1000 + b"\n" * 10_000):
        masked(content)
    masked(b"pwd=a pwd=b pwd=c\n" * 10_000)
    assert time.perf_counter() - start < 10
    assert len(masked(b"pwd=a " * secretwords.LONGEST)) < 20


def test_it_leaves_no_host_and_enters_no_recording(shell: list[str], tmp_path: Path) -> None:
    folder, link = tmp_path / "a b", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "1.conf")
    content = "\n".join([*LINES, *KEPT])
    for name in ("1.conf", "2.conf"):
        (folder / name).write_text(content)
    (folder / "3.conf").write_text("")
    (folder / "4.conf").mkdir()
    (folder / "5.conf").write_text("x" * 30_000)
    (folder / "site.pem").write_text(f"{BEGIN}\nabcd\n{END}\nkey={SECRET}\n")
    os.mkfifo(folder / "6.conf")
    (folder / "7.conf").symlink_to("/nowhere")
    readings: list[Reading] = [
        *(File(str(path), masked=True) for path in (link, folder / "2.conf", folder / "3.conf")),
        *(File(str(path), masked=True) for path in (tmp_path / "none", folder, folder / "6.conf")),
        File(str(folder / "5.conf"), limit=20_000, masked=True),
        Glob(f"{folder}/*.conf", limit=20_000, masked=True),
        Glob(f"{tmp_path}/*", names=("1.conf", "none"), masked=True),
        Glob(f"{folder}/*.pem", certificates=True),
        File(str(folder / "5.conf")),
        Stat(f"{folder}/*"),
    ]
    here = LocalSource().answer(readings)
    there = ask(shell, *readings)
    assert dict(there) == dict(here)
    record(LocalSource(), readings, tmp_path / "recording")
    recorded = RecordedSource(tmp_path / "recording").answer(readings)
    assert recorded[readings[7]].children[0] == here[readings[7]].children[0]
    assert [recorded[it].state for it in readings] == [here[it].state for it in readings]
    for what in (here, there, recorded):
        assert SECRET not in repr(what)
        assert "***,nodev" in repr(what)
    for path in (tmp_path / "recording").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_nothing_secret_crosses_the_wire(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "cron").write_text("\n".join(LINES))
    (tmp_path / "cron").chmod(0o600)
    readings: list[Reading] = [File(f"{tmp_path}/cron", masked=True), Glob(f"{tmp_path}/c*", masked=True)]
    script = opening("nonce") + questions(tuple(readings)) + b"exit\n"
    done = subprocess.run(shell, input=script, capture_output=True, check=False)
    assert b"***" in done.stdout
    assert SECRET.encode() not in done.stdout + done.stderr


def test_an_old_recording_is_masked_as_it_is_read(tmp_path: Path) -> None:
    reading = File("/etc/fstab")
    (tmp_path / "fstab").write_text(LINES[0])
    answer = Answer("content", LINES[0].encode())
    write({reading: answer}, tmp_path / "old", overwrite=False)
    masked_reading = File("/etc/fstab", masked=True)
    found = RecordedSource(tmp_path / "old").answer([masked_reading])[masked_reading]
    assert found.content == masked(LINES[0].encode())
    # and one that was read both ways keeps what is masked
    both: dict[Reading, Answer] = {masked_reading: Answer("content", masked(answer.content)), reading: answer}
    write(both, tmp_path / "both", overwrite=False)
    kept = RecordedSource(tmp_path / "both").answer([reading])[reading]
    assert SECRET.encode() not in kept.content
