"""Files that a configuration names: relative paths are relative to its folder, as in web.config."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from exporters.findings.settings import ClientTls
from exporters.prometheus.pushsettings import HttpReceiver
from rules.settings import is_path

if TYPE_CHECKING:
    from agents.config import Config


def located(config: Config, folder: str) -> Config:
    """Relative paths in a configuration are relative to its folder, as in web.config."""
    replace = msgspec.structs.replace

    def beside(path: str) -> str:
        # `~` is resolved where the file is read; an empty path is none
        return os.path.join(folder, path) if path and not path.startswith("~") else path

    web = config.web.config_file and beside(config.web.config_file)
    packs = tuple(beside(pack) if is_path(pack) else pack for pack in config.audit.packs)
    ssh = replace(
        config.ssh,
        key_file=beside(config.ssh.key_file),
        config_file=beside(config.ssh.config_file),
        known_hosts=tuple(map(beside, config.ssh.known_hosts)),
    )
    lines_file, modules_file = config.probes.lines_file, config.probes.modules_file
    probes = replace(
        config.probes,
        lines_file=lines_file and beside(lines_file),
        modules_file=modules_file and beside(modules_file),
    )
    https, cef = config.findings.ocsf_https, config.findings.cef
    findings = replace(
        config.findings,
        ocsf_file=os.path.expanduser(beside(config.findings.ocsf_file)),
        ocsf_https=https and replace(https, **_located_tls(https, beside)),
        cef=cef and replace(cef, **_located_tls(cef, beside)),
    )
    console = replace(
        config.console,
        token_file=os.path.expanduser(beside(config.console.token_file)),
        **_located_tls(config.console, beside),
    )
    push = replace(
        config.push,
        remote_write=tuple(_located_http(one, beside) for one in config.push.remote_write),
        pushgateway=tuple(_located_http(one, beside) for one in config.push.pushgateway),
        textfile=config.push.textfile
        and replace(
            config.push.textfile, path=os.path.expanduser(beside(config.push.textfile.path))
        ),
    )
    check = config.ipv6_sites.check
    web_check = replace(check.web, ca_file=beside(check.web.ca_file))
    site_settings = replace(config.ipv6_sites, check=replace(check, web=web_check))
    clouds = replace(
        config.clouds,
        sources=tuple(
            replace(source, clouds_file=beside(source.clouds_file))
            for source in config.clouds.sources
        ),
    )
    attribution = replace(
        config.attribution,
        overrides_file=beside(config.attribution.overrides_file),
        systems_file=beside(config.attribution.systems_file),
    )
    settings = config.collectors.settings
    textfile = replace(settings.textfile, directory=beside(settings.textfile.directory))
    collectors = replace(config.collectors, settings=replace(settings, textfile=textfile))
    return replace(
        config,
        state_dir=beside(config.state_dir),
        web=replace(config.web, config_file=web),
        audit=replace(
            config.audit,
            packs=packs,
            waivers_file=beside(config.audit.waivers_file),
            trusted_keys=tuple(map(beside, config.audit.trusted_keys)),
        ),
        findings=findings,
        console=console,
        push=push,
        history=replace(config.history, file=beside(config.history.file)),
        report=replace(config.report, profile=os.path.expanduser(beside(config.report.profile))),
        collectors=collectors,
        probes=probes,
        ipv6_sites=site_settings,
        clouds=clouds,
        attribution=attribution,
        ssh=ssh,
    )


def _located_tls(tls: ClientTls, beside: Callable[[str], str]) -> dict[str, str]:
    names = ("ca_file", "cert_file", "key_file")
    return {name: os.path.expanduser(beside(getattr(tls, name))) for name in names}


_Http = TypeVar("_Http", bound=HttpReceiver)


def _located_http(one: _Http, beside: Callable[[str], str]) -> _Http:
    token = os.path.expanduser(beside(one.bearer_token_file))
    return msgspec.structs.replace(one, bearer_token_file=token, **_located_tls(one, beside))
