"""host.sh on a real host, Debian with systemd and without Python, by a real sshd and sudo with a password."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.fleet import hostside
from agents.fleet.hostside import HostError
from agents.fleet.model import FleetHost, Seen
from agents.fleet.remote import connected
from collectors.sources.ssh.target import SshError
from collectors.strictyaml import Secret
from tests import fleetlab
from tests.hostspace import all_of_it, made

pytestmark = pytest.mark.skipif(bool(fleetlab.unavailable()), reason=fleetlab.unavailable())


@pytest.fixture(scope="module")
def fleet() -> Iterator[fleetlab.Fleet]:
    with fleetlab.fleet(kinds=[fleetlab.Kind(sudo="password")], prefix="side") as fleet:
        yield fleet


@pytest.fixture
def host(fleet: fleetlab.Fleet) -> FleetHost:
    return FleetHost(
        name="one",
        address=fleet[0].address,
        ssh=fleet.settings(),
        rise="sudo",
        sudo_password=Secret(fleetlab.PASSWORD),
    )


def test_all_of_it(host: FleetHost, fleet: fleetlab.Fleet, tmp_path: Path) -> None:
    with connected(host) as remote:
        all_of_it(remote, tmp_path)
    left = fleet[0].run("find / -xdev -name '*jianwei*' 2>/dev/null; getent passwd jianwei; true")
    assert left == ""


def put_there(host: FleetHost, folder: Path) -> None:
    """1.0 runs, 1.1, which is broken, is there."""
    with connected(host) as remote:
        good, broken = made(folder, "1.0"), made(folder, "1.1", broken="")
        hostside.upload(remote, good, lambda at: None)
        hostside.unpack(remote, good)
        hostside.activate(remote, "1.0", 60)
        hostside.upload(remote, broken, lambda at: None)
        hostside.unpack(remote, broken)


def activation_that_is_cut_off(host: FleetHost, seconds: float) -> None:
    """Of 1.1; the connection is lost when that is in force."""
    with connected(host) as other, connected(host) as remote:

        def watch() -> None:
            while other.run("[ -d /opt/jianwei/.pending ]", root=True).status:
                time.sleep(0.05)
            remote.close()

        watching = threading.Thread(target=watch)
        watching.start()
        with pytest.raises((SshError, HostError)):
            hostside.activate(remote, "1.1", seconds)
        watching.join()


def looked(host: FleetHost) -> Seen:
    with connected(host) as remote:
        return hostside.look(remote)


def test_the_connection_is_lost_and_the_host_goes_back_by_itself(
    host: FleetHost, tmp_path: Path
) -> None:
    put_there(host, tmp_path)
    activation_that_is_cut_off(host, 2)
    deadline = time.monotonic() + 60
    while not (seen := looked(host)).ready:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (seen.current, seen.previous) == ("1.0", "")
    with connected(host) as remote:
        hostside.uninstall(remote, keep_state=False)


def test_what_was_killed_is_mended_by_the_next(
    host: FleetHost, fleet: fleetlab.Fleet, tmp_path: Path
) -> None:
    put_there(host, tmp_path)
    activation_that_is_cut_off(host, 30)
    fleet[0].run("pkill -KILL -f '[j]ianwei-fleet'; pkill -KILL -f '[j]ianwei ready'; true")
    seen = looked(host)
    assert (seen.current, seen.active, seen.ready) == ("1.0", False, False)
    with connected(host) as remote:
        hostside.activate(remote, "1.0", 60)
        seen = hostside.look(remote)
        assert (seen.current, seen.ready, seen.enabled) == ("1.0", True, True)
        hostside.uninstall(remote, keep_state=False)
