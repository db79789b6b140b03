"""`jianwei explain`: exactly what each collector reads, and whether it may here."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
import msgspec

from agents import config as configuration
from agents.cli.options import config_option, host_option, recorded_option
from agents.cli.sudoers import sudoers_lines
from agents.errors import UserError
from agents.sources import observe_with, open_source
from collectors import catalogue
from collectors.model import Answer, Collector, Source, describe
from collectors.observe import Observation
from collectors.sources.recorded import RecordedSource
from collectors.sources.recorder import Recorder


class Explained(msgspec.Struct, frozen=True):
    """One collector as `--json` prints it: its readings with their state, and what it gives."""

    collector: str
    on: bool
    about: str
    readings: dict[str, str]
    metrics: tuple[str, ...]
    facts: tuple[str, ...]
    failure: str


@click.command(name="explain")
@click.argument("names", nargs=-1, metavar="[COLLECTOR]...")
@config_option
@host_option
@recorded_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
@click.option(
    "--sudoers", metavar="USER", help="Print the sudoers file that lets USER run what is run."
)
def command(
    names: tuple[str, ...],
    path: str | None,
    host: str | None,
    recorded: str | None,
    as_json: bool,
    sudoers: str | None,
) -> None:
    """Say exactly what each COLLECTOR (without one: all) reads, and whether it may.

    \b
    Examples:
      jianwei explain
      jianwei explain filesystem accounts
      jianwei explain --host ssh://ops@10.0.0.7 --json
      jianwei explain --sudoers jianwei
    The sudoers file is for hosts asked over SSH with `ssh: {sudo: true}`, as a user who is not root.
    Exit codes: 0 printed, 2 bad input or a host that cannot be asked.
    """
    config = configuration.load(path)
    try:
        collectors = [config.collector(name) for name in names or catalogue.COLLECTORS]
    except KeyError as error:
        raise UserError(
            f"no collector {error}; there are: {', '.join(catalogue.COLLECTORS)}"
        ) from error
    if sudoers is not None:
        click.echo("".join(sudoers_lines(sudoers, collectors)), nl=False)
        return
    deadline = config.collectors.deadline
    on = {collector.name for collector in config.scraped()}
    with open_source(host, recorded, config.root, config.ssh) as source:
        explained = [_explain(source, c, c.name in on, deadline) for c in collectors]
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(explained) + b"\n")
        return
    for one in explained:
        click.echo("".join(_lines(one)))


def _explain(source: Source, collector: Collector, on: bool, deadline: float) -> Explained:
    recorder = Recorder(source)
    late = Answer("failed", reason="no answer in time")
    if catalogue.COLLECTORS[collector.name].slow and not isinstance(source, RecordedSource):
        late = Answer("failed", reason="slow, so not asked here: jianwei inventory scan")
        observation = Observation(collector.name, 0.0)
    else:
        observation = observe_with(recorder, [collector], deadline)[0]
    answers = {**dict.fromkeys(collector.readings(), late), **recorder.answers}
    return Explained(
        collector.name,
        on,
        (type(collector).__doc__ or "").splitlines()[0],
        {describe(reading): _state(answer) for reading, answer in answers.items()},
        tuple(family.name for family in observation.families),
        collector.facts,
        observation.failure and f"{observation.failure}: {observation.reason}",
    )


def _state(answer: Answer) -> str:
    if answer.state != "content":
        return f"{answer.state} ({answer.reason})" if answer.reason else answer.state
    if not answer.children:
        return f"{len(answer.content)} bytes"
    read = [child for _, child in answer.children if child.state == "content"]
    denied = sum(child.state == "denied" for _, child in answer.children)
    size = sum(len(child.content) for child in read)
    return f"{len(read)} files, {size} bytes" + (f", {denied} denied" if denied else "")


def _lines(one: Explained) -> Iterator[str]:
    yield f"{one.collector}{'' if one.on or not one.metrics else '  (off)'}  {one.about}\n"
    for reading, state in one.readings.items():
        yield f"    reads  {reading}: {state}\n"
    for what, names in (("metrics", one.metrics), ("facts", one.facts)):
        if names:
            yield f"    {what}  {' '.join(names)}\n"
    if one.failure:
        yield f"    fails  {one.failure}\n"
