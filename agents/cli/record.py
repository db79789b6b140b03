"""`jianwei record DIR`: everything that the collectors read on a machine, in a folder."""

from __future__ import annotations

from collections import Counter

import click

from agents import config as configuration
from agents.cli.options import config_option, host_option
from agents.errors import UserError
from agents.sources import open_source
from collectors import catalogue
from collectors.observe import observe
from collectors.sources.recorded import RecordingError
from collectors.sources.recorder import Recorder, check_target


@click.command(name="record")
@click.argument("directory", type=click.Path())
@config_option
@host_option
@click.option("--overwrite", is_flag=True, help="Replace a folder that is not empty.")
def command(directory: str, path: str | None, host: str | None, overwrite: bool) -> None:
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
        with open_source(config, host, None) as source:
            recorder = Recorder(source)
            # observing, not only asking: a parser may want to read more
            observe(recorder, [config.collector(name) for name in catalogue.COLLECTORS])
        recorder.write(directory, overwrite)
    except RecordingError as error:
        raise UserError(str(error)) from error
    states = Counter(answer.state for answer in recorder.answers.values())
    click.echo(
        f"{directory}: {states['content']} readings recorded, {states['absent']} absent, "
        f"{states['denied']} denied, {states['failed']} failed"
    )
