"""Audits on schedule, each in a child process: CEL and what it imports leave memory with the child.

The child is niced, has a deadline and an output cap. It prints a `Digest`, a line of JSON, and after it what
`/findings` serves. Changes beyond the first batch are fetched batch by batch, by further children.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from agents import children
from agents.rounds import Rounds
from collectors.model import Family, gauge, sample
from exporters.findings.digest import Digest, Untold
from exporters.findings.metrics import audit_families
from exporters.findings.readinessmetrics import Scored, scored_host
from rules.model import Change, Host, PackResult, Rule
from rules.settings import AuditSettings

log = logging.getLogger(__name__)


class Findings(NamedTuple):
    """The last audit: as it is served, when it was, its packs without verdicts, and as metrics; `scored` of
    IPv6 readiness."""

    content: bytes
    time: datetime
    packs: Sequence[PackResult]
    families: Sequence[Family]
    scored: Sequence[Scored]


class AuditSchedule:
    """Audits at start and then every interval, until `stop`.

    `last` is the last audit that succeeded; `problem` why there is no newer one, or empty. `facts` are
    what only the agent itself knows, by name: each is asked for before an audit, unless no pack judged it
    at the last one, and is None where there is nothing to tell. `tell` takes the changes of hits, with rules by id,
    and says whether it has them; what it has not, it is given again after the next audit.
    """

    def __init__(
        self,
        config_path: str,
        settings: AuditSettings,
        facts: Mapping[str, Callable[[], Any]] | None = None,
        tell: Callable[[Sequence[Change], Mapping[str, Rule]], bool] | None = None,
    ) -> None:
        self._arguments = (
            "audit",
            "--config",
            config_path,
            "--fail-on",
            "none",
            "--hits",
        )
        self._config_path, self._settings = config_path, settings
        self._facts = facts or {}
        self._tell = tell
        self._judged: frozenset[str] | None = None  # facts, at the last audit; None: there was none
        self._when_judged: Callable[[frozenset[str]], None] = lambda _: None
        self._when_audited: Callable[[bytes], None] = lambda _: None
        self._told = 0  # the number of the last change that was passed on
        self._lost = 0
        self.last: Findings | None = None
        self.problem = (
            "the first audit has not ended yet" if settings.packs else "audit.packs is empty"
        )
        self._rounds = Rounds("audit", settings.interval, self._audit)

    def start(self) -> None:
        if self._settings.packs:
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other audit, and end the one under way."""
        self._rounds.stop()

    def hasten(self) -> None:
        """Have the next audit as soon as may be, since something changed."""
        self._rounds.hasten()

    def when_judged(self, call: Callable[[frozenset[str]], None]) -> None:
        """Call it after each audit, with the facts that the packs judge; before `start`."""
        self._when_judged = call

    def when_audited(self, call: Callable[[bytes], None]) -> None:
        """Call it after each audit with what /findings serves then; before `start`."""
        self._when_audited = call

    def adopt(self, before: AuditSchedule) -> None:
        """Go on with the last audit of another one by the same settings; before `start`."""
        self.last, self._judged = before.last, before._judged
        if self._judged is not None:
            self._when_judged(self._judged)

    def families(self) -> Sequence[Family]:
        """Metrics of the last audit, and whether audits succeed at all."""
        return [
            *(self.last.families if self.last else ()),
            gauge(
                "jianwei_audit_success",
                "Whether the last audit on schedule ended well; 0 before the first.",
                sample(0 if self.problem else 1),
            ),
        ]

    def scored(self) -> Sequence[Scored]:
        """IPv6 readiness of this host, if a pack judges it."""
        return self.last.scored if self.last else ()

    def _audit(self) -> None:
        try:
            with self._given() as (arguments, given):
                ended = children.run(
                    arguments, self._settings.deadline, stop=self._rounds.stopping, given=given
                )
            if ended.problem or ended.status:
                raise _AuditFailed(ended.problem or f"exit status {ended.status}")
            line, _, content = ended.output.partition(b"\n")
            digest = msgspec.json.decode(line, type=Digest)
        except (OSError, _AuditFailed, msgspec.MsgspecError) as error:
            self.problem = f"the audit failed: {error}"
            log.error("%s", self.problem)
        else:
            self.last, self.problem = _findings(content, digest), ""
            self._when_audited(content)
            self._judged = digest.facts
            self._when_judged(digest.facts)
            self._pass_on(digest)

    def _pass_on(self, digest: Digest) -> None:
        """What changed goes to those who are told; what they took is not kept for them any longer."""
        result, changes = digest.result, digest.result.changes
        if result.hits_problem:
            log.error("hits are not kept: %s", result.hits_problem)
        if result.hits_lost > self._lost:
            self._lost = result.hits_lost
            log.error(
                "%d changes of hits were dropped before they were told, since hits are kept; "
                "jianwei_hit_changes_lost_total counts them",
                self._lost,
            )
        if not self._tell:
            self._told = digest.number or self._told
            return
        rules: Mapping[str, Rule] = digest.rules
        while changes and self._tell(changes, rules):
            self._told = changes[-1].number
            if self._told >= digest.number or self._rounds.stopping.is_set():
                return
            changes, rules = self._untold(result.host)

    def _untold(self, host: Host) -> tuple[tuple[Change, ...], Mapping[str, Rule]]:
        """The next changes of a host; what cannot be had now is told after the next audit."""
        after = ("--host", host.id, "--after", str(self._told))
        arguments = ("hits", "untold", "--config", self._config_path, *after)
        try:
            ended = children.run(arguments, self._settings.deadline, stop=self._rounds.stopping)
            if ended.problem or ended.status:
                raise _AuditFailed(ended.problem or f"exit status {ended.status}")
            found = msgspec.json.decode(ended.output, type=Untold)
        except (OSError, _AuditFailed, msgspec.MsgspecError) as error:
            log.error("changes of hits wait for the next audit: %s", error)
            return (), {}
        return found.changes, found.rules

    @contextlib.contextmanager
    def _given(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The arguments of an audit, and its standard input."""
        wanted = sorted(
            set(self._facts) if self._judged is None else self._judged & set(self._facts)
        )
        known = {name: self._facts[name]() for name in wanted}
        known = {name: value for name, value in known.items() if value is not None}
        arguments = (*self._arguments, "--told", str(self._told))
        if not known:
            yield arguments, subprocess.DEVNULL
            return
        with children.giving(msgspec.json.encode(known)) as given:
            yield (*arguments, "--facts", "-"), given


def _findings(content: bytes, digest: Digest) -> Findings:
    result = digest.result
    packs = [msgspec.structs.replace(pack, verdicts=()) for pack in result.packs]
    families = audit_families(result, digest.figures)
    return Findings(content, result.time, packs, families, scored_host(result))


class _AuditFailed(Exception):
    pass
