"""XML of domains on literal texts: Nova's metadata, ours, and what an attacker could put there."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.domainxml import DEPTH, LIMIT, OWNER, Disk, Interface, parse

NOVA = """<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
  <nova:package version="26.2.1"/><nova:name>门户</nova:name>
  <nova:creationTime>2026-01-02 03:04:05</nova:creationTime>
  <nova:flavor name="g1.large" id="7"><nova:memory>8192</nova:memory><nova:disk>40</nova:disk>
    <nova:swap>0</nova:swap><nova:ephemeral>0</nova:ephemeral><nova:vcpus>4</nova:vcpus>
    <nova:extraSpecs><nova:extraSpec name="hw:x">1</nova:extraSpec></nova:extraSpecs></nova:flavor>
  <nova:owner><nova:user uuid="u-1">admin</nova:user><nova:project uuid="p-1">税务</nova:project>
  </nova:owner><nova:root type="image" uuid="i-1"/></nova:instance>"""
OURS = (
    f'<jw:owner xmlns:jw="{OWNER}"><jw:department>税务局</jw:department>'
    "<jw:system> 门户 </jw:system><jw:region>金平</jw:region>"
    "<jw:environment>prod</jw:environment></jw:owner>"
)
DEVICES = """<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'
  discard='unmap'/><source protocol='rbd' name='volumes/v-1'/><target dev='vda' bus='virtio'/>
  <serial>v-1</serial></disk><disk device='cdrom'><target dev='hda'/></disk><disk/>
<interface type='bridge'><source bridge='br-int'/><target dev='tap1'/><virtualport
  type='openvswitch'><parameters interfaceid='port-1'/></virtualport></interface>
<interface type='user'/>"""


def xml(metadata: str = "", devices: str = "", more: str = "") -> str:
    return (
        f"<domain type='kvm'><name>x</name><metadata>{metadata}</metadata>"
        f"{more}<devices>{devices}</devices></domain>"
    )


def test_all_that_nova_and_we_write() -> None:
    size = "<memory unit='KiB'>8388608</memory><vcpu placement='static' current='2'>4</vcpu>"
    seen = parse(xml(NOVA + OURS, DEVICES, size))
    assert dict(seen.nova) == {
        "name": "门户",
        "creation_time": "2026-01-02 03:04:05",
        "flavor": "g1.large",
        "flavor_id": "7",
        "flavor_vcpus": "4",
        "flavor_memory_mb": "8192",
        "flavor_disk_gb": "40",
        "user_id": "u-1",
        "user_name": "admin",
        "project_id": "p-1",
        "project_name": "税务",
        "root_type": "image",
        "root_uuid": "i-1",
    }
    assert dict(seen.owner) == {
        "department": "税务局",
        "system": "门户",
        "region": "金平",
        "environment": "prod",
    }
    assert (seen.vcpus, seen.memory, seen.created) == (2, 8 << 30, 1767323045)
    assert seen.disks == (
        Disk("vda", "disk", "virtio", "network", "volumes/v-1", "v-1", "raw", "none", "unmap"),
        Disk("hda", "cdrom"),
    )
    assert seen.interfaces == (Interface("tap1", "br-int", "port-1"), Interface(""))
    assert seen.balloon
    assert not seen.odd


def test_the_namespace_of_older_novas_and_both_at_once() -> None:
    old = NOVA.replace("nova/1.1", "nova/1.0")
    assert parse(xml(old)).nova["project_name"] == "税务"
    assert parse(xml(old.replace("税务", "old") + NOVA)).nova["project_name"] == "税务"


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        NOVA.replace("libvirt/nova/1.1", "elsewhere"),
        NOVA.replace("nova:instance", "nova:other"),
        f"<a>{NOVA}</a>",  # somebody's copy inside another element
    ],
)
def test_what_is_not_novas_is_nobodys(metadata: str) -> None:
    assert not parse(xml(metadata)).nova


def test_broken_words_of_nova_cost_only_themselves() -> None:
    broken = NOVA.replace("2026-01-02 03:04:05", "yesterday").replace(' uuid="p-1"', "")
    seen = parse(xml(broken.replace("税务", "x" * 5000), more="<memory unit='cup'>1</memory>"))
    assert seen.created is None
    assert seen.memory is None
    assert seen.vcpus is None
    assert seen.nova["user_id"] == "u-1"
    assert "project_id" not in seen.nova
    assert "project_name" not in seen.nova


def test_a_slip_in_our_own_element_is_told() -> None:
    seen = parse(xml(OURS.replace("department", "departement")))
    assert seen.odd == (
        "its <owner> has 'departement', and may have department, system, region, environment",
    )
    assert seen.owner["system"] == "门户"


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ("<memory>1024</memory>", 1 << 20),
        ("<memory unit='G'>2</memory>", 2 << 30),
        ("<memory unit='GB'>2</memory>", 2 * 10**9),
        ("<memory unit='TiB'>1</memory>", 1 << 40),
        ("<memory unit='bytes'>7</memory>", 7),
        ("<memory>-1</memory>", None),
        ("<memory>²</memory>", None),
    ],
)
def test_units_of_memory(memory: str, expected: int | None) -> None:
    assert parse(xml(more=memory)).memory == expected


LAUGHS = "<!DOCTYPE domain [<!ENTITY a 'ha'>{}]><domain><name>&j;</name></domain>".format(
    "".join(
        f"<!ENTITY {new} '{f'&{old};' * 10}'>"
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "document type"),
        ("<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", "document type"),
        ("<domain>&x;</domain>", "cannot be read"),
        ("<domain>", "cannot be read"),
        ("", "cannot be read"),
        ("<domain>\ud800</domain>", "cannot be read"),
        ("<network/>", "no domain"),
        ("<domain>" + "<a>" * DEPTH + "</a>" * DEPTH + "</domain>", "deep"),
        (f"<domain>{' ' * LIMIT}</domain>", "longer"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


@given(st.text(max_size=20), st.integers(0, 2000), st.integers(0, 40))
def test_damage_is_refused_or_read(put: str, start: int, cut: int) -> None:
    text = xml(NOVA + OURS, DEVICES)
    with contextlib.suppress(ValueError):
        parse(text[:start] + put + text[start + cut :])
