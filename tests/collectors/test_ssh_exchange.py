"""The script under real shells on this machine, compared with what LocalSource says."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from collectors.model import (
    Answers,
    Command,
    File,
    Glob,
    Inventory,
    InventoryKind,
    MountUsage,
    Stat,
)
from collectors.rows import Mount, Process, Socket
from tests.shellhost import LOCAL, ask, ask_as_local

INVENTORIES: list[InventoryKind] = ["listeners", "shadow", "authorized_keys", "uname", "timex"]


def test_contents_and_states_are_those_of_the_local_source(
    shell: list[str], tmp_path: Path
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)) * 3 + b"\n\n\0\n")
    empty = tmp_path / "empty"
    empty.touch()
    answers = ask_as_local(
        shell,
        File(str(binary)),
        File(str(empty)),
        File(str(tmp_path)),
        File(str(tmp_path / "missing")),
        File(f"{binary}/below-a-file"),
        File("/proc/version"),
        File("/proc/no-such-thing"),
        File("/sys/kernel/mm/transparent_hugepage/enabled"),
    )
    assert answers[File(str(binary))].content == binary.read_bytes()
    assert [a.state for a in answers.values()][2:5] == ["failed", "absent", "absent"]


def test_limits(shell: list[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345678\n")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    answers = ask_as_local(
        shell,
        File(str(path), limit=9),
        File(str(path), limit=8),
        Glob(f"{tmp_path}/*", limit=8),
        Command(("cat", str(path)), limit=9),
        Command(("cat", str(path)), limit=8),
        Command(("yes",), limit=1000),
        File(str(tmp_path / "huge"), limit=5000),
    )
    assert [a.state == "content" for a in answers.values()] == [
        True,
        False,
        True,
        True,
        *[False] * 3,
    ]


def test_globs(shell: list[str], tmp_path: Path) -> None:
    for name in ("b-c/x", "b/x", "b/y", ".hidden/x", "b c/x", "b'c/x", "$(id)/x", "b\nc/x"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "plain").write_text("plain")
    (tmp_path / "b/dangling").symlink_to("nowhere")
    (tmp_path / "b/link").symlink_to("x")
    answers = ask_as_local(
        shell,
        Glob(f"{tmp_path}/*"),
        Glob(f"{tmp_path}/*/*"),
        Glob(f"{tmp_path}/*/x"),
        Glob(f"{tmp_path}/.*/x"),
        Glob(f"{tmp_path}/b*", names=("y", "x", "missing", "dangling")),
        Glob(f"{tmp_path}/?/[!x-z]*"),
        Glob(f"{tmp_path}/[b$]*/[xy]"),
        Glob(f"{tmp_path}/b c/x"),
        Glob(f"{tmp_path}/$(id)/*"),
        Glob(f"{tmp_path}/none/*"),
        Glob("/sys/class/net/*", names=("mtu", "address")),
        Stat(f"{tmp_path}/*"),
        Stat(f"{tmp_path}/b/*"),
        Stat(f"{tmp_path}/none"),
        Stat("/"),
    )
    assert len(answers[Glob(f"{tmp_path}/*/x")].children) == 6


def test_commands(shell: list[str]) -> None:
    answers = ask_as_local(
        shell,
        Command(("printf", r"a\0b\n\n")),
        Command(("echo", "$HOME", "a  b", "'", "\n")),
        Command(("env",)),
        Command(("false",)),
        Command(("false",), ok=(0, 1)),
        Command(("sh", "-c", "echo said; exit 7")),
        Command(("sh", "-c", "exit 127")),
        Command(("sh", "-c", "kill -TERM $$")),
        Command(("no-such-program",)),
        Command(("/etc/passwd",)),
        Command(("pwd",)),
        Command(("cat",)),
        Command(("sleep", "30"), timeout=1),
    )
    assert [a.reason for a in answers.values()][-6:] == [
        "exit status -15",
        "no program no-such-program",
        "may not run /etc/passwd",
        "",
        "",
        "no end within 1 s",
    ]


@pytest.mark.parametrize("kind", INVENTORIES)
def test_inventories(shell: list[str], kind: InventoryKind) -> None:
    reading = Inventory(kind)
    with socket.create_server(("127.0.0.1", 0)):  # there may be no other
        theirs, ours = (
            Answers(a).answer(reading) for a in (ask(shell, reading), LOCAL.answer([reading]))
        )
    assert theirs.state == ours.state
    if kind == "listeners":
        assert {*Answers({reading: theirs}).rows(reading, Socket)}
    elif kind != "timex":
        assert theirs == ours


LISTENER = (
    "import socket; s = socket.create_server(('127.0.0.1', 0)); print('on', flush=True); input()"
)


def test_a_socket_and_its_process(shell: list[str], tmp_path: Path) -> None:
    # a name beyond the kernel's 15 bytes, which only the command line has
    program = tmp_path / "listener-of-the-test"
    program.symlink_to(sys.executable)
    argv = [str(program), "-S", "-c", LISTENER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        sockets, processes = Inventory("sockets"), Inventory("processes")
        found = []
        for answers in (ask(shell, sockets, processes), LOCAL.answer([sockets, processes])):
            mine = [
                *(r for r in Answers(answers).rows(sockets, Socket) if r.pid == process.pid),
                *(r for r in Answers(answers).rows(processes, Process) if r.pid == process.pid),
            ]
            found.append(mine)
        process.communicate(b"\n")
    assert found[0] == found[1]
    (socket, listener) = found[0]
    assert isinstance(socket, Socket)
    assert isinstance(listener, Process)
    assert socket.process == listener.name == "listener-of-the-test"


def test_mounts(shell: list[str]) -> None:
    every, some = (
        MountUsage(),
        MountUsage(exclude_types="^(proc|sysfs)$", exclude_points=r"^/(?:dev)\b"),
    )
    theirs, ours = Answers(ask(shell, every, some)), Answers(LOCAL.answer([every, some]))
    for reading in (every, some):
        a, b = theirs.rows(reading, Mount), ours.rows(reading, Mount)
        assert [_fixed(m) for m in a] == [_fixed(m) for m in b] != []
        assert any(m.size and m.free for m in a)
    assert len(theirs.rows(some, Mount)) < len(theirs.rows(every, Mount))


def _fixed(mount: Mount) -> Mount:
    return msgspec.structs.replace(mount, free=0, avail=0, files=0, files_free=0)
