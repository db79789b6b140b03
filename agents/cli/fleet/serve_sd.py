"""`jianwei fleet serve-sd`: Prometheus targets from the inventory, over HTTP."""

from __future__ import annotations

import signal

import click

from agents import logs
from agents.cli.fleet.inventoryoptions import group_label_option, inventory_option, limit_option
from agents.fleet.sdserving import Targets
from agents.systemd import tell_ready
from exporters.prometheus.server import Server
from exporters.prometheus.settings import WebSettings
from exporters.prometheus.targetpages import TargetPages

LISTEN = "127.0.0.1:9810"


@click.command(name="serve-sd")
@inventory_option
@click.option(
    "--listen", multiple=True, default=(LISTEN,), show_default=True, metavar="ADDR",
    help="host:port; may be repeated.",
)  # fmt: skip
@click.option("--web.config.file", "web_config", type=click.Path(), help="TLS and authentication.")
@limit_option
@group_label_option
@click.pass_context
def command(
    ctx: click.Context,
    inventory: str,
    listen: tuple[str, ...],
    web_config: str | None,
    limit: tuple[str, ...],
    group_label: bool,
) -> None:
    """Serve targets for http_sd_configs; the inventory is read again when it changes.

    \b
    Examples:
      jianwei fleet serve-sd --inventory hosts.yaml
      jianwei fleet serve-sd --inventory hosts.yaml --listen :9810 --web.config.file web.yaml
    Pages: /targets, /targets?department=…&group=…, /metrics, /-/healthy, /-/ready, /-/reload.
    A bad inventory leaves the last good list, and says so in the log and in /metrics.
    Signals: TERM and INT end it, HUP reads the inventory again.
    Exit codes: 0 ended, 2 bad inventory or an address that cannot be served on.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing to read again before it serves
    logs.set_up("info", ctx.find_root().obj or "text")
    targets = Targets(inventory, limit, group_label)
    web = WebSettings(listen=listen, config_file=web_config)
    server = Server(lambda own: TargetPages(targets, own), web)
    for url in server.bind():
        click.echo(f"Jianwei targets on {url}/targets")
    tell_ready()
    server.run()
