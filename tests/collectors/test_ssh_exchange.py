"""The script under real shells on this machine, compared with what LocalSource says."""

from __future__ import annotations

import contextlib
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Clock,
    Command,
    File,
    FileStat,
    Glob,
    Inventory,
    InventoryKind,
    Mount,
    MountUsage,
    ParseError,
    Process,
    Reading,
    ShadowEntry,
    Socket,
    Stat,
    Timex,
    describe,
)
from collectors.sources.inventories import parse_shadow
from collectors.sources.local import LocalSource
from collectors.sources.sshanswers import parse_frames
from collectors.sources.sshexchange import ScriptTooLong, exchange
from collectors.sources.sshframes import FrameError
from collectors.sources.sshshell import SHADOW
from tests.sshlab import SHELLS, ShellChannel

LOCAL = LocalSource()
SECONDS = 30.0


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


def ask(shell: Sequence[str], *readings: Reading, **how: Any) -> Mapping[Reading, Answer]:
    with ShellChannel(shell, **how) as channel:
        return exchange(channel, readings, SECONDS)


def ask_as_local(shell: Sequence[str], *readings: Reading) -> Mapping[Reading, Answer]:
    """The answers, after checking that LocalSource gives the same."""
    answers = ask(shell, *readings)
    assert answers == LOCAL.answer(readings)
    return answers


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


def test_what_hangs_costs_its_own_answer(shell: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("content")
    start = time.monotonic()
    fifo, folder, after = File(f"{tmp_path}/fifo"), Glob(f"{tmp_path}/*"), File("/proc/version")
    answers = ask(shell, fifo, folder, after)
    assert time.monotonic() - start < 20
    assert answers[fifo] == Answer("failed", reason="no end in time")
    assert [child.state for _, child in answers[folder].children] == ["failed", "content"]
    assert answers[after].state == "content"


INVENTORIES: list[InventoryKind] = ["listeners", "shadow", "uname", "timex"]


@pytest.mark.parametrize("kind", INVENTORIES)
def test_inventories(shell: list[str], kind: InventoryKind) -> None:
    reading = Inventory(kind)
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


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@as_root
def test_denied_is_not_absent(shell: list[str], tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: S103
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest"):
            os.chmod(parent, 0o755)  # noqa: S103
    secret, shut, listed = tmp_path / "secret", tmp_path / "shut", tmp_path / "listed"
    for folder, mode in ((shut, 0o700), (listed, 0o744)):
        folder.mkdir()
        (folder / "file").write_text("x")
        folder.chmod(mode)
    secret.write_text("x")
    secret.chmod(0o600)
    readings: list[Reading] = [
        File(str(secret)),
        File(f"{shut}/file"),
        File(f"{shut}/missing"),
        File(f"{tmp_path}/missing"),
        Glob(f"{tmp_path}/s*"),
        Glob(f"{tmp_path}/*", names=("file",)),
        Glob(f"{shut}/*"),
        Glob(f"{listed}/*"),
        Glob(f"{shut}/file"),
        Stat(f"{secret}"),
        Stat(f"{shut}/*"),
        Stat(f"{shut}/file"),
        Stat(f"{listed}/*"),
        Inventory("shadow"),
    ]
    theirs = ask(shell, *readings, user=65534, group=65534, extra_groups=[])
    # LocalSource as the same user, in a process of its own
    # (imports come before the privileges go: the checkout may not be readable to everybody)
    code = (
        "import os, pickle, sys; from collectors.sources.local import LocalSource;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "answers = LocalSource().answer(pickle.load(sys.stdin.buffer));"
        "sys.stdout.buffer.write(pickle.dumps(answers))"
    )
    ours = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(readings),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert theirs == pickle.loads(ours.stdout)  # noqa: S301
    states = [answer.state for answer in theirs.values()]
    assert states == ["denied"] * 3 + ["absent"] + ["content"] * 2 + [
        "denied",
        "content",
        "content",
        "content",
        "denied",
        "denied",
        "denied",
        "denied",
    ]


TOOLS = ("sh", "head", "stat", "ls", "sleep", "printf", "cat", "uname", "env", "readlink")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment of a host without timeout(1) and python3."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    return {"LC_ALL": "C", "PATH": str(tools)}


def test_a_host_without_timeout_and_python(
    shell: list[str], bare: dict[str, str], tmp_path: Path
) -> None:
    shell = [shutil.which(shell[0]) or "", *shell[1:]]
    os.mkfifo(tmp_path / "fifo")
    readings = (
        File(f"{tmp_path}/fifo"),
        File("/proc/version"),
        File("/etc/hostname"),
        Command(("sleep", "20"), timeout=1),
        Command(("uname", "-s")),
        Inventory("uname"),
        Inventory("timex"),
    )
    answers = ask(shell, *readings, environment=bare)
    assert [(a.state, a.reason) for a in answers.values()] == [
        ("failed", "no end in time"),
        ("content", ""),
        ("content", ""),
        ("failed", "no end within 1 s"),
        ("content", ""),
        ("content", ""),
        ("absent", "no program python3"),
    ]


def test_a_host_that_greets(shell: list[str]) -> None:
    greeting = ["sh", "-c", "echo welcome; echo to all >&2; exec " + shlex.join(shell)]
    assert ask(greeting, File("/proc/version"))[File("/proc/version")].content.startswith(b"Linux")


def test_a_host_that_runs_nothing() -> None:
    with pytest.raises(FrameError, match="This account is not available"):
        ask(
            ["sh", "-c", "cat >/dev/null & echo This account is not available."],
            File("/etc/hostname"),
        )


def test_a_host_that_goes_away_midway(shell: list[str]) -> None:
    cut = ["sh", "-c", f"head -c 5000 | {shlex.join(shell)}"]
    readings = [File(f"/proc/{'./' * i}version") for i in range(200)]
    answers = list(ask(cut, *readings).values())
    assert answers[0].state == "content"
    assert answers[-1] == Answer("failed", reason="the host closed the connection")


def test_a_host_that_never_ends() -> None:
    with (
        ShellChannel(["sh", "-c", "sleep 30"]) as channel,
        pytest.raises(FrameError, match=r"no end within 0\.5 s"),
    ):
        exchange(channel, [File("/proc/version")], 0.5)


def test_the_deadline_keeps_what_was_told(shell: list[str]) -> None:
    first, slow, last = (
        File("/proc/version"),
        Command(("sleep", "20"), timeout=25),
        File("/proc/stat"),
    )
    with ShellChannel(shell) as channel:
        answers = exchange(channel, [first, slow, last], 2)
    assert answers[first].state == "content"
    assert answers[slow].reason == answers[last].reason == "no end within 2 s"


def test_a_host_that_tells_without_end(monkeypatch: pytest.MonkeyPatch, shell: list[str]) -> None:
    monkeypatch.setattr("collectors.sources.sshexchange.LIMIT", 1 << 20)
    endless = Command(("yes",), limit=1 << 40, timeout=20)
    answers = ask(shell, File("/proc/version"), endless)
    assert answers[File("/proc/version")].state == "content"
    assert answers[endless].reason == "the host told more than 1 MiB"


def test_too_much_for_one_script() -> None:
    with pytest.raises(ScriptTooLong):
        ask(["sh", "-s"], *(File(f"/{n:0>4000}") for n in range(300)))


def test_a_path_with_nul_is_refused(shell: list[str]) -> None:
    bad, good = File("/etc/a\0b"), File("/proc/version")
    answers = ask(shell, bad, good)
    assert answers[bad].state == "failed"
    assert answers[good].state == "content"


names = st.binary(min_size=1, max_size=40).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")
)


@settings(max_examples=20)
@example(wanted=[bytes(b) for b in [[*range(1, 47)], [*range(48, 140)], [*range(140, 256)]]])
@given(wanted=st.lists(names, min_size=1, max_size=30, unique=True))
@pytest.mark.parametrize("shell_name", SHELLS)
def test_any_name_comes_through_as_data(wanted: list[bytes], shell_name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(wanted):
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(b"%d " % number + name)
        readings: list[Reading] = [File(f"{folder}/{os.fsdecode(name)}") for name in wanted]
        readings += [
            Stat(f"{folder}/*"),
            Glob(f"{folder}/*"),
            Glob(folder, names=tuple(map(os.fsdecode, wanted))),
        ]
        answers = ask_as_local(SHELLS[shell_name], *readings)
        assert [answers[r].content for r in readings[: len(wanted)]] == [
            b"%d " % n + name for n, name in enumerate(wanted)
        ]


words = st.text(st.sampled_from("ab[]!^-*?.$`'\"\\ ~\n;&|"), min_size=1, max_size=6)


@settings(max_examples=25)
@given(
    there=st.lists(
        words.filter(lambda w: w not in (".", "..")), min_size=1, max_size=15, unique=True
    ),
    patterns=st.lists(
        words.filter(lambda w: w not in (".", "..")), min_size=1, max_size=15, unique=True
    ),
)
@pytest.mark.parametrize("shell_name", SHELLS)
def test_any_pattern_expands_as_local(
    there: list[str], patterns: list[str], shell_name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in there:
            Path(folder, name).write_text(name)
        ask_as_local(SHELLS[shell_name], *(Glob(f"{folder}/{pattern}") for pattern in patterns))


readings_of_every_kind: list[Reading] = [
    File("/a"),
    Glob("/a/*"),
    Glob("/a/*", names=("b",)),
    Stat("/a/*"),
    Command(("a",)),
    MountUsage(),
    *(Inventory(kind) for kind in INVENTORIES),
    Inventory("sockets"),
    Inventory("processes"),
    Inventory("clock"),
]
NONCE = "0123456789abcdef"
heads = st.one_of(
    st.sampled_from(
        [
            "c",
            "m",
            "n",
            "t",
            "s",
            "q",
            "d 0",
            "d 137",
            "x 0",
            "x 1 Permission denied",
            "l 2 y",
            "x",
            "d",
            "",
        ]
    ),
    st.integers(-1, 13).map("r {}".format),
    st.text(max_size=10),
)
records = st.lists(st.tuples(heads, st.binary(max_size=40)), max_size=40).map(
    lambda pairs: b"".join(f"\n{NONCE} {head}\n".encode() + payload for head, payload in pairs)
)


@given(data=st.one_of(st.binary(), records.map(lambda r: f"\n{NONCE} begin\n".encode() + r)))
def test_any_bytes_give_answers_or_one_error(data: bytes) -> None:
    mounts = {5: [Mount("/dev/vda1", "/", "ext4", ("rw",))]}
    for asked in ({}, mounts):
        try:
            answers = parse_frames(data, NONCE, readings_of_every_kind, "cut off", asked)
        except FrameError:
            continue
        assert list(answers) == readings_of_every_kind
        for reading, row in (
            (readings_of_every_kind[3], FileStat),
            (Inventory("shadow"), ShadowEntry),
        ):
            if answers[reading].state == "content":
                Answers(answers).rows(reading, row)


HUGE = b"9" * 30
ROWS: dict[str, type[msgspec.Struct]] = {
    "stat /a": FileStat,
    "timex": Timex,
    "processes": Process,
    "listeners": Socket,
    "clock": Clock,
    "mounts": Mount,
}


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (Stat("/a"), b"m\n/a|s\n81a4 %b 0 0 0 x" % HUGE),
        (Stat("/a"), b"m\n/a|s\n%b 0 0 0 0 x" % HUGE),
        (Stat("/a"), b"m\n/a|s\n81a4 0 0 0 %b x" % (HUGE * 20)),
        (Inventory("timex"), b"c\n0 " + b" ".join([HUGE] * 21) + b"|x 0 "),
        (Inventory("processes"), b"c\n/proc/%b/stat:%b (a) S|x 0 " % (HUGE, HUGE)),
        (Inventory("listeners"), b"m\ntcp|c\nhead\n0: 0100007F:%b 0:0 0A 0 0 0 0 0 1|x 0 " % HUGE),
        (Inventory("clock"), b"c\n%b +%b UTC|x 0 " % (HUGE, HUGE)),
        (MountUsage(), b"c\n|x 0 |c\n|x 0 |m\n/|c\n" + b" ".join([HUGE] * 7) + b"|x 0 "),
    ],
    ids=str,
)
def test_numbers_beyond_any_row_raise_nothing_else(reading: Reading, told: bytes) -> None:
    heads = [b"begin", b"r 0", *told.split(b"|"), b"d 0", b"end\n"]
    data = b"".join(
        b"\n" + NONCE.encode() + b" " + head + b"\n" * (b"\n" not in head) for head in heads
    )
    asked = {0: [Mount("/dev/vda1", "/", "ext4", ("rw",))]} if reading == MountUsage() else {}
    answer = parse_frames(data, NONCE, [reading], "cut off", asked)[reading]
    if answer.state == "content":
        with contextlib.suppress(ParseError):
            assert Answers({reading: answer}).rows(reading, ROWS[describe(reading)])


fields = st.text(st.sampled_from("ab$1y6*!.,/=- "), max_size=14)
lines = st.one_of(
    st.lists(st.one_of(fields, st.sampled_from(["", "19000", "99999"])), max_size=9).map(":".join),
    st.tuples(
        fields,
        st.sampled_from(
            [
                "",
                "!",
                "*",
                "!$6$salt$hash",
                "$6$salt$hash",
                "$y$j9T$salt$hash",
                "abcdefghijklm",
                "x",
            ]
        ),
        st.just(":19000:0:99999:7:::"),
    ).map(lambda t: f"{t[0]}:{t[1]}{t[2]}"),
)
AWKS = [argv for argv in (["mawk"], ["gawk"], ["busybox", "awk"], ["awk"]) if shutil.which(argv[0])]


@settings(max_examples=40)
@given(text=st.lists(lines, max_size=20).map("\n".join))
@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_shadow_is_reduced_on_the_host_as_it_is_here(text: str, awk: list[str]) -> None:
    reduced = subprocess.run([*awk, SHADOW], input=text, capture_output=True, text=True, check=True)
    assert "salt" not in reduced.stdout
    assert "hash" not in reduced.stdout
    assert _shadow(reduced.stdout) == _shadow(text)


def _shadow(text: str) -> list[ShadowEntry] | None:
    try:
        return parse_shadow(text)
    except ParseError:
        return None
