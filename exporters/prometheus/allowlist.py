"""Who may be probed on demand: the agent is no springboard into the network.

The configured targets and the default gateways, by name or address, and what `probes.allow` names.
Nothing else is probed, nor even looked up. A name is allowed by name only, and whoever runs its DNS
zone decides what it points at. Therefore it is looked up once, what was looked at is what is probed,
and an address that means this machine or its own link (loopback, link-local, multicast, unspecified)
is refused unless the allow-list has that address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from collectors.link.resolve import NotAnAddress, ascii_name, literal, valid_name
from collectors.link.settings import ProbeSettings, ProbeTarget, network
from collectors.model import Target
from exporters.prometheus.backend import ProbeRefused


class AllowList:
    """What may be probed on demand. `names` are canonical; targets by name lead to an address."""

    def __init__(
        self,
        settings: ProbeSettings,
        targets: Sequence[ProbeTarget] = (),
        hosts: Iterable[str] = (),
    ) -> None:
        """`targets` and `hosts` are configured elsewhere: those of lines."""
        targets = (*settings.targets, *targets)
        networks = [network(entry) for entry in settings.allow]
        self._networks = [one for one in networks if one]
        self._names = {*(canonical(t.address) for t in targets), *map(canonical, hosts)}
        self._names.update(
            canonical(entry)
            for entry, one in zip(settings.allow, networks, strict=True)
            if one is None
        )
        self._targets = {t.name: (t.address,) for t in targets}

    def with_gateways(self, gateways: Sequence[Target]) -> AllowList:
        """The same and these, which may share a name between their families."""
        more = object.__new__(AllowList)
        more._networks = self._networks
        more._names = self._names | {canonical(g.address) for g in gateways}
        more._targets = self._targets.copy()
        for gateway in gateways:
            known = more._targets.get(gateway.name, ())
            more._targets[gateway.name] = (*known, gateway.address)
        return more

    def permit(self, target: str) -> tuple[str, ...]:
        """The name, or the addresses, to probe; raises ProbeRefused."""
        wanted = tuple(map(canonical, self._targets.get(target, (target,))))
        if not all(one in self._names or self._has(one) for one in wanted):
            raise ProbeRefused(
                403, f"{target!r} is not on the allow-list: see probes.targets and probes.allow"
            )
        return wanted

    def permits_address(self, address: str) -> bool:
        """Whether a name that is allowed may lead to this address."""
        parsed = ipaddress.ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        own = mapped.is_loopback or mapped.is_link_local or mapped.is_multicast
        return not (own or mapped.is_unspecified) or address in self._names or self._has(address)

    def _has(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in one for one in self._networks)


def canonical(text: str) -> str:
    """An address or a DNS name in its one form; an internationalised name in ASCII."""
    try:
        return literal(text)[0]
    except NotAnAddress:
        name = text.lower().rstrip(".")
    return ascii_name(name) if valid_name(name) else name
