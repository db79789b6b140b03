"""What the firmware says about the machine: /sys/class/dmi/id (SMBIOS tables 0 to 3).

Serial numbers and the UUID are readable by root only; another user's agent leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answer, Answers, Collector, Family, Glob, Unavailable, gauge, sample

FIELDS = (
    *("bios_date", "bios_release", "bios_vendor", "bios_version"),
    *("board_asset_tag", "board_name", "board_serial", "board_vendor", "board_version"),
    *("chassis_asset_tag", "chassis_serial", "chassis_vendor", "chassis_version"),
    *("product_family", "product_name", "product_serial", "product_sku", "product_uuid"),
    *("product_version", "sys_vendor"),
)
DMI = Glob("/sys/class/dmi/id", FIELDS)


class DmiCollector(Collector, frozen=True):
    """Maker, model, serial numbers and firmware of the machine."""

    name: ClassVar[str] = "dmi"

    def readings(self) -> tuple[Glob]:
        return (DMI,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        if not answers.children(DMI):
            raise Unavailable(DMI, Answer("absent", reason="no such directory"))
        labels = {path.rpartition("/")[2]: text for path, text in answers.texts(DMI).items()}
        if "sys_vendor" in labels:
            labels["system_vendor"] = labels.pop("sys_vendor")
        yield gauge(
            "node_dmi_info", "What the firmware says of the machine; always 1.", sample(1, **labels)
        )
