"""GRUB's password: whether there is one, by the real grep on the files of both families."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, ParseError, Reading
from collectors.rows import FileStat
from collectors.security.system.bootloader import (
    COUNT,
    FILES,
    STATS,
    SUPERUSERS,
    BootLoaderCollector,
)

TEMPLATE = """\
if [ -f ${prefix}/user.cfg ]; then
  source ${prefix}/user.cfg
  if [ -n "${GRUB2_PASSWORD}" ]; then
    set superusers="root"
    password_pbkdf2 root ${GRUB2_PASSWORD}
  fi
fi
"""
HASH = "grub.pbkdf2.sha512.10000.AB12.CD34"


def fact(there: list[str], counts: Answer, named: Answer | None = None) -> Fact:
    answers: dict[Reading, Answer] = {COUNT: counts, SUPERUSERS: named or counts}
    for stat, folder in zip(STATS, ("/boot/grub", "/boot/efi/"), strict=True):
        rows = [FileStat(path, "file", 0o600, 0, 0) for path in there if path.startswith(folder)]
        answers[stat] = Answer("content", msgspec.json.encode(rows))
    (made,) = (f for f in BootLoaderCollector().parse(Answers(answers)) if isinstance(f, Fact))
    return made


@pytest.mark.parametrize(
    ("files", "password"),
    [
        ({"/boot/grub/grub.cfg": "set timeout=5\n"}, False),
        ({"/boot/grub/grub.cfg": f'set superusers="a"\npassword_pbkdf2 a {HASH}\n'}, True),
        ({"/boot/grub/grub.cfg": f"#password_pbkdf2 a {HASH}\n"}, False),
        # nobody is named, so nobody is asked
        ({"/boot/grub/grub.cfg": f"password_pbkdf2 a {HASH}\n"}, False),
        ({"/boot/grub/grub.cfg": f'set superusers=""\npassword_pbkdf2 a {HASH}\n'}, False),
        ({"/boot/grub/grub.cfg": f"#set superusers=a\npassword_pbkdf2 a {HASH}\n"}, False),
        ({"/boot/grub2/grub.cfg": TEMPLATE}, False),
        ({"/boot/efi/EFI/bclinux/grub.cfg": "set timeout=5\n"}, False),
        ({"/boot/efi/EFI/ctyunos/grub.cfg": f"set superusers=a\npassword a {HASH}\n"}, True),
        ({"/boot/grub2/grub.cfg": TEMPLATE, "/boot/grub2/user.cfg": f"GRUB2_PASSWORD={HASH}\n"}, True),
        ({"/boot/grub2/grub.cfg": TEMPLATE, "/boot/grub2/user.cfg": "GRUB2_PASSWORD=\n"}, False),
    ],
)  # fmt: skip
def test_grep_counts_and_tells_no_hash(
    files: dict[str, str], password: bool, tmp_path: Path
) -> None:
    for path, content in files.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_text(content)
    said = []
    for command in (COUNT, SUPERUSERS):
        argv = [str(tmp_path) + a if a in FILES else a for a in command.argv]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode in command.ok
        assert "pbkdf2" not in done.stdout
        said.append(Answer("content", done.stdout.replace(str(tmp_path), "").encode()))
    value: dict[str, Any] = fact(list(files), *said).value
    assert (value["grub"], value["password"]) == (True, password)


def test_names_of_efi_have_no_capitals() -> None:
    path = "/boot/efi/EFI/EulerOS/grub.cfg"
    counts = Answer("content", f"{path.lower().replace('/efi/efi', '/efi/EFI')}:1\n".encode())
    assert fact([path], counts).value["password"]


def test_a_folder_of_efi_that_is_not_read_is_unknown() -> None:
    made = fact(["/boot/efi/EFI/other/grub.cfg"], Answer("content", b""))
    assert made.unavailable == "failed: /boot/efi/EFI/other/grub.cfg: is not read"


def test_no_grub_is_not_judged_and_one_that_is_hidden_is_unknown() -> None:
    assert not fact([], Answer("content", b"")).value["grub"]
    hidden = fact(["/boot/grub/grub.cfg"], Answer("content", b""))
    assert hidden.unavailable == "denied: /boot/grub/grub.cfg"


@given(st.binary())
def test_any_output(said: bytes) -> None:
    try:
        fact(["/boot/grub/grub.cfg"], Answer("content", said))
    except ParseError:
        return
