import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Command,
    File,
    Glob,
    Inventory,
    MountUsage,
    Reading,
    Stat,
)
from collectors.rows import FileStat, Mount
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource, RecordingError, escape, unescape
from collectors.sources.recorder import Recorder, record, write


@pytest.fixture
def machine(tmp_path: Path) -> LocalSource:
    """A small machine under a root of its own, with names and contents of every kind."""
    root = tmp_path / "machine"
    for name, content in {
        "etc/hostname": b"gov-node-01\n",
        "etc/empty": b"",
        "etc/conf.d/10-a.conf": b"a",
        "etc/conf.d/.hidden.conf": b"h",
        "etc/conf.d/20 two\nlines.conf": bytes(range(256)),
        "etc/conf.d/\udcff-bytes.conf": b"x",
        "sys/class/net/eth0/mtu": b"1500\n",
        "sys/class/net/lo/mtu": b"65536\n",
        "sys/class/net/lo/flags": b"0x9\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "etc/conf.d/directory.conf").mkdir()
    (root / "etc/conf.d/dangling.conf").symlink_to("/nowhere")
    return LocalSource(str(root))


READINGS: list[Reading] = [
    File("/etc/hostname"),
    File("/etc/empty"),
    File("/etc/missing"),
    File("/etc/conf.d"),
    File("/etc/conf.d/20 two\nlines.conf", limit=10),
    Glob("/etc/conf.d/*.conf"),
    Glob("/sys/class/net/*", names=("mtu", "flags", "missing")),
    Glob("/nowhere/*"),
    Stat("/etc/host*"),
    Stat("/etc/missing"),
    Command(("printf", r"a\0b\n")),
    Command(("false",)),
    Command(("jianwei-no-such-program",)),
]
SYSTEM: list[Reading] = [
    MountUsage(exclude_types="^(proc|sysfs)$"),
    *(Inventory(kind) for kind in ("sockets", "processes", "shadow", "authorized_keys")),
    *(Inventory(kind) for kind in ("uname", "clock", "timex")),
    Command(("uname", "-a")),
    Stat("/etc/ssh/*"),
]


def test_a_replay_equals_what_was_recorded(machine: LocalSource, tmp_path: Path) -> None:
    commands = [it for it in READINGS if isinstance(it, Command)]
    files = [it for it in READINGS if not isinstance(it, Command)]
    answers = {**machine.answer(files), **LocalSource().answer(commands)}
    write(answers, tmp_path / "recording", overwrite=False)
    assert RecordedSource(tmp_path / "recording").answer(READINGS) == answers
    assert answers[File("/etc/hostname")].content == b"gov-node-01\n"


def test_the_inventories_of_this_machine_are_recorded(tmp_path: Path) -> None:
    recorder = Recorder(LocalSource())
    answers = recorder.answer(SYSTEM)
    recorder.write(tmp_path / "r")
    assert RecordedSource(tmp_path / "r").answer(SYSTEM) == answers
    assert {answer.state for answer in answers.values()} >= {"content"}


def test_absent_denied_failed_and_not_recorded_are_four_things(tmp_path: Path) -> None:
    absent, denied, failed, other = (File(f"/etc/{n}") for n in ("a", "d", "f", "o"))
    folder = Glob("/root/*")
    shadow = Inventory("shadow")
    no_stat = Stat("/root/*")
    answers: dict[Reading, Answer] = {
        absent: Answer("absent", reason="no such file"),
        denied: Answer("denied", reason="permission denied"),
        failed: Answer("failed", reason="Input/output error"),
        folder: Answer("denied", reason="permission denied"),
        shadow: Answer("denied", reason="permission denied"),
        no_stat: Answer("denied", reason="permission denied"),
    }
    write(answers, tmp_path / "r", overwrite=False)
    again = RecordedSource(tmp_path / "r").answer([*answers, other, Inventory("sockets")])
    not_recorded = Answer("failed", reason="not recorded")
    assert again == {**answers, other: not_recorded, Inventory("sockets"): not_recorded}


def test_readings_of_later_rounds_are_recorded_too(machine: LocalSource, tmp_path: Path) -> None:
    recorder = Recorder(machine)
    recorder.answer([File("/etc/hostname")])
    recorder.answer([File("/etc/empty")])
    recorder.write(tmp_path / "r")
    again = RecordedSource(tmp_path / "r").answer([File("/etc/hostname"), File("/etc/empty")])
    assert [a.content for a in again.values()] == [b"gov-node-01\n", b""]


def test_limits_hold_on_replay(machine: LocalSource, tmp_path: Path) -> None:
    name, four = File("/etc/hostname"), Command(("echo", "four"))
    told = {**machine.answer([name]), **LocalSource().answer([four])}
    write(told, tmp_path / "r", overwrite=False)
    source = RecordedSource(tmp_path / "r")
    short: list[Reading] = [File("/etc/hostname", limit=3), Command(("echo", "four"), limit=3)]
    assert [a.reason for a in source.answer(short).values()] == [
        "longer than 3 bytes",
        "output longer than 3 bytes",
    ]


def test_a_hand_made_machine_knows_everything(tmp_path: Path) -> None:
    (tmp_path / "root/proc").mkdir(parents=True)
    (tmp_path / "root/proc/loadavg").write_text("0 0 0 1/1 1\n")
    (tmp_path / "asked.json").write_text('["*"]')
    mounts = [Mount("/dev/vda1", "/", "ext4", ("rw",)), Mount("proc", "/proc", "proc", ())]
    (tmp_path / "mounts.json").write_text(
        json.dumps(
            [
                {
                    "device": m.device,
                    "mountpoint": m.mountpoint,
                    "fstype": m.fstype,
                    "options": m.options,
                }
                for m in mounts
            ]
        )
    )
    (tmp_path / "stats.json").write_text(
        '[{"path": "/etc/passwd", "kind": "file", "mode": 420, "uid": 0, "gid": 0}]'
    )
    source = RecordedSource(tmp_path)
    answers = source.answer(
        [
            File("/proc/loadavg"),
            File("/proc/stat"),
            Glob("/proc/*"),
            Glob("/*"),
            Command(("uptime",)),
            Inventory("sockets"),
        ]
    )
    assert [a.state for a in answers.values()] == [
        "content",
        "absent",
        "content",
        "content",
        "absent",
        "absent",
    ]
    assert answers[Glob("/*")].children[0][1].reason == "Is a directory"
    usage = MountUsage(exclude_points="^/proc$")
    stat = Stat("/etc/*")
    both = Answers(source.answer([usage, stat]))
    assert both.rows(usage, Mount) == mounts[:1]
    assert both.rows(stat, FileStat) == [FileStat("/etc/passwd", "file", 0o644, 0, 0)]


def test_a_full_folder_is_refused_and_a_foreign_one_never_replaced(
    machine: LocalSource, tmp_path: Path
) -> None:
    target = tmp_path / "r"
    record(machine, [File("/etc/hostname")], target)
    with pytest.raises(RecordingError, match="is not empty"):
        record(machine, [File("/etc/empty")], target)
    record(machine, [File("/etc/empty")], target, overwrite=True)
    assert sorted(p.name for p in (target / "root/etc").iterdir()) == ["empty"]
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "thesis").write_text("dear")
    with pytest.raises(RecordingError, match="something else"):
        record(machine, [File("/etc/empty")], foreign, overwrite=True)
    assert (foreign / "thesis").read_text() == "dear"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "machine", "r"]


def test_a_recording_is_for_its_owner_only(machine: LocalSource, tmp_path: Path) -> None:
    record(machine, [File("/etc/hostname")], tmp_path / "r")
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["/../../escape", "/a/./b", "//a", "/a/", "/" + "长" * 84, "/%"])
def test_no_path_leaves_the_recording(path: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "r"
    write({File(path): Answer("content", b"x")}, target, overwrite=False)
    assert RecordedSource(target).answer([File(path)])[File(path)].content == b"x"
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    assert [p.name for p in target.parent.iterdir()] == ["r"]


def test_a_recording_does_not_lead_to_files_of_this_machine(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    target = tmp_path / "r"
    (target / "root/etc").mkdir(parents=True)
    (target / "asked.json").write_text('["*"]')
    (target / "root/etc/passwd").symlink_to(outside)
    (target / "commands.json").write_text(
        '[{"argv": ["id"], "state": "content", "file": "../outside"}]'
    )
    source = RecordedSource(target)
    for reading in (File("/etc/passwd"), Command(("id",))):
        with pytest.raises(RecordingError, match="not a file of the recording"):
            source.answer([reading])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("asked.json", "{"),
        ("asked.json", "[1]"),
        ("asked.json", "[" * 100_000),
        ("exceptions.json", '[{"path": "/x"}]'),
        ("commands.json", '[{"argv": "id", "state": "content"}]'),
    ],
)
def test_a_malformed_recording_is_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "asked.json").write_text('["*"]')
    (tmp_path / name).write_text(content)
    with pytest.raises(RecordingError, match=name):
        RecordedSource(tmp_path)


def test_a_folder_that_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"asked\.json is missing"):
        RecordedSource(tmp_path)
    with pytest.raises(RecordingError, match="is not a folder"):
        RecordedSource(tmp_path / "nowhere")


@given(st.binary(min_size=1).filter(lambda b: b"\0" not in b))
def test_every_name_is_escaped_and_back(name: bytes) -> None:
    path = "/" + os.fsdecode(name)
    escaped = escape(path)
    assert unescape(escaped) == path.removeprefix("/")
    assert escaped.isascii()
    assert not {"", ".", ".."} & set(escaped.split("/"))
