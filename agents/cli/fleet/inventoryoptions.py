"""Options of commands that take an inventory."""

from __future__ import annotations

import click

inventory_option = click.option(
    "--inventory",
    type=click.Path(),
    required=True,
    metavar="FILE",
    help="The inventory, YAML or CSV: docs/fleet-inventory.md.",
)
limit_option = click.option(
    "--limit",
    multiple=True,
    metavar="WORD,…",
    help="Of the inventory these alone: names, groups, key=value, with *; !WORD leaves out, &WORD must fit too.",
)
group_label_option = click.option(
    "--group-label", is_flag=True, help="Add the label group: the host's groups, with commas."
)
