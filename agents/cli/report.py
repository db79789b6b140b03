"""`jianwei report`: the monthly report of a city, made of a history file or a time-series database (docs/report.md)."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from typing import Any, Final

import click
import msgspec
from exporters.report.excerpt import excerpt

from agents import config as configuration
from agents import reportprofile
from agents.cli.auditinput import params_of
from agents.cli.options import config_option, language_option, param_option, progress
from agents.errors import UserError
from agents.reportmaking import Maker, Opened, source_of
from agents.reportprofile import Profile
from collectors.cloud.owners import clean
from exporters.report import files
from exporters.report.document import Document
from exporters.report.fonts import FontError
from exporters.report.pdf import PdfError
from exporters.report.rendering import FORMATS, ready, render
from exporters.usage.period import month, months_before, shown_month
from exporters.usage.source import SourceError
from rules import pack as packs
from rules.usagemodel import PACK
from rules.usagethresholds import Thresholds, thresholds_of

_MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])", re.ASCII)


def _formats(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(filter(None, (value or "").replace(" ", "").split(","))))
    if wrong := [one for one in found if one not in FORMATS]:
        raise click.BadParameter(f"{wrong[0]!r} is none of {', '.join(FORMATS)}", param=option)
    return found


@click.command(name="report")
@click.option("--month", "label", metavar="YYYY-MM", help="Else the last one that is over.")
@click.option(
    "--out", "folder", type=click.Path(file_okay=False), metavar="DIR", help="Where to write."
)
@click.option(
    "--format",
    "formats",
    callback=_formats,
    metavar="LIST",
    help="html,pdf,xlsx,csv,json; else all.",
)
@click.option(
    "--profile", "profile_path", metavar="FILE", help="The city's profile: docs/report.md."
)
@click.option("--history", metavar="FILE", help="A history file; else the agent's.")
@click.option(
    "--prometheus", metavar="URL", help="A server that speaks the Prometheus API, instead."
)
@click.option(
    "--department", metavar="NAME", help="Only the excerpt to send to it; 未归属: nobody's."
)
@click.option("--excerpts", is_flag=True, help="The excerpt of each department as well.")
@click.option(
    "--check", is_flag=True, help="Say what --prometheus lacks for this month, and make nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written, or found, as JSON.")
@param_option
@config_option
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    label: str | None,
    folder: str | None,
    formats: tuple[str, ...],
    profile_path: str | None,
    history: str | None,
    prometheus: str | None,
    department: str | None,
    excerpts: bool,
    check: bool,
    as_json: bool,
    assignments: tuple[str, ...],
    path: str | None,
    lang: str | None,
) -> None:
    """Make the monthly report: what was granted and used, who wastes, who starves, how lines, IPv6 and the baseline did.

    \b
    Examples:
      jianwei report --month 2026-10 --history city.db --out report
      jianwei report --month 2026-10 --prometheus http://127.0.0.1:9090 --check
      jianwei report --month 2026-10 --profile city.yaml --out report --format html,xlsx
      jianwei report --month 2026-10 --profile city.yaml --out report --department 市财政局
    Exit codes: 0 done, 1 --check found what makes figures wrong, 2 bad input.
    """
    profile = _profile(profile_path, history, prometheus, formats, lang)
    config = configuration.load(path or profile.config or None)
    thresholds = _thresholds(config, profile, assignments)
    folder = folder or profile.out
    if not folder and not check:
        raise UserError("--out is missing: name the folder to write to")
    if check and profile.prometheus is None:
        raise UserError("--check is of a time-series database: name it with --prometheus URL")
    try:
        if not check:
            ready(profile.formats, profile.font)
        with source_of(profile, config, _watch) as it:
            label = _label(label, it)
            if check:
                ctx.exit(_check(it, label, profile.language, as_json))
            maker = Maker(profile, config, thresholds, _watch)
            made = maker.make(it, label)
        whole = made.document
        written = []
        for one in _documents(whole, department, excerpts or profile.excerpts):
            found = render(one, profile.formats, profile.language, profile.font, _watch)
            written += files.write(folder, found)
        if department is None:
            made.carry()
    except (SourceError, FontError, PdfError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror or error}") from error
    finally:
        progress("")
    if as_json:
        scope = whole.scope
        told_of = {"month": scope.month, "data_hash": scope.data_hash, "files": written}
        sys.stdout.buffer.write(
            msgspec.json.encode({**told_of, "coverage": scope.coverage}) + b"\n"
        )
    else:
        click.echo("\n".join(written))


def _profile(
    path: str | None,
    history: str | None,
    prometheus: str | None,
    formats: tuple[str, ...],
    language: str | None,
) -> Profile:
    """The profile, and over it what the options say."""
    profile = reportprofile.load(path) if path else Profile()
    changes: dict[str, Any] = {}
    if history and prometheus:
        raise UserError("--history and --prometheus are both named; leave one out")
    if history:
        changes |= {"history": os.path.expanduser(history), "prometheus": None}
    if prometheus:
        changes |= {"prometheus": _address(profile, prometheus), "history": ""}
    if formats:
        changes["formats"] = formats
    if language:
        changes["language"] = language
    return msgspec.structs.replace(profile, **changes)


def _address(profile: Profile, url: str) -> Any:
    from exporters.promapi.settings import PromSettings

    try:
        if profile.prometheus is not None:
            return msgspec.structs.replace(profile.prometheus, url=url)
        return PromSettings(url=url)
    except ValueError as error:
        raise UserError(f"--prometheus: {error}") from error


def _thresholds(
    config: configuration.Config, profile: Profile, assignments: Iterable[str]
) -> Thresholds:
    pack = packs.outline(PACK)
    try:
        params = params_of([pack], config.audit, assignments).get(PACK, {})
        given = params_of([pack], config.audit, ()).get(PACK, {})
        options = {name: value for name, value in params.items() if given.get(name) != value}
        return thresholds_of(packs.resolve(pack, {**given, **profile.params, **options}))
    except ValueError as error:
        raise UserError(str(error)) from error


def _label(label: str | None, it: Opened) -> str:
    source, now = it.source, time.time()
    if label is None:
        extent = source.extent()
        return shown_month(extent and extent[0], source.zone, now)
    if not _MONTH.fullmatch(label):
        raise UserError(f"--month {label!r} is no month; write for example 2026-10")
    if month(label, source.zone, now).since >= now:
        raise UserError(f"--month {label} has not begun yet")
    return label


def _documents(whole: Document, department: str | None, excerpts: bool) -> Iterable[Document]:
    try:
        if department is not None:
            yield excerpt(whole, clean(department))
            return
        yield whole
        if excerpts:
            for one in whole.departments:
                yield excerpt(whole, one.name)
    except ValueError as error:
        raise UserError(f"--department: {error}") from error


def _check(it: Opened, label: str, language: str, as_json: bool) -> int:
    from exporters.promapi.check import check

    from exporters.promapi import checktable

    now, zone = time.time(), it.source.zone
    *before, period = (month(one, zone, now) for one in months_before(label, 12))
    found = check(it.client, period, before, now)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(checktable.documents(found)) + b"\n")
    else:
        click.echo(checktable.table(found, language))
    return 1 if any(one.level == "error" for one in found) else 0


def _watch(label: str) -> None:
    progress(f"{label} …")
