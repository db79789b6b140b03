"""Settings of the check of a site over HTTP: how much is asked, how fast, and how much is read."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.strictyaml import Duration

_Count = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Rate = Annotated[float, msgspec.Meta(ge=0.1, le=1000)]
AGENT = "Jianwei"  # what robots.txt may name us by


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`page_limit` bytes of a page are read, decompressed, and `site_bytes` of a whole site.

    Rates are requests a second to one site; robots.txt can lower that of links. `links_time` is
    how long following links may take, `timeout` one request. Without `ca_file` (PEM) the system's
    authorities are trusted.
    """

    probes: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    probe_rate: _Rate = 20.0
    page_limit: Annotated[int, msgspec.Meta(ge=1000, le=16 << 20)] = 500_000
    site_bytes: Annotated[int, msgspec.Meta(ge=1000)] = 64 << 20
    second_level: _Count = 20
    third_level: _Count = 10
    link_rate: _Rate = 10.0
    links_time: Duration = Duration(30)
    dependencies: _Count = 50
    max_redirects: Annotated[int, msgspec.Meta(ge=0, le=30)] = 10
    timeout: Duration = Duration(5)
    ca_file: str = ""
    user_agent: Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]+$", max_length=200)] = (
        f"{AGENT}/1 (IPv6 readiness)"
    )
