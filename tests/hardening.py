"""A Debian host weakened by `tests/baseline/PART/weaken.yaml`, and hardened by `fixes.yaml` beside it, which does what the
rules' `fix` texts say; looked at before and after: by our rules, by OpenSCAP and by lynis.

As a program, `python -m tests.hardening FOLDER`, it prints a `Told` of it as JSON.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
import yaml

from rules import pack as packs
from rules.audit import audit
from rules.model import Verdict
from tests.baselinemachines import BASELINE
from tests.chrootlab import Chroot, debian

# Debian's content for OpenSCAP; there is none for Debian 12, and it looks at no version but this file's.
CONTENT = Path("/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml")
CONTENT_VERSION = "11.7"
AGREEMENT = BASELINE / "agreement.yaml"
_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_VALUE = "xccdf_org.ssgproject.content_value_"
_RULE = "xccdf_org.ssgproject.content_rule_"
_RANK = ("fail", "unknown", "manual", "pass", "not_applicable")


@dataclass(frozen=True)
class View:
    """The host at one moment: our verdicts by rule; the outcome of each of OpenSCAP's rules; of lynis the
    tests that ran, and what they had to say (`TEST text`)."""

    verdicts: dict[str, list[Verdict]]
    openscap: dict[str, str]
    lynis_ran: frozenset[str]
    lynis: tuple[str, ...]

    def worst(self, rule: str, about: str = "") -> Verdict | None:
        """The worst verdict, of hits only those whose instance `about` matches; None: no other is left."""
        of = [
            it
            for it in self.verdicts[rule]
            if it.verdict != "fail" or re.search(about, it.instance)
        ]
        return min(of, key=lambda it: _RANK.index(it.verdict), default=None)

    def outcome(self, rule: str, about: str = "") -> str:
        one = self.worst(rule, about)
        return one.verdict if one else "pass"

    def told(self, rule: str) -> str:
        """An outcome with what shows why, for people."""
        one = self.worst(rule)
        assert one
        why = (one.verdict, one.instance, one.actual, one.reason, one.source)
        return " ".join(str(it) for it in why if it)


@dataclass(frozen=True)
class Hardening:
    before: View
    after: View


class Told(msgspec.Struct, frozen=True):
    """What was seen, or why nothing could be."""

    hardening: Hardening | None = None
    skipped: str = ""


class Ahead:
    """A child that makes the host and hardens it while other tests run; a context manager.

    It has a view of processes and mounts of its own: nobody sees the tree half made, and whatever it
    started ends with it.
    """

    def __init__(self, folder: Path) -> None:
        spaces = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        # the shell is the first process there, which must take up orphans
        shell = ("sh", "-c", '"$@"; exit $?', "sh")
        self._process = subprocess.Popen(
            ["unshare", *spaces, *shell, sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def told(self) -> Told:
        """What it says in the end."""
        out, errors = self._process.communicate()
        assert self._process.returncode == 0, errors.decode()
        return msgspec.json.decode(out, type=Told)


def _parts(name: str) -> list[Any]:
    return [yaml.safe_load(path.read_text()) for path in sorted(BASELINE.glob(f"*/{name}"))]


def weakening() -> list[str]:
    """Shell lines of all parts."""
    return [line for part in _parts("weaken.yaml") for line in part]


def fixes() -> dict[str, list[str]]:
    """Shell lines by rule, of all parts."""
    return {rule: lines for part in _parts("fixes.yaml") for rule, lines in (part or {}).items()}


def agreement() -> dict[str, Any]:
    """agreement.yaml: the rows of each tool, and what the tools are given."""
    found: dict[str, Any] = yaml.safe_load(AGREEMENT.read_text())
    return found


def look(host: Chroot) -> View:
    result = audit([packs.load("mlps-l3")], host.facts(), {}, datetime.now(UTC))
    verdicts: dict[str, list[Verdict]] = {}
    for pack in result.packs:
        for verdict in pack.verdicts:
            verdicts.setdefault(verdict.rule, []).append(verdict)
    table = agreement()
    theirs = [name for row in table["openscap"] for name in row["theirs"]]
    tests = {name.split()[0] for row in table["lynis"] for name in row["theirs"]}
    theirs += table["needed"]["openscap"]
    tests.update(table["needed"]["lynis"])
    return View(verdicts, openscap(host, theirs, table["values"]), *lynis(host, tests))


def harden(host: Chroot) -> Hardening:
    for line in weakening():
        host.run(line)
    before = look(host)
    for lines in fixes().values():
        for line in lines:
            host.run(line)
    return Hardening(before, look(host))


def openscap(host: Chroot, names: Iterable[str], values: Mapping[str, int]) -> dict[str, str]:
    """Outcomes by rule, with these thresholds; empty where there is no content."""
    if not CONTENT.exists():
        return {}
    work = host.tree / "root"
    shutil.copy(CONTENT, work / "content.xml")
    # a rule counts only within groups that are selected
    groups = re.findall(r':Group [^>]*?id="([^"]+)"', CONTENT.read_text())
    ids = [*groups, *(f"{_RULE}{name}" for name in names)]
    # of selects on one line oscap takes every other one
    chosen = "\n".join(f'<xccdf:select idref="{name}" selected="true"/>' for name in ids)
    chosen += "".join(
        f'\n<xccdf:set-value idref="{_VALUE}{name}">{it}</xccdf:set-value>'
        for name, it in values.items()
    )
    (work / "tailoring.xml").write_text(
        '<xccdf:Tailoring xmlns:xccdf="http://checklists.nist.gov/xccdf/1.2" id="xccdf_t_tailoring_t">'
        '<xccdf:benchmark href="content.xml"/><xccdf:version time="2020-01-01T00:00:00">1</xccdf:version>'
        '<xccdf:Profile id="xccdf_t_profile_t"><xccdf:title>t</xccdf:title>'
        f"\n{chosen}\n</xccdf:Profile></xccdf:Tailoring>"
    )
    version = host.tree / "etc/debian_version"
    is_ = version.read_text()
    version.write_text(f"{CONTENT_VERSION}\n")
    try:
        host.run(
            "cd /root && oscap xccdf eval --tailoring-file tailoring.xml --profile xccdf_t_profile_t "
            "--results results.xml content.xml > oscap.out 2>&1; [ $? = 0 -o $? = 2 ] || { cat oscap.out; false; }"
        )
    finally:
        version.write_text(is_)
    tree = ElementTree.parse(work / "results.xml")  # noqa: S314 - a tool's own output
    found = {}
    for row in tree.iter(f"{_XCCDF}rule-result"):
        result = row.findtext(f"{_XCCDF}result", "")
        if result != "notselected":
            found[row.get("idref", "").removeprefix(_RULE)] = result
    return found


def lynis(host: Chroot, tests: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Which of these tests ran, and all warnings and suggestions."""
    host.run(
        f"cd /root && lynis audit system --tests '{' '.join(sorted(tests))}' --quick --no-plugins --no-colors --quiet "
        "--logfile lynis.log --report-file lynis.dat > /dev/null 2>&1 || [ $? -lt 100 ]"
    )
    log = (host.tree / "root/lynis.log").read_text(errors="replace")
    report = (host.tree / "root/lynis.dat").read_text(errors="replace")
    ran = re.findall(r"Performing test ID ([A-Z]+-[0-9]+)", log)
    said = re.findall(r"^(?:warning|suggestion)\[\]=([^|]*)\|([^|]*)\|", report, re.MULTILINE)
    return frozenset(ran), tuple(f"{test} {text}" for test, text in said)


def main(folder: Path) -> None:
    try:
        with debian(folder) as host:
            told = Told(harden(host))
    except pytest.skip.Exception as error:
        told = Told(skipped=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
