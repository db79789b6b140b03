"""IPv6 settings of the kernel by interface: /proc/sys/net/ipv6, ip-sysctl in the kernel's documents.

The interface `all` changes what it says for every one, `default` is for those yet to come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, malformed

CONF = Glob(
    "/proc/sys/net/ipv6/conf/*",
    names=(
        "accept_dad",
        "accept_ra",
        "accept_ra_defrtr",
        "accept_redirects",
        "accept_source_route",
        "addr_gen_mode",
        "autoconf",
        "disable_ipv6",
        "forwarding",
        "mtu",
        "seg6_enabled",
        "use_tempaddr",
    ),
)
BINDV6ONLY = File("/proc/sys/net/ipv6/bindv6only")


class Ipv6SysctlCollector(Collector, frozen=True):
    """`interfaces`: one row each, only with the settings this kernel has; `bindv6only`."""

    name: ClassVar[str] = "ipv6_sysctl"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_sysctl",)

    def readings(self) -> tuple[Glob | File, ...]:
        return (CONF, BINDV6ONLY)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows: dict[str, dict[str, Any]] = defaultdict(dict)
        with malformed(CONF.pattern):
            for path, text in answers.texts(CONF).items():
                folder, _, setting = path.rpartition("/")
                rows[folder][setting] = int(text)
            only = answers.maybe(BINDV6ONLY)
            bindv6only = None if only is None else int(only)
        yield Fact(
            "ipv6_sysctl",
            {
                "bindv6only": bindv6only,
                "interfaces": [
                    {"device": folder.rpartition("/")[2], **settings, "source": folder}
                    for folder, settings in rows.items()
                ],
            },
        )
