"""An audit on its way in: what is known of its host beside what the audit says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Arrived(msgspec.Struct, frozen=True):
    """Labels are those of the targets file or of the enrolment: `department`, `system`, `region` and `level` are
    known, others are kept. `target` is the address that was asked, empty for an agent that called. `digest` is the
    SHA-256 of the audit's bytes, where there were any."""

    source: Literal["pull", "push"]
    labels: Mapping[str, str] = {}
    target: str = ""
    version: str = ""
    digest: str = ""


class Taken(msgspec.Struct, frozen=True):
    """What became of it. `same`: it was taken in before; `older`: a newer one was. Neither changes anything."""

    outcome: Literal["taken", "same", "older"]
    host_id: int
    opened: int = 0
    regressed: int = 0
    fixed: int = 0
