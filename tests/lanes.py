"""The whole suite in two lanes side by side, since most of it waits: a pytest plugin, `-p tests.lanes`.

The second lane is a pytest of its own with namespaces of its own for the network, processes, mounts, IPC and
the name: neither lane meets the other's ports, addresses, processes or mounts, and files are made only below
pytest's folders, which are of one run each. What belongs to no namespace (modules, the clock, cgroups,
parameters that are not of the network) no test changes. Its reports become those of the first, so that
there is one summary. Where there are no namespaces there is one lane.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any, Final

import pytest

ROOT: Final = Path(__file__).parent.parent
# All that is not here is for the first lane, which also has the way to Debian's mirror.
SECOND: Final = (
    *("tests/collectors/", "tests/console/", "tests/rules/"),
    *("tests/exporters/test_report", "tests/exporters/test_usage"),
)
# ... as are these: the kernel's audit is shown to nobody in a namespace of processes, and whole clouds
# were not tried there.
NOT_THERE: Final = (
    "tests/collectors/test_cloud_libvirt.py",
    "tests/collectors/test_cloud_openstack_lab.py",
    "tests/collectors/test_dashboard.py",  # what this kernel has on a network with devices
    "tests/collectors/test_security_audit.py",
    "tests/collectors/test_ssh_source.py",
)
REPORTS: Final = "JIANWEI_LANE_REPORTS"  # where the second lane writes; nothing in the first
UNSHARE: Final = (
    *("unshare", "--net", "--pid", "--mount", "--ipc", "--uts"),
    *("--fork", "--kill-child", "--mount-proc"),
)
# /sys shows the network that it was mounted from; the shell stays, to take up orphans.
INSIDE: Final = """
ip link set lo up
mkdir -p /run/netns
mount -t tmpfs -o mode=755 tmpfs /run/netns
mkdir /run/netns/.cgroup
mount --rbind /sys/fs/cgroup /run/netns/.cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/netns/.cgroup /sys/fs/cgroup
umount -l /run/netns/.cgroup
rmdir /run/netns/.cgroup
"$@"; exit $?
"""


def separate(*argv: str) -> tuple[str, ...]:
    """The command in namespaces of its own."""
    return (*UNSHARE, "sh", "-euc", INSIDE, "sh", *argv)


def possible() -> bool:
    """Whether there are namespaces here, for us."""
    if os.geteuid() != 0:
        return False
    try:
        tried = subprocess.run(separate("true"), capture_output=True, check=False)
    except OSError:
        return False
    return tried.returncode == 0


def second_lane() -> frozenset[str]:
    """The files of its tests."""
    files = [(str(path), str(path.relative_to(ROOT))) for path in ROOT.glob("tests/**/test_*.py")]
    return frozenset(
        path for path, name in files if name.startswith(SECOND) and name not in NOT_THERE
    )


def pytest_configure(config: pytest.Config) -> None:
    if path := os.environ.get(REPORTS):
        config.pluginmanager.register(_Second(config, Path(path)))
    elif not config.option.collectonly and possible():
        config.pluginmanager.register(_First(config))


class _Second:
    """Writes every report, a line each."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report)

    def _write(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data, default=str) + "\n")
        self._file.flush()


class _First:
    """Runs the second lane meanwhile, and tells what became of its tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._others = second_lane()

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if str(collection_path) in self._others else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        with tempfile.TemporaryDirectory() as folder:
            reports, told = Path(folder, "reports"), Path(folder, "told")
            reports.touch()
            pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "tests.lanes")
            argv = separate(*pytest_, "-o", "cache_dir=.pytest_cache/second", *sorted(self._others))
            with told.open("wb") as output:
                other = subprocess.Popen(
                    argv,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, REPORTS: str(reports)},
                )
                begun = time.time()
                try:
                    result = yield
                    first = time.time() - begun
                    code = other.wait()
                finally:
                    other.kill()
                    other.wait()
            second = reports.stat().st_mtime - begun
            sys.stdout.write(f"\nthe first lane took {first:.0f} s, the second {second:.0f} s\n")
            self._tell(session, [json.loads(line) for line in reports.read_text().splitlines()])
            if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                session.testsfailed += 1
                sys.stdout.write(f"\nthe second lane ended with {code}\n{told.read_text()}\n")
        return result

    def _tell(self, session: pytest.Session, reports: list[dict[str, Any]]) -> None:
        session.testscollected += len({data["nodeid"] for data in reports})
        hook = self._config.hook
        for data in reports:
            if isinstance(data.get("longrepr"), list):
                data["longrepr"] = tuple(data["longrepr"])  # why it is skipped; JSON has no tuples
            report = hook.pytest_report_from_serializable(config=self._config, data=data)
            if isinstance(report, pytest.CollectReport):
                hook.pytest_collectreport(report=report)
                session.testsfailed += 1
            else:
                hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
                hook.pytest_runtest_logreport(report=report)
