"""Network interfaces as a boundary sees them: wireless, promiscuous, bonds, bridges, tunnels, default routes.

/sys/class/net (ABI/testing/sysfs-class-net of the kernel's documentation), /proc/net/route, ipv6_route.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from collectors.ipv6.routes import IPV6_ROUTE, REJECT, UP, parse_default_routes
from collectors.model import Answers, Collector, Fact, File, Glob, Reading, malformed

DEVICES = Glob(
    "/sys/class/net/*",
    names=(
        *("flags", "operstate", "type", "uevent", "tun_flags", "phy80211/index", "wireless/status"),
        *("bonding/mode", "bonding/slaves", "bonding_slave/mii_status", "brport/port_id"),
        *("bridge/bridge_id", "device/uevent"),
    ),
)
ROUTE = File("/proc/net/route")
_PROMISCUOUS = 0x100  # IFF_PROMISC of <net/if.h>
# ARPHRD_… of <net/if_arp.h>; others by DEVTYPE
_TUNNELS = {
    "768": "ipip",
    "769": "ip6tnl",
    "776": "sit",
    "778": "gre",
    "823": "gre6",
    "65534": "tun",
}
_DEVTYPES = {
    **{name: name for name in ("bond", "bridge", "vlan", "vxlan", "wlan", "wwan", "team")},
    "wireguard": "wireguard",
    "gre": "gre",
    "geneve": "geneve",
}


class InterfacesCollector(Collector, frozen=True):
    """`interfaces`: rows of name, kind (physical, virtual, loopback, bond, bridge, vlan, wlan, wwan, tun,
    wireguard, vxlan, gre …), up, wireless, tunnel, promiscuous and bridge_member (whose mode is promiscuous
    by nature).

    `bonds`: rows of name, mode, members, up (those whose link is up). `default_routes`: rows of family,
    gateway, device, metric.
    """

    name: ClassVar[str] = "interfaces"
    facts: ClassVar[tuple[str, ...]] = ("interfaces", "bonds", "default_routes")

    def readings(self) -> tuple[Reading, ...]:
        return (DEVICES, ROUTE, IPV6_ROUTE)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        devices: dict[str, dict[str, str]] = defaultdict(dict)
        for path, text in answers.texts(DEVICES).items():
            name, _, attribute = path.removeprefix("/sys/class/net/").partition("/")
            devices[name][attribute] = text
        if devices:
            yield Fact("interfaces", [_row(name, it) for name, it in sorted(devices.items())])
            yield Fact("bonds", list(_bonds(devices)))
        else:
            for fact in ("interfaces", "bonds"):
                yield Fact(fact, None, unavailable="absent: /sys/class/net")
        yield Fact("default_routes", _routes(answers))


def _row(name: str, it: Mapping[str, str]) -> dict[str, Any]:
    with malformed(f"/sys/class/net/{name}/flags"):
        flags = int(it.get("flags", "0"), 16)
    kind = _kind(it)
    return {
        "name": name,
        "kind": kind,
        "up": bool(flags & 1),
        "wireless": kind in ("wlan", "wwan"),
        "tunnel": kind in {*_TUNNELS.values(), "wireguard", "vxlan", "geneve"},
        "promiscuous": bool(flags & _PROMISCUOUS),
        "bridge_member": "brport/port_id" in it,
        "source": f"/sys/class/net/{name}",
    }


def _kind(it: Mapping[str, str]) -> str:
    if "phy80211/index" in it or "wireless/status" in it:
        return "wlan"
    event = dict(line.partition("=")[::2] for line in it.get("uevent", "").splitlines())
    if kind := _DEVTYPES.get(event.get("DEVTYPE", "")):
        return kind
    if "tun_flags" in it:
        return "tun"
    if it.get("type") == "772":
        return "loopback"
    if kind := _TUNNELS.get(it.get("type", "")):
        return kind
    return "physical" if "device/uevent" in it else "virtual"


def _bonds(devices: Mapping[str, Mapping[str, str]]) -> Iterable[dict[str, Any]]:
    for name, it in sorted(devices.items()):
        if "bonding/mode" not in it:
            continue
        members = it.get("bonding/slaves", "").split()
        links = {one: devices.get(one, {}).get("bonding_slave/mii_status", "") for one in members}
        yield {
            "name": name,
            "mode": it["bonding/mode"].partition(" ")[0],
            "members": members,
            "up": [one for one, link in links.items() if link == "up"],
            "source": f"/sys/class/net/{name}/bonding",
        }


def _routes(answers: Answers) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with malformed(ROUTE.path):
        for line in (answers.maybe(ROUTE) or "").splitlines()[1:]:
            device, target, gateway, flags, _, _, metric, mask, *_ = line.split()
            if not int(target, 16) and not int(mask, 16) and int(flags, 16) & (UP | REJECT) == UP:
                # in the order of the processor, which is little-endian wherever this runs
                parts = reversed(bytes.fromhex(gateway))
                rows.append(
                    {
                        "family": "ipv4",
                        "gateway": ".".join(map(str, parts)),
                        "device": device,
                        "metric": int(metric),
                        "source": ROUTE.path,
                    }
                )
    for route in parse_default_routes(answers.maybe(IPV6_ROUTE) or ""):
        rows.append(
            {
                "family": "ipv6",
                "gateway": route.gateway,
                "device": route.device,
                "metric": route.metric,
                "source": IPV6_ROUTE.path,
            }
        )
    return rows
