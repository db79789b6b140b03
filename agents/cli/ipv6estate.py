"""`jianwei ipv6 estate`: the readiness of all sites and hosts of an inventory, as a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
import msgspec

from agents import config as configuration
from agents import readiness
from agents.cli.auditinput import params_of
from agents.cli.options import config_option, param_option, progress
from agents.errors import UserError
from agents.ipv6estate import AuditHost, CheckSites, look
from collectors.ipv6.check import site_of
from collectors.ipv6.estate.file import load
from collectors.ipv6.estate.model import Estate, EstateRow
from exporters.estate import files as estatefiles
from exporters.estate.readiness import Report, report
from exporters.estate.results import Results, read
from exporters.estate.words import LANGUAGES
from exporters.findings.text import cut, neutral
from exporters.report import files
from rules import pack as packs
from rules.readinessmodel import PACK, Readiness

MAX_WORKERS = 200


class Checkers(NamedTuple):
    """Who looks at sites and hosts."""

    check_sites: CheckSites
    audit_host: AuditHost


@click.command(name="estate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--out", "folder", required=True, type=click.Path(file_okay=False), help="Where to write."
)
@click.option(
    "--results",
    type=click.Path(exists=True),
    metavar="DIR|FILE",
    help="Results made elsewhere, JSON lines, instead of looking at anything.",
)
@click.option(
    "--lang",
    type=click.Choice([*LANGUAGES, "both"]),
    default="both",
    show_default=True,
    help="Of the report.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=16,
    show_default=True,
    help="Subjects looked at at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON, too.")
@config_option
@param_option
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    folder: str,
    results: str | None,
    lang: str,
    workers: int,
    as_json: bool,
    path: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Report how ready the sites and hosts in FILE (YAML or CSV) are for IPv6.

    Ranks departments, levels and subjects, says what to fix first and what was not tested. Writes
    ipv6-estate.LANG.html, ipv6-subjects.LANG.csv and ipv6-checks.LANG.csv.

    \b
    Examples:
      jianwei ipv6 estate estate.csv --out report
      jianwei ipv6 estate estate.yaml --out report --results results.jsonl --lang zh
    Exit codes:
      0  the report is written and every subject was tested
      1  the report is written, and some subject could not be tested
      2  bad input: the file, the results, or a folder that cannot be written
    """
    estate = load(file)
    found = (
        read(results, estate) if results else _look(estate, workers, checkers(path, assignments))
    )
    progress("making the report …")
    made = report(estate.rows, found)
    languages = LANGUAGES if lang == "both" else (lang,)
    try:
        written = files.write(folder, estatefiles.contents(made, languages, datetime.now(UTC)))
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written: {error.strerror}") from error
    progress("")
    if as_json:
        click.echo(msgspec.json.encode(figures(made)))
    else:
        _tell(made, written)
    if made.whole.tested < made.whole.count:
        ctx.exit(1)


def figures(made: Report) -> dict[str, Any]:
    """The report as data; a subject's checks without their evidence."""
    data: dict[str, Any] = msgspec.to_builtins(made)
    for one in data["subjects"]:
        del one["own"]
        for check in one["checks"]:
            del check["evidence"]
    return data


def checkers(path: str | None, assignments: tuple[str, ...]) -> Checkers:
    """By the configuration and parameters given on the command line."""
    config = configuration.load(path)
    pack = packs.load(PACK)
    params = params_of([pack], config.audit, assignments)[PACK]

    def check_sites(rows: Sequence[EstateRow], *, workers: int) -> Iterator[Readiness]:
        settings = msgspec.structs.replace(config.ipv6_sites.check, workers=workers)
        wanted = [site_of(row.target, row.name) for row in rows]
        return readiness.sites(settings, pack, params, wanted)

    def audit_host(row: EstateRow) -> Readiness:
        return readiness.host(config, pack, params, *row.asked, name=row.name)

    return Checkers(check_sites, audit_host)


def _look(estate: Estate, workers: int, known: Checkers) -> Results:
    count = len(estate.rows)
    return look(
        estate,
        known.check_sites,
        known.audit_host,
        workers,
        lambda done, name: progress(f"{done} of {count}: {cut(neutral(name), 50)}"),
    )


def _tell(made: Report, written: Iterable[str]) -> None:
    whole = made.whole
    click.echo(
        f"score {whole.mean:.1f}, not tested {whole.untested:.1%}, "
        f"{whole.tested} of {whole.count} subjects tested"
    )
    for path in written:
        click.echo(path)
