"""Commands that a runbook tells to run are commands that there are, with their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from agents.cli import main
from tests.deployfiles import RUNBOOKS

COMMANDS = sorted(
    {
        (path, line)
        for path in RUNBOOKS.glob("*.md")
        for line in re.findall(r"`(jianwei [^`…]+)`", path.read_text())
    }
)


@pytest.mark.parametrize(("path", "line"), COMMANDS, ids=lambda it: getattr(it, "stem", it))
def test_a_command_is_there(path: Path, line: str) -> None:
    _, *words = shlex.split(line)
    command: click.Command = main
    context = click.Context(command)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        if found is None:
            break
        command, words = found, words[1:]
        context = click.Context(command, parent=context)
    groups = isinstance(command, click.Group) and not command.invoke_without_command
    assert not groups, f"{line}: no such command"
    options = {one for parameter in command.params for one in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options, line
