"""`/probe?target=&module=`: one probe on demand, in blackbox_exporter's dialect.

A module says how to probe (collectors/link/modules.py); without one it is http_2xx. The module's
`preferred_ip_protocol` is the family that is probed; the other one only where the name has no
address of that family, which a series then says. `family=ipv4`, `ipv6` or `both` asks for them by
name; `both` labels the series of each. What may be asked for: exporters/prometheus/allowlist.py,
which also judges every host that a redirect leads to.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from collectors.link import asked as asking
from collectors.link import modules as modular
from collectors.link.asked import Asked
from collectors.link.connect import Failure
from collectors.link.httpsettings import HttpModule
from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.link.modules import Module, Modules
from collectors.link.resolve import Resolved, Resolver, valid_name
from collectors.link.settings import PAYLOAD, own_family
from collectors.link.targets import unresolved
from collectors.model import AddressFamily, Family, ProbeResult, Target
from exporters.prometheus.allowlist import AllowList, canonical
from exporters.prometheus.backend import ProbeRefused
from exporters.prometheus.blackbox import Fallback, Probed, course, exposition, icmp
from exporters.prometheus.encoder import Encoder

__all__ = ["AllowList", "outcome", "probe"]

PARAMETERS = ("target", "module", "family", "hostname", "debug")
ICMP_TIMEOUT = 5.0  # seconds that a dead target costs, where the module does not say
MAX_TIMEOUT = 120.0
NO_TIMEOUT = 5.0  # where neither module nor scrape say one
MARGIN = 0.5  # left for the way back
COUNT, SPACING = 3, 0.1
_FAMILIES: Final[dict[str, AddressFamily]] = {"ip4": "ipv4", "ip6": "ipv6"}


class _Question(NamedTuple):
    """What is asked. Of `families` the first is wanted most; with `both` each of them."""

    asked: Asked
    module: Module
    families: tuple[AddressFamily, ...]
    both: bool
    budget: float


def probe(
    query: Mapping[str, str],
    headers: Mapping[str, str],
    allow: AllowList,
    resolver: Resolver,
    modules: Modules | None = None,
) -> list[Family] | str:
    """The families of one probe, or with `debug=true` its course as a text. Blocks for the module's
    timeout, or the scrape's less `MARGIN`. Raises ProbeRefused (400 or 403)."""
    start = time.perf_counter()
    question = _question(query, headers, modular.built_in() if modules is None else modules)
    run = _Run(question, allow, resolver, start)
    outcome = run.outcome()
    seconds = time.perf_counter() - start
    made = exposition(outcome, seconds, question.both, run.fallback)
    if query.get("debug") == "true":
        return f"{''.join(map(course, outcome))}\n{Encoder().encode(made).decode()}"
    return made


def outcome(
    asked: Asked,
    module: Module,
    families: tuple[AddressFamily, ...],
    budget: float,
    allow: AllowList,
    resolver: Resolver,
) -> list[Probed]:
    """One probe in each of these families, within `budget` seconds. Raises ProbeRefused."""
    question = _Question(asked, module, families, True, budget)
    return _Run(question, allow, resolver, time.perf_counter()).outcome()


def _question(query: Mapping[str, str], headers: Mapping[str, str], modules: Modules) -> _Question:
    for name in query:
        if name not in PARAMETERS:
            raise ProbeRefused(
                400, f"unknown parameter {name!r}; there are: {', '.join(PARAMETERS)}"
            )
    named = query.get("module") or modular.DEFAULT
    if named not in modules:
        raise ProbeRefused(400, f"unknown module {named!r}; there are: {', '.join(modules)}")
    module = modules[named]
    if hostname := query.get("hostname"):
        module = _with_hostname(module, hostname)
    families = _families(module, query.get("family", ""))
    text = query.get("target")
    if not text:
        raise ProbeRefused(400, "the parameter 'target' is missing")
    try:
        asked = asking.split(module.prober, text, module.port)
    except ValueError as error:
        raise ProbeRefused(400, f"target: {error}") from error
    return _Question(
        asked, module, families, query.get("family") == "both", _budget(module, headers)
    )


def _families(module: Module, wanted: str) -> tuple[AddressFamily, ...]:
    """The families that may be probed, in the module's order."""
    preferred = _FAMILIES[module.preferred]
    other: AddressFamily = "ipv4" if preferred == "ipv6" else "ipv6"
    if not wanted:
        return (preferred, other) if module.falls_back else (preferred,)
    if wanted not in ("both", "ipv4", "ipv6"):
        raise ProbeRefused(400, f"family={wanted}: it is both, ipv4 or ipv6")
    if not module.falls_back and wanted != preferred:
        raise ProbeRefused(
            400, f"family={wanted}: the module {module.name} is for {preferred} only"
        )
    if wanted == "both":
        return ("ipv4", "ipv6")
    return (preferred,) if wanted == preferred else (other,)


def _with_hostname(module: Module, hostname: str) -> Module:
    """The module with another Host header, or another name in the server's certificate."""
    if not valid_name(hostname) and own_family(hostname) is None:
        raise ProbeRefused(400, f"hostname: {hostname!r} is no name of a host")
    hostname = canonical(hostname)
    settings = module.settings
    replace = msgspec.structs.replace
    if isinstance(settings, HttpModule):
        if settings.host_header not in ("", hostname):
            raise ProbeRefused(400, f"the module {module.name} has a Host header of its own")
        changed: Any = replace(settings, headers={**settings.headers, "Host": hostname})
    elif config := getattr(settings, "tls_config", None):
        named = config.server_name or hostname
        changed = replace(settings, tls_config=replace(config, server_name=named))
    else:
        raise ProbeRefused(400, f"hostname means nothing to the prober {module.prober}")
    return module._replace(settings=changed)


def _budget(module: Module, headers: Mapping[str, str]) -> float:
    """Seconds until an answer is due."""
    text = headers.get("x-prometheus-scrape-timeout-seconds")
    own = ICMP_TIMEOUT if module.prober == "icmp" else MAX_TIMEOUT
    if text is None:
        return min(module.timeout or NO_TIMEOUT, MAX_TIMEOUT)
    try:
        allowed = float(text)
    except ValueError:
        allowed = 0
    if not allowed > 0:  # also what is not a number
        raise ProbeRefused(400, f"X-Prometheus-Scrape-Timeout-Seconds: {text!r} is no timeout")
    return min(module.timeout or own, MAX_TIMEOUT, max(allowed - MARGIN, allowed / 2))


class _Run:
    """One probe: names looked up, families chosen, each of them probed."""

    def __init__(
        self, question: _Question, allow: AllowList, resolver: Resolver, start: float
    ) -> None:
        self._question, self._allow, self._resolver = question, allow, resolver
        self._start = start
        self.fallback: Fallback | None = None

    def outcome(self) -> list[Probed]:
        """One for each family that was asked for; raises ProbeRefused."""
        question = self._question
        permitted = self._allow.permit(question.asked.host)
        names = {family: _of_family(permitted, family) for family in question.families}
        wanted = [(name, family) for family, name in names.items()]
        found = self._resolver.resolve(wanted, question.budget / 2)
        resolved = {family: found[name, family] for family, name in names.items()}
        chosen = question.families if question.both else self._choose(names, resolved)
        located = {family: self._locate(family, names[family], resolved) for family in chosen}
        targets = [one for one in located.values() if isinstance(one, Target)]
        probed = {one.result.family: one for one in self._probe(targets, resolved)}
        return [
            probed[family] if isinstance(one, Target) else self._unseen(one, resolved[family])
            for family, one in located.items()
        ]

    def _choose(
        self, names: Mapping[AddressFamily, str], resolved: Mapping[AddressFamily, Resolved]
    ) -> tuple[AddressFamily, ...]:
        """The preferred family, or the other one where only that has an address: then say so."""
        preferred, *others = self._question.families
        if resolved[preferred].addresses:
            return (preferred,)
        chosen = next((one for one in others if resolved[one].addresses), preferred)
        if chosen != preferred and own_family(names[preferred]) is None:
            self.fallback = Fallback(preferred, resolved[preferred].reason)
        return (chosen,)

    def _locate(
        self, family: AddressFamily, name: str, resolved: Mapping[AddressFamily, Resolved]
    ) -> Target | ProbeResult:
        asked, found = self._question.asked, resolved[family]
        if not found.addresses:
            return msgspec.structs.replace(
                unresolved(asked.text, family, found), prober=self._question.module.prober
            )
        if name != canonical(asked.host):  # a target of the configuration by its name
            asked = asked.renamed(name)
        address = next((a for a in found.addresses if self._allow.permits_address(a)), None)
        if address is None:
            raise ProbeRefused(
                403,
                f"{asked.host!r} leads to {found.addresses[0]}, "
                "which is not itself on the allow-list",
            )
        return Target(asked.text, address, family, asked.port, asked.host, asked.text)

    def _left(self) -> float:
        return max(0.1, self._question.budget - (time.perf_counter() - self._start))

    def _probe(
        self, targets: Sequence[Target], resolved: Mapping[AddressFamily, Resolved]
    ) -> list[Probed]:
        """Each target, at the same time."""
        module = self._question.module
        if not targets:
            return []
        function = modular.PROBERS[module.prober].probe
        if function is None:
            results, setup = _echo(targets, module, self._left())
            return [Probed(r, resolved[r.family], icmp(r, setup)) for r in results]

        def one(target: Target) -> Probed:
            call = function
            if isinstance(module.settings, HttpModule):
                call = partial(function, look_up=partial(self._look_up, target.family))
            result = call(target, module.settings, self._left())
            return Probed(result, resolved[target.family], result.families)

        if len(targets) == 1:
            return [one(targets[0])]
        with ThreadPoolExecutor(len(targets), "probe-family") as threads:
            return list(threads.map(one, targets))

    def _look_up(self, family: AddressFamily, host: str, port: int) -> str:
        """The address of a host that a redirect leads to, if it may be probed at all."""
        try:
            name = _of_family(self._allow.permit(host), family)
        except ProbeRefused as error:
            raise Failure("not_allowed", str(error)) from error
        found = self._resolver.resolve([(name, family)], self._left())[name, family]
        if not found.addresses:
            raise Failure(found.reason, f"{host}: {found.detail or 'no address'}")
        for address in found.addresses:
            if self._allow.permits_address(address):
                return address
        problem = f"{host!r} leads to {found.addresses[0]}, which is not on the allow-list"
        raise Failure("not_allowed", problem)

    def _unseen(self, result: ProbeResult, resolved: Resolved) -> Probed:
        kind = modular.PROBERS[self._question.module.prober]
        if kind.probe is None:
            return Probed(result, resolved, icmp(result, 0.0))
        return Probed(result, resolved, kind.unseen)


def _of_family(permitted: Sequence[str], family: AddressFamily) -> str:
    """The name, or the address of a family; another one's where there is none."""
    return next((one for one in permitted if own_family(one) in (family, None)), permitted[0])


def _echo(
    targets: Sequence[Target], module: Module, seconds: float
) -> tuple[list[ProbeResult], float]:
    """One round within `seconds`, and how much of it was not waiting for answers."""
    spacing = min(SPACING, seconds / 10)
    settings = module.settings
    options = EchoOptions(
        COUNT,
        spacing,
        seconds - COUNT * spacing,
        payload=settings.payload_size or PAYLOAD,
        hop_limit=settings.ttl,
        source=settings.source_ip_address,
        dont_fragment=settings.dont_fragment,
    )
    start = time.perf_counter()
    results = IcmpProber(options).probe(targets)
    took = time.perf_counter() - start
    return results, max(0.0, took - max(result.duration for result in results))
