"""`jianwei report`: the monthly report of a city, made of a history file or a time-series database (docs/report.md)."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
import msgspec

from agents import config as configuration
from agents import reportprofile
from agents.cli.auditinput import params_of
from agents.cli.options import config_option, param_option, progress
from agents.errors import UserError
from agents.reportmaking import source_of
from agents.reportprofile import Profile
from agents.reportrun import Told, Wanted, month_of, run
from agents.state import state_dir
from collectors.cloud.owners import clean
from exporters.history import workcalendar
from exporters.promapi.settings import PromSettings
from exporters.report.delivery import schedule as timetable
from exporters.report.delivery.deliver import failed
from exporters.report.rendering import FORMATS
from exporters.usage.period import month, months_before
from rules import pack as packs
from rules.usagemodel import PACK
from rules.usagethresholds import Thresholds, thresholds_of


def _formats(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(filter(None, (value or "").replace(" ", "").split(","))))
    if value is not None and not found:
        raise click.BadParameter(f"names none of {', '.join(FORMATS)}", param=option)
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
@click.option(
    "--deliver", "delivered", is_flag=True, help="Send it to those that the profile names."
)
@click.option("--again", is_flag=True, help="With --deliver: also to those who have it.")
@click.option(
    "--schedule",
    is_flag=True,
    help="Make and deliver what is due: on the first workday, the month before.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written, or found, as JSON.")
@param_option
@config_option
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language; else the profile's.")
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
    delivered: bool,
    again: bool,
    schedule: bool,
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
    Exit codes: 0 done, 1 --check found what makes figures wrong or somebody was not delivered to, 2 bad input.
    """
    signal.signal(signal.SIGTERM, _ended)
    profile_path = profile_path and os.path.expanduser(profile_path)
    profile = _profile(profile_path, history, prometheus, formats, lang)
    config = configuration.load(path or profile.config or None)
    thresholds = _thresholds(config, profile, assignments)
    folder = os.path.expanduser(folder or "") or profile.out
    sends = (delivered or schedule) and profile.delivery is not None and profile.delivery.wanted
    if not (folder or check or sends):
        raise UserError("--out is missing: name the folder to write to")
    if delivered and not sends:
        raise UserError(
            "--deliver: the profile names nobody; see delivery in docs/report-delivery.md"
        )
    department = None if department is None else clean(department)
    wanted = Wanted(profile, config, thresholds, folder, department, excerpts or profile.excerpts)
    state = timetable.folder_of(state_dir(config), profile_path or "")
    wanted = wanted._replace(delivered=delivered or schedule, again=again, state=state)
    if schedule and (label or department is not None):
        raise UserError(
            "--schedule says by itself which month, and of all: leave --month and --department out"
        )
    try:
        if check:
            ctx.exit(_check(profile, config, label, as_json))
        if schedule:
            ctx.exit(_scheduled(wanted, as_json))
        told = run(wanted, label, _watch)
    finally:
        progress("")
    _print(told, profile.language, as_json)
    ctx.exit(1 if failed(told.outcomes) else 0)


def _scheduled(wanted: Wanted, as_json: bool) -> int:
    """What is due, if anything is."""
    zone = ZoneInfo(wanted.config.history.zone)
    holidays = wanted.profile.holidays or workcalendar.CHINA
    calendar = workcalendar.load(holidays, wanted.profile.hours)

    def make(label: str) -> str:
        told = run(wanted, label, _watch)
        _print(told, wanted.profile.language, as_json)
        return "; ".join(one.line("en") for one in told.outcomes if one.state == "failed")

    try:
        path = wanted.state / "schedule.json"
        done = timetable.run(path, datetime.now(zone), calendar, make)
    except timetable.ScheduleError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror or error}") from error
    if done is None:
        known = timetable.read(path)
        lasting = {month: it.problem for month, it in known.failed.items()}
        if as_json:
            sys.stdout.buffer.write(
                msgspec.json.encode({"done": known.done, "failed": lasting}) + b"\n"
            )
        else:
            last = max(known.done, default="none yet")
            click.echo(f"nothing is due; the last report that was made: {last}", err=True)
            for month, problem in lasting.items():
                click.echo(f"{month} is tried again later: {problem}", err=True)
        return 1 if lasting else 0
    return 1 if done[1] else 0


def _print(told: Told, language: str, as_json: bool) -> None:
    scope = told.document.scope
    if not as_json:
        lines = [*told.written, *(one.line(language) for one in told.outcomes)]
        click.echo("\n".join(lines))
        return
    found = {
        "month": scope.month,
        "data_hash": scope.data_hash,
        "thresholds": scope.thresholds,
        "coverage": scope.coverage,
        "files": told.written,
        "deliveries": [
            {
                "channel": one.parcel.channel,
                "to": one.parcel.to,
                "department": one.parcel.department or None,
                "state": one.state,
                "why": one.why.en or None,
            }
            for one in told.outcomes
        ],
    }
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


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


def _address(profile: Profile, url: str) -> PromSettings:
    """With what the profile says of the server, if it is the one: another must not get its credentials."""
    try:
        known = profile.prometheus
        if known is not None and urlsplit(known.url)[:2] == urlsplit(url)[:2]:
            return msgspec.structs.replace(known, url=url)
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


def _check(profile: Profile, config: configuration.Config, label: str | None, as_json: bool) -> int:
    if profile.prometheus is None:
        raise UserError("--check is of a time-series database: name it with --prometheus URL")
    from exporters.promapi import checktable
    from exporters.promapi.check import check

    with source_of(profile, config, _watch) as it:
        now, zone = time.time(), it.source.zone
        label = label or months_before(datetime.now(zone).strftime("%Y-%m"), 2)[0]
        month_of(label, it)
        *before, period = (month(one, zone, now) for one in months_before(label, 12))
        found = check(it.client, period, before, now, zone)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(checktable.documents(found)) + b"\n")
    else:
        click.echo(checktable.table(found, profile.language))
    return 1 if any(one.level == "error" for one in found) else 0


def _ended(number: int, _: object) -> None:
    """So that files that are written aside go away."""
    sys.exit(128 + number)


def _watch(label: str) -> None:
    progress(f"{label} …")
