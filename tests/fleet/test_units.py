"""The agent's unit inside a real systemd, with the real bundle: what it forbids hinders nothing, and its watchdog bites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import bundlelab, fleetlab
from tests.fleet.test_handbook import put
from tests.fleetlab import Host, fleet
from tests.sshlab import wait_until

AGENT: Final = "jianwei-agent"
UNIT: Final = Path(__file__).parents[2] / f"deploy/systemd/{AGENT}.service"
WHY: Final = fleetlab.unavailable() or bundlelab.unavailable()
PAGE: Final = (
    r"bash -c 'exec 3<>/dev/tcp/127.0.0.1/9808; printf \"GET /metrics HTTP/1.0\r\n\r\n\" >&3; cat <&3'"
).replace(r"\"", '"')

pytestmark = [
    pytest.mark.skipif(bool(WHY), reason=WHY or "there are hosts"),
    pytest.mark.timeout(600),  # a bundle may have to be built first
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """With the agent; systemd waits three seconds for its heart, so that the test is short."""
    with fleet(1) as hosts:
        put(hosts[0], bundlelab.built())
        drop_in = f"/etc/systemd/system/{AGENT}.service.d"
        hosts[0].run(
            f"mkdir -p {drop_in}; printf '[Service]\\nWatchdogSec=3\\n' > {drop_in}/quick.conf;"
            "cd /root; tar -xzf jianwei-agent-*.tar.gz; sh jianwei-agent-*/install.sh"
        )
        yield hosts[0]


def shown(host: Host, name: str) -> str:
    return host.run(f"systemctl show -P {name} {AGENT}").strip()


def test_what_it_forbids_hinders_nothing(host: Host) -> None:
    def page() -> str:
        return host.run(PAGE)

    # raw sockets; the audit in its child, with native code for CEL and RE2; /etc/shadow
    wait_until(lambda: 'jianwei_probe_socket_info{family="ipv4",mode="raw"' in page(), 30)
    wait_until(lambda: "jianwei_rule_verdict{" in page(), 60)
    verdicts = [line for line in page().splitlines() if line.startswith("jianwei_rule_verdict{")]
    empty = next(line for line in verdicts if "no-empty-password" in line and "accounts" in line)
    assert 'verdict="pass"' in empty
    basics = [line for line in verdicts if 'pack="host-basics"' in line]
    assert [line for line in basics if 'verdict="unknown"' in line] == []
    assert host.run("stat -c '%U %a' /var/lib/jianwei") == "jianwei 700\n"
    assert "hits" in host.run("ls /var/lib/jianwei")
    told = host.run(f"cat /proc/{shown(host, 'MainPID')}/status")
    fields = dict(line.split(":\t") for line in told.splitlines() if ":\t" in line)
    # no memory that can be written and run: by a filter that is there, of the unit that is in the bundle
    assert (fields["Seccomp"], shown(host, "MemoryDenyWriteExecute")) == ("2", "yes")
    assert host.run(f"cat /etc/systemd/system/{AGENT}.service") == UNIT.read_text()
    assert (fields["CapBnd"], fields["NoNewPrivs"]) == ("0000000000002004", "1")
    assert "denied" not in json.dumps(
        [line for line in page().splitlines() if line.startswith("jianwei_collector_failure")]
    )


def test_an_agent_that_stands_still_is_started_again(host: Host) -> None:
    before = shown(host, "NRestarts"), shown(host, "MainPID")
    host.run("sleep 4")
    assert (shown(host, "NRestarts"), shown(host, "MainPID")) == before  # it beats
    host.run(f"kill -STOP {before[1]}")
    wait_until(lambda: shown(host, "NRestarts") > before[0], 30)
    wait_until(lambda: shown(host, "ActiveState") == "active", 30)
    assert shown(host, "MainPID") != before[1]
    assert "Watchdog timeout" in host.run(f"journalctl --no-pager -u {AGENT}")


def test_what_is_wrong_in_the_configuration_is_not_tried_for_ever(host: Host) -> None:
    limit = shown(host, "StartLimitBurst"), shown(host, "StartLimitIntervalUSec")
    assert limit == ("20", "5min")
    assert shown(host, "Restart") == "on-failure"
