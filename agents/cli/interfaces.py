"""`jianwei interfaces`: what routers, switches and hosts tell of their interfaces, asked once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click
import msgspec

from agents import config as configuration
from agents.cli.interfacetable import table
from agents.cli.options import config_option, language_of, language_option
from agents.errors import UserError
from collectors.link.devices import Device, wanted_of
from collectors.link.lines import metered
from collectors.link.linesfile import load
from collectors.link.polling import Hints, Poller
from collectors.sources.local import LocalSource

MAX_HINTS = 64 << 20  # bytes


@click.command(name="interfaces")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@config_option
@click.option("--device", "names", multiple=True, metavar="NAME", help="Only this device.")
@click.option("--all", "every", is_flag=True, help="All interfaces, not only those of lines.")
@click.option("--lines", "only", is_flag=True, help="Only devices and interfaces of lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list of devices.")
@click.option("--hints", "hinted", is_flag=True, hidden=True)
@language_option
def command(
    file: str,
    path: str | None,
    names: tuple[str, ...],
    every: bool,
    only: bool,
    as_json: bool,
    hinted: bool,
    lang: str | None,
) -> None:
    """Ask the devices in a lines FILE once for states, speeds and counters of their interfaces.

    \b
    Examples:
      jianwei interfaces lines.yaml
      jianwei interfaces lines.yaml --device core-1 --all
      jianwei interfaces lines.yaml --lines --json
    A device without lines is shown whole. Logins over SSH are those of the section ssh in the
    configuration.
    Exit codes:
      0  every device answered and has every interface that is wanted
      1  some did not, or has not
      2  bad input
    """
    if every and only:
        raise UserError("--all and --lines cannot be used together")
    known = load(file)
    config = configuration.load(path)
    devices = _chosen(known.devices, names)
    wanted: dict[str, Sequence[str] | None] = {
        name: None if every or not interfaces else interfaces
        for name, interfaces in wanted_of(metered(known), known.devices).items()
    }
    if only:
        devices = {name: device for name, device in devices.items() if wanted[name] is not None}
    hints = _hints() if hinted else {}
    poller = Poller(config.bandwidth, config.ssh, LocalSource(config.root))
    polls = poller.poll(devices, wanted, hints)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(polls) + b"\n")
    elif polls:
        click.echo(table(polls, language_of(lang)))
    if any(poll.reason or poll.missing for poll in polls):
        raise SystemExit(1)


def _chosen(devices: Mapping[str, Device], names: Sequence[str]) -> dict[str, Device]:
    for name in names:
        if name not in devices:
            raise UserError(f"no device {name!r}; there are: {', '.join(devices)}")
    return {name: device for name, device in devices.items() if not names or name in names}


def _hints() -> Hints:
    """What the agent, whose child this is, knows from the last round: device → interface → index."""
    try:
        given = sys.stdin.buffer.read(MAX_HINTS)
        return msgspec.json.decode(given, type=dict[str, dict[str, int]])
    except msgspec.MsgspecError as error:
        raise UserError(f"standard input: {error}") from error
