"""The tree of a bundle: everything that runs, in one folder that may be put anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from agents.fleet import hostprogram
from deploy.bundle import debian, distributions, wheel
from deploy.bundle.contents import Contents, in_stdlib, needed
from deploy.bundle.errors import BuildError

CODE: Final = "lib/python3.11"
_PARTS: Final = 2  # compilers at a time; the same everywhere, so that what they make is the same
_DOCUMENTED: Final = (  # their texts are used, those of numpy when numpy.ma is loaded, as by numpy.unique
    *("agents/", "collectors/", "exporters/", "rules/", "pycparser/", "numpy/ma/"),
    *("numpy/_core/fromnumeric.py", "numpy/_core/multiarray.py", "numpy/_core/numeric.py"),
)


class Made(NamedTuple):
    """A tree, and what it was made of."""

    folder: Path
    name: str
    version: str
    packages: tuple[debian.Package, ...]
    installed: tuple[distributions.Installed, ...]


def build(contents: Contents, own: Path, folder: Path) -> Made:
    """Make `folder`, which must not be there, with the code of our wheel `own`."""
    folder.mkdir()
    (folder / "bin").mkdir()
    locked = distributions.locked((wheel.ROOT / "requirements.lock").read_text())
    if unknown := contents.without - set(locked):
        raise BuildError(f"contents.py leaves out what the lock has not: {sorted(unknown)}")
    installed = tuple(
        distributions.installed(one)
        for name, one in sorted(locked.items())
        if name not in contents.without
    )
    owners: set[debian.Package] = set()
    with tempfile.TemporaryDirectory() as scratch:
        files = dict(_code(contents, installed, wheel.unpacked(own, Path(scratch)), owners))
        _put(_without_idle(files), folder / CODE)
    _libraries(contents, folder, owners)
    packages = tuple(sorted(owners))
    _share(folder, contents, packages, installed)
    _launchers(folder)
    for place in folder.rglob("*"):
        if not place.is_symlink():
            executable = place.is_dir() or place.parent.name == "bin" or place.suffix == ".sh"
            place.chmod(0o755 if executable or place.name in _RUN else 0o644)
    folder.chmod(0o755)
    _try(folder, contents)
    _manifest(folder)
    return Made(folder, contents.name, wheel.version(), packages, installed)


_RUN: Final = ("interpreter", debian.LOADER)


def _code(
    contents: Contents,
    installed: Iterable[distributions.Installed],
    own: Mapping[str, str],
    owners: set[debian.Package],
) -> Iterable[tuple[str, str]]:
    """Path below CODE → the file that goes there."""
    taken: set[str] = set()
    left_out = contents.no_modules

    def unless_taken(path: str, where: str) -> tuple[str, str]:
        if path in taken:
            raise BuildError(f"two packages have {path}")
        taken.add(path)
        return path, where

    for path, (where, owner) in debian.stdlib().items():
        if in_stdlib(path):
            owners.add(owner)
            yield unless_taken(path, where)
    for path, where in own.items():
        kept = path.endswith(("/METADATA", "/entry_points.txt")) or ".dist-info/" not in path
        if kept and not path.startswith(left_out):
            yield unless_taken(path, where)
    for package in installed:
        for path, where in package.files.items():
            if needed(path) and not path.startswith(left_out):
                yield unless_taken(path, where)


def _without_idle(files: dict[str, str]) -> dict[str, str]:
    """Without the libraries in *.libs that no extension module which is taken leads to."""
    beside = {os.path.basename(path): path for path in files if ".libs/" in path}
    wanted: set[str] = set()
    todo = {files[path] for path in files if path.endswith(".so") and ".libs/" not in path}
    while todo:
        names = {name for every in debian.needed(todo).values() for name in every} - wanted
        wanted |= names
        todo = {files[beside[name]] for name in names if name in beside}
    return {
        path: where
        for path, where in files.items()
        if ".libs/" not in path or os.path.basename(path) in wanted
    }


def _put(files: Mapping[str, str], folder: Path) -> None:
    """Sources compiled, without the sources; all else as it is."""
    sources = []
    for path, where in sorted(files.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".py"):
            sources.append((where, f"{target}c", path, path.startswith(_DOCUMENTED)))
        elif path.endswith(".dist-info/METADATA"):  # without the description
            target.write_bytes(Path(where).read_bytes().partition(b"\n\n")[0] + b"\n")
        else:
            shutil.copyfile(where, target)
            if path.endswith(".so"):
                _strip(target)
    compile_all(sources)


def compile_all(sources: list[tuple[str, str, str, bool]]) -> None:
    script, listed = Path(__file__).with_name("compiling.py"), json.dumps(sources).encode()
    running = []
    for part in range(_PARTS):
        given = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        given.write(listed)
        given.seek(0)
        # columns are for showing sources, which are not there, and a fifth of all code
        options = ("-I", "-S", "-X", "no_debug_ranges")
        argv = (debian.PYTHON, *options, str(script), str(part), str(_PARTS))
        environment = {"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}
        running.append(subprocess.Popen(argv, stdin=given, stderr=subprocess.PIPE, env=environment))
    for process in running:
        _, complaint = process.communicate()
        if process.returncode:
            raise BuildError(f"compiling: {complaint.decode()[-500:]}")


def _strip(file: Path) -> None:
    """Symbols that only a debugger reads. What auditwheel has moved about (*.libs) must not be touched."""
    if not file.parent.name.endswith(".libs"):
        debian.told("strip", "--strip-unneeded", str(file))


def _libraries(contents: Contents, folder: Path, owners: set[debian.Package]) -> None:
    """The interpreter, and every library that it or an extension module needs, and those need."""
    where, owner = debian.interpreter()
    owners.add(owner)
    shutil.copyfile(where, folder / "lib/interpreter")
    brought = {file.name for file in folder.rglob("*.libs/*")}
    todo = {
        str(folder / "lib/interpreter"),
        *map(str, folder.rglob("*.so")),
        *map(str, folder.rglob("*.libs/*")),
    }
    names = {debian.LOADER, *contents.libraries}
    done: set[str] = set()
    while todo or names - done:
        for wanted in debian.needed(todo).values():
            names |= wanted - brought
        todo = set()
        for name in sorted(names - done):
            path, owner = debian.library(name)
            owners.add(owner)
            shutil.copyfile(path, folder / "lib" / name)
            done.add(name)
            todo.add(path)
    (folder / "lib/jianwei").symlink_to(debian.LOADER)
    for file in (folder / CODE).glob("*.libs/*"):
        found = re.fullmatch(r"(lib(?:ssl|crypto))-[0-9a-f]+(\.so\.3)", file.name)
        if found and (folder / "lib" / "".join(found.groups())).exists():
            file.unlink()  # the interpreter's will do, which Debian keeps safe
            file.symlink_to(f"../../{found[1]}{found[2]}")


def _try(folder: Path, contents: Contents) -> None:
    """Raises BuildError unless all that is loaded when it is asked for can be, and does its work."""
    lines = "".join(f"import {name}\n" for name in contents.imports) + contents.trial
    argv = [str(folder / "bin/python3"), "-c", lines]
    # what was kept in a home (scapy does) would hide what is missing
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if ran.returncode:
        raise BuildError(f"what was built does not work: {ran.stderr.strip()[-500:]}")


_NOT_SHARED: Final = shutil.ignore_patterns("*.py", "__pycache__", "tests")


def _share(
    folder: Path,
    contents: Contents,
    packages: Iterable[debian.Package],
    installed: Iterable[distributions.Installed],
) -> None:
    share = folder / "share/jianwei"
    shutil.copytree(wheel.ROOT / "deploy/systemd", share / "systemd")
    shutil.copyfile(wheel.ROOT / "agents/default.yaml", share / "jianwei.yaml")
    (share / "host.sh").write_text(hostprogram.text(), "utf-8")
    shutil.copyfile(wheel.ROOT / "deploy/logrotate", share / "logrotate")
    for place in contents.share:
        shutil.copytree(wheel.ROOT / place, share / place, ignore=_NOT_SHARED)
    (share / "VERSION").write_text(f"{wheel.version()}\n")
    (share / "BUNDLE").write_text(
        f"name={contents.name}\nversion={wheel.version()}\narch=linux-x86_64\n"
    )
    licences = share / "LICENSES"
    for package in packages:
        if not package.copyright.exists():
            raise BuildError(
                f"{package.copyright} is missing (apt install --reinstall {package.name})"
            )
        (licences / "debian").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.copyright, licences / "debian" / package.name)
    for one in installed:
        for path, where in one.licences.items():
            licence = licences / "python" / one.name / path.replace("/", "-")
            licence.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(where, licence)


def _launchers(folder: Path) -> None:
    text = Path(__file__).with_name("launcher.sh").read_text()
    (folder / "bin/jianwei").write_text(text.replace("@ARGUMENTS@", "-m agents "))
    (folder / "bin/python3").write_text(text.replace("@ARGUMENTS@", ""))
    (folder / "install.sh").write_text(
        '#!/bin/sh\nexec sh "${0%/*}/share/jianwei/host.sh" install "$@"\n'
    )


def _manifest(folder: Path) -> None:
    """SHA-256 of every file, for `sha256sum -c`."""
    rows = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n"
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    ]
    (folder / "MANIFEST.sha256").write_text("".join(rows))
    (folder / "MANIFEST.sha256").chmod(0o644)
