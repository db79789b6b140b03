"""What statistics of a domain mean, on literal figures in the words of `virsh domstats`."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.domains import STATES, Domain, Stats, incomplete, resource, use
from collectors.cloud.domainxml import Disk, DomainXml, Interface
from collectors.cloud.libvirtmetrics import families
from collectors.cloud.model import Use

XML = DomainXml(
    vcpus=2,
    memory=4 << 30,
    disks=(Disk("vda"), Disk("hda", "cdrom")),
    interfaces=(Interface("tap1"), Interface("tap2")),
)
STATS: dict[str, int | str] = {
    "state.state": 1,
    "cpu.time": 90_000_000_000,
    "vcpu.current": 2,
    "vcpu.0.time": 40_000_000_000,
    "vcpu.0.delay": 1_500_000_000,
    "vcpu.1.time": 50_000_000_000,
    "vcpu.1.delay": 500_000_000,
    "balloon.current": 4194304,
    "balloon.available": 4000000,
    "balloon.usable": 3000000,
    "balloon.last-update": 1700000000,
    "net.count": 2,
    "net.0.name": "tap1",
    "net.0.rx.bytes": 10,
    "net.0.tx.bytes": 1,
    "net.1.name": "tap2",
    "net.1.rx.bytes": 20,
    "net.1.tx.bytes": 2,
    "block.count": 2,
    "block.0.name": "vda",
    "block.0.rd.bytes": 100,
    "block.0.wr.bytes": 200,
    "block.0.capacity": 1 << 30,
    "block.1.name": "hda",
}


def used(xml: DomainXml = XML, /, **changes: int | None) -> Use | None:
    stats = {**STATS, **{key.replace("__", "."): value for key, value in changes.items()}}
    kept = {key: value for key, value in stats.items() if value is not None}
    return use(Domain("u", "d", kept, 5.0, xml))


def test_all_figures() -> None:
    assert used() == Use(
        resource="u",
        at=5.0,
        cpu=90.0,
        steal=2.0,
        vcpus=2.0,
        net_rx=30.0,
        net_tx=3.0,
        disk_read=100.0,
        disk_write=200.0,
        memory_used=1000000 * 1024.0,
        memory_total=4000000 * 1024.0,
    )


@pytest.mark.parametrize(
    ("changes", "used_bytes", "total"),
    [
        ({"balloon__available": None, "balloon__usable": None}, None, None),
        ({"balloon__usable": None}, None, 4000000 * 1024.0),  # a guest before Linux 3.14
        ({"balloon__last-update": 0}, None, None),  # the driver has not spoken yet
        ({"balloon__usable": 5000000}, None, 4000000 * 1024.0),  # more than there is
        ({"balloon__available": 0}, None, None),
        ({"balloon__usable": 0}, 4000000 * 1024.0, 4000000 * 1024.0),
    ],
)
def test_memory_that_the_guest_did_not_tell_is_unknown(
    changes: dict[str, int | None], used_bytes: float | None, total: float | None
) -> None:
    got = used(**changes)
    assert got
    assert (got.memory_used, got.memory_total) == (used_bytes, total)


def test_memory_without_a_balloon_is_unknown_whatever_the_driver_says() -> None:
    got = used(msgspec.structs.replace(XML, balloon=False))
    assert got
    assert (got.memory_used, got.memory_total) == (None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("vcpu__1__delay", "steal"),
        ("net__1__rx__bytes", "net_rx"),
        ("net__0__tx__bytes", "net_tx"),
        ("net__count", "net_rx"),
        ("block__0__rd__bytes", "disk_read"),
        ("block__0__wr__bytes", "disk_write"),
        ("cpu__time", "cpu"),
    ],
)
def test_a_total_of_which_a_part_is_unknown_is_unknown(change: str, field: str) -> None:
    assert getattr(used(**{change: None}), field) is None


def test_a_domain_without_interfaces_received_nothing() -> None:
    got = used(net__count=0)
    assert got
    assert got.net_rx == 0


@pytest.mark.parametrize("state", [0, 5, 6, 99, None])
def test_what_does_not_run_uses_nothing_that_is_known(state: int | None) -> None:
    assert used(state__state=state) is None


def test_every_state_has_a_word() -> None:
    words = {n: resource(Domain("u", "d", {"state.state": n}), "h") for n in (*STATES, 42)}
    assert {n: (it.state, it.raw_state) for n, it in words.items()} == {
        **STATES,
        42: ("unknown", ""),
    }


def test_the_size_of_its_disks_is_known_of_all_or_of_none() -> None:
    two = msgspec.structs.replace(XML, disks=(*XML.disks, Disk("vdb")))
    assert resource(Domain("u", "d", STATS, xml=XML), "h").size.disk == 1 << 30
    assert resource(Domain("u", "d", STATS, xml=two), "h").size.disk is None
    assert resource(Domain("u", "d", STATS, xml=DomainXml()), "h").size.disk is None


def test_a_busy_domain_is_told() -> None:
    assert not incomplete(Domain("u", "d", STATS, xml=XML))
    kept = {key: value for key, value in STATS.items() if ".rd." not in key}
    assert "busy" in incomplete(Domain("u", "d", kept, xml=XML))


KEYS = st.sampled_from(
    sorted({*STATS, "block.²", "net.x", "vcpu", "block.1.rd.bytes", "net.9.name"})
)


@given(st.dictionaries(KEYS, st.integers(-1, 2**70) | st.text(max_size=3)), st.booleans())
def test_any_figures_make_figures(changes: Stats, read: bool) -> None:
    domain = Domain("u", "d", {**STATS, **changes, "net.count": 2, "block.count": 2}, 1.0)
    if read:
        domain = msgspec.structs.replace(domain, xml=XML)
    use(domain)
    resource(domain, "h")
    told = list(families("c", [domain, domain], up=True))
    series = [(family.name, sample.labels) for family in told for sample in family.samples]
    assert len(series) == len(set(series))
