"""Traffic of network devices: /proc/net/dev (proc(5)), and rx_nohandler, which only sysfs has.

The kernel already sums there what belongs together: missed packets are in drop, length, overrun and
CRC errors in frame, aborted, window and heartbeat errors in carrier.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.filters import OwnRegex, keeper
from collectors.model import Answers, Collector, Family, File, Glob, Reading, Sample, malformed
from collectors.strictyaml import Regex

DEV = File("/proc/net/dev")
NOHANDLER = Glob("/sys/class/net/*/statistics/rx_nohandler")
LOOPBACK = OwnRegex("^lo$")

COLUMNS = (
    ("receive_bytes", "Bytes received."),
    ("receive_packets", "Packets received."),
    ("receive_errs", "Packets received with an error."),
    ("receive_drop", "Packets received and dropped for want of room."),
    ("receive_fifo", "Overruns of the receive queue."),
    ("receive_frame", "Packets received with a bad length, frame or checksum."),
    ("receive_compressed", "Compressed packets received."),
    ("receive_multicast", "Multicast packets received."),
    ("transmit_bytes", "Bytes sent."),
    ("transmit_packets", "Packets sent."),
    ("transmit_errs", "Packets that could not be sent for an error."),
    ("transmit_drop", "Packets dropped before they were sent."),
    ("transmit_fifo", "Underruns of the send queue."),
    ("transmit_colls", "Collisions."),
    ("transmit_carrier", "Packets lost with the carrier."),
    ("transmit_compressed", "Compressed packets sent."),
)


class NetdevCollector(Collector, frozen=True):
    """Bytes, packets and errors of network devices, without the loopback device."""

    name: ClassVar[str] = "netdev"

    include_devices: Regex = Regex("")
    exclude_devices: Regex = LOOPBACK

    def readings(self) -> tuple[Reading, ...]:
        return DEV, NOHANDLER

    def parse(self, answers: Answers) -> Iterable[Family]:
        keep = keeper(self.include_devices, self.exclude_devices)
        columns: list[list[Sample]] = [[] for _ in COLUMNS]
        unhandled: list[Sample] = []
        more = answers.texts(NOHANDLER)
        with malformed("/proc/net/dev"):
            for line in answers.text(DEV).splitlines()[2:]:
                # the first figure may follow the colon at once, and old aliases have a colon
                device, _, figures = line.rpartition(":")
                device = device.strip()
                if not keep(device):
                    continue
                labels = (("device", device),)
                for column, figure in zip(columns, figures.split(), strict=True):
                    column.append(Sample(labels, float(figure)))
                if figure := more.get(f"/sys/class/net/{device}/statistics/rx_nohandler", ""):
                    unhandled.append(Sample(labels, float(figure)))
        for (name, help_), column in zip(COLUMNS, columns, strict=True):
            yield Family(f"node_network_{name}_total", "counter", help_, column)
        yield Family(
            "node_network_receive_nohandler_total",
            "counter",
            "Packets received that nothing listens for, as on the idle half of a bond.",
            unhandled,
        )
