"""A real dnf with a repository of one package and one advisory: its output, and where its caches are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from collectors.model import Answer, Answers, Command, NeedMore, Reading
from collectors.security.software import owners, packages, updates
from collectors.security.software.packages import PackagesCollector
from collectors.security.software.updates import DNF, UpdatesCollector
from collectors.sources.patterns import path_matches
from tests.collectors.test_security_facts import text
from tests.collectors.test_security_software import INDEXED, RPM, index, one

TOOLS = ("dnf", "rpm", "rpmbuild", "createrepo_c", "modifyrepo_c")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="needs the Debian packages dnf, rpm, createrepo-c"
)

SPEC = """\
Name: hollow
Version: {version}
Release: 1
Summary: Nothing
License: None
BuildArch: noarch
%description
Nothing
%install
mkdir -p %{{buildroot}}/usr/bin
echo >%{{buildroot}}/usr/bin/hollow
%files
/usr/bin/hollow
"""
ADVISORY = """\
<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="s@example.com" status="final" type="security" version="1">
<id>EX-SA-2024-0001</id><title>x</title><severity>Important</severity>
<issued date="2024-01-01 00:00:00"/><updated date="2024-01-01 00:00:00"/><release>1</release>
<description>x</description><references/><pkglist><collection short="x"><name>x</name>
<package name="hollow" version="2" release="1" epoch="0" arch="noarch" src="hollow-2-1.src.rpm">
<filename>hollow-2-1.noarch.rpm</filename></package></collection></pkglist></update></updates>
"""


class Lab:
    """A tree where version 1 is installed and version 2 is to be had."""

    def __init__(self, folder: Path) -> None:
        self.root, self.cache = folder / "root", folder / "cache"
        for name in ("root", "repo", "conf"):
            (folder / name).mkdir()
        for version in (1, 2):
            spec = folder / f"hollow{version}.spec"
            spec.write_text(SPEC.format(version=version))
            where = [f"--define=_rpmdir {folder}/out", f"--define=_topdir {folder}/top"]
            self.run("rpmbuild", "-bb", "--quiet", *where, str(spec))
        built = folder / "out/noarch"
        self.run("rpm", "--root", str(self.root), "--initdb")
        self.database = f"{self.root}{self.run('rpm', '-E', '%_dbpath').strip()}"
        how = ("-i", "--nodeps", "--nosignature", "--force-debian")
        self.run("rpm", "--root", str(self.root), *how, str(built / "hollow-1-1.noarch.rpm"))
        shutil.copy(built / "hollow-2-1.noarch.rpm", folder / "repo")
        (folder / "updateinfo.xml").write_text(ADVISORY)
        self.run("createrepo_c", "-q", str(folder / "repo"))
        self.run("modifyrepo_c", str(folder / "updateinfo.xml"), str(folder / "repo/repodata"))
        (folder / "conf/u.repo").write_text(
            f"[update]\nname=update\nbaseurl=file://{folder}/repo\nenabled=1\ngpgcheck=0\n"
        )
        self.options = (
            *(f"--installroot={self.root}", "--releasever=1"),
            *(f"--setopt=reposdir={folder}/conf", f"--setopt=cachedir={self.cache}"),
        )
        self.run("dnf", *self.options, "-q", "makecache")

    def run(self, *argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def dnf(self, *argv: str) -> str:
        return self.run("dnf", *self.options, *argv[1:])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("dnf"))


def test_an_advisory_by_the_real_dnf(lab: Lab) -> None:
    repomd, advisories = updates.INDEX["rpm"][0], updates.ADVISORIES[0]
    known: dict[Reading, Answer] = {
        **RPM,
        **INDEXED,
        repomd: index("/x", 5),
        advisories: index("/x", 5),
        DNF: text(lab.dnf(*DNF.argv)),
    }
    (row,) = one(UpdatesCollector(), known).value["rows"]
    assert (row["name"], row["candidate"], row["severity"]) == ("hollow", "2-1", "important")
    assert (row["advisory"], row["security"]) == ("EX-SA-2024-0001", True)


def test_where_the_real_dnf_has_its_caches(lab: Lab) -> None:
    files = ["/var/cache/dnf/" + str(path.relative_to(lab.cache)) for path in lab.cache.rglob("*")]
    for stat in (updates.INDEX["rpm"][0], *updates.ADVISORIES[:2]):
        assert any(path_matches(path, stat.pattern) for path in files), stat.pattern


def test_packages_by_the_real_rpm(lab: Lab) -> None:
    told = lab.run("rpm", "--root", str(lab.root), *packages.RPM.argv[1:])
    found = one(PackagesCollector(), {**RPM, packages.RPM: text(told)}).value
    assert found == [{"name": "hollow", "version": "1-1", "arch": "noarch"}]


def test_owners_by_the_real_rpm(lab: Lab) -> None:
    other = lab.root / "other"
    other.write_text("")
    there = [str(other), "/usr/bin/hollow"]

    def found(paths: list[str], exact: bool) -> owners.Owners:
        return owners.packages_of(paths, "rpm", lab_answers(lab, paths, exact), exact)

    for exact in (True, False):
        assert found(there, exact) == {str(other): "", "/usr/bin/hollow": "hollow"}
    gone = [*there, "/usr/bin/gone"]
    assert found(gone, True)["/usr/bin/hollow"] == "hollow"
    # rpm has no line for it: which line is of which path is not known then, and not guessed
    assert found(gone, False) == dict.fromkeys(gone)


def lab_answers(lab: Lab, paths: list[str], exact: bool) -> Answers:
    try:
        owners.packages_of(paths, "rpm", Answers({}), exact)
    except NeedMore as more:
        found: dict[Reading, Answer] = {}
        for reading in more.readings:
            assert isinstance(reading, Command)
            # with --root it would look for the files here, and for packages there
            argv = ["rpm", "--dbpath", lab.database, *reading.argv[1:]]
            done = subprocess.run(argv, capture_output=True, check=False)
            found[reading] = Answer("content", done.stdout)
        return Answers(found)
    raise AssertionError("nothing was asked")
