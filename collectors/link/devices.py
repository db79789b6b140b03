"""Settings of network devices, and of the interfaces whose traffic is held against a contract.

A device is asked in exactly one way: by SNMP (RFC 3411 ff.), over SSH, or it is this host itself.
The rules for SNMPv3 users are those of RFC 3414: privacy needs authentication, and a passphrase
has eight characters at least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from collectors.link.resolve import NotAnAddress, literal, valid_name
from collectors.sources.ssh.target import SshError, parse_address
from collectors.strictyaml import Duration, Secret

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Version = Literal["v2c", "v3"]
Auth = Literal["none", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "MD5"]
Privacy = Literal["none", "AES", "AES-192", "AES-256", "DES"]
Dialect = Literal["linux", "comware", "vrp", "ios"]

PASSPHRASE = 8  # characters at least, RFC 3414 section 11.2
MAX_SAMPLES = 2880  # of one direction of one line

# No space, quote, pipe or question mark: a name becomes part of a command of a router.
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,62}", re.ASCII)


def valid_interface(name: str) -> bool:
    """Whether a text can be the name of an interface and nothing else."""
    return bool(_INTERFACE.fullmatch(name))


class SnmpAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SNMP v2c with a community, or v3 with a user. `address` is a literal address or a DNS name."""

    address: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    port: Port = 161
    version: Version = "v2c"
    community: Secret | None = None
    user: Annotated[str, msgspec.Meta(max_length=32)] = ""
    auth: Auth = "none"
    auth_secret: Secret | None = None
    priv: Privacy = "none"
    priv_secret: Secret | None = None
    context: Annotated[str, msgspec.Meta(max_length=32)] = ""

    def __post_init__(self) -> None:
        try:
            literal(self.address)
        except NotAnAddress:
            if not valid_name(self.address):
                raise ValueError(f"{self.address!r} is no address and no DNS name") from None
        if self.version == "v2c":
            self._check_v2c()
        else:
            self._check_v3()

    def _check_v2c(self) -> None:
        if self.community is None:
            raise ValueError("v2c needs a community: !env NAME or !file PATH")
        if (
            self.user
            or self.context
            or self.auth_secret
            or self.priv_secret
            or (self.auth, self.priv) != ("none", "none")
        ):
            raise ValueError("user, auth, priv and context are for v3; write version: v3")

    def _check_v3(self) -> None:
        if self.community is not None:
            raise ValueError("a community is for v2c; v3 has a user")
        if not self.user:
            raise ValueError("v3 needs a user")
        if self.priv != "none" and self.auth == "none":
            raise ValueError("priv needs auth: SNMPv3 does not encrypt what is not authenticated")
        for name, kind, secret in (
            ("auth", self.auth, self.auth_secret),
            ("priv", self.priv, self.priv_secret),
        ):
            if kind == "none":
                if secret is not None:
                    raise ValueError(f"{name}_secret is there but {name} is none")
            elif secret is None:
                raise ValueError(f"{name}: {kind} needs {name}_secret: !env NAME or !file PATH")
            elif len(secret.reveal()) < PASSPHRASE:
                raise ValueError(f"{name}_secret has fewer than {PASSPHRASE} characters")


class SshAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands over SSH; keys and known hosts are those of the configuration's section `ssh`."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    dialect: Dialect

    def __post_init__(self) -> None:
        try:
            parse_address(self.host)
        except SshError as error:
            raise ValueError(str(error)) from error


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A router, switch or host, and the one way in which it is asked."""

    snmp: SnmpAccess | None = None
    ssh: SshAccess | None = None
    local: bool = False

    def __post_init__(self) -> None:
        if sum((self.snmp is not None, self.ssh is not None, self.local)) != 1:
            raise ValueError("a device has exactly one of snmp, ssh and local: true")

    def warnings(self) -> Iterator[str]:
        """What is allowed but should not stay so."""
        if self.snmp is None:
            return
        if self.snmp.auth == "MD5":
            yield "MD5 is weak; use SHA-256 or better where the device has it"
        if self.snmp.priv == "DES":
            yield "DES is broken; use AES"


class InterfaceRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One interface of a device, by the name that the device gives it (ifName or ifDescr)."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    name: str

    def __post_init__(self) -> None:
        if not valid_interface(self.name):
            raise ValueError(f"{self.name!r} is no name of an interface")


class MeteredLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line, the interface that carries it, and the contracted bandwidth in bit/s, if any."""

    line: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    interface: InterfaceRef
    bandwidth: Annotated[float, msgspec.Meta(gt=0)] | None = None


class BandwidthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every `interval` all devices are asked, `concurrency` of them at a time.

    `timeout`: for one answer, which is asked for twice. `deadline`: for all answers of one device.
    `window`: how far back the 95th percentile of the utilisation looks.
    """

    interval: Duration = Duration(60)
    deadline: Duration = Duration(15)
    timeout: Duration = Duration(2)
    window: Duration = Duration(3600)
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError("interval: devices renew their counters once a second at best")
        if not self.timeout <= self.deadline <= self.interval:
            raise ValueError("timeout must not exceed deadline, nor deadline the interval")
        if not self.interval <= self.window <= self.interval * MAX_SAMPLES:
            raise ValueError(f"window must be 1 to {MAX_SAMPLES} intervals")

    @property
    def samples(self) -> int:
        """How many samples the window has."""
        return round(self.window / self.interval)


def wanted_of(
    lines: Sequence[MeteredLine], devices: Mapping[str, Device]
) -> dict[str, tuple[str, ...]]:
    """The interfaces wanted of every device, by its name; of one without lines none."""
    found: dict[str, dict[str, None]] = {name: {} for name in devices}
    for line in lines:
        found[line.interface.device][line.interface.name] = None
    return {name: tuple(names) for name, names in found.items()}
