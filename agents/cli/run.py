"""`jianwei run`: the resident agent."""

from __future__ import annotations

import gc
import signal

import click

from agents import config as configuration
from agents import logs, memory
from agents.errors import UserError
from agents.runtime import Runtime
from agents.systemd import Heart, tell_ready, watchdog_interval
from exporters.prometheus.listen import ListenError
from exporters.prometheus.server import WebServer


@click.command(name="run")
@click.option("--config", "path", type=click.Path(), help="Configuration file.")
@click.option("--config.file", "path", type=click.Path(), hidden=True)
@click.option(
    "--web.listen-address", "listen", multiple=True, help="Serve here instead; may be repeated."
)
@click.option("--web.config.file", "web_config", type=click.Path(), help="TLS and authentication.")
@click.option(
    "--log-level", "--log.level", "level", type=click.Choice(["debug", "info", "warning", "error"])
)
@click.option("--log-format", "--log.format", "style", type=click.Choice(["text", "json"]))
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    listen: tuple[str, ...],
    web_config: str | None,
    level: logs.LogLevel | None,
    style: logs.LogFormat | None,
) -> None:
    """Run the agent: serve metrics, probe links, audit on schedule.

    \b
    Examples:
      jianwei run
      jianwei run --config /etc/jianwei/jianwei.yaml
      jianwei run --web.listen-address [::]:9808 --web.config.file web.yaml
    Signals: TERM and INT end it, HUP reloads the configuration.
    Exit codes: 0 ended, 2 bad configuration or an address that cannot be served on.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing to reload before it serves
    memory.share_one_arena()
    runtime = Runtime(path)
    config = runtime.config
    logs.set_up(level or config.log.level, style or ctx.obj or config.log.format)
    web = configuration.with_overrides(config.web, listen, web_config)
    server = WebServer(runtime, web)
    try:
        urls = server.bind()
    except ListenError as error:
        raise UserError(str(error)) from error
    runtime.start()
    for url in urls:
        click.echo(f"Jianwei agent on {url}/  metrics: {url}/metrics  findings: {url}/findings")
    gc.collect()
    gc.set_threshold(10_000, 10, 10)  # a scrape makes thousands of objects, and hardly a cycle
    if seconds := watchdog_interval():
        server.every(seconds, Heart(runtime.stuck).beat)
    tell_ready()
    gc.freeze()  # what start-up made lives as long as the process: collections skip it
    try:
        server.run()
    finally:
        runtime.stop()
