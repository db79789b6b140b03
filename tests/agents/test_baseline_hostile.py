"""A host whose files were made to mislead: the audit ends, says what it could not see, and what it tells
is harmless wherever it is shown."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors import catalogue
from collectors.model import Fact, Source
from collectors.observe import observe
from collectors.sources.local import LocalSource
from exporters.findings.formats import FORMATS
from rules import pack as packs
from rules.audit import Auditor, facts_of, needed
from rules.model import AuditResult
from tests.shellhost import SHELLS, ShellSource

PACKS = [packs.load(name) for name in ("mlps-l3", "sm-crypto", "container-host")]
EVIL = "e\x1b[2Jv\x07il\u202e<script>|=cmd()\r"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
ODD = {
    "passwd": f"root:x:0:0:root:/root:/bin/bash\n{EVIL}:x:0:0::/h:/bin/sh\n:::\n" + "a:" * 5000,
    "group": f"root:x:0:\n{EVIL}:x:99999999999999999999:{EVIL}\n",
    "login.defs": f"PASS_MAX_DAYS {EVIL}\nUMASK\nPASS_MIN_LEN -1\n",
    "sudoers": f"{EVIL} ALL=(ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n@include /etc/sudoers\n",
    "sudoers.d/loop": "#include /etc/sudoers\n",
    "ssh/sshd_config": f"Banner {EVIL}\nInclude /etc/ssh/*\nMatch User {EVIL}\nPermitRootLogin yes\n",
    "pam.d/sshd": f"auth {EVIL}\nauth include sshd\n@include sshd\nauth [success=99999 x=y] pam_unix.so\n",
    "security/pwquality.conf": f"minlen = {EVIL}\nminlen\n= 9\nminlen = 99999999999999999999\n",
    "audit/rules.d/a.rules": f"-w {EVIL} -p wa\n-a always,exit -S {'x,' * 3000}\n-e 9\n",
    "rsyslog.conf": f"*.* @@{EVIL}\n$IncludeConfig /etc/rsyslog.conf\nmodule(((((\n",
    "sysctl.conf": f"net.ipv4.ip_forward={EVIL}\n{'=' * 1000}\nkernel.x.y.z\n",
    "logrotate.conf": "include /etc/logrotate.conf\n{{{{{\n",
    "nginx/nginx.conf": "http { include /etc/nginx/*; server { ssl_protocols " + EVIL + ";",
    "docker/daemon.json": '{"hosts": [' * 500,
    "modprobe.d/a.conf": f"install {EVIL} /bin/false\nblacklist\n",
    "fstab": f"{EVIL} {EVIL} {EVIL} {EVIL}\n",
    "crontab": f"* * * * * root {EVIL}\n",
    "exports": f"/ *({EVIL})\n\\\n\\\n",
    "profile": f"TMOUT={EVIL}\numask {EVIL}\nif [ " + "(" * 500,
    "crypto-policies/config": EVIL,
    "default/grub": EVIL,
}  # fmt: skip


def hostile(folder: Path) -> Path:
    """An /etc in which nearly everything is odd."""
    etc = folder / "etc"
    for name, text in ODD.items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    (etc / "os-release").write_text(f'ID="{EVIL}"\nPRETTY_NAME="{EVIL}"\n')
    (etc / "cron.d").mkdir()
    (etc / "cron.d" / os.fsdecode(b"new\nline\xff\x1b[31m")).write_text("* * * * * root x\n")
    (etc / "ssh/loop").symlink_to("loop")
    os.mkfifo(etc / "security/limits.conf")
    (etc / "audit/auditd.conf").mkdir()
    (etc / "shadow").symlink_to("/proc/kcore")
    with (etc / "login.access").open("wb") as huge:
        huge.truncate(100 << 20)
    with (etc / "hosts.allow").open("wb") as huge:
        huge.truncate(100 << 20)
    return etc


@pytest.fixture(params=["local", *SHELLS])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    etc = hostile(tmp_path)
    if request.param == "local":
        return LocalSource(str(tmp_path))
    if os.geteuid() != 0:
        pytest.skip("needs root, for a mount namespace")
    shell = " ".join(SHELLS[request.param])
    return ShellSource(["unshare", "-m", "sh", "-c", f"mount --bind {etc} /etc && exec {shell}"])


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[None]:
    """Somebody writes the files again and again, shorter and longer."""
    stop = threading.Event()

    def write() -> None:
        long = True
        while not stop.is_set():
            for name in ("passwd", "sudoers", "sysctl.conf", "rsyslog.conf"):
                path = tmp_path / "etc" / name
                if path.exists():
                    path.write_text(ODD[name] * (20 if long else 1))
            long = not long

    thread = threading.Thread(target=write)
    thread.start()
    yield
    stop.set()
    thread.join()


def judged(source: Source) -> tuple[dict[str, Fact], AuditResult]:
    collectors = catalogue.for_facts(needed(PACKS), catalogue.Settings())
    facts = facts_of(observe(source, collectors))
    return facts, Auditor(PACKS, {}).audit(facts, datetime.now(UTC))


def test_what_is_told_is_harmless(source: Source) -> None:
    facts, result = judged(source)
    assert [f"{f.name}: {f.unavailable}" for f in facts.values() if "bug" in f.unavailable] == []
    assert any(v.verdict == "fail" for pack in result.packs for v in pack.verdicts)
    rules = {rule.id: rule for pack in PACKS for rule in pack.rules}
    for name, made in FORMATS.items():
        text = made(result, rules, {}, "zh").decode()
        shown = text.replace("\r\n", "\n") if name == "csv" else text
        found = CONTROL.findall(shown)
        if name in ("json", "ocsf", "sarif"):  # for machines: what JSON itself escapes
            found = [character for character in found if character < " "]
        assert found == [], name
    page = FORMATS["html"](result, rules, {}, "en").decode()
    assert "<script>|" not in page


def test_unreadable_is_never_a_pass(source: Source) -> None:
    """No file of these can be understood, so nothing that needs it passes."""
    facts, result = judged(source)
    missing = {name for name, fact in facts.items() if fact.unavailable}
    assert "passwords" in missing
    rules = {rule.id: rule for pack in PACKS for rule in pack.rules}
    passed = {v.rule for pack in result.packs for v in pack.verdicts if v.verdict == "pass"}
    needing = [rule for rule in passed if set(rules[rule].facts) <= missing and rules[rule].facts]
    assert needing == []


def test_files_that_change_while_they_are_read(source: Source, changing: None) -> None:
    for _ in range(3):
        facts, _ = judged(source)
        assert [f.unavailable for f in facts.values() if "bug" in f.unavailable] == []
