"""Settings of clouds: which, how often they are asked, and within which bounds."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.cloud.model import CloudKind
from collectors.strictyaml import Duration

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class CloudSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cloud. `cloud` is its name in clouds.yaml (`clouds_file`, or where openstacksdk looks for it) and
    `regions` those to ask of it (none: the one in clouds.yaml); `uri` is libvirt's, where
    `qemu:///system` of a hypervisor is asked read-only."""

    name: Name
    kind: CloudKind
    cloud: str = ""
    clouds_file: str = ""
    regions: tuple[Name, ...] = ()
    uri: str = ""
    use: bool = True  # whether real use is asked for: diagnostics, domain statistics

    def __post_init__(self) -> None:
        wanted, other = ("cloud", "uri") if self.kind == "openstack" else ("uri", "cloud")
        if not getattr(self, wanted):
            raise ValueError(f"a cloud of kind {self.kind} needs {wanted!r}")
        if getattr(self, other) or (self.kind == "libvirt" and (self.clouds_file or self.regions)):
            raise ValueError(
                f"{other!r} and what belongs to it are not for a cloud of kind {self.kind}"
            )


class CloudsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`interval` is from the start of one look to the next, `deadline` ends one before that; `concurrency`
    requests are under way at once with one cloud, each with `timeout`; `page` resources come with one answer (from
    1000 on Nova decides of the first one: openstackcells.py)."""

    sources: tuple[CloudSource, ...] = ()
    interval: Duration = Duration(300)
    deadline: Duration = Duration(120)
    timeout: Duration = Duration(20)
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    page: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two clouds are named {twice[0]!r}")
        if self.interval < 30:
            raise ValueError(f"the interval of {self.interval:g} s must be 30s or more")
        if self.deadline >= self.interval:
            raise ValueError(
                f"the deadline of {self.deadline:g} s must be shorter than the interval of "
                f"{self.interval:g} s: a look ends before the next one begins"
            )
