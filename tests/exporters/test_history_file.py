"""Opening a history file: by who may not write it, from disks that cannot be written, and what is no history."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporters.history.file import HistoryError, connect, told, unlocked
from exporters.history.store import HistoryWriter
from tests.exporters.test_history_store import HOST, rows
from tests.historylab import SLOT

NOBODY = 65534
COUNT = "SELECT count(*) FROM rollups"


def made(path: Path) -> int:
    with closing(HistoryWriter(path)) as writer:
        writer.add(SLOT, rows(1), [HOST])
    return len(rows(1))


def left_open(path: Path) -> int:
    """With a journal of its own, as one that was killed leaves it."""
    made(path)
    with closing(HistoryWriter(path)) as writer:
        writer.add(SLOT + 1, rows(2))
        kept = {end: path.with_name(path.name + end).read_bytes() for end in ("", "-wal")}
    for end, content in kept.items():
        path.with_name(path.name + end).write_bytes(content)
    return 2 * len(rows(1))


def as_nobody(act: Callable[[], str]) -> str:
    """What it says, or the error, in a process of another user."""
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            try:
                said = act()
            except HistoryError as error:
                said = str(error)
            os.write(theirs, said.encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(mine) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def counted(path: Path) -> str:
    with closing(connect(path, reading=True)) as db:
        return str(db.execute(COUNT).fetchone()[0])


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that anybody can look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="being another user takes root")


@as_root
def test_who_may_not_write_it_reads_it(public: Path) -> None:
    path = public / "h?#%.db"
    expected = made(path)
    path.chmod(0o444)
    before = path.read_bytes()
    assert as_nobody(lambda: counted(path)) == str(expected)
    assert path.read_bytes() == before
    with closing(HistoryWriter(path)) as writer:  # its agent runs: what it wrote is seen
        path.with_name(path.name + "-wal").chmod(0o644)
        path.with_name(path.name + "-shm").chmod(0o644)
        writer.add(SLOT + 1, rows(2))
        assert as_nobody(lambda: counted(path)) == str(2 * expected)


@as_root
def test_who_may_not_read_it_is_told_so(public: Path) -> None:
    path = public / "h.db"
    made(path)
    said = as_nobody(lambda: counted(path))
    assert said.startswith(f"{path}: unable to open")
    assert "as a user who may" in said
    assert "move" not in said
    path.chmod(0o444)
    said = as_nobody(lambda: str(connect(path).execute("DELETE FROM rollups")))
    assert "readonly" in said or "unable to open" in said
    assert "move" not in said


@as_root
@pytest.mark.parametrize("make", [made, left_open])
def test_a_file_on_a_disk_that_cannot_be_written(
    tmp_path: Path, make: Callable[[Path], int]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "none", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        expected = make(disk / "h.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        if make is made:
            assert counted(disk / "h.db") == str(expected)
        else:  # what is in its journal must not be left out without a word
            with pytest.raises(HistoryError, match="copy it with its -wal to a folder of yours"):
                counted(disk / "h.db")
            for end in ("", "-wal"):
                shutil.copy(disk / f"h.db{end}", tmp_path / f"copy.db{end}")
            assert counted(tmp_path / "copy.db") == str(expected)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_reading_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    made(path)
    with closing(connect(path, reading=True)) as db:
        assert unlocked(path) is None
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM rollups")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["h.db", "h.db.lock"]


def test_a_file_that_another_process_writes_is_not_to_be_moved(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    made(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(connect(path)) as db:
            db.execute("PRAGMA busy_timeout = 0")
            with pytest.raises(sqlite3.OperationalError) as caught:
                db.execute("BEGIN IMMEDIATE")
    assert told(caught.value) == "database is locked; another process writes it; try again"


FOREIGN = {
    "text": b"Dear all,\nplease keep this.\n" * 100,
    "about": b"CREATE TABLE rollups (\n    slot INTEGER NOT NULL, series INTEGER NOT NULL" * 50,
    "zip": b"PK\x03\x04" + bytes(range(256)) * 40,
    "another's database, damaged": b"SQLite format 3\0" + bytes(range(240)) * 40,
    "zeros": bytes(8192),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_was_never_a_history_stays_where_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "important.txt"
    path.write_bytes(FOREIGN[kind])
    for suspect in (False, True):
        with pytest.raises(HistoryError, match=r"important\.txt: .*no history file of ours"):
            HistoryWriter(path, suspect=suspect)
    with pytest.raises(HistoryError, match="no history file of ours") as caught:
        connect(path, create=True)
    assert "move it away" not in str(caught.value)
    assert path.read_bytes() == FOREIGN[kind]
    assert not list(tmp_path.glob("*damaged*"))
