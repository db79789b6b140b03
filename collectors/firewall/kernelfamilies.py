"""Which of IPv4 and IPv6 the kernel speaks: without IPv6 nothing has to filter it.

Switched off is IPv6 by `ipv6.disable=1` or a kernel without it, which leave nothing below /proc, or by
disable_ipv6 for all interfaces (kernel's ip-sysctl) where none has an address: /proc/net/if_inet6.
"""

from __future__ import annotations

from typing import Final

from collectors.firewall.places import Family
from collectors.ipv6.addresses import IF_INET6
from collectors.ipv6.routes import IPV6_ROUTE
from collectors.model import Answers, File

_CONF: Final = "/proc/sys/net/ipv6/conf"
OFF: Final = (File(f"{_CONF}/all/disable_ipv6"), File(f"{_CONF}/default/disable_ipv6"))
READINGS: Final[tuple[File, ...]] = (*OFF, IF_INET6, IPV6_ROUTE)


def kernel_families(answers: Answers) -> tuple[Family, ...]:
    """Raises Unavailable where that may not be seen."""
    texts = {reading: answers.maybe(reading) for reading in READINGS}
    there = any(text is not None for text in texts.values())
    off = all((texts[reading] or "").strip() == "1" for reading in OFF)
    addresses = [
        line for line in (texts[IF_INET6] or "").splitlines() if line.split()[-1:] != ["lo"]
    ]
    return ("ipv4", "ipv6") if there and not (off and not addresses) else ("ipv4",)
