"""What the system's refusals to send mean: errno(3) as reasons."""

from __future__ import annotations

import errno
from typing import Final

from collectors.model import Reason

REFUSALS: Final[dict[int, Reason]] = {
    errno.ENETUNREACH: "no_route",
    errno.ENETDOWN: "no_route",
    errno.EADDRNOTAVAIL: "no_route",
    errno.ENODEV: "no_route",
    errno.EINVAL: "no_route",  # a blackhole route
    errno.EHOSTUNREACH: "unreachable_host",
    errno.ECONNREFUSED: "unreachable_port",
    errno.EACCES: "unreachable_admin",  # a prohibit route
    errno.EPERM: "unreachable_admin",  # this machine's own packet filter
}
