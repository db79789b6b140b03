"""`jianwei inventory`: slow inventories of this machine, scanned apart from audits."""

from __future__ import annotations

import contextlib
import os
import time

import click
import msgspec

from agents import config as configuration
from agents.cli.options import config_option, progress
from agents.errors import UserError
from agents.inventories import Inventories, Kept
from collectors import catalogue
from collectors.strictyaml import Duration

NICE = 10


class Listed(msgspec.Struct, frozen=True):
    """One inventory as `--json` prints it; `age` in seconds, null where it was never scanned."""

    inventory: str
    age: int | None
    scanned: float | None
    seconds: float
    complete: bool
    failure: str
    facts: tuple[str, ...]


@click.group(name="inventory")
def command() -> None:
    """What takes long to see: scan it, and say how old it is.

    \b
    Examples:
      jianwei inventory scan
      jianwei inventory scan filescan --max-age 6h
      jianwei inventory list --json
    Audits take what is kept, with its age; the resident agent scans on schedule.
    """


@command.command(name="scan")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@click.option(
    "--max-age", metavar="DURATION", help="Leave out what was scanned whole within this time."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an inventory, a line each.")
@click.pass_context
def scan(
    ctx: click.Context, names: tuple[str, ...], path: str | None, max_age: str | None, as_json: bool
) -> None:
    """Scan the inventories of this NAME (without one: all) now, at the lowest priority.

    Exit codes: 0 scanned, 1 one of them failed, 2 bad input.
    """
    config = configuration.load(path)
    chosen = _chosen(names)
    limit = _seconds(max_age) if max_age else None
    _give_way()
    inventories = Inventories(config)
    failed = False
    for name in chosen:
        known = _known(inventories, name)
        if limit and known and known.complete and time.time() - known.scanned < limit:
            _tell(name, known, as_json)
            continue
        progress(f"scanning {name} …")
        kept = inventories.scan(name, lambda text, name=name: progress(f"{name}: {text} …"))  # type: ignore[misc]
        progress("")
        _tell(name, kept, as_json)
        failed = failed or bool(kept.failure)
    if failed:
        ctx.exit(1)


@command.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object an inventory, a line each.")
def list_(path: str | None, as_json: bool) -> None:
    """Say of each inventory how old it is. Exit codes: 0 printed, 2 bad input."""
    inventories = Inventories(configuration.load(path))
    for name in catalogue.slow():
        _tell(name, inventories.kept(name), as_json)


def _chosen(names: tuple[str, ...]) -> list[str]:
    known = catalogue.slow()
    for name in names:
        if name not in known:
            raise UserError(f"no inventory {name!r}; there are: {', '.join(known)}")
    return list(dict.fromkeys(names)) or known


def _seconds(text: str) -> float:
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise UserError(f"--max-age: {error}") from error


def _known(inventories: Inventories, name: str) -> Kept | None:
    with contextlib.suppress(UserError):  # damaged: it is scanned anew
        return inventories.kept(name)
    return None


def _tell(name: str, kept: Kept | None, as_json: bool) -> None:
    scanned = kept.scanned if kept and kept.scanned else None
    facts = catalogue.COLLECTORS[name].facts
    listed = Listed(
        name,
        None if scanned is None else max(0, int(time.time() - scanned)),
        scanned,
        round(kept.seconds, 1) if kept else 0.0,
        kept.complete if kept else False,
        kept.failure if kept else "",
        facts,
    )
    if as_json:
        click.echo(msgspec.json.encode(listed))
        return
    state = "never scanned"
    if listed.age is not None:
        whole = "whole" if listed.complete else "in part"
        state = f"{listed.age} s old, {whole}, took {listed.seconds:g} s"
    wide = 2 + max(map(len, catalogue.slow()))
    click.echo(f"{name:{wide}}{state}" + (f"; {listed.failure}" if listed.failure else ""))


def _give_way() -> None:
    """Of processor and disks only what nobody else wants."""
    import psutil

    os.nice(max(0, NICE - os.nice(0)))
    with contextlib.suppress(OSError, psutil.Error):  # a kernel or a sandbox may not have it
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
