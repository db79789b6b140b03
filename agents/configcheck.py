"""A configuration with all that it names: packs, waivers, owners, a profile, lines, modules, tokens; read as the agent
will."""

from __future__ import annotations

import os

from agents import reportprofile, scapolicies
from agents.config import Config
from agents.errors import UserError
from agents.probing import Probing
from collectors.cloud import ownerfiles
from rules import pack as packs
from rules import signing, waivers
from rules.audit import check_params
from rules.linethresholds import PACK


def check(config: Config) -> Probing:
    """What it probes; raises DocumentError for what is wrong with a file, and UserError."""
    _check_packs(config)
    _check_tokens(config)
    ownerfiles.load(config.attribution)
    if config.report.profile:
        reportprofile.load(config.report.profile)
    return Probing.load(
        config.probes, config.paths, config.bandwidth, config.audit.params.get(PACK, {})
    )


def _check_tokens(config: Config) -> None:
    """The agent reads them with each request, and starts without."""
    receivers = [*config.push.remote_write, *config.push.pushgateway]
    if paths := [it.bearer_token_file for it in receivers if it.bearer_token_file]:
        from exporters.findings.posting import PostError
        from exporters.prometheus.pushing import token

        try:
            for path in paths:
                token(path)
        except PostError as error:
            raise UserError(f"push: {error}") from error


def _check_packs(config: Config) -> None:
    """Packs, their parameters and waivers are the audit's to load; here the whole is checked at once."""
    if config.audit.waivers_file:
        waivers.load(os.path.expanduser(config.audit.waivers_file))
    try:
        read = signing.reader(config.audit.trusted_keys)
        check_params(
            [packs.load(name, read=read) for name in scapolicies.check(config.audit.packs, read)],
            config.audit.params,
        )
    except packs.ParamError as error:
        raise UserError(f"audit.params: {error}") from error
