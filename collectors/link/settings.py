"""Settings of the continuous probers: the `probes` section of the configuration."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

from collectors.link.resolve import NotAnAddress, literal, valid_name
from collectors.model import AddressFamily
from collectors.strictyaml import Duration

GATEWAY = "gateway-"

Families = Literal["both", "ipv4", "ipv6"]


def families_of(choice: Families) -> tuple[AddressFamily, ...]:
    return ("ipv4", "ipv6") if choice == "both" else (choice,)


def own_family(address: str) -> AddressFamily | None:
    """The family of a literal address, None of a name."""
    try:
        return literal(address)[1]
    except NotAnAddress:
        return None


class ProbeTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is probed: `name` labels its series, `address` is a literal address or a DNS name.

    A link-local IPv6 address needs its device: `fe80::1%eth0`.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    family: Families = "both"

    def __post_init__(self) -> None:
        family = own_family(self.address)
        if family is None and not valid_name(self.address):
            raise ValueError(f"{self.address!r} is no address and no DNS name")
        if family not in (None, *families_of(self.family)):
            raise ValueError(f"{self.address} is no {self.family} address")


class ProbeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every `interval` a round: `count` echoes to each target, `spacing` apart.

    An answer later than `timeout` is a lost one. The default is longer than the three seconds in
    which the kernel finds out that nobody has an address, so that a dead neighbour is told
    apart from a silent one. `allow`: networks (`192.0.2.0/24`) and DNS names that `/probe` may be
    asked for beside the targets and gateways; see exporters/prometheus/probe.py. `lines_file` is a
    file of lines (linesfile.py), whose targets are probed as well.
    """

    gateways: bool = True
    interval: Duration = Duration(15)
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    spacing: Duration = Duration(0.2)
    timeout: Duration = Duration(3.5)
    targets: tuple[ProbeTarget, ...] = ()
    allow: tuple[str, ...] = ()
    lines_file: str | None = None

    def __post_init__(self) -> None:
        lasts = (self.count - 1) * self.spacing + self.timeout
        if self.timeout <= 0 or lasts > self.interval:
            raise ValueError(
                f"a round of {self.count} echoes takes up to {lasts:g} s (spacing and timeout), "
                f"which must be above 0 and within the interval of {self.interval:g} s"
            )
        names = [target.name for target in self.targets]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the target {twice!r} is there twice")
        if self.gateways and (ours := next((n for n in names if n.startswith(GATEWAY)), None)):
            raise ValueError(f"{ours!r}: names with {GATEWAY} are the default gateways' own")
        for entry in self.allow:
            network(entry)


def network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An entry of `allow` as a network, None for a DNS name; ValueError if it is neither."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        if "/" not in entry and valid_name(entry):
            return None
        raise ValueError(f"{entry!r} is no network and no DNS name: {error}") from error
