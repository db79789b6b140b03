"""Settings of the continuous probers: the `probes` section of the configuration."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Annotated, Literal

import msgspec

from collectors.link.resolve import NotAnAddress, literal, valid_name
from collectors.model import AddressFamily
from collectors.strictyaml import Duration

GATEWAY = "gateway-"
PAYLOAD = 56  # bytes of echo data, as ping(8) sends

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

    A link-local IPv6 address needs its device: `fe80::1%eth0`. `dscp`, `payload` (bytes of echo
    data), `source` (address) and `device` say how packets to it leave.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    family: Families = "both"
    dscp: Annotated[int, msgspec.Meta(ge=0, le=63)] = 0
    payload: Annotated[int, msgspec.Meta(ge=12, le=1400)] = PAYLOAD
    source: str = ""
    device: str = ""

    def __post_init__(self) -> None:
        family = own_family(self.address)
        if family is None and not valid_name(self.address):
            raise ValueError(f"{self.address!r} is no address and no DNS name")
        if family not in (None, *families_of(self.family)):
            raise ValueError(f"{self.address} is no {self.family} address")
        if self.source and own_family(self.source) is None:
            raise ValueError(f"the source {self.source!r} is no address")
        wanted = (family,) if family else families_of(self.family)
        if self.source and wanted != (own_family(self.source),):
            raise ValueError(f"the source {self.source} is no {' and '.join(wanted)} address")


class ProbeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One echo to each target every `interval`, spread evenly over it.

    An answer later than `timeout` is a lost one. The default is longer than the three seconds in
    which the kernel finds out that nobody has an address, so that a dead neighbour is told
    apart from a silent one. `window`: over how many of the last echoes loss and times are told.
    `histograms`: whether each target has one, as smokeping_prober has them. `allow`: networks
    (`192.0.2.0/24`) and DNS names that `/probe` may be asked for beside the targets and gateways; see
    exporters/prometheus/allowlist.py. `modules_file`: how `/probe` probes, in blackbox_exporter's
    YAML; see collectors/link/modules.py. `lines_file`: a file of lines (linesfile.py), whose targets
    are probed as well.
    """

    gateways: bool = True
    interval: Duration = Duration(3)
    timeout: Duration = Duration(3.5)
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    histograms: bool = False
    targets: tuple[ProbeTarget, ...] = ()
    allow: tuple[str, ...] = ()
    modules_file: str | None = None
    lines_file: str | None = None

    def __post_init__(self) -> None:
        if self.interval < 0.01:
            raise ValueError(f"the interval of {self.interval:g} s must be 10ms or more")
        if self.timeout > 60:
            raise ValueError(f"the timeout of {self.timeout:g} s must be 1m or less")
        names = Counter(target.name for target in self.targets)
        if twice := next((name for name, count in names.items() if count > 1), None):
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
