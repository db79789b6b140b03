"""Debian's packages on the build machine: their files, checked by dpkg's sums, and who owns a library.

Formats: /var/lib/dpkg/info/*.md5sums (dpkg(1)), deb-version(7).
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from deploy.bundle.errors import BuildError

PYTHON: Final = "/usr/bin/python3.11"
STDLIB: Final = "/usr/lib/python3.11"
_INTERPRETER: Final = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")
_FOLDERS: Final = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")
LOADER: Final = "ld-linux-x86-64.so.2"


class Package(NamedTuple):
    """A Debian package that a file was taken from."""

    name: str
    version: str
    source: str
    source_version: str
    architecture: str

    @property
    def copyright(self) -> Path:
        return Path(f"/usr/share/doc/{self.name}/copyright")


def told(*argv: str) -> str:
    """What a program prints; raises BuildError."""
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError(f"{argv[0]} is not installed (apt install dpkg binutils)") from None
    if ran.returncode:
        raise BuildError(f"{' '.join(argv[:3])} …: {ran.stderr.strip()[-300:]}")
    return ran.stdout


@functools.cache
def package(name: str) -> Package:
    fields = "${binary:Package}\t${Version}\t${source:Package}\t${source:Version}\t${Architecture}"
    row = told("dpkg-query", "-W", "-f", fields, name).split("\t")
    return Package(row[0].partition(":")[0], *row[1:])


@functools.cache
def _sums(name: str) -> dict[str, str]:
    for stem in (name, f"{name}:amd64"):
        file = Path(f"/var/lib/dpkg/info/{stem}.md5sums")
        if file.exists():
            rows = (line.split("  ", 1) for line in file.read_text().splitlines())
            return {f"/{path}": md5 for md5, path in rows}
    raise BuildError(f"dpkg has no sums of {name} (apt install --reinstall {name})")


def checked(name: str, path: str) -> None:
    """Raises BuildError unless a file is as its package had it."""
    known = _sums(name)
    wanted = known.get(path) or known.get(path.removeprefix("/usr")) or known.get(f"/usr{path}")
    found = hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
    if wanted != found:
        raise BuildError(f"{path} is not as {name} has it (apt install --reinstall {name})")


def stdlib() -> dict[str, tuple[str, Package]]:
    """Files of the standard library: path below it → where it is, and whose."""
    if not os.access(PYTHON, os.X_OK):
        raise BuildError(f"{PYTHON} is not there (apt install python3.11)")
    found = {}
    for name in _INTERPRETER:
        for path in told("dpkg", "-L", name).splitlines():
            below = path.removeprefix(STDLIB + "/")
            if below == path or os.path.islink(path) or not os.path.isfile(path):
                continue
            checked(name, path)
            found[below] = (path, package(name))
    return found


def interpreter() -> tuple[str, Package]:
    checked(_INTERPRETER[0], PYTHON)
    return PYTHON, package(_INTERPRETER[0])


def library(name: str) -> tuple[str, Package]:
    """Where a shared library is, links followed, and whose; raises BuildError."""
    for folder in _FOLDERS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            real = os.path.realpath(path)
            owner = _owner(real)
            checked(owner, real)
            return real, package(owner)
    raise BuildError(f"the library {name} is not installed here")


def _owner(real: str) -> str:
    names = {real, real.removeprefix("/usr"), "/usr" + real.removeprefix("/usr")}
    for name in sorted(names):
        ran = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
        if not ran.returncode:
            return ran.stdout.split(":", 1)[0]
    raise BuildError(f"{real} belongs to no package of Debian's")


def needed(files: Iterable[str]) -> dict[str, set[str]]:
    """The libraries that ELF files name (DT_NEEDED): file → names."""
    listed = sorted(files)
    found: dict[str, set[str]] = {file: set() for file in listed}
    if not listed:
        return found
    current = listed[0]
    for line in told("readelf", "-dW", *listed, listed[-1]).splitlines():
        if line.startswith("File: "):
            current = line.removeprefix("File: ")
        elif match := re.search(r"\(NEEDED\).*\[(.+)\]", line):
            found[current].add(match[1])
    return found
