"""Settings of checks of sites, and which are checked on schedule."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.ipv6.dns.settings import DnsSettings
from collectors.ipv6.web.settings import WebSettings
from collectors.strictyaml import Duration

LEAST_INTERVAL = 300  # seconds: a site is somebody else's


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sites are checked. `timeout` is for one site in all, `workers` how many at once; without
    `path` no raw packets are sent."""

    timeout: Duration = Duration(60)
    workers: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    path: bool = True
    dns: DnsSettings = DnsSettings()
    web: WebSettings = WebSettings()


class SiteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sites` are URLs, or names which are https; none = no check. `interval` is from one round to
    the next."""

    sites: tuple[str, ...] = ()
    interval: Duration = Duration(6 * 3600)
    check: CheckSettings = CheckSettings()

    def __post_init__(self) -> None:
        if self.interval < LEAST_INTERVAL:
            raise ValueError(f"the interval of {self.interval:g} s must be 5m or more")
