"""What anybody on a host makes too much of costs the reading that meets it, from whatever source."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.model import Answer, File, Glob, Reading, Stat
from collectors.sources import bounds
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from collectors.sources.ssh.answers import parse_frames
from collectors.sources.ssh.frames import MAX_RECORDS, parse_stream
from tests.collectors.test_ssh_together import archive
from tests.shellhost import LOCAL, SHELLS, ask

NONCE = "0" * 32
TOO_MANY = Answer("failed", reason=bounds.TOO_MANY)
TOO_LONG = Answer("failed", reason=bounds.TOO_LONG)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that somebody has filled, beside one that is as it should be."""
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "full").mkdir()
    (folder / "good").mkdir()
    (folder / "good/.rhosts").write_text("+\n")
    for number in range(bounds.MATCHES + 1):
        (folder / f"full/.r{number:07}").touch()
    yield folder
    shutil.rmtree(folder)


def readings(crowd: Path) -> list[Reading]:
    return [
        Stat(f"{crowd}/full/.r*"),
        Glob(f"{crowd}/full/.r*"),
        Glob(f"{crowd}/full/.r*", names=("none",)),
        Stat(f"{crowd}/*/.rhosts"),
        Glob(f"{crowd}/good/.r*"),
        Stat(f"{crowd}/full/.r0*0"),
    ]


def test_too_many_matches_here(crowd: Path) -> None:
    _, _, names, *others = LOCAL.answer(readings(crowd)).values()
    assert list(LOCAL.answer(readings(crowd)).values())[:2] == [TOO_MANY, TOO_MANY]
    assert names == TOO_MANY
    assert [one.state for one in others] == ["content"] * 3


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_too_many_matches_over_ssh(crowd: Path, shell: list[str]) -> None:
    assert ask(shell, *readings(crowd)) == LOCAL.answer(readings(crowd))


def test_too_many_matches_in_a_recording(tmp_path: Path) -> None:
    paths = [f"/home/evil/.r{number:07}" for number in range(bounds.MATCHES + 1)]
    row = {"kind": "file", "mode": 420, "uid": 0, "gid": 0, "size": 0, "mtime": 0.0}
    stats = [{"path": path, **row} for path in paths]
    odd = [{"path": path, "state": "denied"} for path in paths]
    (tmp_path / "asked.json").write_text('["*"]')
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    (tmp_path / "exceptions.json").write_text(json.dumps(odd))
    asked: list[Reading] = [
        Stat("/home/evil/.r*"),
        Glob("/home/evil/.r*"),
        Stat("/home/evil/.r00000*"),
    ]
    many, odd_ones, few = RecordedSource(tmp_path).answer(asked).values()
    assert (many, odd_ones, few.state) == (TOO_MANY, TOO_MANY, "content")


def test_files_that_are_too_long_together(tmp_path: Path) -> None:
    folder = tmp_path / "root/etc/x.d"
    folder.mkdir(parents=True)
    (tmp_path / "asked.json").write_text('["*"]')
    for number in range(17):
        (folder / str(number)).write_bytes(b"x" * ((1 << 20) - 1))
    (folder / "17").write_bytes(b"x" * 17)
    local, recorded = LocalSource(str(tmp_path / "root")), RecordedSource(tmp_path)
    long, half = Glob("/etc/x.d/*"), Glob("/etc/x.d/?")
    over_ssh = Glob(f"{folder}/*")
    for source in (local, recorded):
        found = source.answer([long, half])
        assert (found[long], found[half].state) == (TOO_LONG, "content")
    assert ask(next(iter(SHELLS.values())), over_ssh)[over_ssh] == TOO_LONG


def told(*records: bytes) -> bytes:
    return b"".join(b"\n%b %b" % (NONCE.encode(), record) for record in (b"begin\n", *records))


def test_a_host_makes_no_file_many(tmp_path: Path) -> None:
    """A few bytes each referred to one member of the archive as often as a host liked."""
    tar = archive({"/etc/a": b"x" * (1 << 20)})
    for names in ((), ("a", "b")):
        reading = Glob("/etc/*", names=names)
        repeated = [b"m\n/etc/%d" % i for i in range(100)]
        records = [record for match in repeated for record in (match, b"f\n/etc/a")]
        data = told(b"r 0\n", *records, b"d 0\n", b"b\n" + tar, b"x 0\n", b"end\n")
        (answer,) = parse_frames(data, NONCE, [reading], "", {}).values()
        assert answer == Answer("failed", reason="the host told of one path twice")
    honest = told(b"r 0\n", b"m\n/etc/a", b"f\n/etc/a", b"d 0\n", b"b\n" + tar, b"x 0\n", b"end\n")
    (answer,) = parse_frames(honest, NONCE, [Glob("/etc/*")], "", {}).values()
    assert len(answer.children) == 1


def test_records_beyond_a_number_are_not_taken() -> None:
    good = told(b"r 0\n", b"c\nlinux", b"x 0\n", b"d 0\n")
    data = good + told(b"r 1\n", *[b"m\n"] * MAX_RECORDS).partition(b"begin\n")[2]
    data += b"\n%b end\n" % NONCE.encode()
    stream, whole = parse_stream(data, NONCE)
    assert (sum(map(len, stream.values())) <= MAX_RECORDS, whole) == (True, False)
    readings: list[Reading] = [File("/proc/version"), Stat("/home/evil/*")]
    version, evil = parse_frames(data, NONCE, readings, "", {}).values()
    assert (version.state, version.content) == ("content", b"linux")
    assert evil == Answer("failed", reason=f"the host told more than {MAX_RECORDS} records")


@pytest.mark.skipif("busybox" not in SHELLS, reason="needs the Debian package busybox")
def test_the_size_of_a_sparse_file_is_not_counted(tmp_path: Path) -> None:
    with (tmp_path / "a.pem").open("wb") as file:
        file.truncate(10 << 30)
    reading = Glob(f"{tmp_path}/*.pem", certificates=True)
    bare = tmp_path / "bin"  # no other programs than those of busybox
    bare.mkdir()
    for name in (
        "sh",
        "awk",
        "head",
        "stat",
        "wc",
        "find",
        "sort",
        "xargs",
        "ls",
        "timeout",
        "sleep",
    ):
        (bare / name).symlink_to(shutil.which("busybox") or "")
    environment = {"PATH": str(bare), "LC_ALL": "C"}
    shell = [shutil.which("busybox") or "", "sh", "-s"]
    answer = ask(shell, reading, environment=environment)[reading]
    assert answer.children == (
        (f"{tmp_path}/a.pem", Answer("failed", reason="longer than 1048576 bytes")),
    )
