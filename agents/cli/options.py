"""Options that several commands share, and the language of what people read."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A number in a range; NaN, which compares with nothing, is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return number


config_option = click.option("--config", "path", type=click.Path(), help="Configuration file.")
host_option = click.option(
    "--host",
    metavar="ssh://[USER@]HOST[:PORT]",
    help="A host over SSH; nothing is installed there.",
)
recorded_option = click.option(
    "--recorded", type=click.Path(), metavar="DIR", help="A folder written by jianwei record."
)
param_option = click.option(
    "--param",
    "assignments",
    multiple=True,
    metavar="[PACK.]NAME=VALUE",
    help="Override a parameter of the packs, value in YAML; may be repeated.",
)
semantics_option = click.option(
    "--sca-semantics",
    "semantics",
    type=click.Choice(["4", "5"]),
    help="Whether Wazuh SCA policies mean what they mean in Wazuh 4.x or in 5.x; else as configured (5).",
)
allow_commands_option = click.option(
    "--allow-commands",
    is_flag=True,
    help="Run the commands that Wazuh SCA policies name, on this machine and from files that root alone "
    "can write.",
)
language_option = click.option(
    "--lang", type=click.Choice(["zh", "en"]), help="Language; else of the locale."
)


def language_of(choice: str | None) -> str:
    """`zh` or `en`: the choice, else English where the locale names a language but Chinese."""
    if choice:
        return choice
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, names), "").partition(".")[0]
    return "zh" if locale in ("", "C", "POSIX") or locale.startswith("zh") else "en"


def progress(text: str) -> None:
    """One line on a terminal that the next one replaces; empty to leave none."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
