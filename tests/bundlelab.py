"""The agent's bundle, built once for all tests and for benchmarks of one state of the checkout."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from deploy.bundle import wheel

_PARTS = (
    *("agents", "collectors", "exporters", "rules", "deploy"),
    *("setup.cfg", "requirements.lock", "README.md", "pyproject.toml"),
)
_KEPT = 8  # states


def unavailable() -> str:
    """Why no bundle can be built here; empty if it can."""
    missing = [
        name
        for name in ("/usr/bin/python3.11", "/usr/bin/strip", "/usr/bin/dpkg-deb")
        if not Path(name).exists()
    ]
    if missing:
        return f"needs {missing[0]}"
    return "" if (wheel.ROOT / ".git").exists() else "needs a checkout"


def built() -> Path:
    """The archive that hosts get; SHA256SUMS, the wheel and the SBOM are beside it."""
    folder = _folder()
    (found,) = folder.glob("jianwei-agent-*.tar.gz")
    return found


def tree() -> Path:
    """The same, unpacked; not to be written into."""
    (found,) = (_folder() / "tree").iterdir()
    return found


def _folder() -> Path:
    base = Path(tempfile.gettempdir(), f"pytest-of-{getpass.getuser()}", "bundles")
    base.mkdir(parents=True, exist_ok=True)
    place = base / _state()
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for old in sorted(base.glob("*/"), key=lambda one: one.stat().st_mtime)[: 1 - _KEPT]:
                shutil.rmtree(old)
            making = Path(tempfile.mkdtemp(dir=base))
            argv = (sys.executable, "-m", "deploy.bundle", "--out", str(making), "agent")
            subprocess.run(argv, cwd=wheel.ROOT, check=True, stdout=subprocess.DEVNULL)
            (archive,) = making.glob("jianwei-agent-*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(making / "tree", filter="tar")
            making.rename(place)
    return place


def _state() -> str:
    """The same for the same files, tracked by git, that a bundle is made of."""
    summed = hashlib.sha256()
    for name in wheel.git("ls-files", "--", *_PARTS).splitlines():
        file = wheel.ROOT / name
        if file.is_file():
            summed.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    summed.update(wheel.git("log", "-1", "--format=%ct").encode())  # the time of what is in it
    return summed.hexdigest()[:20]
