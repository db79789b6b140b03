"""Whose policies may have their commands run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rules.sca.trust import distrust

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
TEXT = b"policy:\n"


def policy(folder: Path) -> Path:
    folder.chmod(0o755)
    path = folder / "policy.yml"
    path.write_bytes(TEXT)
    path.chmod(0o644)
    return path


@as_root
def test_a_file_of_root_in_folders_of_root(tmp_path: Path) -> None:
    assert distrust(str(policy(tmp_path)), TEXT) == ""


@as_root
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o777])
def test_a_file_that_others_can_write(mode: int, tmp_path: Path) -> None:
    path = policy(tmp_path)
    path.chmod(mode)
    assert "may be written by others than root" in distrust(str(path), TEXT)


@as_root
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = policy(tmp_path)
    os.chown(path, 65534, 0)
    assert "does not belong to root" in distrust(str(path), TEXT)


@as_root
def test_a_folder_that_others_can_write(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = policy(inner)
    (tmp_path / "a").chmod(0o777)
    assert str(tmp_path / "a") in distrust(str(path), TEXT)
    (tmp_path / "a").chmod(0o1777)  # as /tmp: what is root's there stays root's
    assert distrust(str(path), TEXT) == ""
    (tmp_path / "a").chmod(0o755)
    os.chown(tmp_path / "a", 65534, 0)
    assert "does not belong to root" in distrust(str(path), TEXT)


@as_root
def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    inner = tmp_path / "theirs"
    inner.mkdir()
    path = policy(inner)
    os.chown(inner, 65534, 0)
    link = tmp_path / "policy.yml"
    link.symlink_to(path)
    assert str(inner) in distrust(str(link), TEXT)


@as_root
def test_another_content_than_was_read(tmp_path: Path) -> None:
    path = policy(tmp_path)
    assert "changed" in distrust(str(path), b"something else")
    assert "changed" in distrust(str(path), TEXT + b"more")
    assert "changed" in distrust(str(path), TEXT[:-1])


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert distrust(str(tmp_path / "fifo"), b"")
    assert distrust(str(tmp_path), b"")
    assert "No such file" in distrust(str(tmp_path / "none"), b"")
