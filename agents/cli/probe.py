"""`jianwei probe`: are these targets reachable over IPv4 and IPv6, and if not, why."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from agents.cli import probemodules
from agents.cli.options import FiniteRange, language_of, language_option
from agents.cli.probetable import progress, table
from agents.errors import UserError
from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.link.resolve import Resolver
from collectors.link.settings import Families, ProbeTarget
from collectors.link.statistics import rtt_statistics
from collectors.link.targets import Targets, probe
from collectors.model import ProbeResult

SHOWN = 20  # mistakes in one go


@click.command(name="probe")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "--count", type=click.IntRange(1, 100_000), default=5, show_default=True, help="Echoes each."
)
@click.option(
    "--interval",
    type=FiniteRange(0.001, 3600),
    default=0.5,
    show_default=True,
    help="Seconds between two echoes to one target.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0.001, 60),
    default=2.0,
    show_default=True,
    help="Seconds until an answer is late.",
)
@click.option(
    "--family", type=click.Choice(["both", "ipv4", "ipv6"]), default="both", show_default=True
)
@click.option(
    "--targets-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with one target a line, # for comments; - is standard input.",
)
@click.option("--module", default="icmp", show_default=True, help="How: see docs/probes.md.")
@click.option("--modules-file", type=click.Path(), help="Modules as blackbox_exporter has them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a target and family.")
@language_option
def command(
    targets: tuple[str, ...],
    count: int,
    interval: float,
    timeout: float,
    family: Families,
    targets_file: str | None,
    module: str,
    modules_file: str | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Probe TARGETs with ICMP echo, or by a module, both families side by side.

    \b
    Examples:
      jianwei probe 192.0.2.1 portal.example.gov.cn
      jianwei probe fe80::1%eth0 --count 20 --interval 0.1
      jianwei probe --targets-file lines.txt --family ipv6 --json
      jianwei probe --module http_2xx https://portal.example.gov.cn/
      jianwei probe --module stamp --count 20 192.0.2.1
    Exit codes:
      0  every target answered, in at least one of the families asked
      1  some target answered in none of them
      2  bad input
    With --family ipv6 (or ipv4) the answer must come in that family. Interrupt (Ctrl-C)
    shows what is known so far.
    """
    lines = [("TARGET", target) for target in targets]
    if targets_file is not None:
        with click.open_file(targets_file, "rb") as file:
            lines += _lines(targets_file, file.read())
    language = language_of(lang)
    shown = _Shown(language, as_json)
    asked: list[str] = []
    try:
        if module == "icmp" and modules_file is None:
            specs = _specs(lines, family)
            asked = [spec.name for spec in specs]
            prober = IcmpProber(EchoOptions(count, interval, timeout))
            located = Targets(specs, Resolver()).locate()
            shown.results = probe(prober, located, shown.update)
        else:
            chosen = probemodules.module_of(module, modules_file)
            jobs, mistakes = probemodules.jobs_of(lines, chosen, family)
            _refuse(mistakes, not jobs)
            asked = [job.name for job in jobs]
            shown.results = probemodules.probe(jobs, chosen, count, interval, timeout, shown.update)
    except KeyboardInterrupt:
        click.echo(err=True)
    shown.clear()
    if as_json:
        for result in shown.results:
            click.echo(json.dumps(_object(result), ensure_ascii=False))
    elif shown.results:
        click.echo(table(shown.results, language))
    answered = {result.target for result in shown.results if result.success}
    if any(name not in answered for name in asked):
        raise SystemExit(1)


class _Shown:
    """What is shown while the round runs: a live table where it fits, else a line of progress."""

    def __init__(self, language: str, as_json: bool) -> None:
        self.results: Sequence[ProbeResult] = ()
        self._language = language
        self._table = not as_json and sys.stdout.isatty()
        self._progress = sys.stderr.isatty()
        self._lines = 0

    def update(self, results: Sequence[ProbeResult]) -> None:
        """A snapshot; the last one is what an interrupt leaves."""
        self.results = results
        size = shutil.get_terminal_size()
        text = table(results, self._language) if self._table and len(results) < 200 else ""
        lines = text.split("\n")
        self.clear()
        if text and len(lines) < size.lines and max(map(len, lines)) < size.columns:
            click.echo(text)
            self._lines = len(lines)
        elif self._progress:
            click.echo(f"\r\x1b[K{progress(results, self._language)}", nl=False, err=True)

    def clear(self) -> None:
        if self._lines:
            click.echo(f"\x1b[{self._lines}A\x1b[J", nl=False)
            self._lines = 0
        elif self._progress:
            click.echo("\r\x1b[K", nl=False, err=True)


def _lines(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """The targets in a file, each with where it stands."""
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if target := line.partition("#")[0].strip():
            yield f"{name}:{number}", target


def _specs(lines: Iterable[tuple[str, str]], family: Families) -> list[ProbeTarget]:
    """Each target once; raises UserError with every mistake."""
    specs: dict[str, ProbeTarget] = {}
    mistakes = []
    for where, target in lines:
        try:
            specs[target] = ProbeTarget(target, target, family)
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
    _refuse(mistakes, not specs)
    return list(specs.values())


def _refuse(mistakes: Sequence[str], nothing: bool) -> None:
    """Raises UserError for what cannot be probed."""
    if mistakes:
        more = [f"and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
        raise UserError("\n".join([*mistakes[:SHOWN], *more]))
    if nothing:
        raise UserError("no targets; name some, or use --targets-file")


def _object(result: ProbeResult) -> dict[str, Any]:
    """Times in seconds, null where nothing answered."""
    rtt = rtt_statistics(result.rtts)
    return {
        "target": result.target,
        "family": result.family,
        "address": result.address,
        "prober": result.prober,
        "sent": result.sent,
        "received": result.received,
        "loss": result.loss,
        "rtt": {name: rtt.get(name) for name in ("min", "median", "p95", "max", "mean")},
        "success": result.success,
        "reason": result.reason,
        "detail": result.detail,
        "phases": dict(result.phases),
        "late": result.late,
        "duplicates": result.duplicates,
        "hop_limit": result.hop_limit,
        "mode": result.mode,
    }
