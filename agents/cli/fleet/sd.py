"""`jianwei fleet sd`: Prometheus targets from the inventory, once."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.fleet.inventoryoptions import group_label_option, inventory_option, limit_option
from agents.errors import UserError
from agents.fleet import inventory as inventories
from agents.fleet.discovery import file_json, file_yaml, groups_of, http_json
from exporters.aside import replacing

_YAML = (".yml", ".yaml")


@click.command(name="sd")
@inventory_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["file", "http"]),
    default="file",
    show_default=True,
    help="For file_sd_configs, or as an HTTP SD endpoint answers.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write there: .json, or .yml or .yaml; a file that is equal is left alone.",
)
@limit_option
@group_label_option
def command(
    inventory: str, form: str, output: str | None, limit: tuple[str, ...], group_label: bool
) -> None:
    """Print Prometheus targets, with department, system, region and level as labels.

    \b
    Examples:
      jianwei fleet sd --inventory hosts.yaml
      jianwei fleet sd --inventory hosts.yaml --output /etc/prometheus/targets/agents.json
      jianwei fleet sd --inventory hosts.yaml --format http --limit department=财政局
    Prometheus sees a written file at once: file_sd_configs: [{files: [targets/*.json]}].
    Exit codes: 0 done, 2 bad input.
    """
    groups = groups_of(inventories.outline(inventory, limit), group_label)
    if form == "http":
        content = http_json(groups)
    elif output and output.endswith(_YAML):
        content = file_yaml(groups)
    elif output and not output.endswith(".json"):
        raise UserError(f"--output {output}: Prometheus reads .json, .yml and .yaml alone")
    else:
        content = file_json(groups)
    if not output:
        click.echo(content.rstrip(b"\n"))
        return
    try:
        written = _write(Path(output), content)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from error
    count = sum(len(group.targets) for group in groups)
    told = "written" if written else "as it was"
    click.echo(f"{output}: {count} targets in {len(groups)} groups, {told}", err=True)


def _write(path: Path, content: bytes) -> bool:
    """Whether it had to be written: Prometheus would read an equal file for nothing. Raises OSError."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    with replacing(path, 0o644) as file:
        file.write(content)
    return True
