"""LocalSource on real files, on the real /proc, and with real children."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collectors.model import (
    Answer,
    Answers,
    Command,
    File,
    FileStat,
    Glob,
    Inventory,
    Mount,
    MountUsage,
    Process,
    Reading,
    Stat,
)
from collectors.sources.local import LocalSource
from collectors.sources.mounts import MountReader

NOBODY = 65534


def ask(reading: Reading, root: Path | str = "/") -> Answer:
    return LocalSource(str(root)).answer([reading])[reading]


def names(answer: Answer) -> list[tuple[str, str]]:
    return [(path, child.state) for path, child in answer.children]


def wait_until_gone(pid: int) -> None:
    """Return once a process has ended, reaped or not."""
    for _ in range(500):
        try:
            if b") Z" in Path(f"/proc/{pid}/stat").read_bytes():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} still runs")


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


# --- files --------------------------------------------------------------------------------------


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


def test_an_endless_file_ends_at_its_limit() -> None:
    assert ask(File("/dev/zero", limit=1 << 20)).reason == "longer than 1048576 bytes"


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


# --- globs --------------------------------------------------------------------------------------


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


def test_a_name_that_is_not_utf8_is_shown_as_one_that_is(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff")).write_text("x")
    assert names(ask(Glob("/*"), tmp_path)) == [("/a\ufffd\ufffd\ufffd", "content")]
    stat = Stat("/*")
    rows = Answers({stat: ask(stat, tmp_path)}).rows(stat, FileStat)
    assert [row.path for row in rows] == ["/a\ufffd\ufffd\ufffd"]


# --- stat ---------------------------------------------------------------------------------------


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


# --- commands -----------------------------------------------------------------------------------


def shell(
    script: str, timeout: float = 10, limit: int = 1 << 20, ok: tuple[int, ...] = (0,)
) -> Answer:
    return ask(Command(("sh", "-c", script), timeout, limit, ok))


def test_a_command_has_its_output_a_fixed_environment_and_no_input() -> None:
    answer = ask(Command(("env",)))
    assert sorted(answer.content.decode().split()) == [
        "LC_ALL=C",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    assert shell("cat; pwd; echo lost >&2") == Answer("content", b"/\n")


def test_no_shell_reads_the_arguments() -> None:
    assert ask(Command(("echo", "$HOME;", "`id`"))).content == b"$HOME; `id`\n"


@pytest.mark.parametrize(
    ("script", "ok", "answer"),
    [
        ("echo a; exit 3", (0,), Answer("failed", reason="exit status 3")),
        ("echo a; exit 3", (0, 3), Answer("content", b"a\n")),
        ("kill -9 $$", (0,), Answer("failed", reason="exit status -9")),
    ],
)
def test_the_exit_status_decides(script: str, ok: tuple[int, ...], answer: Answer) -> None:
    assert shell(script, ok=ok) == answer


def test_a_missing_program_is_absent_and_one_that_cannot_run_denied(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert ask(Command(("jianwei-no-such-program",))).state == "absent"
    assert ask(Command((str(plain),))).state == "denied"


def test_output_beyond_the_limit_ends_the_command() -> None:
    assert shell("exec yes", limit=100_000).reason == "output longer than 100000 bytes"
    assert len(shell("head -c 1000 /dev/zero", limit=1000).content) == 1000


@pytest.mark.parametrize(
    "script",
    [
        "sleep 300 & echo $! >{}; wait",  # waits for its own child
        "sleep 300 >/dev/null & echo $! >{}; exec sleep 300",  # grandchild holds no pipe
        "sleep 300 & echo $! >{}; exit 0",  # gone itself, its child keeps the pipe open
        "trap '' TERM INT HUP; sleep 300 & echo $! >{}; wait; wait",  # listens to no signal
        "exec >&-; sleep 300 & echo $! >{}; wait",  # closed its output and stays
    ],
)
def test_a_command_past_its_deadline_is_ended_with_all_its_children(
    tmp_path: Path, script: str
) -> None:
    begin = time.monotonic()
    answer = shell(script.format(tmp_path / "pid"), timeout=0.5)
    assert answer == Answer("failed", reason="no end within 0.5 s")
    assert time.monotonic() - begin < 20
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_what_a_good_command_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    answer = shell(f"sleep 300 >/dev/null & echo $! >{tmp_path}/pid; echo done")
    assert answer == Answer("content", b"done\n")
    wait_until_gone(int((tmp_path / "pid").read_text()))


# --- mounts -------------------------------------------------------------------------------------

MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw,errors=remount-ro
28 27 0:40 / /home rw - autofs systemd-1 rw
30 27 8:1 / /srv/two\040words\011\134 ro,relatime - ext4 /dev/disk\040one rw
31 27 8:2 / /home rw - xfs /dev/sdb1 rw
32 27 0:52 / /nas rw - nfs4 nas:/export ro,vers=4.2
33 27 0:53 / /sshfs rw - fuse.sshfs me@there:/ rw
"""
USAGE = os.statvfs_result((4096, 1024, 100, 50, 40, 1000, 900, 800, 0, 255))


def machine(tmp_path: Path) -> str:
    path = tmp_path / "proc/self/mountinfo"
    path.parent.mkdir(parents=True)
    path.write_text(MOUNTINFO[1:])
    return str(tmp_path)


def test_mounts_are_read_and_the_last_one_on_a_point_counts(tmp_path: Path) -> None:
    reader = MountReader(machine(tmp_path), lambda _: USAGE)
    rows = {row.mountpoint: row for row in reader.rows(MountUsage(exclude_types="^proc$"))}
    assert set(rows) == {"/", "/srv/two words\t\\", "/home", "/nas", "/sshfs"}
    assert rows["/"] == Mount(
        *("/dev/vda1", "/", "ext4", ("rw", "relatime"), 102400, 51200, 40960, 1000, 900)
    )
    assert (rows["/home"].fstype, rows["/home"].device) == ("xfs", "/dev/sdb1")
    assert rows["/srv/two words\t\\"].device == "/dev/disk one"
    assert {point for point, row in rows.items() if row.readonly} == {"/srv/two words\t\\", "/nas"}


def test_what_is_excluded_is_not_touched(tmp_path: Path) -> None:
    asked: list[str] = []

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path.removeprefix(str(tmp_path)))
        return USAGE

    MountReader(machine(tmp_path), statvfs).rows(MountUsage("^(proc|fuse[.].*|autofs)$", "^/nas"))
    assert asked == ["/", "/srv/two words\t\\", "/home"]


def test_a_mount_that_fails_costs_no_other(tmp_path: Path) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path.endswith(("/home", "/nas")):
            raise OSError(5, "")
        return USAGE

    rows = MountReader(machine(tmp_path), statvfs).rows(MountUsage())
    assert {row.mountpoint: row.error for row in rows if row.error} == {
        "/home": "Input/output error",
        "/nas": "Input/output error",
    }
    assert len(rows) == 6


def test_mounts_that_hang_are_waited_for_together_and_asked_once(tmp_path: Path) -> None:
    answered, asked = threading.Event(), []

    def statvfs(path: str) -> os.statvfs_result:
        if path.endswith(("/nas", "/sshfs")):
            asked.append(path)
            answered.wait(60)
        return USAGE

    reader = MountReader(machine(tmp_path), statvfs, patience=0.2)
    try:
        for _ in range(3):
            errors = {row.mountpoint: row.error for row in reader.rows(MountUsage()) if row.error}
            assert errors == dict.fromkeys(("/nas", "/sshfs"), "no answer within 0.2 s")
        assert len(asked) == 2
    finally:
        answered.set()
    for _ in range(100):
        if not any(row.error for row in reader.rows(MountUsage())):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the mounts answer again and are not asked")


def test_the_root_of_the_real_machine() -> None:
    reading = MountUsage(exclude_points="^/.+")
    (row,) = Answers({reading: ask(reading)}).rows(reading, Mount)
    usage = os.statvfs("/")
    assert (row.mountpoint, row.size, row.files) == (
        *("/", usage.f_blocks * usage.f_frsize, usage.f_files),
    )


def test_no_mount_table_is_absent(tmp_path: Path) -> None:
    assert ask(MountUsage(), tmp_path).state == "absent"


# --- inventories --------------------------------------------------------------------------------


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
