"""`jianwei ipv6 watch`: which routers and DHCPv6 servers advertise on the links of this machine."""

from __future__ import annotations

import errno

import click
import msgspec

from agents.cli.advertisertable import table
from agents.cli.options import FiniteRange, language_of, language_option
from agents.errors import UserError
from collectors.ipv6.wire.advertisers import (
    FORBIDDEN_HERE,
    NEEDS_RIGHT,
    Address,
    Expected,
    RouterAddress,
    expected,
)
from collectors.ipv6.wire.capture import NoDevice, devices, watch

_FORBIDDEN = (
    f"{FORBIDDEN_HERE}; under systemd allow them with a drop-in: RestrictAddressFamilies=AF_PACKET"
)


@click.command(name="watch")
@click.option(
    "--interface", "names", multiple=True, metavar="IF", help="Else all that have IPv6, but lo."
)
@click.option(
    "--skip-down", is_flag=True, help="Leave out named interfaces that are not there or not up."
)
@click.option("--seconds", type=FiniteRange(0.1, 3600), default=10.0, show_default=True)
@click.option(
    "--router",
    "routers",
    multiple=True,
    metavar="ADDR[%IF]",
    help="A router that is expected, by its link-local address; `none`: no router is.",
)
@click.option(
    "--dhcpv6",
    "servers",
    multiple=True,
    metavar="ADDR[%IF]",
    help="A DHCPv6 server (or relay) that is expected, likewise.",
)
@click.option(
    "--solicit",
    is_flag=True,
    help="Ask routers and servers once on each interface, so that all speak.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@language_option
def command(
    names: tuple[str, ...],
    skip_down: bool,
    seconds: float,
    routers: tuple[str, ...],
    servers: tuple[str, ...],
    solicit: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Listen for router advertisements and DHCPv6 servers, and tell who was not expected.

    \b
    Examples:
      jianwei ipv6 watch --solicit
      jianwei ipv6 watch --interface eth0 --router fe80::1 --dhcpv6 none --seconds 60
    Without --router (or --dhcpv6) nobody is unexpected. Needs CAP_NET_RAW.
    Exit codes:
      0  no unexpected router or DHCPv6 server was heard
      1  some were, or nobody can say: too much came, or the interfaces went down
      2  bad input
    """
    known = Expected(
        _addresses("--router", routers, RouterAddress), _addresses("--dhcpv6", servers, Address)
    )
    try:
        found = watch(devices(names, skip_down), seconds, known, solicit)
    except NoDevice as error:
        raise UserError(str(error)) from error
    except PermissionError as error:
        raise UserError(NEEDS_RIGHT) from error
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:  # a sandbox of systemd's
            raise UserError(_FORBIDDEN) from error
        raise UserError(f"cannot listen: {error.strerror or error}") from error
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo(table(found, language_of(lang)))
    named_lost = set(names) & set(found.lost) and not skip_down
    if found.unexpected or found.unknown or named_lost:
        raise SystemExit(1)


def _addresses(
    option: str, entries: tuple[str, ...], form: type[Address]
) -> tuple[str, ...] | None:
    try:
        return expected(entries or None, form)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from error
