"""Reads what `jianwei audit --format json` prints, of one host or of an inventory, and `jianwei hits list --json`: files of
JSON lines, or folders of them. Of a host's audits by a pack the newest counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, tzinfo
from itertools import chain

import msgspec

from collectors.rowsfile import RowErrors
from collectors.strictyaml import DocumentError
from exporters.report import jsonlines, plain
from exporters.report.sections.audited import Audited, Hosts, counts
from exporters.report.sections.ofmonth import Window, aware
from rules.hits import Ledger
from rules.model import AuditResult, Hit, PackResult
from rules.score import worst_by_rule


class AuditErrors(RowErrors):
    """Everything that is wrong with results, a line each."""


class _OfInventory(msgspec.Struct, frozen=True):
    """A line of `jianwei audit --inventory` (agents/fleet/audit.py)."""

    name: str
    target: str = ""
    department: str = ""
    result: AuditResult | None = None
    problem: str = ""


class Audits:
    """The newest of each host and pack within a window. `hits` are those of the audits that kept some, by host; `outside`
    is when hosts were audited last of which there is none within it."""

    def __init__(self, window: Window, zone: tzinfo) -> None:
        self.window, self.zone = window, zone
        self.outside: dict[str, datetime] = {}
        self.packs: dict[str, dict[str, tuple[datetime, PackResult]]] = {}
        self.hits: dict[str, tuple[datetime, tuple[Hit, ...]]] = {}

    def add(self, host: str, result: AuditResult) -> None:
        time = aware(result.time, self.zone)
        if not self.window.holds(time):
            if host not in self.packs:
                self.outside[host] = max(time, self.outside.get(host, time))
            return
        self.outside.pop(host, None)
        own = self.packs.setdefault(host, {})
        for pack in result.packs:
            if pack.pack not in own or own[pack.pack][0] < time:
                own[pack.pack] = time, pack
        if result.hits and (host not in self.hits or self.hits[host][0] < time):
            self.hits[host] = time, result.hits

    def figures(self, wanted: Collection[str]) -> dict[str, Audited]:
        """Of the packs that count; a host that none of them judged was not audited."""
        found = {}
        for host, packs in self.packs.items():
            if its := [(at, pack) for at, pack in packs.values() if counts(pack.pack, wanted)]:
                judged = _audited([pack for _, pack in its])
                found[host] = judged._replace(times=tuple(sorted({at for at, _ in its})))
        return found


def audits(path: str, hosts: Hosts, window: Window, zone: tzinfo) -> Audits:
    """Raises DocumentError, and AuditErrors for lines that are no audits."""
    found, mistakes = Audits(window, zone), list[DocumentError]()
    one, many = msgspec.json.Decoder(AuditResult), msgspec.json.Decoder(_OfInventory)
    for file in jsonlines.files(path):
        for number, line in jsonlines.lines(file, mistakes):
            try:
                try:
                    told: AuditResult | None = one.decode(line)
                    name = department = ""
                except msgspec.ValidationError:
                    it = many.decode(line)
                    told, name, department = it.result, it.name, it.department
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                problem = f"is no audit as JSON, one a line: {plain.name(str(error))}"
                mistakes.append(DocumentError(file, number, problem))
                continue
            if told is None:
                if name:
                    hosts.add(hosts.found(name), department)  # there, and not audited
                continue
            host = hosts.found(name, told.host.name, told.host.id)
            hosts.add(host, department)
            hosts.learn(told.host.id, host)
            found.add(host, told)
    if mistakes:
        raise AuditErrors(path, mistakes)
    return found


def hits(path: str) -> list[Hit]:
    """Of lists of hits, hits a line each, or ledgers as agents keep them. Raises DocumentError, and AuditErrors."""
    found: dict[str, Hit] = {}
    mistakes: list[DocumentError] = []
    decoder = msgspec.json.Decoder(list[Hit] | Ledger)
    alone = msgspec.json.Decoder(Hit)
    for file in jsonlines.files(path):
        for number, line in jsonlines.lines(file, mistakes):
            its: Iterable[Hit]
            try:
                try:
                    its = [alone.decode(line)]
                except msgspec.ValidationError:
                    told = decoder.decode(line)
                    its = told.hits if isinstance(told, Ledger) else told
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                problem = f"is no list of hits as JSON: {plain.name(str(error))}"
                mistakes.append(DocumentError(file, number, problem))
                continue
            for hit in its:
                known = found.get(hit.fingerprint)
                if known is None or known.last_seen <= hit.last_seen:
                    found[hit.fingerprint] = hit
    if mistakes:
        raise AuditErrors(path, mistakes)
    return list(found.values())


def _audited(packs: list[PackResult]) -> Audited:
    """A rule of several packs counts once, at its worst; scores of packs have the same weight."""
    scores = [pack.score for pack in packs if pack.score is not None]
    if len(packs) == 1:
        by_outcome = Counter(packs[0].counts)
    else:
        worst = worst_by_rule(chain.from_iterable(pack.verdicts for pack in packs))
        by_outcome = Counter(verdict.verdict for verdict in worst.values())
    return Audited(
        100 * sum(scores) / len(scores) if scores else None,
        by_outcome["fail"],
        by_outcome["unknown"],
        by_outcome["manual"],
    )
