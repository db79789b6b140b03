"""One host of a rollout: look, plan, do the steps; its log, its lines in the journal, how it ended."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from agents.errors import UserError
from agents.fleet import hostlog
from agents.fleet.hands import Hand, Reach
from agents.fleet.hostlog import Mask, Write
from agents.fleet.hostside import HostError
from agents.fleet.journal import Journal
from agents.fleet.model import FleetHost, Outcome, Seen, State, Step
from agents.fleet.plan import Plan
from agents.fleet.rollout import Halt
from agents.fleet.sudo import NotTried, Passwords
from agents.fleet.tasks import Task
from collectors.sources.ssh.target import LoginError, SshError
from collectors.strictyaml import DocumentError
from exporters.findings.text import neutral

log = logging.getLogger(__name__)
_ASIDE: Final = ("upload", "unpack", "configure")  # puts things aside: nothing is in force by it
MAX_PROBLEM: Final = 500  # characters
MAX_TOLD: Final = 50  # lines of an agent's log, the last ones


class Watch(Protocol):
    """Who shows what goes on. Called by many threads."""

    def began(self, host: str) -> None: ...

    def step(self, host: str, name: str, why: str) -> None: ...

    def sent(self, host: str, count: int) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


Looked = Callable[[FleetHost, Seen, Plan], None]


class Worker:
    """Does a task on one host after the other. `dry`: only what is planned is found out. `looked` is told
    what was seen. Without a journal nothing is written on this machine."""

    def __init__(
        self,
        reach: Reach,
        task: Task,
        watch: Watch,
        halt: Halt,
        journal: Journal | None = None,
        looked: Looked = lambda host, seen, plan: None,
        dry: bool = False,
    ) -> None:
        self._reach, self._task, self._watch, self._halt = reach, task, watch, halt
        self._journal, self._looked, self._dry = journal, looked, dry
        self._passwords = Passwords()

    def __call__(self, host: FleetHost) -> Outcome:
        start = time.monotonic()
        self._watch.began(host.name)
        mask = hostlog.masking(())
        sha256 = ""
        try:
            files = self._task.files(host)
            sha256 = files.sha256 if files else ""
            mask = hostlog.masking(secrets(host) | (files.secrets if files else frozenset()))
            with self._log(host, mask) as say:
                outcome = self._ended(host, sha256, say, mask)
        except (UserError, DocumentError) as error:
            outcome = _outcome(host, "failed", mask, str(error))
        except OSError as error:  # of this machine: the journal or the log; no host can do without
            outcome = _outcome(host, "failed", mask, f"cannot write here: {error}")
            self._halt(outcome.problem)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost all other hosts
            log.error("%s: %s", neutral(host.name), neutral(mask(repr(error))))
            outcome = _outcome(host, "failed", mask, f"bug: {type(error).__name__}: {error}")
        outcome = msgspec.structs.replace(outcome, seconds=time.monotonic() - start)
        if self._journal:
            try:
                self._journal.ended(outcome, sha256)
            except OSError as error:
                self._halt(f"the journal cannot be written: {error.strerror}")
        self._watch.ended(outcome)
        return outcome

    def _log(self, host: FleetHost, mask: Mask) -> contextlib.AbstractContextManager[Write]:
        if self._journal is None:
            return contextlib.nullcontext(lambda text: None)
        return hostlog.opened(Path(self._journal.folder, "logs"), host.name, mask)

    def _ended(self, host: FleetHost, sha256: str, say: Write, mask: Mask) -> Outcome:
        doing = _Doing(host, sha256, say)
        try:
            self._passwords.check(host)
            with self._reach(host, say) as hand:
                outcome = self._done(hand, doing, mask)
        except NotTried as error:
            outcome = doing.outcome("skipped", mask, str(error))
        except SshError as error:
            state: State = "refused" if isinstance(error, LoginError) else "unreachable"
            state = "failed" if doing.begun else state
            outcome = doing.outcome(state, mask, f"{doing.where()}{error}")
        say(f"ended: {outcome.state} {outcome.problem}".rstrip())
        return outcome

    def _done(self, hand: Hand, doing: _Doing, mask: Mask) -> Outcome:
        host = doing.host
        self._watch.step(host.name, "look", "")
        try:
            with self._passwords.first(host):
                seen = hand.look()
        except HostError as error:
            return doing.outcome("failed", mask, f"look: {error}")
        doing.before = doing.after = seen.current
        doing.say(f"seen: {msgspec.json.encode(seen).decode()}")
        plan = self._task.plan(host, seen)
        self._looked(host, seen, plan)
        if plan.problem:
            return doing.outcome("unchanged" if plan.absent else "failed", mask, plan.problem)
        doing.steps = plan.steps
        if not plan.steps or self._dry:
            return doing.outcome("unchanged", mask)
        after: str | None = None
        for number, step in enumerate(plan.steps):
            earlier = plan.steps[number - 1].name if number else None
            if self._halt and (earlier is None or earlier in _ASIDE):
                doing.steps = tuple(doing.begun)
                did = f"after {earlier}" if earlier else "before anything was done"
                why = f"ended {did}: {self._halt.why}; the same command goes on"
                return doing.outcome("skipped", mask, why)
            try:
                after = self._step(hand, doing, step)
            except HostError as error:
                for line in error.log[-MAX_TOLD:]:
                    doing.say(f"agent: {line}")
                with contextlib.suppress(SshError, HostError):
                    doing.after = hand.look().current
                return doing.outcome("failed", mask, f"{step.name}: {error}{_reason(error)}")
        with contextlib.suppress(SshError, HostError):
            doing.after = hand.look().current if after is None else after
        return doing.outcome("changed", mask)

    def _step(self, hand: Hand, doing: _Doing, step: Step) -> str | None:
        host = doing.host.name
        doing.say(f"{step.name}: {step.why}")
        if self._journal:
            self._journal.step(host, step.name, doing.sha256)
        doing.begun.append(step)
        self._watch.step(host, step.name, step.why)
        after = self._task.do(hand, doing.host, step, lambda count: self._watch.sent(host, count))
        doing.say(f"{step.name}: done")
        return after


class _Doing:
    """How far a host is."""

    def __init__(self, host: FleetHost, sha256: str, say: Write) -> None:
        self.host, self.sha256, self.say = host, sha256, say
        self.before = self.after = ""
        self.steps: tuple[Step, ...] = ()
        self.begun: list[Step] = []

    def where(self) -> str:
        return f"{self.begun[-1].name}: " if self.begun else ""

    def outcome(self, state: State, mask: Mask, problem: str = "") -> Outcome:
        it = _outcome(self.host, state, mask, problem)
        steps = tuple(self.begun) if state == "failed" else self.steps
        return msgspec.structs.replace(it, before=self.before, after=self.after, steps=steps)


def _reason(error: HostError) -> str:
    """Why the agent there ended, if it said so: `jianwei: ` begins that line."""
    said = [line for line in error.log if line.startswith("jianwei: ")]
    return f"; the agent said: {said[-1].removeprefix('jianwei: ')}" if said else ""


def _outcome(host: FleetHost, state: State, mask: Mask, problem: str) -> Outcome:
    """The problem in one harmless line."""
    line = " ".join(mask(problem).split())
    return Outcome(host=host.name, state=state, problem=neutral(line[:MAX_PROBLEM]))


def secrets(host: FleetHost) -> frozenset[str]:
    given = (host.sudo_password, host.ssh.password, host.ssh.key_passphrase)
    return frozenset(secret.reveal() for secret in given if secret)
