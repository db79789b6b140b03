"""Golden output of every collector on the recorded machine, and docs/metrics.md made from it.

`make golden` rewrites both; their diff is what to review when a collector changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from agents import pushing, telling
from agents.advertisements import AdvertisementWatch
from agents.auditing import AuditSchedule
from agents.cloudlines import Looked
from agents.clouds import attribution_families, cloud_families
from agents.fleet.sdserving import Targets
from agents.historymetrics import Report, history_families
from agents.interfaces import InterfaceSchedule
from agents.inventories import Kept
from agents.reporting import report_families
from agents.scanning import inventory_families
from agents.sites import SiteSchedule
from agents.usemetrics import use_families
from collectors.catalogue import COLLECTORS, Settings, for_facts
from collectors.cloud import holdingmetrics, libvirtmetrics, openstackmetrics
from collectors.cloud.domains import Domain
from collectors.cloud.domainxml import Disk, DomainXml, Interface
from collectors.cloud.holdings import holdings
from collectors.cloud.model import (
    Allocated,
    Capacity,
    CloudView,
    Problem,
    Project,
    Quota,
    Resource,
    Size,
)
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.systems import Registry, System
from collectors.ipv6.sitesettings import SiteSettings
from collectors.ipv6.wire.advertisers import Advertiser, Forged, Watched, WatchSettings
from collectors.link.devices import BandwidthSettings, InterfaceRef, MeteredLine
from collectors.link.interfacemetrics import families as interface_families
from collectors.link.interfaces import DevicePoll, InterfaceCounters
from collectors.link.lines import LEVELS, Line, Lines
from collectors.link.measure import Measure
from collectors.link.metrics import families, pace_families
from collectors.link.path import Hop
from collectors.link.path import Path as Way
from collectors.link.pathmetrics import Seen
from collectors.link.pathmetrics import families as path_families
from collectors.link.settings import ProbeSettings
from collectors.link.utilisation import Meter
from collectors.model import Family
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from exporters.findings.metrics import audit_families
from exporters.findings.readinessmetrics import Scored, readiness_families
from exporters.history.accumulate import Stretch
from exporters.history.units import METRICS
from exporters.prometheus import pushmetrics
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.families import with_scrape_series
from exporters.prometheus.lines import LineFamilies
from exporters.prometheus.remotewrite.losses import LOST
from exporters.prometheus.remotewrite.queue import Fill
from exporters.prometheus.remotewrite.sender import Report as WritingReport
from exporters.prometheus.selfmetrics import SelfMetrics, config_families
from exporters.prometheus.server import WebServer
from exporters.prometheus.settings import WebSettings
from rules.audit import audit, check_params, facts_of, needed
from rules.linestate import LineStates
from rules.linethresholds import Thresholds
from rules.pack import load
from rules.settings import AuditSettings
from tests import metricdocs
from tests.agents.test_probing import schedule_of
from tests.collectors.echoes import some_flows
from tests.consolemetrics import console_families
from tests.exporters.httpserver import SmallBackend

TESTS = Path(__file__).parent
MACHINE = TESTS / "fixtures/machines/debian12"
GOLDEN = TESTS / "fixtures/golden"
DOCUMENT = TESTS.parent / "docs/metrics.md"
NAMES = [name for name, entry in COLLECTORS.items() if entry.metrics]

Golden = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def recorded() -> dict[str, Observation]:
    """What each collector sees on the recorded machine."""
    seen = observe(RecordedSource(MACHINE), [COLLECTORS[name].cls() for name in NAMES])
    return {observation.collector: observation for observation in seen}


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_recorded_machine(
    name: str, recorded: dict[str, Observation], golden: Golden
) -> None:
    observation = recorded[name]
    assert not observation.failure, observation.reason
    golden(GOLDEN / f"{name}.prom", Encoder().encode(observation.families).decode())


def test_no_golden_file_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(NAMES)


def probes() -> Sequence[Family]:
    """What the continuous probes tell of one target that answers and one that does not."""
    schedule = schedule_of(ProbeSettings(), RecordedSource(MACHINE))
    pace = pace_families({"ipv4": "raw"}, 3.0, 0.0, 0.0, 0)
    return [*families(*some_flows()), *pace, *schedule.families(), *lines()]


def lines() -> Sequence[Family]:
    """What is told of a pair of lines of which the main one was down, and of its interface and way."""
    one = Line(name="a", site="s", level="county", peer="b", targets=("192.0.2.1",))
    other = msgspec.structs.replace(one, name="b", role="backup", peer="a")
    pair = Lines((one, other))
    states = LineStates(pair, dict.fromkeys((*LEVELS, ""), Thresholds(down_after=1, up_after=1)))
    for at, streak in ((1.0, 1), (2.0, -1), (3.0, 1), (4.0, -1)):
        measures = {
            (name, "ipv4", "icmp"): Measure(
                *(name, "ipv4", "icmp", 20, 20, streak if name == "a" else 1, at)
            )
            for name in ("a", "b")
        }
        states.update(at, measures)  # type: ignore[arg-type]  # literals of a comprehension
    return [*LineFamilies(states).families(), *interfaces(), *ways()]


def interfaces() -> Sequence[Family]:
    """What is told of an interface that carries a line, and of a device that does not answer."""
    ref = InterfaceRef("r1", "ge0")
    meter = Meter([MeteredLine("a", ref, 1e8)], 10)
    told: list[Family] = []
    for at, octets in ((0.0, 1000), (60.0, 2000)):
        row = InterfaceCounters(
            *("r1", "ge0", at, octets, octets),
            in_errors=0,
            out_errors=0,
            in_discards=0,
            out_discards=0,
            oper="up",
            admin="up",
            speed=1e8,
            uptime=at + 100,
        )
        polls = [DevicePoll("r1", interfaces=(row,)), DevicePoll("r2", "timeout")]
        told = interface_families(polls, meter.add(polls))
    schedule = InterfaceSchedule((), BandwidthSettings(), {}, [MeteredLine("a", ref, 1e8)])
    return [*told, *(f for f in schedule.families() if "poll" in f.name)]


def ways() -> Sequence[Family]:
    """What is told of a way that has changed."""
    path = Way(
        "a", "192.0.2.1", "ipv4", "icmp", reached=True, mtu=1500, hops=(Hop(1, ("192.0.2.1",)),)
    )
    return path_families([Seen("a", "ipv4", path, 1, 1.0)], 2, 0, 0, 0)


def audits() -> Sequence[Family]:
    """What the last audit on schedule tells."""
    pack = load("host-basics")
    facts = facts_of(observe(RecordedSource(MACHINE), for_facts(needed([pack]), Settings())))
    result = audit([pack], facts, check_params([pack], {}), datetime.now(UTC))
    schedule = AuditSchedule("", AuditSettings())
    return [*audit_families(result), *schedule.families()]


def advertisers() -> Sequence[Family]:
    """What is told of a link with a router that is expected, and one that forges."""
    watch = AdvertisementWatch(WatchSettings(enable=True))
    row = Advertiser("fe80::1%eth0", "fe80::1", "eth0", "ra", expected=True)
    watch.take(Watched(("eth0",), 1.0, (row,), (Forged("eth0", "hop_limit", 1),)))
    return watch.families()


def sites() -> Sequence[Family]:
    schedule = SiteSchedule("", SiteSettings(sites=("a.gov.cn",)))
    schedule._ended = 1.0
    scored = Scored("a.gov.cn", "https://a.gov.cn/", {"total": 40.0}, {"ipv6.dns.aaaa": "fail"})
    return [*schedule.families(), *readiness_families([scored])]


def domains() -> Sequence[Family]:
    """What is told of a domain of libvirt that tells everything."""
    columns = (*libvirtmetrics.BLOCK, *libvirtmetrics.NET, *libvirtmetrics.MEMORY)
    keys = [
        *(it[0] for it in libvirtmetrics.INFO),
        *(f"{group}.{it[0]}" for it in columns for group in ("balloon", "block.0", "net.0")),
        *(f"vcpu.0.{it[0]}" for it in libvirtmetrics.VCPU),
    ]
    stats: dict[str, int | str] = {
        **dict.fromkeys(keys, 1),
        "block.0.name": "vda",
        "net.0.name": "tap",
    }
    xml = DomainXml(disks=(Disk("vda"),), interfaces=(Interface("tap"),))
    return list(libvirtmetrics.families("c", [Domain("u", "d", stats, 1.0, xml)], up=True))


def clouds() -> Iterator[tuple[str, Sequence[Family]]]:
    """What is told of a cloud with one of everything, and of who holds it."""
    quotas = tuple(Quota(name, 10.0, 1.0) for name in ("vcpus", "memory", "instances", "disk"))
    size = Size(2, 1 << 30, 1 << 30)
    view = CloudView(
        "city",
        "openstack",
        1.0,
        1.0,
        (
            Resource("s", "server", "web", "stopped", size, "SHUTOFF", "p", host="node-1"),
            Resource("t", "server", "app", "active", size, "ACTIVE", "p", host="node-1"),
            Resource("v", "volume", "data", "available", size, "available", "p"),
        ),
        (Project("p", "财政局", quotas=quotas, allocated=Allocated(0.0, 3600.0, 2.0, 1.0, 1.0)),),
        (Capacity("node-1", "VCPU", 16, 0, 4, 2),),
        problems=(Problem("use", "denied"),),
        requests=1,
    )
    yield "openstack", openstackmetrics.families(view)
    owner = Attribution(Owner("财政局", "预算", "金平区", "production"), "project")
    owners = dict.fromkeys(("s", "t", "v", "p"), owner)
    registry = Registry((System("预算", "财政局", on_cloud="yes"),))
    found = holdings([view], owners, {"t": 0.5}, date(2026, 10, 1), registry)
    yield "holdings", holdingmetrics.families(found, [view], owners)
    look = Looked("city", True, 1.0, 1.0, 1, view.problems, {"use": 1})
    yield "clouds", cloud_families(["city"], [look], {"city": 1.0}, 2.0)
    yield "clouds", attribution_families(known=True, began=1.0, now=2.0)


def discovery() -> Sequence[Family]:
    """What `fleet serve-sd` tells of its inventory."""
    return Targets(str(TESTS.parent / "deploy/fleet/example.yaml")).families()


def pushes() -> list[Family]:
    """Of pushing the metrics themselves."""
    lost = dict.fromkeys((*LOST, "refused", "repeated"), 0)
    writing = WritingReport(True, 0, 0, 0, lost, Fill(0, 0, None, {}))
    return [
        *pushmetrics.remote_write_families([("city", writing)], 1.0),
        *pushmetrics.page_families([("textfile", "jianwei.prom", pushmetrics.Pushed(True, 1.0))]),
    ]


def agents_own() -> list[metricdocs.Row]:
    """What the agent tells of itself, by part."""
    used = [Stretch("s", name, 1.0, 0.0, 1.0) for name in METRICS]
    nothing_seen = with_scrape_series([Observation("cpu", 0.1, failure="absent")])
    return [
        *metricdocs.rows("every", nothing_seen),
        *metricdocs.rows("config", config_families(True, 0.0)),
        *metricdocs.rows("audit", audits()),
        *metricdocs.rows(
            "inventory", inventory_families([("filescan", Kept("/", scanned=1.0))], 2.0)
        ),
        *metricdocs.rows(
            "findings", telling._families([("cef", telling._Report(0, 0, 0, 0, 0, True))])
        ),
        *metricdocs.rows("console", pushing.families(pushing.Report(False, 0, 0, 0.0))),
        *metricdocs.rows("push", pushes()),
        *metricdocs.rows(
            "history", history_families(Report(True, 1, 1.0, 0, True, {"rollups": 0}))
        ),
        *metricdocs.rows("report", report_families("", 1.0)),
        *metricdocs.rows("clouds", use_families([("city", used)])),
        *metricdocs.rows("agent", SelfMetrics().families()),
        *metricdocs.rows("review console", console_families()),
        *metricdocs.rows("fleet sd", discovery()),
        *metricdocs.rows("web", WebServer(SmallBackend(), WebSettings()).families()),
        *metricdocs.rows("probe", probes()),
        *metricdocs.rows("libvirt", domains()),
        *(row for name, families in clouds() for row in metricdocs.rows(name, families)),
        *metricdocs.rows("ipv6_watch", advertisers()),
        *metricdocs.rows("ipv6_readiness", sites()),
    ]


@pytest.mark.golden
def test_the_document_is_what_the_recorded_machine_and_the_agent_give(
    recorded: dict[str, Observation], golden: Golden
) -> None:
    rows = [row for name in NAMES for row in metricdocs.rows(name, recorded[name].families)]
    golden(DOCUMENT, metricdocs.document([*rows, *agents_own()]))


def test_what_this_machine_gives_is_in_the_document() -> None:
    documented = metricdocs.read(DOCUMENT.read_text(encoding="utf-8"))
    seen = observe(LocalSource(), [COLLECTORS[name].cls() for name in NAMES])
    assert sum(len(observation.families) for observation in seen) > 100
    missing = [
        row
        for observation in seen
        for family in observation.families
        if metricdocs.named(observation.collector, family)
        for row in [metricdocs.exact(observation.collector, family)]
        if not any(documented_row.describes(row) for documented_row in documented)
    ]
    assert not missing
