"""A group of commands, each of which is imported only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """`table`: name → one line of help. The module of a command is `prefix` and its name with `_` for
    `-`; it exports `command`. `hidden` are names that are not listed."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, str],
        prefix: str,
        hidden: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._table, self._prefix, self._hidden = table, prefix, hidden

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table and cmd_name not in self._hidden:
            return None
        module = importlib.import_module(f"{self._prefix}{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))
