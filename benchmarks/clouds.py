"""`python -m benchmarks.clouds`: one look at an OpenStack of 1,000 servers, beside its own command-line client.

The OpenStack is that of tests/openstacklab.py: real Keystone, Placement and Nova, whose servers are of its fake driver;
boots take minutes, and everything shares this machine's cores. Peers, in the same run: `openstack server list
--all-projects --long`, which brings the servers alone, and openstack-exporter, where it is in the PATH or named.
A measurement, no judgement: the exit status is 0 in any case.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.agent import Figure
from collectors.cloud.model import CloudView
from collectors.cloud.openstack import OpenStackCloud
from collectors.cloud.settings import CloudSource, CloudsSettings
from tests.openstacklab import OpenStackLab, unavailable
from tests.processgroups import free_ports

COUNT, PROJECTS, COMPUTES, TOGETHER = 1000, 20, 2, 25
CLI = str(Path(sys.executable).parent / "openstack")
EXPORTER = "openstack-exporter"


def boot(lab: OpenStackLab, count: int) -> None:
    flavor = lab.flavor("gov.small", 1, 512, 1)
    projects = [lab.project(f"部门-{n:02}", tags=[f"dept:{n}"]) for n in range(PROJECTS)]
    quota = {"quota_set": {"cores": -1, "instances": -1, "ram": -1}}
    began = time.monotonic()
    booted = 0
    while booted < count:
        project = projects[booted // TOGETHER % PROJECTS]
        lab.ask("PUT", "nova", f"/v2.1/os-quota-sets/{project}", quota)
        together = min(TOGETHER, count - booted)
        lab.boot(project, [f"vm-{booted:04}"], flavor, {"system": "一网通办"}, together)
        booted += together
    while True:
        statuses = list(lab.statuses().values())
        active, failed = statuses.count("ACTIVE"), statuses.count("ERROR")
        took = time.monotonic() - began
        print(f"\r{active} of {count} servers after {took:.0f} s", end="", file=sys.stderr)
        if failed:
            raise RuntimeError(f"{failed} servers failed; see {lab.folder}/log")
        if active == count:
            print(file=sys.stderr)
            return
        time.sleep(20)  # to look at a thousand servers costs Nova more than to boot one


def look(lab: OpenStackLab, use: bool) -> CloudView:
    source = CloudSource(
        "gov", "openstack", cloud="admin", clouds_file=str(lab.clouds_file), use=use
    )
    view = OpenStackCloud(source, CloudsSettings()).gather(600)
    if view.problems:
        raise RuntimeError(str(view.problems[0]))
    return view


def client(lab: OpenStackLab) -> float:
    """Seconds that the client takes for its list of servers."""
    environment = {
        "OS_CLIENT_CONFIG_FILE": str(lab.clouds_file),
        "OS_CLOUD": "admin",
        "PATH": os.environ["PATH"],
        "HOME": str(lab.folder),
        "LC_ALL": "C.UTF-8",
    }
    argv = [CLI, "server", "list", "--all-projects", "--long", "-f", "json"]
    return _timed(lambda: subprocess.run(argv, env=environment, check=True, capture_output=True))


def exporter(lab: OpenStackLab, program: str) -> float:
    """Seconds that openstack-exporter takes for a scrape of what a look without use brings."""
    (port,) = free_ports(1)
    others = ("network", "image", "object-store", "load-balancer", "orchestration", "dns")
    with subprocess.Popen(
        [
            program,
            f"--os-client-config={lab.clouds_file}",
            f"--web.listen-address=127.0.0.1:{port}",
            *(f"--disable-service.{name}" for name in others),
            "--disable-metric=cinder-agent_state",
            "admin",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(100):
                time.sleep(0.1)
                try:
                    urllib.request.urlopen(f"{url}/", timeout=5).close()
                    break
                except OSError:
                    continue
            return _timed(lambda: urllib.request.urlopen(f"{url}/metrics", timeout=600).read())
        finally:
            process.terminate()


def _timed(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=COUNT)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--exporter", default=shutil.which(EXPORTER), help="its program")
    arguments = parser.parse_args()
    if why := unavailable():
        print(f"no OpenStack: {why}")
        return
    with OpenStackLab(COMPUTES, many=True) as lab:
        boot(lab, arguments.servers)
        count = arguments.servers
        views: list[CloudView] = []
        peers: list[float] = []
        for _ in range(arguments.runs):  # by turns, as the machine is not always the same
            views.append(look(lab, use=False))
            peers.append(client(lab))
        ours, theirs = median(view.seconds for view in views), median(peers)
        print(Figure(f"{count} servers and the rest of the cloud", ours, "s", theirs, 5.0))
        print(f"  {views[-1].requests} requests; the peer, the client, lists the servers alone")
        lists = [view.api_seconds for view in views]
        print(f"  sum of all waiting for answers, median: {median(lists):.2f} s")
        print(f"  load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        if arguments.exporter:
            scrapes = [exporter(lab, arguments.exporter) for _ in range(arguments.runs)]
            print(Figure("  beside a scrape of openstack-exporter", ours, "s", median(scrapes)))
        else:
            print(f"  {EXPORTER} is not installed: no figure of it")
        whole = look(lab, use=True)
        print(Figure(f"the same and {len(whole.uses)} diagnostics", whole.seconds, "s"))


if __name__ == "__main__":
    main()
