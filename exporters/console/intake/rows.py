"""Rows of `hit` as hits of rules.model and back. Their `actual` and `expected` stay the JSON texts that the rows have:
only whether they changed matters to the life of a hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Select, select

from exporters.console.codes import SEVERITY, STATE
from exporters.console.schema import hit
from rules.model import SEVERITIES, WORKFLOWS, Hit, Host, Text

_NO_TITLE: Final = Text("", "")
_PACKS: Final = msgspec.json.Decoder(tuple[str, ...])
_BOUND: Final = msgspec.json.Decoder(dict[str, str])

# what an audit may change; only their names are the same in both
CHANGING: Final = (
    "severity",
    "state",
    "last_seen",
    "changed",
    "unseen_since",
    "packs",
    "actual",
    "expected",
    "source",
    "evidence",
    "waiver",
    "waived_for",
    "by",
    "note",
)
_COLUMNS: Final = (
    *("id", "fingerprint", "rule_id", "department_id", "first_seen", "instance", "version"),
    *CHANGING,
)


class Known(msgspec.Struct, frozen=True):
    """A hit and what only its row has."""

    hit: Hit
    id: int
    rule_id: int
    department_id: int
    version: int


def selected() -> Select[Any]:
    return select(*(hit.c[name] for name in _COLUMNS)).order_by(hit.c.id)


def known(row: Sequence[Any], host: Host, rule: str) -> Known:
    number, fingerprint, rule_id, department_id, first_seen, instance, version = row[:7]
    severity, state, last_seen, changed, unseen_since, packs, actual, expected = row[7:15]
    source, evidence, waiver, waived_for, by, note = row[15:]
    return Known(
        Hit(
            fingerprint=fingerprint.hex(),
            host=host,
            rule=rule,
            title=_NO_TITLE,
            severity=SEVERITIES[severity],
            state=WORKFLOWS[state],
            first_seen=first_seen,
            last_seen=last_seen,
            changed=changed,
            instance=instance,
            packs=_PACKS.decode(packs),
            actual=actual,
            expected=expected,
            source=source,
            evidence=evidence,
            unseen_since=unseen_since,
            waiver=waiver,
            waived_for=_BOUND.decode(waived_for) if waived_for != "{}" else {},
            by=by,
            note=note,
        ),
        number,
        rule_id,
        department_id,
        version,
    )


def changing(one: Hit) -> dict[str, Any]:
    """The values of the columns CHANGING."""
    return {
        "severity": SEVERITY[one.severity],
        "state": STATE[one.state],
        "last_seen": one.last_seen,
        "changed": one.changed,
        "unseen_since": one.unseen_since,
        "packs": text(one.packs),
        "actual": one.actual,
        "expected": one.expected,
        "source": one.source,
        "evidence": one.evidence,
        "waiver": one.waiver,
        "waived_for": text(one.waived_for),
        "by": one.by,
        "note": one.note,
    }


def differ(one: Hit, other: Hit) -> bool:
    """Whether more of a row changes than when it was last seen."""
    return (
        one.severity != other.severity
        or one.state != other.state
        or one.changed != other.changed
        or one.unseen_since != other.unseen_since
        or one.packs != other.packs
        or one.actual != other.actual
        or one.expected != other.expected
        or one.source != other.source
        or one.evidence != other.evidence
        or one.waiver != other.waiver
        or one.waived_for != other.waived_for
        or one.by != other.by
        or one.note != other.note
    )


def noted(one: Hit, note: str) -> Hit:
    return one if one.note == note else msgspec.structs.replace(one, note=note)


def text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
