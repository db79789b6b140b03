"""Scenario machines of the security baseline, put together from parts.

`tests/baseline/PART/MACHINE/` is a part of a recording in the layout of collectors/sources/recorded.py:
`root/`, `stats.json`, `commands.json` (with outputs under `commands/`, named as nobody else's), `inventories/`,
`exceptions.json`. What no part has is absent on the machine.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

BASELINE = Path(__file__).parent / "baseline"
MACHINES = ("debian-default", "debian-hardened", "openeuler-default", "openeuler-hardened")


def parts() -> list[str]:
    """Names of the parts, `base` among them."""
    return sorted(path.name for path in BASELINE.iterdir() if path.is_dir())


def build(machine: str, directory: Path) -> Path:
    """A recording of one of MACHINES, made in `directory`."""
    target = directory / machine
    target.mkdir(parents=True)
    (target / "asked.json").write_text('["*"]')
    rows: dict[str, list[object]] = {}
    for part in parts():
        folder = BASELINE / part / machine
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_dir():
                continue
            if "/" not in name and name.endswith(".json"):
                rows.setdefault(name, []).extend(json.loads(path.read_text()))
                continue
            known = target / name
            same = not known.exists() or known.read_bytes() == path.read_bytes()
            assert same, f"{part} and another part have another {machine}/{name}"
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
    for name, them in rows.items():
        (target / name).write_text(json.dumps(them))
    return target
