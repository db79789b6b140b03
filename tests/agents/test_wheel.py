"""The wheel, installed in an empty environment, works there and brings no tests."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for name in ("agents", "collectors", "exporters", "rules"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    _pip(
        "wheel",
        "-q",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "-w",
        "dist",
        ".",
        cwd=tree,
    )
    (built,) = (tree / "dist").glob("*.whl")
    return built


def _pip(*arguments: str, python: str = sys.executable, cwd: Path | None = None) -> None:
    # Debian's pip works on an environment that has none
    outer = [shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3", "-m", "pip"]
    inner = [sys.executable, "-m", "pip"]
    has_pip = (
        subprocess.run([*inner, "--version"], capture_output=True, check=False).returncode == 0
    )
    pip = inner if has_pip else outer
    subprocess.run([*pip, "--python", python, *arguments], check=True, cwd=cwd)


def test_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {
        str(path.relative_to(ROOT))
        for room in ("agents", "collectors", "exporters", "rules")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == ours


def test_self_test_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = str(environment / "bin" / "python")
    _pip("install", "-q", "--no-deps", "--no-index", str(wheel), python=python)
    # the dependencies come from here, since no test needs the internet; ours only from the wheel,
    # because a .pth inside a directory named by a .pth is not followed
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    ran = subprocess.run(
        [environment / "bin" / "jianwei", "self-test"],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"are ours, in {site}" in ran.stdout
    assert "FAILED" not in ran.stdout
