"""`jianwei once`: one scrape of this machine, a host over SSH, or a recording, printed."""

from __future__ import annotations

import sys

import click
import msgspec

from agents import config as configuration
from agents.cli.options import config_option, host_option, recorded_option
from agents.errors import UserError
from agents.sources import observe_with, open_source
from collectors.model import Collector
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.families import with_scrape_series


@click.command(name="once")
@config_option
@host_option
@recorded_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["prom", "json"]),
    default="prom",
    show_default=True,
    help="Prometheus text, or the observations as JSON.",
)
@click.option(
    "--collect", multiple=True, metavar="NAME", help="Only this collector; may be repeated."
)
def command(
    path: str | None, host: str | None, recorded: str | None, style: str, collect: tuple[str, ...]
) -> None:
    """Observe once and print; also over SSH or from a recording.

    \b
    Examples:
      jianwei once
      jianwei once --collect cpu --collect meminfo --format json
      jianwei once --host ssh://ops@10.0.0.7
      jianwei once --recorded ./node7
    What a collector failed of is told on standard error.
    Exit codes: 0 printed, 2 bad input or a host that cannot be asked.
    """
    config = configuration.load(path)
    collectors = _chosen(config, collect)
    with open_source(host, recorded, config.root, config.ssh) as source:
        observations = observe_with(source, collectors, config.collectors.deadline)
    if style == "json":
        sys.stdout.buffer.write(msgspec.json.encode(observations) + b"\n")
    else:
        sys.stdout.buffer.write(Encoder().encode(with_scrape_series(observations)))
    for it in observations:
        # most machines lack something; only who named a collector wants to hear of that
        if it.failure and (collect or it.failure != "absent"):
            click.echo(f"jianwei: collector {it.collector}: {it.failure}: {it.reason}", err=True)


def _chosen(config: configuration.Config, names: tuple[str, ...]) -> list[Collector]:
    try:
        return [config.collector(name) for name in names] or config.scraped()
    except KeyError as error:
        raise UserError(f"no collector {error}; `jianwei explain` lists them") from error
