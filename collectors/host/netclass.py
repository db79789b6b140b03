"""Properties of network devices: /sys/class/net (kernel Documentation/ABI/testing/sysfs-class-net).

An attribute without a value answers EINVAL (speed or carrier of a device that is down) and is left
out. `speed` is in Mbit/s, -1 where it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.filters import matcher
from collectors.model import Answers, Collector, Family, Glob, Sample, counter, gauge, malformed
from collectors.strictyaml import Regex

INFO = ("address", "broadcast", "duplex", "operstate", "ifalias")

GAUGES = (
    ("addr_assign_type", "address_assign_type", "How the hardware address came about."),
    ("carrier", "carrier", "Whether there is a link."),
    ("dev_id", "device_id", "Number of the device among those with one hardware address."),
    ("dormant", "dormant", "Whether it waits for something, such as authentication."),
    ("flags", "flags", "Interface flags, as a bit mask."),
    ("ifindex", "iface_id", "Index of the interface."),
    ("iflink", "iface_link", "Index of the interface that this one stands on."),
    ("link_mode", "iface_link_mode", "Link mode."),
    ("mtu", "mtu_bytes", "Largest packet."),
    ("name_assign_type", "name_assign_type", "How the name came about."),
    ("netdev_group", "net_dev_group", "Group that the device belongs to."),
    ("tx_queue_len", "transmit_queue_length", "Packets that the send queue takes."),
    ("type", "protocol_type", "Kind of hardware, as ARP numbers it."),
)
COUNTERS = (
    ("carrier_changes", "carrier_changes_total", "Times the link came or went."),
    ("carrier_up_count", "carrier_up_changes_total", "Times the link came."),
    ("carrier_down_count", "carrier_down_changes_total", "Times the link went."),
)
MEGABIT = 125_000  # bytes

DEVICES = Glob("/sys/class/net/*", (*INFO, "speed", *(c[0] for c in (*GAUGES, *COUNTERS))))


class NetclassCollector(Collector, frozen=True):
    """Link state, speed, MTU, address and other properties of network devices."""

    name: ClassVar[str] = "netclass"

    exclude_devices: Regex = Regex("")

    def readings(self) -> tuple[Glob]:
        return (DEVICES,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        excluded = matcher(self.exclude_devices)
        devices: dict[str, dict[str, str]] = {}
        for path, text in answers.texts(DEVICES).items():
            _, _, _, _, device, attribute = path.split("/")
            devices.setdefault(device, {})[attribute] = text
        rows = [((("device", d),), has) for d, has in devices.items() if not excluded(d)]
        with malformed("/sys/class/net"):
            yield gauge(
                "node_network_up",
                "Whether the operational state is up.",
                *(Sample(labels, float(has.get("operstate") == "up")) for labels, has in rows),
            )
            yield gauge(
                "node_network_info",
                "Properties that are no numbers; always 1.",
                *(Sample((*d, *((i, has.get(i, "")) for i in INFO)), 1) for d, has in rows),
            )
            yield gauge(
                "node_network_speed_bytes",
                "Speed of the link, bytes a second.",
                *(Sample(d, float(has["speed"]) * MEGABIT) for d, has in rows if "speed" in has),
            )
            for make, properties in ((gauge, GAUGES), (counter, COUNTERS)):
                for attribute, name, help_ in properties:
                    samples = [
                        Sample(labels, float(int(has[attribute], 0)))
                        for labels, has in rows
                        if attribute in has
                    ]
                    yield make(f"node_network_{name}", help_, *samples)
