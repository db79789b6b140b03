"""What the XML of a libvirt domain says: size, disks, interfaces, whose it is.

Format: https://libvirt.org/formatdomain.html. Nova writes an element `instance` into its metadata
(namespaces below, nova/virt/libvirt/config.py), and hosts without OpenStack may carry an element
`owner` of ours: docs/libvirt.md. Tenants choose some of these texts, so that the parser takes no
document type, hence no entities, and a bounded size and depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import msgspec

OWNER = "https://jianwei/xmlns/owner/1"
OWNER_KEYS = ("department", "system", "region", "environment")
NOVA = (  # the newest first; a migrated domain may carry an old one
    "http://openstack.org/xmlns/libvirt/nova/1.1",
    "http://openstack.org/xmlns/libvirt/nova/1.0",
)
LIMIT = 1 << 20  # characters; libvirt's own XML of a domain has some thousand
DEPTH = 64
TEXT = 1024  # characters of one text

# https://libvirt.org/formatdomain.html#memory-allocation
UNITS: dict[str, int] = {
    **dict.fromkeys(("b", "bytes"), 1),
    **{f"{prefix}B": 1000**n for n, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}iB": 1024**n for n, prefix in enumerate("KMGT", 1)},
    **{prefix: 1024**n for n, prefix in enumerate("KMGT", 1)},
    "k": 1024,
}


class Disk(msgspec.Struct, frozen=True):
    """A disk by its name in the guest. `device` is disk, lun, cdrom or floppy."""

    target: str
    device: str = "disk"
    bus: str = ""
    kind: str = ""  # file, block, network, volume, ...
    source: str = ""
    serial: str = ""
    driver: str = ""
    cache: str = ""
    discard: str = ""

    @property
    def removable(self) -> bool:
        return self.device in ("cdrom", "floppy")


class Interface(msgspec.Struct, frozen=True):
    """An interface by its name on the host, which one that belongs to no host device lacks."""

    target: str
    bridge: str = ""
    port: str = ""  # interfaceid of Open vSwitch: the port's UUID in Neutron


class DomainXml(msgspec.Struct, frozen=True):
    """A domain's own words. `memory` in bytes; `balloon` is False where it has surely none.

    `odd` are what somebody wrote into it by mistake, in words for people.
    """

    vcpus: int | None = None
    memory: int | None = None
    balloon: bool = True
    nova: Mapping[str, str] = {}
    owner: Mapping[str, str] = {}
    created: float | None = None
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    odd: tuple[str, ...] = ()


def parse(text: str) -> DomainXml:
    """Read a domain's XML; ValueError for what is none."""
    root = _tree(text)
    if root.tag != "domain":
        raise ValueError(f"its XML is a {root.tag[:40]!r} and no domain")
    metadata = root.find("metadata")
    nova: Mapping[str, str] = {}
    owner: dict[str, str] = {}
    odd: list[str] = []
    if metadata is not None:
        space = next((it for it in NOVA if metadata.find(f"{{{it}}}instance") is not None), "")
        if space:
            nova = dict(_nova(metadata, space))
        for child in metadata.iterfind(f"{{{OWNER}}}owner/*"):
            key = child.tag.removeprefix(f"{{{OWNER}}}")
            if key not in OWNER_KEYS:
                known = ", ".join(OWNER_KEYS)
                odd.append(f"its <owner> has {key[:40]!r}, and may have {known}")
            elif value := _text(child):
                owner[key] = value
    balloon = root.find("devices/memballoon")
    return DomainXml(
        vcpus=_vcpus(root.find("vcpu")),
        memory=_memory(root.find("memory")),
        balloon=balloon is None or balloon.get("model") != "none",
        nova=nova,
        owner=owner,
        created=_time(nova.get("creation_time", "")),
        disks=tuple(_disks(root)),
        interfaces=tuple(_interfaces(root)),
        odd=tuple(odd),
    )


def _tree(text: str) -> Element:
    """The elements, namespaces as in ElementTree: `{namespace}name`."""
    if len(text) > LIMIT:
        raise ValueError(f"its XML is longer than {LIMIT} characters")
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def named(name: str) -> str:
        return "{" + name if "}" in name else name

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise ValueError(f"its XML is more than {DEPTH} elements deep")
        builder.start(named(name), attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(named(name))

    def doctype(*_: object) -> None:
        raise ValueError("its XML has a document type, which is not read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise ValueError(f"its XML cannot be read: {error}") from error
    return builder.close()


def _text(element: Element | None) -> str:
    """Its text, or nothing where it is too long to be a name."""
    text = ("" if element is None else element.text or "").strip()
    return text if len(text) <= TEXT else ""


def _attribute(element: Element | None, name: str) -> str:
    value = "" if element is None else element.get(name, "")
    return value if len(value) <= TEXT else ""


def _nova(metadata: Element, space: str) -> Iterator[tuple[str, str]]:
    instance = metadata.find(f"{{{space}}}instance")
    if instance is None:
        return

    def at(*path: str) -> Element | None:
        return instance.find("/".join(f"{{{space}}}{name}" for name in path))

    flavor, root = at("flavor"), at("root")
    user, project = at("owner", "user"), at("owner", "project")
    found = {
        "name": _text(at("name")),
        "creation_time": _text(at("creationTime")),
        "flavor": _attribute(flavor, "name"),
        "flavor_id": _attribute(flavor, "id"),
        "flavor_vcpus": _text(at("flavor", "vcpus")),
        "flavor_memory_mb": _text(at("flavor", "memory")),
        "flavor_disk_gb": _text(at("flavor", "disk")),
        "user_id": _attribute(user, "uuid"),
        "user_name": _text(user),
        "project_id": _attribute(project, "uuid"),
        "project_name": _text(project),
        "root_type": _attribute(root, "type"),
        "root_uuid": _attribute(root, "uuid"),
    }
    yield from ((key, value) for key, value in found.items() if value)


def _vcpus(element: Element | None) -> int | None:
    """Those that are there now, of those that there may be."""
    text = _attribute(element, "current") or _text(element)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def _memory(element: Element | None) -> int | None:
    text, unit = _text(element), _attribute(element, "unit") or "KiB"
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and unit in UNITS):
        return None
    factor: int = UNITS[unit]
    return int(text) * factor


def _time(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _disks(root: Element) -> Iterator[Disk]:
    for disk in root.iterfind("devices/disk"):
        target, source, driver = disk.find("target"), disk.find("source"), disk.find("driver")
        if name := _attribute(target, "dev"):
            yield Disk(
                target=name,
                device=_attribute(disk, "device") or "disk",
                bus=_attribute(target, "bus"),
                kind=_attribute(disk, "type"),
                source=next(
                    filter(None, (_attribute(source, it) for it in ("file", "dev", "name", "dir"))),
                    "",
                ),
                serial=_text(disk.find("serial")),
                driver=_attribute(driver, "type"),
                cache=_attribute(driver, "cache"),
                discard=_attribute(driver, "discard"),
            )


def _interfaces(root: Element) -> Iterator[Interface]:
    for interface in root.iterfind("devices/interface"):
        yield Interface(
            target=_attribute(interface.find("target"), "dev"),
            bridge=_attribute(interface.find("source"), "bridge"),
            port=_attribute(interface.find("virtualport/parameters"), "interfaceid"),
        )
