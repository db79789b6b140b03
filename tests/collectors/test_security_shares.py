"""Facts about shares and about services that let in whoever comes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, File, NeedMore, Reading, Unavailable
from collectors.rows import FileStat
from collectors.security.software.netservices import (
    ALLOW,
    DEFAULT_COMMUNITY,
    DENY,
    LIBRARY,
    SNMPD,
    VSFTPD,
    NetservicesCollector,
)
from collectors.security.software.shares import EXPORTS, SMB, SharesCollector
from tests.collectors.test_security_facts import DENIED, children, facts, rows, text

NONE: dict[Reading, Answer] = dict.fromkeys(EXPORTS, Answer("content"))


def shares(answers: dict[Reading, Answer]) -> dict[str, dict[str, Any]]:
    (fact,) = facts(SharesCollector(), {**NONE, **answers}).values()
    return {row["key"]: row for row in fact.value}


def flags(row: dict[str, Any]) -> set[str]:
    names = ("guest", "writable", "world", "no_root_squash", "insecure")
    return {name for name in names if row[name]}


SMB_CONF = """\
[global]
   workgroup = X
   ; guest ok = yes
   hosts allow = 10.0.0.0/8
[homes]
   read only = No
[Data]
   path = /srv/data
   Guest OK = Yes
   writeable = yes
   hosts allow = ALL
[ro]
   public = yes
   read only = yes
   writable = no
[twice]
   read only = no
   read only = yes
[long]
   path = /srv/\\
long
[print$]
   guest ok = yes
"""


def test_samba() -> None:
    found = shares({SMB: text(SMB_CONF)})
    assert {key: flags(row) for key, row in found.items()} == {
        "smb/homes": {"writable"},
        "smb/data": {"guest", "writable", "world"},
        "smb/ro": {"guest"},
        "smb/twice": set(),
        "smb/long": set(),
    }
    assert found["smb/data"]["path"] == "/srv/data"
    assert found["smb/data"]["source"] == "/etc/samba/smb.conf:7"
    with pytest.raises(Unavailable):
        shares({SMB: DENIED})


@pytest.mark.parametrize(
    ("allowed", "world"),
    [
        ("10.0.0.1,0.0.0.0/0", True),
        ("0.0.0.0/0.0.0.0, 1.1.1.1", True),
        ("all", True),
        ("ALL EXCEPT 10.9.9.9", True),
        ("0.0.0.0/1 128.0.0.0/1", True),
        ("10.0.0.0/8, 127.", False),
        ("192.168.1.0/255.255.255.0\thost.example", False),
        ("10. EXCEPT 10.9.9.9", False),
    ],
)
def test_samba_clients(allowed: str, world: bool) -> None:
    found = shares({SMB: text(f"[a]\npath = /a\nwritable = yes\nhosts allow = {allowed}\n")})
    assert found["smb/a"]["world"] is world


def test_what_samba_includes() -> None:
    main = "[global]\ninclude = /etc/samba/more.conf\ninclude = /etc/samba/%m.conf\n[a]\npath=/a\n"
    more = File("/etc/samba/more.conf")
    with pytest.raises(NeedMore) as need:
        shares({SMB: text(main)})
    assert need.value.readings == (more,)
    found = shares({SMB: text(main), more: text("guest ok = yes\n[b]\npath=/b\n")})
    assert {key: row["guest"] for key, row in found.items()} == {"smb/a": True, "smb/b": True}
    itself = shares({SMB: text("include = /etc/samba/smb.conf\n[a]\npath=/a\n")})
    assert list(itself) == ["smb/a"]


EXPORTED = """\
# /srv/off *(rw)
/srv/a 10.0.0.0/8(rw,sync) *(ro)
/srv/b  *(rw,no_root_squash,insecure)
"/srv/with space" host.example(ro,root_squash,no_root_squash)
/srv/c -rw,no_root_squash 10.1.0.0/16 10.2.0.0/16(ro,root_squash)
/srv/d
/srv/e (rw)
/srv/f \\
  10.0.0.1(rw,no_root_squash,all_squash)
/srv/"broken *(rw)
"""


def test_nfs() -> None:
    found = shares({EXPORTS[0]: children("/etc", {"exports": EXPORTED})})
    assert {key: flags(row) for key, row in found.items()} == {
        "nfs//srv/a 10.0.0.0/8": {"writable"},
        "nfs//srv/a *": {"world"},
        "nfs//srv/b *": {"world", "writable", "no_root_squash", "insecure"},
        "nfs//srv/with space host.example": {"no_root_squash"},
        "nfs//srv/c 10.1.0.0/16": {"writable", "no_root_squash"},
        "nfs//srv/c 10.2.0.0/16": set(),
        "nfs//srv/d *": {"world"},
        "nfs//srv/e *": {"world", "writable"},
        "nfs//srv/f 10.0.0.1": {"writable"},
        'nfs//srv/"broken *': {"world", "writable"},
    }
    assert found["nfs//srv/f 10.0.0.1"]["source"] == "/etc/exports:8"
    squashed = "rw,all_squash,anonuid=0,anongid=0"
    odd = (
        f"/a 10.0.0.1({squashed})\n/b 10.0.0.1(rw,anongid=4294967296)\n/c 10.0.0.1(ro,anonuid=1)\n"
    )
    odd += "/d 10.0.0.1(rw,no_root_squash,all_squash,no_all_squash)\n"
    odd += "/e 0.0.0.0/1 128.0.0.0/1 *.* ::0/0 10.0.0.0/255.0.0.0 *.example.com [2001:db8::]/32\n"
    found = shares({EXPORTS[0]: children("/etc", {"exports": odd})})
    assert {key.partition("//")[2]: flags(row) for key, row in found.items()} == {
        "a 10.0.0.1": {"writable", "no_root_squash"},
        "b 10.0.0.1": {"writable", "no_root_squash"},
        "c 10.0.0.1": set(),
        "d 10.0.0.1": {"writable", "no_root_squash"},
        "e 0.0.0.0/1": {"world"},
        "e 128.0.0.0/1": {"world"},
        "e *.*": {"world"},
        "e ::0/0": {"world"},
        "e 10.0.0.0/255.0.0.0": set(),
        "e *.example.com": set(),
        "e [2001:db8::]/32": set(),
    }
    more = shares({EXPORTS[1]: children("/etc/exports.d", {"x.exports": "/srv *(rw)\n"})})
    assert list(more) == ["nfs//srv *"]
    with pytest.raises(Unavailable):
        shares({EXPORTS[0]: children("/etc", {"exports": DENIED})})


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_share(smb: str, exports: str) -> None:
    answers: dict[Reading, Answer] = {
        **NONE,
        SMB: Answer("content", smb.encode("utf-8", "replace")),
        EXPORTS[0]: Answer(
            "content",
            children=(("/etc/exports", Answer("content", exports.encode("utf-8", "replace"))),),
        ),
    }
    try:
        list(SharesCollector().parse(Answers(answers)))
    except NeedMore:
        return


def test_10_000_bad_lines() -> None:
    bad = '[[ = "\\\n' * 10_000
    shares({SMB: text(bad + "[a]\n" * 10_000), EXPORTS[0]: children("/etc", {"exports": bad})})
    shares({EXPORTS[0]: children("/etc", {"exports": "/a *(((((rw\n" * 10_000})})


# --- services that let in whoever comes ---------------------------------------------------------


def netservices(answers: dict[Reading, Answer]) -> dict[str, Fact]:
    stats: dict[Reading, Answer] = dict.fromkeys((SNMPD, *LIBRARY), rows())
    return facts(NetservicesCollector(), {**stats, **answers})


@pytest.mark.parametrize(
    ("content", "anonymous"),
    [
        ("listen=YES\n", True),  # what vsftpd does where nothing is said
        ("anonymous_enable=NO\n", False),
        ("#anonymous_enable=NO\n", True),
        ("anonymous_enable=NO\nanonymous_enable=YES\n", True),
        ("anonymous_enable=YES\nanonymous_enable=no\n", False),
        ("anonymous_enable =NO\n", True),  # vsftpd knows no space there
    ],
)
def test_ftp(content: str, anonymous: bool) -> None:
    for reading in VSFTPD:
        found = netservices({reading: text(content)})["ftp"].value
        assert found == {"installed": True, "anonymous": anonymous}


def test_no_ftp_and_one_that_may_not_be_read() -> None:
    assert netservices({})["ftp"].value == {"installed": False, "anonymous": False}
    found = netservices({VSFTPD[0]: DENIED})
    assert found["ftp"].unavailable.startswith("denied")
    assert found["snmp"].value == {"installed": False, "default_community": 0}


def test_snmp() -> None:
    there: dict[Reading, Answer] = {SNMPD: rows(FileStat(SNMPD.pattern, "file", 0o600, 0, 0))}
    found = netservices({**there, DEFAULT_COMMUNITY: text("2\n0\n1\n")})["snmp"].value
    assert found == {"installed": True, "default_community": 3}
    hidden = Answer("failed", reason="exit status 2")
    assert netservices({**there, DEFAULT_COMMUNITY: hidden})["snmp"].unavailable


@pytest.mark.skipif(not shutil.which("grep"), reason="needs grep")
@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("rocommunity public", True),
        ("  rocommunity6  public default -V systemonly", True),
        ("rwcommunity private 10.0.0.0/8", True),
        ('rocommunity "public"', True),
        ("com2sec readonly default public", True),
        ("com2sec -Cn ctx readonly default public", True),
        ("authCommunity log,execute,net public", True),
        ("authcommunity log s3cret", False),
        ("#rocommunity public", False),
        ("rocommunity publicity", False),
        ("rocommunity s3cret", False),
        ("com2sec public default s3cret", False),
        ("syscontact public", False),
    ],
)
def test_the_pattern_of_grep(tmp_path: Path, line: str, counts: bool) -> None:
    (tmp_path / "snmpd.conf").write_text(f"# x\n{line}\n")
    (tmp_path / "snmpd.conf.d").mkdir()
    (tmp_path / "snmpd.conf.d/a.conf").write_text(f"# y\n{line}\n")
    argv = [*DEFAULT_COMMUNITY.argv[:-1], str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(int(counts))] * 2
    assert done.returncode in DEFAULT_COMMUNITY.ok


@pytest.mark.parametrize(
    ("deny", "allow", "limited"),
    [
        ("ALL: ALL\n", "sshd: 10.0.0.0/24\n", True),
        ("sshd : ALL\n", "", True),
        ("#sshd: ALL\n", "", False),
        ("vsftpd: ALL\n", "", False),
        ("", "sshd: 10.0.0.0/24\n", False),
        ("ALL: ALL\n", "sshd: ALL\n", False),
        ("ALL: ALL\n", "vsftpd: ALL\n", True),
        ("ALL: ALL EXCEPT 10.0.0.1\n", "", False),
        ("ALL EXCEPT sshd: ALL\n", "", False),
        ("in.telnetd, sshd: \\\n ALL\n", "sshd: [2001:db8::]/32\n", True),
        # anybody by another name
        ("sshd: ALL\n", "sshd: 0.0.0.0/0.0.0.0\n", False),
        ("sshd: ALL\n", "sshd: [::]/0\n", False),
        ("sshd: ALL\n", "sshd: 0.0.0.0/128.0.0.0 128.0.0.0/128.0.0.0\n", False),
        ("sshd: ALL\n", "sshd: *.*\n", False),
        ("sshd: ALL\n", "sshd: KNOWN\n", False),
        ("sshd: all\n", "SSHD: all\n", False),
        ("sshd: ALL\n", "sshd: ALL EXCEPT 10.9.9.9\n", False),
        ("ALL: ALL\n", "ALL EXCEPT vsftpd: ALL\n", False),
        ("ALL: ALL\n", "ALL EXCEPT sshd: ALL\n", True),
        ("sshd: ALL\n", "sshd@10.0.0.1: ALL\n", False),
        # options decide
        ("sshd: ALL : allow\n", "", False),
        ("", "sshd: 10.0.0.0/8 : allow\nsshd: ALL: deny\n", True),
        ("sshd: ALL\n", "sshd: ALL : spawn (echo) : allow\n", False),
    ],
)
def test_tcp_wrappers(deny: str, allow: str, limited: bool) -> None:
    found = netservices({DENY: text(deny), ALLOW: text(allow)})["tcp_wrappers"].value
    assert found == {"library": False, "sshd_limited": limited}


@given(st.text(max_size=300))
def test_any_text_of_services(content: str) -> None:
    answer = Answer("content", content.encode("utf-8", "replace"))
    there: dict[Reading, Answer] = {SNMPD: rows(FileStat(SNMPD.pattern, "file", 0o600, 0, 0))}
    netservices({**there, **dict.fromkeys((*VSFTPD, ALLOW, DENY, DEFAULT_COMMUNITY), answer)})
