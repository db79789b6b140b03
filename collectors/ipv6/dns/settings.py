"""Settings of what looks at the DNS of a site: where to begin, and how long and how much to ask."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from collectors.ipv6.addresskind import kind
from collectors.link.resolve import valid_name
from collectors.strictyaml import Duration

# The root hints of IANA, https://www.iana.org/domains/root/files
IANA_ROOT: Final = (
    *("198.41.0.4", "2001:503:ba3e::2:30"),
    *("170.247.170.2", "2801:1b8:10::b"),
    *("192.33.4.12", "2001:500:2::c"),
    *("199.7.91.13", "2001:500:2d::d"),
    *("192.203.230.10", "2001:500:a8::e"),
    *("192.5.5.241", "2001:500:2f::f"),
    *("192.112.36.4", "2001:500:12::d0d"),
    *("198.97.190.53", "2001:500:1::53"),
    *("192.36.148.17", "2001:7fe::53"),
    *("192.58.128.30", "2001:503:c27::2:30"),
    *("193.0.14.129", "2001:7fd::1"),
    *("199.7.83.42", "2001:500:9f::42"),
    *("202.12.27.33", "2001:dc3::35"),
)

_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class StartZone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A zone to begin with, and the addresses of its servers: `.` or, where an extranet has no way to
    the root of the internet, a zone of its own."""

    zone: str
    servers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)]

    def __post_init__(self) -> None:
        if self.zone != "." and not valid_name(self.zone):
            raise ValueError(f"{self.zone!r} is no name of a zone; write for example gov.cn")
        for server in self.servers:
            try:
                kind(server)
            except ValueError as error:
                raise ValueError(f"{server!r} is no address; servers are IP addresses") from error


class DnsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How delegations are followed. Of `roots` the longest that holds a name is where its walk begins.

    `timeout` is for one question (silence is asked again, at first with less), `walk` for everything one look-up
    takes, and `questions` and `bytes` bound it; `samples` are pairs of timed look-ups a server;
    `keep` is how long delegations are remembered at most.
    """

    roots: Annotated[tuple[StartZone, ...], msgspec.Meta(min_length=1)] = (
        StartZone(".", IANA_ROOT),
    )
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 53
    timeout: Duration = Duration(2)
    walk: Duration = Duration(15)
    questions: _Count = 200
    bytes: Annotated[int, msgspec.Meta(ge=4096)] = 4 << 20
    samples: _Count = 5
    keep: Duration = Duration(300)
