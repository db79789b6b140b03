"""Walks over file systems: what is noted, what is left out, going on, hostile trees, and find(1)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, ParseError, Reading, Walk, describe
from collectors.rows import Noted, Walked
from collectors.sources import walks
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from collectors.sources.recorder import Recorder
from collectors.sources.ssh import walks as sshwalks
from tests.shellhost import SHELLS, ask

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
STRANGER = 54321  # an id that nobody has


def tree(root: Path) -> Path:
    """A small system: accounts, and files of every sort."""
    for folder in ("etc", "bin", "home/li", "srv/in", "tmp", "var/lib/docker/layer"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nli:x:1000:1000::/home/li:\n")
    (root / "etc/group").write_text("root:x:0:\nli:x:1000:\n")
    for name, mode in {
        "bin/su": 0o4755,
        "bin/write": 0o2755,
        "bin/plain": 0o755,
        "home/li/open": 0o666,
        "var/lib/docker/layer/su": 0o4755,
    }.items():
        (root / name).write_text("")
        (root / name).chmod(mode)
    (root / "srv/in").chmod(0o777)
    (root / "tmp").chmod(0o1777)
    (root / "bin/link").symlink_to("su")
    (root / "home/li/loop").symlink_to("..")
    return root


def walked(root: Path, **how: object) -> Walked:
    reading = Walk(exclude=("/var/lib/docker",), **how)  # type: ignore[arg-type]
    return decoded(LocalSource(str(root)).answer([reading])[reading])


def decoded(answer: Answer) -> Walked:
    assert answer.state == "content", answer
    (row,) = json.loads(answer.content)
    noted = tuple(Noted(**one) for one in row["noted"])
    return Walked(noted, row["after"], row["entries"], tuple(row["unread"]), row["dropped"])


def paths(seen: Walked) -> list[str]:
    return sorted(row.path for row in seen.noted)


def test_what_is_noted(tmp_path: Path) -> None:
    seen = walked(tree(tmp_path))
    assert paths(seen) == ["/bin/su", "/bin/write", "/home/li/open", "/srv/in"]
    rows = {row.path: row for row in seen.noted}
    assert rows["/bin/su"] == Noted("/bin/su", "file", 0o4755, os.geteuid(), os.getegid())
    assert rows["/srv/in"].kind == "directory"
    assert (seen.after, seen.unread, seen.dropped) == ("", (), 0)


@as_root
def test_what_nobody_owns(tmp_path: Path) -> None:
    root = tree(tmp_path)
    os.chown(root / "bin/plain", STRANGER, 0)
    os.chown(root / "home/li", 1000, STRANGER)
    os.chown(root / "bin/su", 1000, 1000)
    unowned = [row.path for row in walked(root).noted if row.unowned]
    assert sorted(unowned) == ["/bin/plain", "/home/li"]


@pytest.mark.parametrize("entries", [1, 2, 3, 5, 7])
def test_it_goes_on_where_it_ended(tmp_path: Path, entries: int) -> None:
    root = tree(tmp_path)
    for number in range(6):
        (root / f"srv/in/d{number}").mkdir()
        (root / f"srv/in/d{number}/s").write_text("")
        (root / f"srv/in/d{number}/s").chmod(0o4711)
    whole = walked(root)
    noted: list[str] = []
    after, steps, seen = "", 0, 0
    while steps < 100:
        part = walked(root, entries=entries, after=after)
        noted += paths(part)
        after, steps, seen = part.after, steps + 1, seen + part.entries
        if not after:
            break
    assert sorted(noted) == paths(whole)  # nothing is left out, and nothing told twice
    assert seen == whole.entries
    assert steps > 1


def test_it_goes_on_after_what_is_gone(tmp_path: Path) -> None:
    root = tree(tmp_path)
    part = walked(root, entries=1, after="/ /home")
    assert part.after
    shutil.rmtree(root / "home")
    assert paths(walked(root, after="/ /home/li")) == ["/srv/in"]


def test_no_time_at_all_is_one_directory(tmp_path: Path) -> None:
    assert walked(tree(tmp_path), seconds=0.0).after == "/ /"


def test_other_file_systems_are_left_out(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    root = tree(tmp_path)
    script = (
        f"mount -t tmpfs none {root}/srv && touch {root}/srv/su && chmod 4755 {root}/srv/su && "
        f"exec {shutil.which('python3')} -c 'import sys; sys.path[:0] = sys.argv[1:2];"
        "from collectors.model import Walk; from collectors.sources.walks import walk;"
        'print([[r.path for r in walk(Walk(roots), sys.argv[2]).noted] for roots in (("/",), ("/", "/srv"))])\''
        f" {Path(__file__).parents[2]} {root}"
    )
    import sys

    script = script.replace(str(shutil.which("python3")), sys.executable)
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, both = json.loads(done.stdout.replace("'", '"'))
    assert "/srv/su" not in first
    assert "/srv/su" in both


NOT_UTF8 = b"\xff\xfe"
HOSTILE = (
    *(
        b"new\nline",
        b"\x1b[31mred",
        NOT_UTF8,
        "中文".encode(),
        b" ",
        b"-rf",
        b"*",
        b"a'b\"$(x)`",
    ),
    *(b"\\", b"%s%n", b"x" * 255),
)


def test_hostile_names(tmp_path: Path) -> None:
    root = os.fsencode(tree(tmp_path))
    for name in HOSTILE:
        os.mkdir(root + b"/srv/" + name)
        path = root + b"/srv/" + name + b"/" + name
        with open(path, "wb"):
            os.chmod(path, 0o4711)  # noqa: S103 - what is looked for
    seen = walked(tmp_path)
    text = {name.decode() for name in HOSTILE if name != NOT_UTF8}
    assert {f"/srv/{name}/{name}" for name in text} <= set(paths(seen))
    assert sum("\ufffd" in path for path in paths(seen)) == 1
    after, noted = "", []
    while True:  # each directory is a mark to go on after
        part = walked(tmp_path, entries=1, after=after)
        noted += paths(part)
        after = part.after
        if not after:
            break
    assert sorted(noted) == paths(seen)


def test_what_is_no_file(tmp_path: Path) -> None:
    root = tree(tmp_path)
    os.mkfifo(root / "srv/fifo", 0o666)
    (root / "srv/fifo").chmod(0o666)
    with socket.socket(socket.AF_UNIX) as it:
        it.bind(str(root / "srv/socket"))
    assert "/srv/fifo" not in paths(walked(root))


def test_a_tree_without_accounts_is_not_known(tmp_path: Path) -> None:
    reading = Walk()
    assert LocalSource(str(tmp_path)).answer([reading])[reading].state == "absent"


def test_too_much_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "MAX_NOTED", 3)
    seen = walked(tree(tmp_path))
    assert (len(seen.noted), seen.dropped) == (3, 1)


def test_100_000_files_are_bounded(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for number in range(100):
        folder = root / f"srv/{number:03}"
        folder.mkdir()
        first = folder / "first"  # ext4 has 65,000 links a file at most
        first.write_text("")
        for other in range(1000):
            os.link(first, folder / str(other))
    seen = walked(root, entries=5000)
    assert 5000 <= seen.entries <= 6100
    assert seen.after
    rest = walked(root, after=seen.after)
    assert seen.entries + rest.entries == walked(root).entries


@pytest.mark.parametrize("shell", sorted(set(SHELLS) - {"busybox"}))
def test_find_tells_the_same(tmp_path: Path, shell: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    root = os.fsencode(tree(tmp_path))
    for name in HOSTILE:
        path = root + b"/srv/" + name
        with open(path, "wb"):
            os.chmod(path, 0o4711)  # noqa: S103 - what is looked for
    os.chown(tmp_path / "bin/plain", STRANGER, STRANGER)
    # no chroot: the roots are below the tree, and the accounts this machine's
    reading = Walk((str(tmp_path),), exclude=(f"{tmp_path}/var/lib/docker",))
    told = decoded(ask(SHELLS[shell], reading)[reading])
    local = decoded(LocalSource().answer([reading])[reading])
    assert sorted(told.noted, key=lambda row: row.path) == sorted(
        local.noted, key=lambda row: row.path
    )
    assert told.after == ""


def test_a_host_without_gnu_find_fails(tmp_path: Path) -> None:
    if "busybox" not in SHELLS:
        pytest.skip("needs busybox")
    reading = Walk((str(tmp_path),))
    (tmp_path / "find").symlink_to(shutil.which("busybox") or "")
    answer = ask(["sh", "-c", f"PATH={tmp_path}:$PATH exec sh -s"], reading)[reading]
    assert answer.state == "failed"


@given(st.binary(max_size=300), st.booleans())
def test_any_output_of_find(content: bytes, whole: bool) -> None:
    try:
        sshwalks.parse(content, whole)
    except ParseError:
        return


def test_a_walk_that_was_cut_says_so() -> None:
    content = b"- f 4755 0 0 /bin/su\0x d 700 0 0 /root\0u f 644 7 7 /x\0- f 47"
    seen = sshwalks.parse(content, whole=False)
    assert paths(seen) == ["/bin/su", "/x"]
    assert (seen.after, seen.unread) == (sshwalks.CUT, ("/root",))
    with pytest.raises(ParseError):
        sshwalks.parse(content, whole=True)


def test_a_recording_answers_a_walk(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    recorder = Recorder(LocalSource(str(root)))
    reading: Reading = Walk(exclude=("/var/lib/docker",))
    recorder.answer([reading])
    recorder.write(tmp_path / "recorded")
    source = RecordedSource(tmp_path / "recorded")
    other = Walk(("/", "/srv"))
    assert describe(other) == describe(reading)
    assert decoded(source.answer([other])[other]) == walked(root)
