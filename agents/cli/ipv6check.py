"""`jianwei ipv6 check`: sites over IPv4 and IPv6 side by side, each with a score and its reasons."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click
import msgspec

from agents import config as configuration
from agents import readiness
from agents.cli.auditinput import params_of
from agents.cli.options import (
    FiniteRange,
    config_option,
    language_of,
    language_option,
    param_option,
    progress,
)
from agents.errors import UserError
from collectors.ipv6.check import site_of
from collectors.ipv6.dns.settings import StartZone
from collectors.ipv6.model import Site
from collectors.ipv6.sitesettings import CheckSettings
from collectors.strictyaml import Duration
from exporters.findings.readinesstable import table
from rules import pack as packs
from rules.readinessmodel import PACK


@click.command(name="check")
@click.argument("urls", nargs=-1, metavar="URL...")
@config_option
@click.option("--configured", is_flag=True, help="The sites of the configuration (ipv6_sites).")
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="ADDRESS",
    help="A root server to follow delegations from, instead of the internet's; may be repeated.",
)
@click.option("--ca-file", metavar="FILE", help="PEM of authorities, instead of the system's.")
@click.option("--timeout", type=FiniteRange(1, 3600), help="Seconds for one site; else 60.")
@click.option("--workers", type=click.IntRange(1, 500), help="Sites at once; else 100.")
@click.option(
    "--path/--no-path", "raw", default=None, help="Whether raw packets are sent (path MTU …)."
)
@click.option("--fail-under", type=FiniteRange(0, 100), help="Exit with 1 if a score is below.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a site, on a line.")
@param_option
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    urls: tuple[str, ...],
    path: str | None,
    configured: bool,
    fail_under: float | None,
    as_json: bool,
    assignments: tuple[str, ...],
    lang: str | None,
    **overrides: Any,
) -> None:
    """Check sites: DNS, homepage, content, links, dependencies, path MTU, NAT64.

    \b
    Examples:
      jianwei ipv6 check https://www.example.gov.cn
      jianwei ipv6 check --configured --json --fail-under 85
      jianwei ipv6 check portal.example.gov.cn --root 2001:db8::53 --ca-file city.pem
    Exit codes:
      0  done, and no score below --fail-under
      1  some score is below it, or there is none
      2  bad input
    Links are followed politely: robots.txt, few a second, few in all. Path MTU and ICMPv6 need root.
    """
    config = configuration.load(path)
    texts = [*urls, *(config.ipv6_sites.sites if configured else ())]
    sites = sites_of(texts)
    settings = _settings(config.ipv6_sites.check, overrides)
    pack = packs.load(PACK)
    params = params_of([pack], config.audit, assignments)[PACK]
    low = False
    progress("checking …")
    for number, found in enumerate(readiness.sites(settings, pack, params, sites), 1):
        progress("")
        if as_json:
            click.echo(msgspec.json.encode(found))
        else:
            click.echo(table(found, language_of(lang), sys.stdout.isatty()) + "\n")
        progress(f"{number} / {len(sites)} …" if number < len(sites) else "")
        low |= fail_under is not None and (found.score or 0) < fail_under
    if low:
        ctx.exit(1)


def sites_of(texts: Iterable[str]) -> list[Site]:
    """Each site once, however it is written; raises UserError with every mistake."""
    sites: dict[str, Site] = {}
    mistakes = []
    for text in texts:
        try:
            site = site_of(text)
            sites.setdefault(site.url, site)
        except ValueError as error:
            mistakes.append(f"{text}: {error}")
    if mistakes:
        raise UserError("\n".join(mistakes))
    if not sites:
        raise UserError("no sites; name some, for example https://www.example.gov.cn")
    return list(sites.values())


def _settings(settings: CheckSettings, overrides: Mapping[str, Any]) -> CheckSettings:
    """The configuration's with what the command line says instead."""
    replace = msgspec.structs.replace
    if overrides["timeout"] is not None:
        settings = replace(settings, timeout=Duration(overrides["timeout"]))
    if overrides["workers"] is not None:
        settings = replace(settings, workers=overrides["workers"])
    if overrides["raw"] is not None:
        settings = replace(settings, path=overrides["raw"])
    if overrides["ca_file"]:
        try:
            configuration.trust_of(overrides["ca_file"])
        except ValueError as error:
            raise UserError(f"--ca-file: {error}") from error
        settings = replace(settings, web=replace(settings.web, ca_file=overrides["ca_file"]))
    if overrides["roots"]:
        try:
            start = StartZone(".", tuple(overrides["roots"]))
        except ValueError as error:
            raise UserError(f"--root: {error}") from error
        settings = replace(settings, dns=replace(settings.dns, roots=(start,)))
    return settings
