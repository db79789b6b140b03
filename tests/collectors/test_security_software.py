"""Facts about software: packages, updates, reboots, repositories, whose a SUID file is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Command,
    Fact,
    NeedMore,
    ParseError,
    Reading,
    Unavailable,
    Walk,
)
from collectors.observe import observe
from collectors.rows import Clock, FileStat, Noted, Uname, Walked
from collectors.security.software import localfs, packages, repositories, updates
from collectors.security.software.filescan import FileScanCollector
from collectors.security.software.packagedb import DATABASES, READINGS
from collectors.security.software.packages import PackagesCollector
from collectors.security.software.reboot import FLAGS, KERNELS, UNAME, RebootCollector, version
from collectors.security.software.repositories import RepositoriesCollector
from collectors.security.software.updates import APT, CLOCK, DNF, INDEX, YUM, UpdatesCollector
from collectors.sources.local import LocalSource
from collectors.sources.recorder import Recorder
from tests.collectors.test_security_facts import ABSENT, DENIED, children, facts, rows, text

STATUS = FileStat("/var/lib/dpkg/status", "file", 0o644, 0, 0)
RPMDB = FileStat("/var/lib/rpm/rpmdb.sqlite", "file", 0o644, 0, 0)
NEITHER: dict[Reading, Answer] = dict.fromkeys(READINGS, rows())
DPKG: dict[Reading, Answer] = {**NEITHER, DATABASES["dpkg"][0]: rows(STATUS)}
RPM: dict[Reading, Answer] = {**NEITHER, DATABASES["rpm"][1]: rows(RPMDB)}

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-query"), reason="needs dpkg")
needs_rpm = pytest.mark.skipif(not shutil.which("rpm"), reason="needs the Debian package rpm")


def one(collector: Any, answers: dict[Reading, Answer]) -> Fact:
    (fact,) = facts(collector, answers).values()
    return fact


# --- packages -----------------------------------------------------------------------------------


def test_packages() -> None:
    told = "a\t1-1\tamd64\tinstalled\nb\t2\tall\tconfig-files\nc\t3\tall\ttriggers-pending\nodd\n"
    found = one(PackagesCollector(), {**DPKG, packages.DPKG: text(told)})
    assert [row["name"] for row in found.value] == ["a", "c"]
    assert found.value[0] == {"name": "a", "version": "1-1", "arch": "amd64"}
    found = one(PackagesCollector(), {**RPM, packages.RPM: text("x\t1-2\tnoarch\tinstalled\n")})
    assert [row["name"] for row in found.value] == ["x"]
    assert one(PackagesCollector(), NEITHER).unavailable.startswith("absent")
    with pytest.raises(ParseError):
        one(PackagesCollector(), {**DPKG, packages.DPKG: text("")})
    with pytest.raises(Unavailable):
        one(PackagesCollector(), {**RPM, packages.RPM: DENIED})


@needs_dpkg
def test_packages_of_this_machine() -> None:
    (seen,) = observe(LocalSource(), [PackagesCollector()])
    listed = subprocess.run(["dpkg", "-l"], capture_output=True, text=True, check=True).stdout
    installed = [line.split()[1] for line in listed.splitlines() if line.startswith("ii")]
    names = {name.partition(":")[0] for name in installed}
    assert names <= {row["name"] for row in seen.facts[0].value}


@needs_rpm
def test_the_rpm_command_is_understood(tmp_path: Path) -> None:
    argv = ["rpm", "--dbpath", str(tmp_path), *packages.RPM.argv[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == ""


# --- updates ------------------------------------------------------------------------------------

NOW = 1_731_300_000.0
INDEXED: dict[Reading, Answer] = {
    **{stat: rows() for stats in INDEX.values() for stat in stats},
    **dict.fromkeys(updates.ADVISORIES, rows()),
    CLOCK: rows(Clock(NOW, "CST", 28800)),
}


def index(path: str, age: float) -> Answer:
    return rows(FileStat(path, "file", 0o644, 0, 0, mtime=NOW - age))


APT_INDEX = INDEX["dpkg"][2], index("/var/lib/apt/lists/x_InRelease", 5000)
APT_TEXT = """\
NOTE: This is only a simulation!
Inst tzdata [2024a-0] (2024b-0 Debian:12.8/stable [all])
Inst libc6 [2.36-9] (2.36-9+u9 Debian:12.8/stable, Debian-Security:12/stable-security [amd64]) []
Inst new (1.0 Ubuntu:22.04/jammy-security [amd64])
Remv old [1]
Conf tzdata (2024b-0 Debian:12.8/stable [all])
Inst odd
"""


def test_apt() -> None:
    apt = {**DPKG, **INDEXED, APT_INDEX[0]: APT_INDEX[1], APT: text(APT_TEXT)}
    found = one(UpdatesCollector(), apt).value
    assert [(row["name"], row["installed"], row["candidate"]) for row in found["rows"]] == [
        ("libc6", "2.36-9", "2.36-9+u9"),  # security comes first
        ("new", "", "1.0"),
        ("tzdata", "2024a-0", "2024b-0"),
    ]
    assert (found["count"], found["security"], found["index_age"]) == (3, 2, 5000)
    assert not found["security_index"]
    stamp = {**apt, INDEX["dpkg"][0]: index("/var/lib/apt/periodic/update-success-stamp", 60)}
    assert one(UpdatesCollector(), stamp).value["index_age"] == 60
    assert one(UpdatesCollector(), {**apt, CLOCK: ABSENT}).value["index_age"] is None
    with pytest.raises(Unavailable):
        one(UpdatesCollector(), {**apt, APT: Answer("failed", reason="exit status 100")})


def test_no_index_is_no_pass() -> None:
    folder: dict[Reading, Answer] = {INDEX["dpkg"][1]: index("/var/lib/apt/lists", 5)}
    found = one(UpdatesCollector(), {**DPKG, **INDEXED, **folder, APT: text("")})
    assert found.unavailable == updates.NO_INDEX
    found = one(UpdatesCollector(), {**RPM, **INDEXED, DNF: text("")})
    assert found.unavailable == updates.NO_INDEX


DNF_TEXT = """\
openEuler-SA-2023-1 Moderate/Sec.  kernel-5.10.0-100.x86_64
openEuler-SA-2024-2 Important/Sec. kernel-5.10.0-230.0.0.129.oe2203sp3.x86_64
openEuler-SA-2024-3 Critical/Sec.  NetworkManager-libnm-1:1.32.12-25.x86_64
FEDORA-2024-4       bugfix         vim-9.0-1.x86_64
Unable to detect release version
"""


def test_dnf_and_yum() -> None:
    known = {**RPM, **INDEXED, INDEX["rpm"][0]: index("/var/cache/dnf/u/repodata/repomd.xml", 7)}
    found = one(UpdatesCollector(), {**known, DNF: text(DNF_TEXT)}).value
    assert [(row["name"], row["candidate"], row["severity"]) for row in found["rows"]] == [
        ("NetworkManager-libnm", "1:1.32.12-25", "critical"),
        ("kernel", "5.10.0-230.0.0.129.oe2203sp3", "important"),
    ]
    assert found["security"] == 2
    assert not found["security_index"]
    there: dict[Reading, Answer] = {
        updates.ADVISORIES[0]: index("/var/cache/dnf/u/repodata/1-updateinfo.xml.gz", 7)
    }
    told = one(UpdatesCollector(), {**known, **there, DNF: text("")}).value
    assert (told["security_index"], told["security"]) == (True, 0)
    old = "RHSA-2024:1 security kernel-3.10.0-1160.x86_64\nRHSA-2024:2 Low/Sec. a-1-1.noarch\n"
    found = one(UpdatesCollector(), {**known, DNF: ABSENT, YUM: text(old)}).value
    assert [(row["name"], row["severity"]) for row in found["rows"]] == [
        ("a", "low"),
        ("kernel", ""),
    ]
    with pytest.raises(Unavailable):
        one(UpdatesCollector(), {**known, DNF: Answer("failed", reason="exit status 1")})


@pytest.mark.skipif(not shutil.which("dnf"), reason="needs the Debian package dnf")
def test_the_dnf_command_is_understood() -> None:
    """Its options are those of the dnf that is there; without a repository it says nothing."""
    empty = ["--setopt=reposdir=/nonexistent", "--releasever=1"]
    argv = [DNF.argv[0], *empty, *DNF.argv[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "usage" not in done.stderr
    assert done.returncode in (0, 1)


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt")
def test_apt_of_this_machine() -> None:
    recorder = Recorder(LocalSource())
    (seen,) = observe(recorder, [UpdatesCollector()])
    (fact,) = seen.facts
    if not fact.unavailable:
        assert fact.value["count"] == recorder.answers[APT].content.count(b"\nInst ")


# --- reboots ------------------------------------------------------------------------------------


def kernels(*releases: str) -> Answer:
    return rows(*(FileStat(f"/boot/vmlinuz-{it}", "file", 0o644, 0, 0) for it in releases))


def reboot(runs: str, *installed: str, flag: bool = False) -> Any:
    answers: dict[Reading, Answer] = {
        UNAME: rows(Uname("Linux", "h", runs, "#1", "x86_64", "(none)")),
        KERNELS: kernels(*installed),
        FLAGS[0]: rows(*([FileStat("/run/reboot-required", "file", 0o644, 0, 0)] if flag else [])),
        FLAGS[1]: rows(),
    }
    return one(RebootCollector(), answers).value


def test_reboot() -> None:
    runs = "5.10.0-182.0.0.95.oe2203sp3.x86_64"
    assert not reboot(runs, runs, "0-rescue-4c4c", "5.10.0-60.18.0.50.oe2203.x86_64")["pending"]
    newer = reboot(runs, runs, "5.10.0-216.0.0.115.oe2203sp3.x86_64")
    assert newer["pending"]
    assert newer["newest"].startswith("5.10.0-216")
    assert not reboot("6.1.0-28-amd64")["pending"]  # a container has no kernels
    assert reboot("6.1.0-28-amd64", flag=True)["reasons"] == ["/run/reboot-required is there"]
    assert not reboot("6.1.0-9-amd64", "6.1.0-9-amd64")["pending"]
    assert reboot("6.1.0-9-amd64", "6.1.0-10-amd64")["pending"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_versions_have_an_order(one_: str, other: str) -> None:
    assert (version(one_) > version(other)) + (version(one_) < version(other)) <= 1


# --- repositories -------------------------------------------------------------------------------


def sources(database: dict[Reading, Answer], files: dict[str, str | Answer]) -> Any:
    answers: dict[Reading, Answer] = {**database}
    globs = (
        *(*repositories.LISTS, repositories.DEB822, *repositories.APT_CONF),
        *(*repositories.MAIN, repositories.REPOS),
    )
    from collectors.sources.patterns import path_matches

    for glob in globs:
        mine = {path: it for path, it in files.items() if path_matches(path, glob.pattern)}
        answers[glob] = children("", {path.removeprefix("/"): it for path, it in mine.items()})
    return {row["key"]: row for row in one(RepositoriesCollector(), answers).value}


def test_apt_sources() -> None:
    found = sources(
        DPKG,
        {
            "/etc/apt/sources.list": "# deb http://off/ x main\ndeb http://user:secret@m/debian bookworm main\n"
            "deb [arch=amd64 trusted=yes] http://v/ ./\ndeb [ signed-by=/k trusted=no ] http://n/ x main\n"
            "deb-src http://security.debian.org/ bookworm-security main\n",
            "/etc/apt/sources.list.d/a.sources": "Types: deb\nURIs: http://a/\nSuites: s\n  t\nTrusted: yes\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://off/\nSuites: s\n\n# c\nTypes: deb\nURIs: http://b/\nSuites: b-security\n",
            "/etc/apt/apt.conf.d/99x": '// APT::Get::AllowUnauthenticated "true";\nAPT::Get::AllowUnauthenticated "true";\n'
            'Acquire::AllowInsecureRepositories "false";\n',
        },
    )
    assert {key: (row["signed"], row["security"]) for key, row in found.items()} == {
        "http://m/debian bookworm": (True, False),
        "http://v/ ./": (False, False),
        "http://n/ x": (True, False),
        "http://security.debian.org/ bookworm-security": (True, True),
        "http://a/ s": (False, False),
        "http://a/ t": (False, False),
        "http://b/ b-security": (True, True),
        "AllowUnauthenticated": (False, False),
    }
    assert "secret" not in str(found)


def test_rpm_repositories() -> None:
    repo = (
        "[a]\nbaseurl=http://a/\n  http://a2/\ngpgcheck=0\n[b]\nmirrorlist=http://b/\nenabled=0\n"
        "[c]\nmetalink=http://c/\ngpgcheck = 1\n[twice]\ngpgcheck=1\ngpgcheck=0\n#gpgcheck=1\n"
    )
    files: dict[str, str | Answer] = {"/etc/yum.repos.d/x.repo": repo}
    found = sources(RPM, {**files, "/etc/dnf/dnf.conf": "[main]\ngpgcheck=1\n"})
    assert {key: (row["enabled"], row["signed"]) for key, row in found.items()} == {
        "a": (True, False),
        "b": (False, True),
        "c": (True, True),
        "twice": (True, False),
    }
    assert not sources(RPM, files)["b"]["signed"]  # nobody says that it is
    with pytest.raises(Unavailable):
        sources(RPM, {"/etc/yum.repos.d/x.repo": DENIED})


@given(st.text(max_size=400))
def test_any_repository(content: str) -> None:
    for database, path in (
        (DPKG, "/etc/apt/sources.list.d/x.sources"),
        (RPM, "/etc/yum.repos.d/x.repo"),
    ):
        sources(database, {path: Answer("content", content.encode("utf-8", "replace"))})
    sources(DPKG, {"/etc/apt/sources.list": Answer("content", content.encode("utf-8", "replace"))})


def test_10_000_bad_lines() -> None:
    for bad in ("deb [" + "x " * 50_000, "deb [\n" * 10_000, "deb [[[[ ]]]] \t\t\t x\n" * 10_000):
        sources(DPKG, {"/etc/apt/sources.list": bad, "/etc/apt/apt.conf": bad})
    sources(RPM, {"/etc/yum.repos.d/x.repo": "[[[\n=\n" * 10_000})
    for bad in ("Inst a [" + "x" * 100_000, "Inst a (" * 10_000, "Inst x [] (\n" * 10_000):
        apt = {**DPKG, **INDEXED, APT_INDEX[0]: APT_INDEX[1], APT: text(bad)}
        one(UpdatesCollector(), apt)


# --- whose a SUID file is -----------------------------------------------------------------------


def scanned(database: dict[Reading, Answer], walked: Walked, *told: str | None) -> Any:
    """The fact; what is asked for after the walk is answered with `told` in its order."""
    answers: dict[Reading, Answer] = {**database, **dict.fromkeys(localfs.TABLES, ABSENT)}
    left = list(told)
    for _ in range(5):
        try:
            (fact,) = FileScanCollector().parse(Answers(answers))
        except NeedMore as more:
            for reading in more.readings:
                if isinstance(reading, Walk):
                    answers[reading] = rows(walked)
                else:
                    assert isinstance(reading, Command)
                    answer = left.pop(0)
                    answers[reading] = ABSENT if answer is None else text(answer)
        else:
            assert isinstance(fact, Fact)
            return fact.value
    raise AssertionError("it asks for ever")


def suid(*paths: str) -> tuple[Noted, ...]:
    return tuple(Noted(path, "file", 0o4755, 0, 0) for path in paths)


def owners(value: Any) -> dict[str, tuple[bool, str]]:
    return {row["path"]: (row["known"], row["package"]) for row in value["suid"]}


def test_packages_of_files() -> None:
    walked = Walked(suid("/usr/bin/su", "/usr/bin/sudo", "/opt/x", "/opt/new\nline"))
    told = (
        "util-linux: /bin/su\nsudo, sudo-ldap: /usr/bin/sudo\n"
        "diversion by x from: /opt/x\nlibx:amd64: /opt/other\n"
    )
    assert owners(scanned(DPKG, walked, told)) == {
        "/usr/bin/su": (True, "util-linux"),  # of a package made before /bin was /usr/bin
        "/usr/bin/sudo": (True, "sudo"),
        "/opt/x": (True, ""),
        "/opt/new\nline": (True, ""),
    }
    assert owners(scanned(DPKG, walked, None))["/opt/x"] == (False, "")
    found = scanned(
        RPM,
        Walked(suid("/usr/bin/su", "/opt/x", "/opt/y")),
        *("file /opt/x is not owned by any package\n", None, "util-linux\n"),
    )
    assert owners(found) == {
        "/usr/bin/su": (True, "util-linux"),
        "/opt/x": (True, ""),
        "/opt/y": (False, ""),
    }
    assert owners(scanned(NEITHER, Walked(suid("/opt/x")))) == {"/opt/x": (False, "")}


def test_what_a_walk_did_not_see() -> None:
    walked = Walked((), "/ /home", 7, ("/root",), 3)
    found = scanned(NEITHER, walked)
    assert not found["complete"]
    assert [row["path"] for row in found["problems"]] == ["/root", "/", "/"]


@needs_dpkg
def test_packages_of_files_by_the_real_dpkg(tmp_path: Path) -> None:
    hostile = tmp_path / "a*b[c"
    hostile.write_text("")
    walked = Walked(suid("/usr/bin/passwd", str(hostile), "/usr/bin/pass*"))

    class Source:
        def answer(self, readings: Any) -> Any:
            walks = {one: rows(walked) for one in readings if isinstance(one, Walk)}
            rest = [one for one in readings if one not in walks]
            return {**LocalSource().answer(rest), **walks}

    (seen,) = observe(Source(), [FileScanCollector()])
    assert owners(seen.facts[0].value) == {
        "/usr/bin/passwd": (True, "passwd"),
        str(hostile): (True, ""),
        "/usr/bin/pass*": (True, ""),  # a name, not a pattern
    }


@needs_rpm
def test_the_words_of_the_real_rpm(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    argv = ["rpm", "--dbpath", str(tmp_path), "-qf", "--qf", "%{NAME}\\n", str(tmp_path / "x")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert " " in done.stdout.partition("\n")[0]
    assert done.returncode < 256


MOUNTS = """\
24 1 8:1 / / rw - ext4 /dev/sda1 rw
25 24 0:5 / /proc rw - proc proc rw
26 24 8:2 / /home\\040two rw - xfs /dev/sda2 rw
27 24 0:44 / /mnt/nfs rw - nfs4 srv:/ rw
28 24 0:45 / /mnt/ssh rw - fuse.sshfs x rw
29 24 0:46 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
30 24 0:47 / /tmp rw - tmpfs tmpfs rw
31 24 0:48 / /var/lib/kubelet/pods/x rw - tmpfs tmpfs rw
32 24 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
"""


def test_which_file_systems_are_walked() -> None:
    answers = Answers({localfs.TABLES[0]: text(MOUNTS), localfs.TABLES[1]: ABSENT})
    found = localfs.roots(answers, FileScanCollector().exclude)
    assert found == ("/", "/home two", "/tmp")
    denied = Answers({localfs.TABLES[0]: DENIED, localfs.TABLES[1]: text(MOUNTS)})
    assert localfs.roots(denied, FileScanCollector().exclude) == found
    assert localfs.roots(Answers(dict.fromkeys(localfs.TABLES, ABSENT)), ()) == ("/",)
