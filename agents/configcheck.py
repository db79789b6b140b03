"""A configuration with all that it names: packs, waivers, owners, a profile, lines, modules, tokens; read as the agent
will."""

from __future__ import annotations

import os

from agents.config import Config
from agents.errors import UserError
from agents.probing import Probing
from collectors.cloud import ownerfiles
from rules.linethresholds import PACK
from rules.settings import AuditSettings


def check(config: Config) -> Probing:
    """What it probes; raises DocumentError for what is wrong with a file, and UserError."""
    _check_packs(config)
    _check_tokens(config)
    ownerfiles.load(config.attribution)
    if config.report.profile:
        from agents import reportprofile  # with what draws charts: longer than all the rest

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
    audit = config.audit
    if audit.waivers_file:
        from rules import waivers

        waivers.load(os.path.expanduser(audit.waivers_file))
    # ours, as they were released; the engine, which would compile them, takes a while to load
    if audit.packs == AuditSettings().packs and not audit.params and not audit.trusted_keys:
        return
    from agents import scapolicies
    from rules import pack as packs
    from rules import signing
    from rules.audit import check_params

    try:
        read = signing.reader(audit.trusted_keys)
        check_params(
            [packs.load(name, read=read) for name in scapolicies.check(audit.packs, read)],
            audit.params,
        )
    except packs.ParamError as error:
        raise UserError(f"audit.params: {error}") from error
