"""Files that are made aside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporters.aside import replacing

LEAVES = """
import os, sys
from pathlib import Path
from exporters.aside import replacing
with replacing(Path(sys.argv[1])) as file:
    Path(file.name + "-wal").touch()
    print("made", flush=True)
    sys.stdin.read()
"""


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    before = os.umask(0o027)
    try:
        with replacing(path) as file:
            file.write(b"1")
            assert not path.exists()
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"1", 0o640)
    path.chmod(0o604)
    with replacing(path, 0o600) as file:
        file.write(b"22")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"22", 0o604)
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"%d" % (1 // 0))
    with pytest.raises(FileExistsError), replacing(path, new=True) as file:
        file.write(b"3")
    assert path.read_bytes() == b"22"
    assert os.listdir(tmp_path) == ["x"]


def test_what_is_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVES, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == b"made\n"
    (tmp_path / ".x.other").touch()
    for used in (True, False):
        with replacing(path) as file:
            file.write(b"1")
        left = [name for name in os.listdir(tmp_path) if name not in ("x", ".x.other")]
        assert len(left) == (2 if used else 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    process.stdin.close()
    process.stdout.close()
    assert sorted(os.listdir(tmp_path)) == [".x.other", "x"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "x").symlink_to("mine")
    with replacing(tmp_path / "x") as file:
        file.write(b"new")
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (tmp_path / "x").is_symlink()
