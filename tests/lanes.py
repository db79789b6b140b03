"""The whole suite in two lanes side by side, since most of it waits: `python -m tests.lanes`.

The second lane has namespaces of its own for the network, processes, mounts, IPC and the name:
neither lane meets the other's ports, addresses, processes or mounts, and files are made only below
pytest's folders, which are of one run each. What belongs to no namespace (modules, the clock,
cgroups, parameters that are not of the network) no test changes. Where there are no namespaces
there is one lane.

The exit code is 0 when both lanes end with 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTEST = (sys.executable, "-m", "pytest")
# All that is not here is for the first lane, which also has the way to Debian's mirror.
SECOND = ("tests/collectors/", "tests/rules/")
# ... as are these: the kernel's audit is shown to nobody in a namespace of processes.
NOT_THERE = ("tests/collectors/test_security_audit.py",)
UNSHARE = (
    *("unshare", "--net", "--pid", "--mount", "--ipc", "--uts"),
    *("--fork", "--kill-child", "--mount-proc"),
)
# /sys shows the network that it was mounted from; the shell stays, to take up orphans.
INSIDE = """
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


def lanes() -> tuple[list[str], list[str]]:
    """The files with tests of each lane: each is in one."""
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py"))
    second = [file for file in files if file.startswith(SECOND) and file not in NOT_THERE]
    return [file for file in files if file not in second], second


def main() -> int:
    if not possible():
        return subprocess.run(PYTEST, cwd=ROOT, check=False).returncode
    files, others = lanes()
    first = (*PYTEST, *files)
    second = (*PYTEST, "-o", "cache_dir=.pytest_cache/second", *others)
    with tempfile.TemporaryFile() as told:
        other = subprocess.Popen(
            separate(*second), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=told, stderr=told
        )
        try:
            code = subprocess.run(first, cwd=ROOT, check=False).returncode
            codes = (code, other.wait())
        finally:
            other.kill()
            other.wait()
            told.seek(0)
            sys.stdout.flush()
            sys.stdout.buffer.write(told.read())
            sys.stdout.buffer.flush()
    return max(codes, key=abs)


if __name__ == "__main__":
    sys.exit(main())
