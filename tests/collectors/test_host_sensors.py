"""Sensors, thermal zones and DMI on literal bytes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from collectors.host.dmi import DMI, DmiCollector
from collectors.host.hwmon import CHIPS, CLASS, DEVICES, SENSORS, HwmonCollector
from collectors.host.thermal_zone import COOLERS, ZONES, ThermalZoneCollector
from collectors.model import Answer, Family, Unavailable
from collectors.rows import FileStat
from tests.collectors.literal import parse, values

# --- hwmon ----------------------------------------------------------------------------------------


def link(path: str, target: str) -> FileStat:
    return FileStat(path, "link", 0o777, 0, 0, target=target)


HW = "/sys/class/hwmon"


def sensors(
    chips: Mapping[str, str], files: Mapping[str, Answer | str], *links: FileStat
) -> dict[str, Family]:
    return parse(
        HwmonCollector(),
        {
            CLASS: [FileStat(HW, "directory", 0o755, 0, 0)],
            DEVICES: links,
            CHIPS: {f"{HW}/{path}": text for path, text in chips.items()},
            SENSORS: {f"{HW}/{path}": text for path, text in files.items()},
        },
    )


@pytest.mark.parametrize(
    ("target", "name", "chip"),
    [
        ("/sys/devices/platform/coretemp.0", "coretemp", "platform_coretemp_0"),
        ("/sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0", "nvme", "nvme_nvme0"),
        ("/sys/devices/pci0000:00/0000:00:18.3", "k10temp", "pci0000:00_0000:00:18_3"),
        ("/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI000D:00", "", "lnxsybus:00_acpi000d:00"),
        ("", "Power Meter (α)", "power_meter"),
        ("", "", "hwmon7"),
        ("", "()", "hwmon7"),
    ],
)
def test_a_chip_is_called_by_its_device_or_its_name(target: str, name: str, chip: str) -> None:
    links = [link(f"{HW}/hwmon7/device", target)] if target else []
    chips = {"hwmon7/name": f"{name}\n"} if name else {}
    got = sensors(chips, {"hwmon7/temp1_input": "41500\n"}, *links)
    assert values(got["node_hwmon_temp_celsius"]) == {(chip, "temp1"): 41.5}


def test_chips_of_one_name_are_told_apart() -> None:
    files = {"hwmon0/temp1_input": "1000\n", "hwmon1/temp1_input": "2000\n"}
    got = sensors({"hwmon0/name": "acpitz\n", "hwmon1/name": "acpitz\n"}, files)
    assert values(got["node_hwmon_temp_celsius"]) == {
        ("acpitz", "temp1"): 1,
        ("acpitz_hwmon1", "temp1"): 2,
    }


@pytest.mark.parametrize(
    ("file", "text", "name", "sensor", "value"),
    [
        ("temp2_crit_alarm", "1000", "temp_crit_alarm_celsius", "temp2", 1),
        ("temp2_alarm", "1", "temp_alarm", "temp2", 1),
        ("temp2_fault", "1", "temp_fault", "temp2", 1),
        ("temp2_type", "4", "temp_type", "temp2", 4),
        ("temp2_lowest", "-5500", "temp_lowest_celsius", "temp2", -5.5),
        ("fan1_input", "1200", "fan_rpm", "fan1", 1200),
        ("fan1_min", "600", "fan_min_rpm", "fan1", 600),
        ("fan1_div", "4", "fan_div", "fan1", 4),
        ("fan1_beep", "1", "fan_beep_enabled", "fan1", 1),
        ("in10_max", "1750", "in_max_volts", "in10", 1.75),
        ("curr1_input", "250", "curr_amps", "curr1", 0.25),
        ("power1_average", "5000000", "power_average_watt", "power1", 5),
        ("power1_average_interval_min", "2000", "power_average_interval_min_seconds", "power1", 2),
        ("power1_accuracy", "500000", "power_accuracy", "power1", 0.5),
        ("energy1_input", "3000000", "energy_joule_total", "energy1", 3),
        ("humidity1_input", "46000", "humidity", "humidity1", 0.046),
        ("pwm3", "255", "pwm", "pwm3", 255),
        ("pwm3_enable", "2", "pwm_enable", "pwm3", 2),
        ("intrusion0_alarm", "0", "intrusion_alarm", "intrusion0", 0),
    ],
)
def test_figures_of_sensors(file: str, text: str, name: str, sensor: str, value: float) -> None:
    got = sensors({}, {f"hwmon0/{file}": f"{text}\n"})
    assert values(got[f"node_hwmon_{name}"]) == {("hwmon0", sensor): pytest.approx(value)}
    assert (got[f"node_hwmon_{name}"].kind == "counter") == name.endswith("_total")
    assert len(got) == 1


def test_figures_of_a_whole_chip() -> None:
    got = sensors({"a/beep_enable": "1", "a/update_interval": "1500", "a/vrm": "90"}, {})
    assert values(got["node_hwmon_beep_enabled"]) == {("a", "beep_enable0"): 1}
    assert values(got["node_hwmon_update_interval_seconds"]) == {("a", "update_interval0"): 1.5}
    assert values(got["node_hwmon_voltage_regulator_version"]) == {("a", "vrm0"): 90}


def test_labels_of_sensors_and_what_has_no_value() -> None:
    got = sensors(
        {"hwmon0/name": "x\n"},
        {
            "hwmon0/temp1_label": "Package id 0\n",
            "hwmon0/temp1_input": Answer("failed", reason="No data available"),
            "hwmon0/temp2_label": "2024\n",
            "hwmon0/temp3_label": "\n",
            "hwmon0/power1_model_number": "PSU-7\n",
            "hwmon0/power1_accuracy": "95.0%\n",
            "hwmon0/in0_input": "\n",
            "hwmon0/uevent1": "1\n",
        },
    )
    assert set(got) == {"node_hwmon_chip_names", "node_hwmon_sensor_label"}
    assert values(got["node_hwmon_chip_names"]) == {("x", "x"): 1}
    assert values(got["node_hwmon_sensor_label"]) == {
        ("x", "Package id 0", "temp1"): 1,
        ("x", "2024", "temp2"): 1,
    }


def test_a_machine_without_sensors_and_a_kernel_without_them() -> None:
    assert sensors({}, {}) == {}
    with pytest.raises(Unavailable, match="no such directory") as raised:
        parse(HwmonCollector(), {CLASS: [], DEVICES: [], CHIPS: {}, SENSORS: {}})
    assert raised.value.state == "absent"


# --- thermal_zone, dmi ----------------------------------------------------------------------------


def test_a_zone_without_a_temperature_is_left_out() -> None:
    thermal = "/sys/class/thermal"
    zones: dict[str, Answer | str] = {
        f"{thermal}/thermal_zone0/type": "acpitz\n",
        f"{thermal}/thermal_zone0/temp": "-4500\n",
        f"{thermal}/thermal_zone11/type": "iwlwifi_1\n",
        f"{thermal}/thermal_zone11/temp": Answer("failed", reason="No data available"),
    }
    coolers = {
        f"{thermal}/cooling_device2/type": "Processor\n",
        f"{thermal}/cooling_device2/cur_state": "3\n",
    }
    got = parse(ThermalZoneCollector(), {ZONES: zones, COOLERS: coolers})
    assert values(got["node_thermal_zone_temp"]) == {("acpitz", "0"): -4.5}
    assert values(got["node_cooling_device_cur_state"]) == {("2", "Processor"): 3}
    assert "node_cooling_device_max_state" not in got


def test_what_only_root_may_read_is_left_out_of_dmi() -> None:
    dmi = "/sys/class/dmi/id"
    denied = Answer("denied", reason="permission denied")
    said: dict[str, Answer | str] = {
        f"{dmi}/product_serial": denied,
        f"{dmi}/bios_vendor": "SeaBIOS\n",
        f"{dmi}/sys_vendor": "QEMU\n",
    }
    (info,) = parse(DmiCollector(), {DMI: said})["node_dmi_info"].samples
    assert info.labels == (("bios_vendor", "SeaBIOS"), ("system_vendor", "QEMU"))
    with pytest.raises(Unavailable) as raised:
        parse(DmiCollector(), {DMI: {}})
    assert raised.value.state == "absent"
