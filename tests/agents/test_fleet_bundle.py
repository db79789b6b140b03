"""Opening a bundle: which one it is, and what is said of what is none."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import UserError
from agents.fleet.bundle import Bundle, opened
from tests import bundlelab

TEXT = "name=jianwei-agent\nversion=1.2.0\narch=linux-x86_64\n"


def archive(folder: Path, text: str = TEXT, top: str = "jianwei-agent-1.2.0") -> Path:
    path = folder / "bundle.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        for name in (top, f"{top}/share", f"{top}/share/jianwei"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            packed.addfile(entry)
        entry = tarfile.TarInfo(f"{top}/share/jianwei/BUNDLE")
        entry.size = len(text)
        packed.addfile(entry, io.BytesIO(text.encode()))
    return path


@pytest.mark.skipif(bool(bundlelab.unavailable()), reason=bundlelab.unavailable())
@pytest.mark.timeout(300)
def test_what_make_bundle_makes() -> None:
    path = bundlelab.built()
    found = opened(str(path))
    assert found.path == str(path)
    assert path.name == f"{found.top}-linux-{found.arch}.tar.gz"
    assert found.size == path.stat().st_size
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_sums_beside_it(tmp_path: Path) -> None:
    path = archive(tmp_path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    wanted = Bundle(str(path), "jianwei-agent", "1.2.0", "x86_64", sha256, size)
    assert opened(str(path)) == wanted
    (tmp_path / "SHA256SUMS").write_text(f"{sha256}  bundle.tar.gz\n{'0' * 64}  other\n")
    assert opened(str(path)) == wanted


def test_changed_since_it_was_made(tmp_path: Path) -> None:
    path = archive(tmp_path)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  bundle.tar.gz\n")
    with pytest.raises(UserError, match=r"bundle\.tar\.gz: it is not as .*SHA256SUMS says"):
        opened(str(path))


@pytest.mark.parametrize(
    ("text", "top", "said"),
    [
        (
            TEXT.replace("x86_64", "aarch64"),
            "jianwei-agent-1.2.0",
            "this bundle is for 'linux-aarch",
        ),
        (TEXT, "jianwei-agent-1.3.0", "no bundle of jianwei"),
        (TEXT.replace("1.2.0", "../.."), "jianwei-agent-../..", "no bundle of jianwei"),
        (TEXT.replace("jianwei-agent", "other"), "other-1.2.0", "no bundle of jianwei"),
        ("", "jianwei-agent-1.2.0", "no bundle of jianwei"),
        ("x" * 5000, "jianwei-agent-1.2.0", "no bundle of jianwei"),
    ],
)
def test_another_archive(tmp_path: Path, text: str, top: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        opened(str(archive(tmp_path, text, top)))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: No such file or directory; make one"):
        opened(str(tmp_path / "none"))


@given(st.data())
def test_spoilt_bytes_are_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut or changed anywhere: it is opened, or a person is told why not."""
    path = archive(tmp_path_factory.mktemp("spoilt"))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(UserError):
        assert opened(str(path)).size <= len(content)


def test_a_name_of_a_gigabyte_is_not_unpacked(tmp_path: Path) -> None:
    """A GNU long name may be of any size: a few bytes of gzip."""
    path = tmp_path / "bundle.tar.gz"
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    with gzip.open(path, "wb", 1) as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="no bundle"):
            opened(str(path))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_the_launcher_passes_no_libraries_of_the_caller_on(tmp_path: Path) -> None:
    """They would be loaded into the interpreter of the bundle, which has a C library of its own."""
    for folder in ("bin", "lib"):
        (tmp_path / folder).mkdir()
    launcher = tmp_path / "bin/jianwei"
    source = Path(__file__).parents[2] / "deploy/bundle/launcher.sh"
    launcher.write_text(source.read_text().replace("@ARGUMENTS@", ""))
    loader = tmp_path / "lib/jianwei"
    loader.write_text("#!/bin/sh\nenv\n")
    for file in (launcher, loader):
        file.chmod(0o755)
    foreign = {"LD_PRELOAD": "", "LD_AUDIT": "", "LD_LIBRARY_PATH": "/none", "GCONV_PATH": "/none"}
    foreign |= {"OPENSSL_CONF": "/none", "OPENSSL_MODULES": "/none", "OPENSSL_ENGINES": "/none"}
    ran = subprocess.run(
        [launcher], env={"PATH": "/usr/bin:/bin", "ours": "1", **foreign},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {line.partition("=")[0] for line in ran.stdout.splitlines()}
    assert "ours" in names
    assert names.isdisjoint(foreign)
