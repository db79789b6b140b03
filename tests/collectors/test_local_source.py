"""LocalSource on real files and on the real /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collectors import catalogue
from collectors.model import Answer, Answers, Command, File, Glob, Inventory, Reading, Stat
from collectors.rows import FileStat, Process
from collectors.sources.local import LocalSource

NOBODY = 65534


def ask(reading: Reading, root: Path | str = "/") -> Answer:
    return LocalSource(str(root)).answer([reading])[reading]


def names(answer: Answer) -> list[tuple[str, str]]:
    return [(path, child.state) for path, child in answer.children]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


# --- files ----------------------------------------------------------------------------------------


def test_a_file_is_read_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/host").write_bytes(b"a\0\xff\n")
    assert ask(File("/etc/host"), tmp_path) == Answer("content", b"a\0\xff\n")


@pytest.mark.parametrize(("size", "state"), [(0, "content"), (9, "content"), (10, "failed")])
def test_a_file_longer_than_its_limit_has_failed(tmp_path: Path, size: int, state: str) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    answer = ask(File("/f", limit=9), tmp_path)
    assert (answer.state, len(answer.content)) == (state, size if state == "content" else 0)
    assert answer.reason == ("" if state == "content" else "longer than 9 bytes")


def test_an_endless_device_is_not_read() -> None:
    assert ask(File("/dev/zero", limit=1 << 20)).reason == "is not a regular file"


def test_the_real_proc_is_read_to_its_end() -> None:
    assert ask(File("/proc/stat")).content.startswith(b"cpu ")
    symbols = ask(File("/proc/kallsyms", limit=1 << 26)).content
    assert symbols == Path("/proc/kallsyms").read_bytes()


@pytest.mark.parametrize("path", ["/none", "/none/f", "/f/below"])
def test_what_is_not_there_is_absent(tmp_path: Path, path: str) -> None:
    (tmp_path / "f").touch()
    assert ask(File(path), tmp_path) == Answer("absent", reason="no such file")


def test_a_directory_has_failed(tmp_path: Path) -> None:
    assert ask(File("/"), tmp_path).reason == "Is a directory"


def test_what_may_not_be_read_is_denied() -> None:
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder, "closed")
        closed.mkdir()
        (closed / "f").write_text("x")
        secret = Path(folder, "secret")
        secret.write_text("x")
        secret.chmod(0)
        closed.chmod(0)
        Path(folder).chmod(0o755)
        with as_nobody():
            denied = Answer("denied", reason="permission denied")
            assert ask(File("/secret"), folder) == denied
            assert ask(File("/closed/f"), folder) == denied
            assert ask(Glob("/closed/*"), folder) == denied
            assert ask(Stat("/closed/*"), folder) == denied
            assert ask(Glob("/*", ("f",)), folder).children == (("/closed/f", denied),)
            assert ask(Glob("/s*"), folder).children == (("/secret", denied),)
        closed.chmod(0o700)


# --- globs ----------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/x", "a/x", "a/y", "c10/x", ".hidden/x", "file"):
        path = tmp_path / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "d/gone").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        (Glob("/d/*/x"), ["/d/a/x", "/d/b/x", "/d/c10/x"]),
        (Glob("/d/?/*"), ["/d/a/x", "/d/a/y", "/d/b/x"]),
        (Glob("/d/[bc]*/x"), ["/d/b/x", "/d/c10/x"]),
        (Glob("/d/c[0-9]*/x"), ["/d/c10/x"]),
        (Glob("/d/.h*/x"), ["/d/.hidden/x"]),
        (Glob("/d/f*"), ["/d/file"]),
        (Glob("/d/g*"), []),
        (Glob("/d/a/x"), ["/d/a/x"]),
        (Glob("/d/none/*"), []),
        (Glob("/d/file/*"), []),
        (Glob("/d/*", ("y", "x")), ["/d/a/y", "/d/a/x", "/d/b/x", "/d/c10/x"]),
        (Glob("/d", ("a/x", "file", "none")), ["/d/a/x", "/d/file"]),
    ],
)
def test_a_glob_has_its_matches_in_order(tree: Path, glob: Glob, paths: list[str]) -> None:
    answer = ask(glob, tree)
    assert names(answer) == [(path, "content") for path in paths]
    assert [child.content for _, child in answer.children] == [
        (tree / path[1:]).read_bytes() for path in paths
    ]


def test_each_match_has_a_limit_of_its_own(tree: Path) -> None:
    (tree / "d/a/x").write_text("too long")
    assert names(ask(Glob("/d/a/*", limit=4), tree)) == [
        ("/d/a/x", "failed"),
        ("/d/a/y", "content"),
    ]


def test_a_directory_among_the_matches_has_failed(tree: Path) -> None:
    assert ("/d/a", "failed") in names(ask(Glob("/d/*"), tree))


def test_matches_at_the_root(tree: Path) -> None:
    (tree / "top").write_text("t")
    assert names(ask(Glob("/t*"), tree)) == [("/top", "content")]


def test_attributes_of_the_real_sysfs() -> None:
    glob = Glob("/sys/class/net/*", ("mtu", "operstate", "none"))
    texts = Answers({glob: ask(glob)}).texts(glob)
    assert int(texts["/sys/class/net/lo/mtu"]) == int(Path("/sys/class/net/lo/mtu").read_text())
    assert not [path for path in texts if path.endswith("none")]


def test_a_long_attribute_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    for size in (4095, 4096, 4097, 10_000):
        (tmp_path / f"sys/a{size:05}").write_bytes(b"x" * size)
    sizes = [len(child.content) for _, child in ask(Glob("/sys/a*"), tmp_path).children]
    assert sizes == [4095, 4096, 4097, 10_000]


@pytest.mark.parametrize(("size", "state"), [(8, "content"), (9, "failed")])
def test_an_attribute_longer_than_its_limit_has_failed(
    tmp_path: Path, size: int, state: str
) -> None:
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/a").write_bytes(b"x" * size)
    assert ask(File("/sys/a", limit=8), tmp_path).state == state


def test_a_name_that_is_not_utf8_is_shown_as_one_that_is(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff")).write_text("x")
    assert names(ask(Glob("/*"), tmp_path)) == [("/a\ufffd\ufffd\ufffd", "content")]
    stat = Stat("/*")
    rows = Answers({stat: ask(stat, tmp_path)}).rows(stat, FileStat)
    assert [row.path for row in rows] == ["/a\ufffd\ufffd\ufffd"]


# --- stat -----------------------------------------------------------------------------------------


def test_rows_say_kind_mode_owner_time_and_target(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("four")
    file.chmod(0o4750)
    os.utime(file, (0, 1700000000.5))
    folder.mkdir(mode=0o700)
    (folder / "up").symlink_to("../file")
    (folder / "lost").symlink_to("/none/at/all")
    os.mkfifo(tmp_path / "pipe")
    uid, gid = file.stat().st_uid, file.stat().st_gid
    stat = Stat("/*")
    rows = {row.path: row for row in Answers({stat: ask(stat, tmp_path)}).rows(stat, FileStat)}
    assert rows["/file"] == FileStat("/file", "file", 0o4750, uid, gid, 4, 1700000000.5)
    assert (rows["/folder"].kind, rows["/folder"].mode) == ("directory", 0o700)
    assert rows["/pipe"].kind == "other"
    links = Stat("/folder/*")
    found = Answers({links: ask(links, tmp_path)}).rows(links, FileStat)
    assert [(row.path, row.kind, row.target) for row in found] == [
        ("/folder/lost", "link", "/none/at/all"),
        ("/folder/up", "link", "/file"),
    ]


def test_a_target_on_the_real_machine() -> None:
    stat = Stat("/proc/self/exe")
    (row,) = Answers({stat: ask(stat)}).rows(stat, FileStat)
    assert row.target == str(Path("/proc/self/exe").resolve())


# --- inventories ----------------------------------------------------------------------------------


def test_processes_of_the_real_machine_whatever_they_are_called() -> None:
    script = "open('/proc/self/comm', 'wb').write(b'odd\\xff'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdin
        child.stdout.readline()
        reading = Inventory("processes")
        rows = {r.pid: r for r in Answers({reading: ask(reading)}).rows(reading, Process)}
        child.stdin.close()
    assert rows[os.getpid()].threads == len(rows[os.getpid()].thread_states) >= 1
    assert rows[child.pid].name.startswith("odd\ufffd")


# --- commands at another root ---------------------------------------------------------------------

BUSYBOX = shutil.which("busybox")
needs_chroot = pytest.mark.skipif(
    os.geteuid() != 0 or not BUSYBOX, reason="needs root and busybox-static"
)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    shutil.copy(BUSYBOX or "", tmp_path / "bin/sh")
    for name, text in (("tells", "echo here; pwd"), ("fails", "exit 3"), ("slow", "read x; :")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin/plain").write_text("")
    return tmp_path


@needs_chroot
@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        (("tells",), Answer("content", b"here\n/\n")),
        (("fails",), Answer("failed", reason="exit status 3")),
        (("plain",), Answer("denied", reason="may not run plain")),
        # this system has one, of which nobody asked
        (("dpkg-query", "-W"), Answer("absent", reason="no program dpkg-query")),
    ],
)
def test_commands_run_in_the_tree(system: Path, argv: tuple[str, ...], answer: Answer) -> None:
    assert ask(Command(argv), system) == answer
    assert ask(Command(argv), f"{system}/") == answer


@needs_chroot
def test_a_status_that_is_right_is_right_there_too(system: Path) -> None:
    assert ask(Command(("fails",), ok=(0, 3)), system).state == "content"


@needs_chroot
def test_without_root_commands_of_a_tree_are_denied(system: Path) -> None:
    with as_nobody():
        answer = ask(Command(("tells",)), system)
    assert answer == Answer("denied", reason=f"only root may run it in {system}")


@needs_chroot
def test_a_tree_that_is_gone(system: Path) -> None:
    answer = ask(Command(("tells",)), system / "none")
    assert answer == Answer("denied", reason=f"may not be run in {system}/none")


def test_no_metrics_depend_on_commands_by_default() -> None:
    """What a container without rights that sees its host at /host tells is complete."""
    settings = catalogue.Settings()
    default = (name for name, it in catalogue.COLLECTORS.items() if it.on and it.metrics)
    asked = [(name, r) for name in default for r in getattr(settings, name).readings()]
    assert [(name, it) for name, it in asked if isinstance(it, Command)] == []
