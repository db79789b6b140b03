"""Interfaces of devices on schedule and by command: a real snmpd asked by real children."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.interfaces import InterfaceSchedule
from collectors.link.devices import BandwidthSettings
from collectors.link.lines import metered
from collectors.link.linesfile import load
from collectors.model import Family
from collectors.strictyaml import Duration
from exporters.prometheus.encoder import Encoder
from tests.agents.test_probing import until
from tests.snmplab import COMMUNITY, Snmpd, free_udp_port, needs_snmpd

FILE = """
devices:
  core: {{snmp: {{address: 127.0.0.1, port: {port}, community: !env JW_COMMUNITY}}}}
  dead: {{snmp: {{address: 127.0.0.1, port: {closed}, community: !env JW_COMMUNITY}}}}
  host: {{local: true}}
  idle: {{local: true}}
lines:
  - {{name: county/main, targets: [192.0.2.1], interface: {{device: core, name: lo}}, bandwidth: 100M}}
  - {{name: county/backup, targets: [192.0.2.2], interface: {{device: dead, name: lo}}, bandwidth: 1M}}
  - {{name: city/main, targets: [192.0.2.3], interface: {{device: host, name: lo}}}}
"""
SETTINGS = BandwidthSettings(Duration(2), Duration(2), Duration(0.2), Duration(20))
CONFIG = "bandwidth: {interval: 2s, deadline: 2s, timeout: 200ms, window: 20s}\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("JW_COMMUNITY", COMMUNITY)
    snmpd = Snmpd(tmp_path / "snmp")
    path = tmp_path / "devices.yaml"
    path.write_text(FILE.format(port=snmpd.port, closed=free_udp_port()))
    (tmp_path / "config.yaml").write_text(CONFIG)
    yield str(path)
    snmpd.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["interfaces", *arguments], env={"LC_ALL": "", "LANG": ""})


def series(families: list[Family], name: str) -> dict[tuple[str, ...], float]:
    (family,) = (f for f in families if f.name == name)
    return {tuple(value for _, value in s.labels): s.value for s in family.samples}


@needs_snmpd
def test_the_command_tells_people_and_scripts(file: str) -> None:
    shown = run(file)
    assert shown.exit_code == 1  # one device is off
    assert "端口未开放" in shown.stdout
    assert COMMUNITY not in shown.output
    english = run(file, "--lang", "en", "--device", "core")
    assert english.exit_code == 0
    assert [line.split()[:5] for line in english.stdout.splitlines()[1:]] == [
        ["core", "lo", "up", "10", "Mbit/s"]
    ]
    told = json.loads(run(file, "--json", "--lines").stdout)
    assert [(one["device"], one["reason"]) for one in told] == [
        ("core", ""),
        ("dead", "refused"),
        ("host", ""),
    ]
    everything = json.loads(run(file, "--json", "--all", "--device", "host").stdout)
    assert len(everything[0]["interfaces"]) > 1


@needs_snmpd
def test_bad_input_of_the_command(file: str, tmp_path: Path) -> None:
    assert run(file, "--device", "nix").exit_code == 2
    assert run(file, "--all", "--lines").exit_code == 2
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "devices: {a: {snmp: {address: 192.0.2.1}}}\nlines: [{name: a, targets: [192.0.2.1]}]"
    )
    told = run(str(bad))
    assert told.exit_code == 2
    assert "bad.yaml:1: " in told.stderr


@needs_snmpd
def test_rounds_become_utilisation_and_metrics(file: str) -> None:
    known = load(file)
    config = os.path.join(os.path.dirname(file), "config.yaml")
    schedule = InterfaceSchedule(
        ("interfaces", file, "--config", config), SETTINGS, known.devices, metered(known)
    )
    schedule.start()
    try:
        until(lambda: bool(schedule.utilisation()) and _samples(schedule) >= 1)
    finally:
        schedule.stop()
    uses = schedule.utilisation()
    main_line, backup, city = (uses[n] for n in ("county/main", "county/backup", "city/main"))
    assert main_line.in_ratio is not None
    assert 0 <= main_line.in_ratio <= 1
    assert main_line.slower is True  # lo says 10 Mbit/s
    assert (backup.reason, backup.in_bits, backup.samples) == ("refused", None, 0)
    assert city.in_bits is not None
    assert (city.in_ratio, city.in_p95) == (None, None)
    families = list(schedule.families())
    assert series(families, "jianwei_device_up") == {("core",): 1, ("dead",): 0, ("host",): 1}
    assert series(families, "jianwei_device_failure_reason") == {("dead", "refused"): 1}
    assert series(families, "jianwei_interface_poll_success") == {(): 1}
    assert ("county/main", "receive") in series(families, "jianwei_line_utilisation_p95_ratio")
    _accepted(families)


def _samples(schedule: InterfaceSchedule) -> int:
    return schedule.utilisation()["county/main"].samples


def _accepted(families: list[Family]) -> None:
    page = Encoder().encode(families)
    if promtool := shutil.which("promtool"):
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=page, capture_output=True, timeout=60
        )
        assert (checked.returncode, checked.stderr) == (0, b"")


@needs_snmpd
def test_a_child_that_fails_leaves_no_stale_figures(file: str) -> None:
    known = load(file)
    schedule = InterfaceSchedule(
        ("interfaces", f"{file}.gone"), SETTINGS, known.devices, metered(known)
    )
    schedule.start()
    try:
        until(lambda: "exit status 2" in schedule.problem)
        until(lambda: bool(schedule.utilisation()))
    finally:
        start = time.monotonic()
        schedule.stop()
        assert time.monotonic() - start < 5
    families = list(schedule.families())
    assert series(families, "jianwei_interface_poll_success") == {(): 0}
    assert not series(families, "jianwei_device_up")
    assert {use.reason for use in schedule.utilisation().values()} == {"unread"}


def test_without_lines_nothing_is_asked_or_served() -> None:
    schedule = InterfaceSchedule(("interfaces", "none"), BandwidthSettings(), {}, ())
    schedule.start()
    schedule.stop()
    assert schedule.families() == ()
