"""`jianwei record DIR`: everything that the collectors read on a machine, in a folder."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import click

from agents import config as configuration
from agents.cli.options import config_option, host_option
from agents.errors import UserError
from agents.sources import observe_with, open_source
from collectors import catalogue
from collectors.model import Collector, describe
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordingError
from collectors.sources.recorder import Recorder, check_target


@click.command(name="record")
@click.argument("directory", type=click.Path())
@config_option
@host_option
@click.option("--scan", is_flag=True, help="Slow inventories as well; takes minutes.")
@click.option("--overwrite", is_flag=True, help="Replace a folder that is not empty.")
def command(
    directory: str, path: str | None, host: str | None, scan: bool, overwrite: bool
) -> None:
    """Record everything a machine answers into DIRECTORY, for `--recorded` and as a fixture.

    Password hashes are reduced where they are read; other content is recorded as it is, so look
    through the folder before you give it away.

    \b
    Examples:
      jianwei record ./this-machine
      jianwei record ./node7 --host ssh://ops@10.0.0.7
    Exit codes: 0 recorded, 2 bad input or a host that cannot be asked.
    """
    config = configuration.load(path)
    try:
        check_target(directory, overwrite)
        with open_source(host, None, config.root, config.ssh) as source:
            recorder = Recorder(source)
            names = [name for name, entry in catalogue.COLLECTORS.items() if not entry.slow]
            collectors = [config.collector(name) for name in names]
            observations = _record(recorder, collectors, config.collectors.deadline)
            if scan:
                slow = [config.collector(name) for name in catalogue.slow()]
                observations += observe(recorder, slow)
        recorder.write(directory, overwrite)
    except RecordingError as error:
        raise UserError(str(error)) from error
    for reading, answer in recorder.answers.items():
        if answer.state in ("denied", "failed"):
            click.echo(f"  {answer.state}: {describe(reading)}: {answer.reason}")
    for it in observations:
        # an answer that is absent or denied is told above; these got none, or none to the end
        if it.failure in ("timeout", "bug"):
            click.echo(f"jianwei: collector {it.collector}: {it.failure}: {it.reason}", err=True)
    states = Counter(answer.state for answer in recorder.answers.values())
    click.echo(
        f"{directory}: {states['content']} readings recorded, {states['absent']} absent, "
        f"{states['denied']} denied, {states['failed']} failed"
    )


def _record(
    recorder: Recorder, collectors: Sequence[Collector], deadline: float
) -> list[Observation]:
    """Observe, not only ask: a parser may want to read more."""
    if not isinstance(recorder.source, LocalSource):
        return observe_with(recorder, collectors, deadline)  # one round trip
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        collectors, label="recording", item_show_func=_name, file=sys.stderr, hidden=hidden
    ) as bar:
        return [it for collector in bar for it in observe_with(recorder, [collector], deadline)]


def _name(collector: Collector | None) -> str:
    return collector.name if collector else ""
