"""Our own wheel, from the files that git tracks: what else lies in the folder is not in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from deploy.bundle.errors import BuildError

ROOT = Path(__file__).parents[2]
_WRITTEN = ("setup.cfg", "pyproject.toml", "README.md")
_PACKAGES = ("agents", "collectors", "exporters", "rules")


def version() -> str:
    found = re.search(r"(?m)^version = (\S+)$", (ROOT / "setup.cfg").read_text())
    if not found:
        raise BuildError("setup.cfg has no version")
    return found[1]


def epoch() -> int:
    """The time that everything has: $SOURCE_DATE_EPOCH, else that of the commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    return int(git("log", "-1", "--format=%ct"))


def git(*arguments: str) -> str:
    ran = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise BuildError(f"git {arguments[0]}: {ran.stderr.strip()}; or set SOURCE_DATE_EPOCH")
    return ran.stdout


def build(into: Path) -> Path:
    """The wheel's path in the folder `into`."""
    with tempfile.TemporaryDirectory() as folder:
        for name in git("ls-files", "--", *_WRITTEN, *_PACKAGES).splitlines():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            shutil.copyfile(ROOT / name, target)
            target.chmod(0o644)
        script = (
            "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", script, str(into.resolve())],
            cwd=folder,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            umask=0o022,
            check=False,
        )
    if ran.returncode:
        raise BuildError(f"setuptools: {ran.stderr.strip()[-500:]}; run make dev")
    return into / f"jianwei-{version()}-py3-none-any.whl"


def unpacked(wheel: Path, into: Path) -> dict[str, str]:
    """The files of the wheel: path in it → where it is now."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)
        return {name: str(into / name) for name in archive.namelist() if not name.endswith("/")}
