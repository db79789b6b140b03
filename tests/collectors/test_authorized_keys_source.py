"""Keys that let accounts in: the same rows from this machine and from a host, and never a key."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Inventory
from collectors.rows import AuthorizedKey
from collectors.sources import authorizedkeys
from collectors.sources.local import LocalSource
from collectors.sources.ssh.awkprograms import AUTHORIZED_KEYS
from tests.shellhost import SHELLS, ask, ask_as_local

READING = Inventory("authorized_keys")
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIL6nEr1iRGvD4FRw4cgXj3h2YbLcYqzZr8eTn4B1kQvD"
SAMPLE = f"""\
# a comment
ssh-ed25519 {ED25519} li@example
   from="10.0.0.0/8,192.0.2.1",no-pty,Environment="TOKEN=hunter2 x",s3cret ssh-rsa {"A" * 372} backup key
command="echo \\"a, b\\"" sk-ssh-ed25519@openssh.com {ED25519}==

not a key at all
ssh-rsa
"""
AWKS = [argv for argv in (["mawk"], ["gawk"], ["busybox", "awk"]) if shutil.which(argv[0])]


def parsed(text: str) -> list[AuthorizedKey]:
    return list(authorizedkeys.parse("li", "/k", text))


def test_what_is_kept_of_a_line() -> None:
    ed, rsa, sk, odd, cut = parsed(SAMPLE)
    assert (ed.type, ed.size, ed.options, ed.comment, ed.line) == ("ssh-ed25519", 51, (), 10, 2)
    assert (rsa.type, rsa.size, rsa.comment) == ("ssh-rsa", 279, 10)
    assert rsa.options == ("from", "no-pty", "environment", "other")
    assert (sk.type, sk.options) == ("sk-ssh-ed25519@openssh.com", ("command",))
    assert (odd.type, cut.type) == ("", "")


def redacted(awk: list[str], text: bytes) -> bytes:
    known = f" {' '.join(sorted(authorizedkeys.OPTIONS))} "
    argv = [*awk, "-v", f"known={known}", "-v", f"limit={authorizedkeys.LIMIT}", AUTHORIZED_KEYS]
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    return subprocess.run(argv, input=text, env=environment, stdout=-1, check=True).stdout


@pytest.mark.parametrize("awk", AWKS, ids=lambda argv: argv[0])
def test_nothing_secret_crosses_the_wire(awk: list[str]) -> None:
    told = redacted(awk, SAMPLE.encode()).decode()
    for secret in (ED25519[20:], "hunter2", "s3cret", "10.0.0.0", "li@", "at all"):
        assert secret not in told
    assert parsed(told) == parsed(SAMPLE)


pieces = [*'sk-=,"\\# \tA\r', "ssh-rsa ", "ecdsa-x", "from", 'x="a b"', "é"]
lines = st.lists(st.sampled_from(pieces), max_size=20).map("".join)


@settings(max_examples=60)
@example('a="\\" ssh-rsa AA= c')
@given(st.lists(lines, max_size=6).map("\n".join))
@pytest.mark.parametrize("awk", AWKS, ids=lambda argv: argv[0])
def test_any_line_is_reduced_alike(awk: list[str], text: str) -> None:
    raw = text.encode()
    told = redacted(awk, raw).decode("latin-1")
    assert parsed(told) == parsed(raw.decode("latin-1"))


@given(st.text())
def test_any_text_gives_rows(text: str) -> None:
    assert all(row.line or row.error for row in parsed(text))


def machine(root: Path) -> None:
    for name in ("li", "odd", "fifo", "long", "loop"):
        (root / "home" / name / ".ssh").mkdir(parents=True)
    (root / "home/li/.ssh/authorized_keys").write_text(SAMPLE)
    (root / "home/li/.ssh/authorized_keys2").write_text(f"ssh-ed25519 {ED25519}")
    (root / "home/odd/.ssh/authorized_keys").mkdir()
    os.mkfifo(root / "home/fifo/.ssh/authorized_keys")
    (root / "home/long/.ssh/authorized_keys").write_bytes(b"#" * (authorizedkeys.LIMIT + 1))
    loop = root / "home/loop/.ssh/authorized_keys"
    loop.symlink_to(loop)
    (root / "home/loop/.ssh/authorized_keys2").symlink_to("/nowhere")
    (root / "etc/ssh/authorized_keys").mkdir(parents=True)
    (root / "etc/ssh/authorized_keys/root").write_text(f"ssh-ed25519 {ED25519} a\n")
    names = ("root", "li", "odd", "fifo", "long", "loop", "gone")
    (root / "etc/passwd").write_text(
        "".join(f"{name}:x:1:1::/home/{name}:/bin/sh\n" for name in names)
        + "+::::::\nshort:x:1\n../../x:x:1:1::/home/li:\nnohome:x:1:1::relative:/bin/sh\n"
        "last:x:1:1::/:/bin/sh"
    )


def rows(answer: Answer) -> list[AuthorizedKey]:
    return Answers({READING: answer}).rows(READING, AuthorizedKey)


def test_every_account_of_a_machine() -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine(Path(folder))
        found = rows(LocalSource(folder).answer([READING])[READING])
    assert [(row.account, row.error) for row in found if row.error] == [
        ("odd", "is not a regular file"),
        ("fifo", "is not a regular file"),
        ("long", f"longer than {authorizedkeys.LIMIT} bytes"),
        ("loop", "Too many levels of symbolic links"),
    ]
    assert [row.path for row in found if row.account == "root"] == ["/etc/ssh/authorized_keys/root"]
    assert len([row for row in found if row.account == "li"]) == 6


def test_many_keys_are_cut() -> None:
    found = parsed("x\n" * 100_000)
    assert len(found) == authorizedkeys.MAX_KEYS + 1
    assert found[-1].error == f"more than {authorizedkeys.MAX_KEYS} keys"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_tells_what_this_machine_tells(shell: str) -> None:
    ask_as_local(SHELLS[shell], READING)


CAN_MOUNT = subprocess.run(["unshare", "-m", "true"], stderr=-3, check=False).returncode == 0


@pytest.mark.skipif(not CAN_MOUNT, reason="takes a mount namespace")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_tells_of_odd_files_what_this_machine_tells(shell: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine(Path(folder))
        mounts = " && ".join(
            f"mount --bind {folder}{path} {path}" for path in ("/etc/passwd", "/etc/ssh", "/home")
        )
        argv = ["unshare", "-m", "sh", "-c", f"{mounts} && exec {' '.join(SHELLS[shell])}"]
        answer = ask(argv, READING)[READING]
        assert rows(answer) == rows(LocalSource(folder).answer([READING])[READING])
