"""What a bundle was made of, as a CycloneDX 1.6 document: the same for the same contents.

Format: https://cyclonedx.org/docs/1.6/json/; purl of package-url/purl-spec (types deb, pypi).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from deploy.bundle.debian import Package
from deploy.bundle.distributions import Installed, Locked
from deploy.bundle.tree import Made

# Of serial numbers: the same contents have the same one
_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "bundle.jianwei")


def document(made: Made, locked: dict[str, Locked], packed: bytes, epoch: int) -> str:
    """`packed` is the SHA-256 of the archive that holds `made`."""
    main = Component(
        name=made.name,
        version=made.version,
        type=ComponentType.APPLICATION,
        bom_ref=f"{made.name}@{made.version}",
        hashes=[_hash(packed.hex())],
    )
    parts = [
        *(_debian(package) for package in made.packages),
        *(_python(one, locked[one.name]) for one in made.installed),
    ]
    bom = Bom(components=parts)
    bom.metadata.component = main
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.register_dependency(main, parts)
    bom.serial_number = uuid.UUID(int=0)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    bom.serial_number = uuid.uuid5(_SPACE, hashlib.sha256(text.encode()).hexdigest())
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)


def _python(one: Installed, lock: Locked) -> Component:
    """The hashes are of all its archives that the lock accepts, so they are of where it is distributed."""
    source = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"https://pypi.org/project/{one.name}/{one.version}/"),
        hashes=map(_hash, lock.hashes),
    )
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pypi:{one.name}@{one.version}",
        purl=PackageURL("pypi", name=one.name, version=one.version),
        licenses=[LicenseFactory().make_from_string(one.licence or _where("python", one.name))],
        external_references=[source],
    )


def _debian(package: Package) -> Component:
    qualifiers = {"arch": package.architecture, "distro": "debian-12"}
    if package.source != package.name:
        qualifiers["upstream"] = f"{package.source}@{package.source_version}"
    text = package.copyright.read_text(encoding="utf-8", errors="replace")
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"deb:{package.name}@{package.version}",
        purl=PackageURL("deb", "debian", package.name, package.version, qualifiers),
        licenses=[DisjunctiveLicense(name=name) for name in _licences(text, package.name)],
    )


def _licences(text: str, name: str) -> Iterable[str]:
    """Names in a machine-readable copyright file; else where the text is."""
    found = sorted({line.strip() for line in re.findall(r"(?m)^License:[ \t]*(\S.*)$", text)})
    return found or [_where("debian", name)]


def _where(kind: str, name: str) -> str:
    return f"see share/jianwei/LICENSES/{kind}/{name}"
