"""Targets probed by a module (TCP, TLS, HTTP, DNS, UDP, STAMP …), for `jianwei probe --module`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from agents.errors import UserError
from collectors.link import asked as asking
from collectors.link import modules as modular
from collectors.link.asked import Asked
from collectors.link.modules import Module
from collectors.link.resolve import Resolver
from collectors.link.settings import Families, ProbeSettings, families_of, own_family
from collectors.model import AddressFamily, ProbeResult
from exporters.prometheus.allowlist import AllowList, canonical
from exporters.prometheus.probe import outcome

THREADS = 32


class _Anybody(AllowList):
    """Whoever runs a command may probe what the machine may."""

    def __init__(self) -> None:
        super().__init__(ProbeSettings())

    def permit(self, target: str) -> tuple[str, ...]:
        return (canonical(target),)

    def permits_address(self, address: str) -> bool:
        return True


class Job(NamedTuple):
    """One target in one family."""

    name: str
    family: AddressFamily
    asked: Asked


def module_of(name: str, path: str | None) -> Module:
    """A module by name; raises UserError and DocumentError."""
    known = modular.load(path)
    if name not in known:
        raise UserError(f"--module: there is no module {name!r}; there are: {', '.join(known)}")
    return known[name]


def jobs_of(
    lines: Iterable[tuple[str, str]], module: Module, family: Families
) -> tuple[list[Job], list[str]]:
    """What is probed for targets, each with where it was written, and the mistakes in them."""
    jobs: dict[tuple[str, AddressFamily], Job] = {}
    mistakes: list[str] = []
    for where, text in lines:
        try:
            asked = asking.split(module.prober, text, module.port)
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
            continue
        wanted = [f for f in families_of(family) if own_family(asked.host) in (None, f)]
        if not wanted:
            mistakes.append(f"{where}: {asked.host} is no {family} address")
        for one in wanted:
            jobs[text, one] = Job(text, one, asked)
    return list(jobs.values()), mistakes


def probe(
    jobs: Sequence[Job],
    module: Module,
    count: int,
    interval: float,
    timeout: float,
    watch: Callable[[list[ProbeResult]], None],
) -> list[ProbeResult]:
    """`count` probes of each, one after the other; `watch` gets the results so far."""
    allow, resolver = _Anybody(), Resolver()
    results = [_none_yet(job, module) for job in jobs]

    def one(number: int) -> None:
        job = jobs[number]
        for turn in range(count):
            begin = time.monotonic()
            budget = module.timeout or timeout
            (probed,) = outcome(job.asked, module, (job.family,), budget, allow, resolver)
            results[number] = _added(results[number], probed.result)
            if turn + 1 < count:
                time.sleep(max(0.0, begin + interval - time.monotonic()))

    with ThreadPoolExecutor(min(THREADS, max(len(jobs), 1)), "probe") as threads:
        ended = [threads.submit(one, number) for number in range(len(jobs))]
        try:
            while not all(future.done() for future in ended):
                watch(results)
                time.sleep(0.1)
        except KeyboardInterrupt:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        for future in ended:
            future.result()
    return results


def _none_yet(job: Job, module: Module) -> ProbeResult:
    return ProbeResult(job.name, "", job.family, module.prober, 0, 0, (), "", 0.0)


def _added(before: ProbeResult, last: ProbeResult) -> ProbeResult:
    """What was known, and one more probe of the same target."""
    received = before.received + (1 if last.success else 0)
    return msgspec.structs.replace(
        last,
        target=before.target,
        sent=before.sent + last.sent,
        received=received,
        rtts=(*before.rtts, *(last.rtts if last.success else ())),
        reason="" if received else last.reason,
        detail="" if received else last.detail,
        duration=before.duration + last.duration,
    )
