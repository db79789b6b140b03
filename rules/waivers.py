"""Waivers: hits that somebody answers for until a day. A YAML document that people keep under review.

    waivers:
      - id: W-2026-017
        rule: linux.sshd.no-root-login
        hosts: [bastion-*]            # names or ids of hosts; * and ? as in a shell
        instance: "*"                 # optional
        reason: the vendor's installer needs it until the migration
        owner: 张伟
        approver: 李敏
        expires: 2027-03-31           # its last day, by the clock of the host that judges
        evidence: 1f0c…               # optional: only while the hit shows this (`jianwei hits show`)

Without `evidence`, a waiver is bound to what a hit shows when it is first waived. Either way it lapses
when that changes or the hit is fixed, for good: who still wants it renews it under another id. After its
last day it is in force for no hit.
"""

from __future__ import annotations

import fnmatch
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime

import msgspec

from collectors import strictyaml
from collectors.strictyaml import Document
from rules.model import Hit

LAPSED = "lapsed"  # in `waived_for` of a hit, of a waiver that is in force for it no more
PLAIN = str.maketrans({"[": "[[]"})  # to fnmatch a bracket begins a set


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One waiver: its scope, why, whose it is, who approved it, and until when."""

    id: str
    rule: str
    hosts: tuple[str, ...]
    reason: str
    owner: str
    approver: str
    expires: date
    instance: str = "*"
    evidence: str = ""

    def covers(self, hit: Hit) -> bool:
        """Whether a hit is in its scope."""
        names = (hit.host.name, hit.host.id)
        return (
            self.rule == hit.rule
            and any(matches(name, host) for host in self.hosts for name in names)
            and matches(hit.instance, self.instance)
        )

    def lapsed(self, hit: Hit, now: datetime) -> str:
        """Why it is not in force for a hit in its scope; empty while it is."""
        if now.astimezone().date() > self.expires:
            return f"waiver {self.id} expired on {self.expires}"
        bound = hit.waived_for.get(self.id)
        if bound == LAPSED:
            return f"waiver {self.id} has lapsed: give it another id to renew it"
        given_for = self.evidence or bound or hit.evidence
        return "" if given_for == hit.evidence else f"waiver {self.id}: the evidence changed"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    waivers: tuple[Waiver, ...]


def load(path: str) -> tuple[Waiver, ...]:
    """The waivers of a file; raises DocumentError."""
    document = Document(strictyaml.read(path), path)
    waivers = document.convert(_File).waivers
    seen: dict[str, int] = {}
    for number, waiver in enumerate(waivers):
        for part in ("id", "rule", "reason", "owner", "approver", "instance"):
            if not getattr(waiver, part).strip():
                raise document.error(("waivers", number, part), "is empty")
        if not waiver.hosts:
            raise document.error(
                ("waivers", number, "hosts"), 'names no host; write ["*"] for all of them'
            )
        if person(waiver.owner) == person(waiver.approver):
            raise document.error(
                ("waivers", number, "approver"), "nobody approves a waiver of their own"
            )
        if waiver.id in seen:
            line = document.line(("waivers", seen[waiver.id], "id"))
            raise document.error(
                ("waivers", number, "id"), f"{waiver.id!r} is on line {line} already"
            )
        seen[waiver.id] = number
    return waivers


def matches(text: str, pattern: str) -> bool:
    """Whether a name or id is as a pattern; * and ? as in a shell."""
    return fnmatch.fnmatchcase(text, pattern.translate(PLAIN))


def person(name: str) -> str:
    """A name, however it is written: case, width and spaces make nobody another one."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def in_force(waivers: Iterable[Waiver], hit: Hit, now: datetime) -> tuple[Waiver | None, str]:
    """The first waiver in force for a hit; without one, why those in its scope are not."""
    why = ""
    for waiver in waivers:
        if waiver.covers(hit):
            if not (lapsed := waiver.lapsed(hit, now)):
                return waiver, ""
            why = why or lapsed
    return None, why
