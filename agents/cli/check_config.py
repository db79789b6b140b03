"""`jianwei check-config`: is a configuration, a file of lines or an inventory right, and what does it mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import click
import msgspec

from agents import config as configuration
from agents import configcheck
from agents.cli import inventorycheck
from agents.fleet import audited
from collectors import strictyaml
from collectors.link import linesfile
from collectors.link.lines import LEVELS, Lines
from collectors.link.settings import own_family
from exporters.findings.text import neutral
from exporters.prometheus.pushsettings import (
    PushgatewaySettings,
    PushSettings,
    RemoteWriteSettings,
    TextfileSettings,
)


@click.command(name="check-config")
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@click.option("--print-default", is_flag=True, help="Print the commented default configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print every value in force as JSON.")
def command(file: str | None, print_default: bool, as_json: bool) -> None:
    """Check a configuration FILE (without one: the default) and say what it means.

    FILE may be a file of lines or an inventory of hosts as well, in YAML or CSV; all its mistakes are told at
    once.

    \b
    Examples:
      jianwei check-config /etc/jianwei/jianwei.yaml
      jianwei check-config lines.csv
      jianwei check-config hosts.yaml
      jianwei check-config --print-default > jianwei.yaml
    Exit codes: 0 right, 2 wrong (each line names file, line, key and remedy).
    """
    if print_default:
        with open(configuration.DEFAULT_PATH, encoding="utf-8") as default:
            click.echo(default.read(), nl=False)
        return
    content = strictyaml.read(file) if file else b""
    if file and audited.names_hosts(content, file):
        inventorycheck.check(content, file, as_json)
        return
    if file and linesfile.is_lines(content, file):
        _check_lines(linesfile.parse(content, file), file, as_json)
        return
    config = configuration.load(file)
    probing = configcheck.check(config)
    if as_json:
        click.echo(msgspec.json.encode(configuration.plain(config)))
        return
    click.echo(f"{file or 'the default configuration'} is right.")
    click.echo(f"  serves on   {', '.join(config.web.listen)}")
    click.echo(f"  collectors  {' '.join(c.name for c in config.scraped())}")
    click.echo(f"  audits      {' '.join(config.audit.packs)} every {config.audit.interval:g} s")
    targets = len(config.probes.targets)
    gateways = "the default gateways and " if config.probes.gateways else ""
    click.echo(f"  probes      {gateways}{targets} targets every {config.probes.interval:g} s")
    sites = config.ipv6_sites
    if sites.sites:
        click.echo(f"  ipv6 sites  {len(sites.sites)} every {sites.interval:g} s")
    if config.ipv6_watch.enable:
        click.echo(f"  ipv6 watch  every {config.ipv6_watch.interval:g} s")
    if config.clouds.sources:
        names = " ".join(source.name for source in config.clouds.sources)
        click.echo(f"  clouds      {names} every {config.clouds.interval:g} s")
    _tell_pushes(config.push)
    if config.report.profile:
        click.echo(f"  report      by {config.report.profile}, on the first workday of a month")
    if config.probes.lines_file:
        _tell(probing.lines)


def _tell_pushes(push: PushSettings) -> None:
    for one in push.remote_write:
        if urlsplit(one.url).path in ("", "/"):
            where = f"push.remote_write: {neutral(one.url)}"
            click.echo(
                f"warning: {where} has no path; Prometheus takes pushes at /api/v1/write, and what "
                "a receiver answers 404 is dropped",
                err=True,
            )
        queue = f"queue {one.known_as} of {one.max_bytes / (1 << 20):g} MiB"
        _tell_push(one.url, f"every {one.interval:g} s, {queue}", one)
    for gateway in push.pushgateway:
        _tell_push(gateway.url, f"every {gateway.interval:g} s as job {gateway.job}", gateway)
    if push.textfile:
        _tell_push(push.textfile.path, f"every {push.textfile.interval:g} s", push.textfile)


def _tell_push(
    where: str, how: str, it: RemoteWriteSettings | PushgatewaySettings | TextfileSettings
) -> None:
    kept = f", keep {it.keep}" if it.keep else ""
    dropped = f", drop {it.drop}" if it.drop else ""
    click.echo(neutral(f"  pushes to   {where} {how}{kept}{dropped}"))


def _check_lines(lines: Lines, file: str, as_json: bool) -> None:
    if as_json:
        shown = {"units": lines.units, "lines": lines.lines}
        click.echo(msgspec.json.encode(configuration.plain(shown)))
        return
    click.echo(f"{file} is right.")
    _tell(lines)


def _tell(lines: Lines) -> None:
    for warning in lines.warnings:
        click.echo(f"warning: {warning}", err=True)
    for name, words in _summary(lines):
        click.echo(f"  {name:10}  {words}")


def _summary(lines: Lines) -> Iterator[tuple[str, str]]:
    """What a file of lines holds, by level and role."""
    sites: Counter[str] = Counter(
        level for level, _ in {(line.level or "", line.site) for line in lines.lines}
    )
    yield "lines", _of_roles([line.role for line in lines.lines])
    for level in (*LEVELS, ""):
        roles = [line.role for line in lines.lines if (line.level or "") == level]
        if roles:
            units = getattr(lines.units, level, None) or sites[level]
            yield level or "no level", f"{_of_roles(roles)}; {sites[level]} of {units} sites"
    yield "sites", str(sum(sites.values()))
    targets = [target for line in lines.lines for target in line.targets]
    kinds = Counter(own_family(target) or "by name" for target in targets)
    yield "targets", f"{len(targets)} ({', '.join(f'{kinds[k]} {k}' for k in sorted(kinds))})"


def _of_roles(roles: Sequence[str]) -> str:
    return f"{len(roles)} ({roles.count('main')} main, {roles.count('backup')} backup)"
