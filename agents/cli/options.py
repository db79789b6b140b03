"""Options that several commands share."""

from __future__ import annotations

import click

config_option = click.option("--config", "path", type=click.Path(), help="Configuration file.")
host_option = click.option(
    "--host", metavar="ssh://USER@HOST", help="A host over SSH; nothing is installed there."
)
recorded_option = click.option(
    "--recorded", type=click.Path(), metavar="DIR", help="A folder written by jianwei record."
)
