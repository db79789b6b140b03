"""The table of kinds of clouds; each is imported only when one of its kind is configured."""

from __future__ import annotations

import importlib
from typing import Final

from collectors.cloud.model import Cloud, CloudKind
from collectors.cloud.settings import CloudSource, CloudsSettings

CLOUDS: Final[dict[CloudKind, str]] = {
    "openstack": "collectors.cloud.openstack:OpenStackCloud",
    "libvirt": "collectors.cloud.libvirtdomains:LibvirtCloud",
}


def cloud(source: CloudSource, settings: CloudsSettings) -> Cloud:
    """The client of one cloud."""
    module, _, name = CLOUDS[source.kind].partition(":")
    made: Cloud = getattr(importlib.import_module(module), name)(source, settings)
    return made
