"""Rollouts to hosts that are kept in a folder: batches, canaries, ends, what is gone on with, what is not told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from agents.cli.fleet.said import said
from agents.fleet.journal import NAME, Journal
from agents.fleet.model import FleetHost, Outcome
from agents.fleet.rollout import Halt, Pace, Share, batches, roll
from agents.fleet.sudo import SudoPasswordError
from agents.fleet.tasks import GoingBack, Removing
from collectors.sources.ssh.target import LoginError
from collectors.strictyaml import Secret
from tests.agents.fleetfake import FakeBundle, KeptHosts, deploying, named, rolled

ALL = ["upload", "unpack", "configure", "activate"]


def states(done: dict[str, Outcome]) -> dict[str, str]:
    return {name: it.state for name, it in done.items()}


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    kept = KeptHosts(tmp_path / "hosts")
    first = rolled(kept, named(5), tmp_path / "state")
    assert set(states(first).values()) == {"changed"}
    assert all(kept.steps(host.name) == ALL for host in named(5))
    assert {it.after for it in first.values()} == {"1.0"}
    kept.done.clear()
    second = rolled(kept, named(5), tmp_path / "state")
    assert set(states(second).values()) == {"unchanged"}
    assert kept.done == []


def test_upgrade_back_and_away(tmp_path: Path) -> None:
    kept = KeptHosts(tmp_path / "hosts")
    hosts = named(3)
    rolled(kept, hosts[:2], tmp_path / "state")
    new = deploying(FakeBundle("2.0", "c" * 64), upgrade=True)
    done = rolled(kept, hosts, tmp_path / "state", new)
    assert states(done) == {"h000": "changed", "h001": "changed", "h002": "unchanged"}
    assert "no agent is here" in done["h002"].problem
    assert (done["h000"].before, done["h000"].after) == ("1.0", "2.0")
    back = rolled(kept, hosts, tmp_path / "state", GoingBack(5))
    assert states(back) == {"h000": "changed", "h001": "changed", "h002": "failed"}
    assert back["h001"].after == "1.0"
    away = rolled(kept, hosts, tmp_path / "state", Removing(keep_state=False))
    assert states(away) == {"h000": "changed", "h001": "changed", "h002": "unchanged"}
    assert away["h000"].after == ""


def test_one_batch_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []
    kept = KeptHosts(tmp_path / "hosts", before=lambda host, step: order.append(host))
    rolled(kept, named(10), tmp_path / "state", pace=Pace(parallel=4, canary=1, batch=4))
    begun = list(dict.fromkeys(order))
    ended = [max(n for n, host in enumerate(order) if host == name) for name in begun]
    for group in (slice(0, 1), slice(1, 5), slice(5, 9)):
        later = begun[group.stop :]
        assert max(ended[group]) < min(order.index(name) for name in later)
    assert set(begun[:1]) == {"h000"}
    assert set(begun[1:5]) == {"h001", "h002", "h003", "h004"}


@pytest.mark.parametrize("how", ["unreachable", "broken"])
def test_a_canary_that_does_not_end_well_stops_all(tmp_path: Path, how: str) -> None:
    kept = KeptHosts(
        tmp_path / "hosts",
        unreachable=frozenset({"h001"} if how == "unreachable" else ()),
        broken={"h001 activate": "not ready: gone back"} if how == "broken" else {},
    )
    done = rolled(kept, named(8), tmp_path / "state", pace=Pace(parallel=1, canary=2))
    assert states(done) == {
        "h000": "changed",
        "h001": "unreachable" if how == "unreachable" else "failed",
        **{f"h00{n}": "skipped" for n in range(2, 8)},
    }
    assert done["h007"].problem == "not begun: the canary h001 did not end well"
    assert {name for name, _ in kept.done} <= {"h000", "h001"}


def test_too_many_failures_stop_what_has_not_begun(tmp_path: Path) -> None:
    broken = {f"h{n:03} unpack": "no room" for n in range(0, 20, 2)}
    kept = KeptHosts(tmp_path / "hosts", unreachable=frozenset({"h001"}), broken=broken)
    kept.log = ["jianwei: cannot listen", "what the agent said"]
    pace = Pace(parallel=1, max_failures=2)
    done = rolled(kept, named(20), tmp_path / "state", pace=pace)
    assert [it.state for it in done.values()].count("failed") == 3
    assert done["h001"].state == "unreachable"
    assert done["h019"].problem == "not begun: 3 hosts failed, 2 may"
    assert done["h000"].problem == "unpack: no room; the agent said: cannot listen"


def test_hosts_that_refuse_have_failed(tmp_path: Path) -> None:
    refusing = {f"h{n:03}": LoginError("not let in") for n in range(4)}
    kept = KeptHosts(tmp_path / "hosts", refusing=refusing)
    done = rolled(kept, named(9), tmp_path / "state", pace=Pace(parallel=1, max_failures=2))
    assert [it.state for it in done.values()] == ["refused"] * 3 + ["skipped"] * 6
    journal = Journal(tmp_path / "state")
    assert journal.last["h000"].bad
    journal.close()


@pytest.mark.parametrize("right", [0, 1])
def test_a_password_that_sudo_refused_is_not_tried_on_the_next(tmp_path: Path, right: int) -> None:
    """It is where another host took it before: then one host differs."""

    def with_password(host: FleetHost, text: str) -> FleetHost:
        return msgspec.structs.replace(host, rise="sudo", sudo_password=Secret(text))

    hosts = [with_password(host, "shared") for host in named(8)]
    hosts.append(with_password(FleetHost(name="other", address="ssh://10.0.1.1"), "its own"))
    refusing = {host.name: SudoPasswordError("sudo does not") for host in hosts[right:8]}
    kept = KeptHosts(tmp_path / "hosts", refusing=refusing)
    if right:
        rolled(kept, hosts[:1], tmp_path / "state")
    done = rolled(kept, hosts, tmp_path / "state", pace=Pace(parallel=1 if right else 4))
    assert done["other"].state == "changed"
    tried = [name for name, step in kept.done if step == "look"]
    if right:
        assert len(tried) == 7
        return
    assert len(tried) == 1
    assert sorted(states(done).values()) == ["changed", "refused", *["skipped"] * 7]
    (why,) = {it.problem for it in done.values() if it.state == "skipped"}
    assert why == f"not begun: {tried[0]} does not take the password of sudo"
    assert "密码" in said(why, "zh")


def test_an_end_leaves_no_host_between_configuration_and_start(tmp_path: Path) -> None:
    halt = Halt()

    def before(host: str, step: str) -> None:
        if (host, step) in (("h000", "upload"), ("h001", "activate")):
            halt("interrupted")

    kept = KeptHosts(tmp_path / "hosts", before=before)
    done = rolled(kept, named(3), tmp_path / "state", halt=halt, pace=Pace(parallel=1))
    assert states(done) == {"h000": "skipped", "h001": "skipped", "h002": "skipped"}
    assert kept.steps("h000") == ["upload"]
    assert "the same command goes on" in done["h000"].problem
    assert "重新执行同一命令" in said(done["h000"].problem, "zh")
    assert said(done["h002"].problem, "zh") == "未开始：已中断"
    kept.put("h001", versions=("1.0",))
    again = Halt()
    kept.before = lambda host, step: again("interrupted") if step == "activate" else None
    done = rolled(kept, named(3), tmp_path / "state", halt=again, pace=Pace(parallel=1))
    assert states(done) == {"h000": "changed", "h001": "skipped", "h002": "skipped"}
    assert kept.steps("h000") == ["upload", "unpack", "configure", "activate"]


def test_there_are_no_more_threads_than_hosts_at_once() -> None:
    most = 0
    lock = threading.Lock()
    now = 0

    def work(host: object) -> Outcome:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.0005)
        with lock:
            now -= 1
        return Outcome(host=host.name, state="unchanged")  # type: ignore[attr-defined]

    before = threading.active_count()
    counted = [threading.active_count() for _ in roll(named(2000), work, Pace(parallel=8), Halt())]
    assert len(counted) == 2000
    assert max(counted) <= before + 8
    assert most <= 8


def test_a_deployer_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.agents.fleetfake", str(tmp_path), "12", "0.03"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    journal = tmp_path / "state" / NAME
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b'"state":"changed"') >= 3:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()
    # a power cut tears the last line
    with journal.open("ab") as file:
        file.write(b'{"at":"2026-01-01","what":"en')
    kept = KeptHosts(tmp_path / "hosts")
    before = {host.name: kept.seen(host.name) for host in named(12)}
    well = {name for name, seen in before.items() if seen.ready}
    assert 3 <= len(well) < 12
    done = rolled(kept, named(12), tmp_path / "state")
    assert {name for name, it in done.items() if it.state == "unchanged"} == well
    assert all(kept.seen(host.name).ready for host in named(12))
    for name, seen in before.items():
        if "1.0" in seen.versions:
            assert "upload" not in kept.steps(name)
            assert "unpack" not in kept.steps(name)
    assert not any(kept.steps(name) for name in well)
    # and the journal can be read on
    last = Journal(tmp_path / "state")
    assert last.torn == 1
    assert all(last.last[host.name].well for host in named(12))
    last.close()


@pytest.mark.parametrize(
    ("text", "of_100", "of_7"), [("20", 20, 20), ("10%", 10, 1), ("0", 0, 0), ("0.5%", 1, 1)]
)
def test_shares(text: str, of_100: int, of_7: int) -> None:
    assert (Share.parse(text).of(100), Share.parse(text).of(7)) == (of_100, of_7)


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "1.5", "nan%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Share.parse(text)


def test_all_hosts_are_in_one_batch_each() -> None:
    hosts = named(11)
    for canary in (0, 1, 5, 11, 20):
        for batch in (0, 1, 4, 50):
            groups = [group for _, group in batches(hosts, Pace(canary=canary, batch=batch))]
            assert [host for group in groups for host in group] == hosts
