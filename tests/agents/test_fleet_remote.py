"""Running and uploading over SSH against real sshd; what hosts do that should not."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.fleet.model import FleetHost
from agents.fleet.remote import Remote, connected
from collectors.sources.ssh.connecting import HostKeyError
from collectors.sources.ssh.target import SshError
from tests.sshlab import Sshd, SshLab, keygen, needs_sshd

pytestmark = needs_sshd


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    lab = SshLab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def server(lab: SshLab) -> Sshd:
    return lab.server()


def host(lab: SshLab, port: int, **changes: object) -> FleetHost:
    return FleetHost(name="one", address="127.0.0.1", ssh=lab.settings(port=port, **changes))


@pytest.fixture
def remote(lab: SshLab, server: Sshd) -> Iterator[Remote]:
    with connected(host(lab, server.port)) as remote:
        yield remote


def test_a_program_has_its_arguments_and_what_follows_it(remote: Remote) -> None:
    done = remote.run(
        'printf "%s|" "$@"; cat; echo bad >&2; exit 3', ("a 'b'", "", "$x\n"), stdin=b"in"
    )
    assert done == (3, b"a 'b'||$x\n|in", "bad")
    assert remote.run(["echo", "a  b"]) == (0, b"a  b\n", "")
    assert remote.run("kill -9 $$").status != 0
    assert remote.run("# nothing\n").status == 0


def test_nothing_of_a_program_shows_in_a_list_of_processes(remote: Remote) -> None:
    done = remote.run('cat "/proc/$$/cmdline"; : "$1"', ("very private",))
    assert b"jianwei-fleet" in done.out
    assert b"private" not in done.out


def test_what_a_host_says_is_neutral(remote: Remote) -> None:
    assert remote.run(r"printf 'a\033[2Jb\n\nc\n' >&2").err == "a\\x1b[2Jb\nc"


def test_a_program_that_reads_nothing_of_much_ends(remote: Remote) -> None:
    assert remote.run("exit 4", stdin=bytes(8 << 20)).status == 4


def test_one_that_never_ends_or_tells_too_much_is_left(remote: Remote) -> None:
    with pytest.raises(SshError, match=r"no end within 0\.3 s"):
        remote.run("sleep 600", seconds=0.3)
    with pytest.raises(SshError, match=r"no end within 0\.3 s"):
        remote.run("exec >&- 2>&-; sleep 600", seconds=0.3)
    with pytest.raises(SshError, match="it tells more than 1 MiB"):
        remote.run("yes", limit=1 << 20)
    assert remote.run("echo on").out == b"on\n"


def test_through_a_jump_host(lab: SshLab, server: Sshd) -> None:
    inner = lab.server()
    jump = f"127.0.0.1:{server.port}"
    with connected(host(lab, inner.port, jump=jump)) as remote:
        assert remote.run("echo in").out == b"in\n"
    unknown = lab.server(known=False)
    with (
        pytest.raises(HostKeyError, match="unknown"),
        connected(host(lab, inner.port, jump=f"127.0.0.1:{unknown.port}")),
    ):
        pass


def test_a_changed_key_is_refused(lab: SshLab, tmp_path: Path) -> None:
    other = lab.server(known=False)
    keygen(tmp_path / "key")
    kind, key, *_ = (tmp_path / "key.pub").read_text().split()
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{other.port} {kind} {key}\n")
    with (
        pytest.raises(HostKeyError, match="changed"),
        connected(host(lab, other.port, known_hosts=(str(known),))),
    ):
        pass
    assert other.sessions() == 0


def test_a_host_that_says_nothing_is_left(lab: SshLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            pytest.raises(SshError, match="no SSH session"),
            connected(host(lab, port, connect_timeout=0.3)),
        ):
            pass


def put(remote: Remote, content: bytes, path: Path, sha256: str = "") -> list[int]:
    told: list[int] = []
    digest = sha256 or hashlib.sha256(content).hexdigest()
    remote.put(io.BytesIO(content), len(content), str(path), told.append, digest)
    return told


def test_a_file_arrives_whole_or_not_at_all(remote: Remote, tmp_path: Path) -> None:
    content, path = os.urandom(3 << 20), tmp_path / "new" / "file"
    told = put(remote, content, path)
    assert (told[0], told[-1]) == (0, len(content))
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SshError, match="did not arrive as it was sent"):
        put(remote, content, tmp_path / "new" / "other", "0" * 64)
    assert sorted(os.listdir(tmp_path / "new")) == ["file", "file.boot"]


class _Breaks(io.BytesIO):
    """A file that can be read only so far."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 1 << 20:
            raise KeyboardInterrupt
        return super().read(size)


def test_an_upload_that_was_cut_off_is_gone_on_with(remote: Remote, tmp_path: Path) -> None:
    content, path = os.urandom(3 << 20), tmp_path / "file"
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(KeyboardInterrupt):
        remote.put(_Breaks(content), len(content), str(path), lambda at: None, digest)
    assert not path.exists()
    deadline = time.monotonic() + 10
    while True:  # the other side may still be at it
        try:
            told = put(remote, content, path)
            break
        except SshError as error:
            if "uploaded by somebody else" not in str(error) or time.monotonic() > deadline:
                raise
    assert 0 < told[0] <= 2 << 20
    assert path.read_bytes() == content


@pytest.mark.parametrize("size", [100, 3 << 20, 4 << 20])
def test_a_part_of_something_else_is_not_gone_on_with(
    remote: Remote, tmp_path: Path, size: int
) -> None:
    content, path = os.urandom(3 << 20), tmp_path / "file"
    (tmp_path / "file.part").write_bytes(os.urandom(size))
    assert 0 in put(remote, content, path)
    assert path.read_bytes() == content


def test_what_cannot_be_written_is_told(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "sub").write_text("in the way")
    with pytest.raises(SshError, match=r"cannot upload .*/file/sub/x: .*(not|No|File)"):
        put(remote, b"x", tmp_path / "file" / "sub" / "x")


def test_a_host_that_stops_in_the_middle_of_an_upload_is_left(
    remote: Remote, tmp_path: Path
) -> None:
    stopped = int(remote.run("echo $PPID").out)
    remote.stall = 0.3
    content = os.urandom(8 << 20)

    def progress(at: int) -> None:
        if at > 1 << 20:
            os.kill(stopped, signal.SIGSTOP)

    try:
        path, digest = str(tmp_path / "file"), hashlib.sha256(content).hexdigest()
        with pytest.raises(SshError, match=r"it takes nothing for 0\.3 s"):
            remote.put(io.BytesIO(content), len(content), path, progress, digest)
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert not (tmp_path / "file").exists()


def test_a_host_that_goes_away_is_told(remote: Remote) -> None:
    with pytest.raises(SshError, match=r"^\S+@127\.0\.0\.1:\d+: "):
        remote.run("kill -9 $PPID; sleep 5")
    with pytest.raises(SshError, match=r"^\S+@127\.0\.0\.1:\d+: "):
        remote.run("echo again")


def test_a_program_that_was_cut_off_is_not_run(tmp_path: Path) -> None:
    """As sh has it: what is evaluated ends with a brace."""
    import subprocess

    for shell in ("sh", "bash"):
        subprocess.run(
            [shell, "-c", f"eval '{{ touch {tmp_path}/x\ntou'"], stderr=subprocess.DEVNULL
        )
        assert list(tmp_path.iterdir()) == []
