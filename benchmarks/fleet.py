"""`make bench`: the agent's bundle on a hundred real hosts by SSH, and the same again where nothing is to do.

The hosts are those of tests/fleetlab.py: systemd and sshd in namespaces, on the two cores that the deployer has as
well; what they write is in memory where there is room, since on one disk of all they would pay for each other: ext4
looks at every inode that was freed of late before it takes another. Then what each step costs, one host after the
other, in CPU time, which tells on a busy machine what the clock cannot. The peer does the least that puts the same
bundle in force: scp, tar, a unit, systemctl, by ssh and xargs; it checks no sum, asks no agent whether it is ready and
cannot go back. A measurement, no judgement: the exit status is 0.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from agents.fleet import bundlefiles
from agents.fleet.model import Outcome
from benchmarks import fleetsteps
from benchmarks.agent import Figure
from benchmarks.fleetsteps import Spent
from benchmarks.process import Run
from benchmarks.process import run as measured
from tests import bundlelab
from tests.fleetlab import USER, Fleet, Kind, fleet, unavailable

COUNT = 100
PARALLEL = 6  # all hosts are this machine: more at once only wait for its cores
WITHIN = 180.0  # seconds for all
AGAIN_WITHIN = 30.0
DISK = "400m"  # that a host has, if in memory
AGENT = 64 << 20  # bytes of memory that one takes beside its files
STEPS_OF = 3  # hosts
# What the peer has root do with a bundle that is in /tmp.
BY_HAND = """set -e
mkdir -p /opt/jianwei /etc/jianwei
tar xzf /tmp/bundle.tar.gz -C /opt/jianwei
ln -sfn /opt/jianwei/jianwei-* /opt/jianwei/current
useradd --system jianwei
cp /opt/jianwei/current/share/jianwei/jianwei.yaml /etc/jianwei
chown -R root:jianwei /etc/jianwei
cp /opt/jianwei/current/share/jianwei/systemd/jianwei-agent.service /etc/systemd/system
systemctl daemon-reload
systemctl enable --quiet --now jianwei-agent
rm /tmp/bundle.tar.gz
"""


@contextlib.contextmanager
def up(count: int, room: int) -> Iterator[Fleet]:
    """So many hosts, each of which is to have so many bytes in files: in memory if there is enough."""
    in_memory = count * (room + AGENT) < psutil.virtual_memory().available
    if not in_memory:
        print("what the hosts write is on the disk: too little memory")
    with fleet(kinds=[Kind(disk=DISK if in_memory else "")] * count) as hosts:
        yield hosts


def deploy(inventory: Path, bundle: Path) -> Run:
    """Raises RuntimeError unless it went well everywhere."""
    more = ("--json", f"--parallel={PARALLEL}", f"--bundle={bundle}")
    argv = (sys.executable, "-P", "-m", "agents", "fleet", "deploy", f"--inventory={inventory}")
    return measured((*argv, *more))


def by_hand(hosts: Fleet, bundle: Path) -> Run:
    options = ("-F", "none", "-i", hosts.key, "-o", f"UserKnownHostsFile={hosts.known_hosts}")
    said = shlex.join(map(str, (*options, "-o", "BatchMode=yes")))
    each = f"scp -q {said} {bundle} {USER}@$0:/tmp/bundle.tar.gz && ssh {said} {USER}@$0 sudo sh -s"
    script = hosts.folder / "by-hand.sh"
    script.write_text(BY_HAND)
    addresses = hosts.folder / "addresses"
    addresses.write_text("\n".join(host.address for host in hosts))
    once = shlex.quote(f"{each} < {script}")
    all_ = f"xargs -a {addresses} -P {PARALLEL} -n 1 sh -c {once}"
    return measured(("sh", "-c", all_))


def states(told: Run) -> Counter[str]:
    decoder = msgspec.json.Decoder(Outcome)
    return Counter(decoder.decode(line).state for line in told.output.splitlines())


def active(hosts: Fleet) -> int:
    return sum(host.shell("systemctl is-active jianwei-agent").returncode == 0 for host in hosts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=COUNT)
    parser.add_argument("--bundle", type=Path, help="else it is built")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args(arguments)
    if why := unavailable() or ("" if options.bundle else bundlelab.unavailable()):
        print(f"no hosts: {why}")
        return
    bundle = options.bundle or bundlelab.built()
    count, peer = options.hosts, None
    room = bundlefiles.read(str(bundle)).room
    if not options.no_peer:
        with up(count, room) as hosts:
            peer_cpu = Spent(hosts.cgroup)
            peer = by_hand(hosts, bundle)
            print(
                f"ssh, scp and xargs: {peer.wall:.1f} s; CPU {peer.cpu:.1f} s here, "
                f"{peer_cpu.seconds():.1f} s on the hosts; {active(hosts)} of {count} run"
            )
    began = time.perf_counter()
    with up(count, room) as hosts, tempfile.TemporaryDirectory() as folder:
        print(f"{count} hosts are up after {time.perf_counter() - began:.1f} s")
        hosts.inventory(inventory := Path(folder, "hosts.yaml"))
        for name, target in (("deploy", WITHIN), ("deploy again", AGAIN_WITHIN)):
            spent = Spent(hosts.cgroup)
            done = deploy(inventory, bundle)
            first = name == "deploy"
            wall = peer.wall if peer and first else None
            print(Figure(f"{name} to {count} hosts", done.wall, "s", wall, target))
            told = ", ".join(f"{state} {number}" for state, number in states(done).items())
            print(
                f"  CPU {done.cpu:.1f} s here, {spent.seconds():.1f} s on the hosts; "
                f"{done.memory / 1e6:.0f} MB; {told}"
            )
    with up(min(STEPS_OF, count), room) as hosts:
        print(fleetsteps.table(hosts, bundle))


if __name__ == "__main__":
    main()
