"""`jianwei check-config`: is a configuration right, and what does it mean."""

from __future__ import annotations

import click
import msgspec

from agents import config as configuration
from agents.errors import UserError
from rules import pack as packs
from rules.audit import check_params


@click.command(name="check-config")
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@click.option("--print-default", is_flag=True, help="Print the commented default configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print every value in force as JSON.")
def command(file: str | None, print_default: bool, as_json: bool) -> None:
    """Check a configuration FILE (without one: the default) and say what it means.

    \b
    Examples:
      jianwei check-config /etc/jianwei/jianwei.yaml
      jianwei check-config --print-default > jianwei.yaml
    Exit codes: 0 right, 2 wrong (one line names file, line, key and remedy).
    """
    if print_default:
        with open(configuration.DEFAULT_PATH, encoding="utf-8") as default:
            click.echo(default.read(), nl=False)
        return
    config = configuration.load(file)
    _check_packs(config)
    if as_json:
        click.echo(msgspec.json.encode(configuration.plain(config)))
        return
    click.echo(f"{file or 'the default configuration'} is right.")
    click.echo(f"  serves on   {', '.join(config.web.listen)}")
    click.echo(f"  collectors  {' '.join(c.name for c in config.scraped())}")
    click.echo(f"  audits      {' '.join(config.audit.packs)} every {config.audit.interval:g} s")
    targets = len(config.probes.targets)
    gateways = "the default gateways and " if config.probes.gateways else ""
    click.echo(f"  probes      {gateways}{targets} targets every {config.probes.interval:g} s")


def _check_packs(config: configuration.Config) -> None:
    """Packs and their parameters are the audit's to load; here the whole is checked at once."""
    try:
        check_params([packs.load(name) for name in config.audit.packs], config.audit.params)
    except packs.ParamError as error:
        raise UserError(f"audit.params: {error}") from error
