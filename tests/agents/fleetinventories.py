"""Inventories that tests write, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.fleet import inventory
from agents.fleet.model import FleetHost
from collectors.strictyaml import DocumentError


def written(folder: Path, text: str, name: str = "hosts.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def hosts(folder: Path, text: str) -> dict[str, FleetHost]:
    return {host.name: host for host in inventory.load(written(folder, text))}


def mistakes(path: str) -> list[str]:
    """Without the path of the inventory itself."""
    with pytest.raises(DocumentError) as caught:
        inventory.load(path)
    return str(caught.value).replace(f"{path}:", "").splitlines()
