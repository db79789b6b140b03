"""What policies read, as readings: the same here and over SSH, but no commands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.model import Glob, Stat
from collectors.sources.local import LocalSource
from rules.sca.places import command, literal
from tests.shellhost import SHELLS, ask, ask_as_local


def test_both_outputs_and_any_status() -> None:
    reading = command(("sh", "-c", "echo out; echo err >&2; exit 7"))
    answer = LocalSource().answer([reading])[reading]
    assert (answer.state, answer.content) == ("content", b"out\nerr\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_over_ssh_does_not_run_them(shell: str) -> None:
    reading = command(("sh", "-c", "echo out; echo err >&2"))
    answer = ask(SHELLS[shell], reading)[reading]
    assert (answer.state, answer.content) == ("denied", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_files_and_folders_are_the_same_through_a_shell(shell: str, tmp_path: Path) -> None:
    odd = tmp_path / "a[b]*? '"
    odd.mkdir()
    (odd / "x.conf").write_text("x\n")
    (odd / ".hidden").write_text("")
    (tmp_path / "ab").mkdir()
    (tmp_path / "link").symlink_to(odd / "x.conf")
    base = literal(str(odd))
    paths = (str(odd / "x.conf"), str(odd), str(tmp_path / "none"), str(tmp_path / "link"))
    answers = ask_as_local(
        SHELLS[shell],
        *(Glob(literal(path)) for path in paths),
        *(Stat(literal(path)) for path in paths),
        Stat(f"{base}/*"),
        Stat(f"{base}/.*"),
    )
    assert b".hidden" in answers[Stat(f"{base}/.*")].content
