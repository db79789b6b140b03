"""The domains of one hypervisor, through libvirt-python, read-only.

Everything the driver tells in one call is asked for at once, with NOWAIT: a domain that is busy with a
job is then told of without what its job holds. A QEMU process that hangs makes that call hang; then
each domain is asked for itself, by a few threads (libvirtd answers five requests of a client at a
time). What does not answer in time is left behind with its connection, `STUCK` times at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

from collectors.cloud import domainxml
from collectors.cloud.domains import Domain, Stats, incomplete, resource, use
from collectors.cloud.domainxml import DomainXml
from collectors.cloud.libvirtcalls import (
    Calls,
    all_stats,
    gone,
    not_supported,
    one_by_one,
    stats_of,
    words,
)
from collectors.cloud.libvirtmetrics import families
from collectors.cloud.model import Capacity, CloudView, Problem, ResourceKind
from collectors.cloud.settings import CloudSource, CloudsSettings

T = TypeVar("T")

WORKERS = 4
STUCK = 8
INSTALL = "install python3-libvirt (Debian), python3-libvirt (openEuler) or jianwei[libvirt] (pip)"


class Node(NamedTuple):
    """The hypervisor: its name, memory in MiB, CPUs, and what its domains are."""

    name: str
    memory: int
    cpus: int
    kind: ResourceKind


class LibvirtCloud:
    """A hypervisor by its URI."""

    def __init__(self, source: CloudSource, settings: CloudsSettings) -> None:
        self._source = source
        self._settings = settings

    def gather(self, deadline: float) -> CloudView:
        """One look, ended `deadline` seconds after it began at most."""
        began, start = time.time(), time.monotonic()
        calls = Calls(deadline, self._settings.timeout)
        node: Node | None = None
        domains: list[Domain] = []
        problems: list[Problem] = []
        unseen: list[str] = []
        try:
            import libvirt
        except ImportError as error:
            problems.append(Problem("all", f"libvirt-python is not here ({error}): {INSTALL}"))
        else:
            # it would print every error itself, beside raising it
            libvirt.registerErrorHandler(lambda *_: None, None)
            workers = min(WORKERS, self._settings.concurrency)
            look = _Look(libvirt, calls, self._source.uri, self._source.use, workers)
            try:
                node = look.node()
                domains = look.domains()
            except (libvirt.libvirtError, TimeoutError) as error:
                problems.append(Problem("all", f"{self._source.uri}: {words(error)}"))
            problems += look.problems
            unseen = look.unseen
        up = node is not None and not any(p.part == "all" for p in problems)
        uses = [use(domain) for domain in domains] if self._source.use else []
        return CloudView(
            cloud=self._source.name,
            kind="libvirt",
            began=began,
            seconds=time.monotonic() - start,
            resources=tuple(resource(it, node.name, node.kind) for it in domains if node),
            capacity=tuple(_capacity(node, None if unseen else domains)) if node and up else (),
            uses=tuple(it for it in uses if it),
            problems=tuple(problems),
            requests=calls.requests,
            api_seconds=calls.seconds,
            families=tuple(families(self._source.name, domains, up)),
        )


def _capacity(node: Node, domains: Iterable[Domain] | None) -> Iterator[Capacity]:
    """The host's own inventory; used is what was given to the domains that run, None where they
    are not all known."""
    xmls = None if domains is None else [domain.xml for domain in domains if domain.active]
    yield Capacity(node.name, "VCPU", node.cpus, 0, 1, _total(xmls, "vcpus", 1))
    yield Capacity(node.name, "MEMORY_MB", node.memory, 0, 1, _total(xmls, "memory", 1 << 20))


def _total(
    xmls: Sequence[DomainXml | None] | None, what: Literal["vcpus", "memory"], unit: int
) -> float | None:
    """Of all of them; None where it is not known of one."""
    if xmls is None:
        return None
    values: list[int | None] = [getattr(xml, what) if xml else None for xml in xmls]
    known = [value for value in values if value is not None]
    return sum(known) / unit if len(known) == len(values) else None


class _Look:
    def __init__(
        self, libvirt: ModuleType, calls: Calls, uri: str, use: bool, workers: int
    ) -> None:
        self._libvirt: Any = libvirt
        self._calls = calls
        self._uri = uri
        self._use = use
        self._workers = workers
        self._lock = threading.Lock()
        self._connection: Any = None
        self._first: Any = None  # the connection that the domains were listed on
        self._stuck = 0
        self._singly = False  # whether domains are asked one by one for what is told of all
        self.problems: list[Problem] = []
        self._why = ""
        self.unseen: list[str] = []  # names of domains that did not say what they are

    def node(self) -> Node:
        """Connect, and ask what the hypervisor has."""
        connection = self._first = self._connection = self._calls.within(self._open)

        def ask() -> Node:
            made = self._calls.made
            name, info = made(connection.getHostname), made(connection.getInfo)
            kind: ResourceKind = "container" if made(connection.getType) == "LXC" else "server"
            return Node(name, info[1], info[2], kind)

        return self._calls.within(ask)

    def domains(self) -> list[Domain]:
        """All that say what they are; one whose XML cannot be read is told of in part, so that it does
        not look like nobody's. What else was not seen of one is in `problems`."""
        connection = self._first
        listed = self._calls.within(lambda: self._calls.made(connection.listAllDomains, 0))
        stats, at = self._stats(), time.time()
        with ThreadPoolExecutor(self._workers) as pool:
            looks = pool.map(
                lambda it: self._domain(it, stats.get(it.UUIDString(), {}), at), listed
            )
            seen = [domain for domain in looks if domain]
        if self.unseen:
            few = ", ".join(sorted(self.unseen)[:5])
            reason = f"{len(self.unseen)} domains were not described ({few}): {self._why}"
            self._tell(Problem("servers", reason))
        return seen

    def _open(self) -> Any:
        return self._calls.made(self._libvirt.openReadOnly, self._uri)

    def _stats(self) -> Mapping[str, Stats]:
        try:
            return self._calls.within(
                lambda: all_stats(self._libvirt, self._calls, self._first, self._use)
            )
        except TimeoutError:
            self._singly = True
        except self._libvirt.libvirtError as error:
            if not not_supported(self._libvirt, error):
                raise
        return {}

    def _domain(self, listed: Any, stats: Stats, at: float) -> Domain | None:
        """One domain; None if it is gone since it was listed."""
        uuid, name = listed.UUIDString(), listed.name()
        xml: DomainXml | None = None
        try:
            xml = domainxml.parse(self._asked(listed, self._xml))
            self._tell(*(Problem("servers", f"{name}: {odd}", uuid) for odd in xml.odd))
        except ValueError as error:
            self._tell(Problem("servers", f"{name}: {error}", uuid))
        except (self._libvirt.libvirtError, TimeoutError) as error:
            if not self._gone(error):
                with self._lock:
                    self.unseen.append(name)
                    self._why = words(error)
            return None
        wrong: list[str] = []
        try:
            if self._singly or not _enough(stats, self._use):
                more, wrong = self._asked(listed, lambda domain: self._more(domain, stats, xml))
                stats, at = {**stats, **more}, time.time()
        except (self._libvirt.libvirtError, TimeoutError) as error:
            if self._gone(error):
                return None
            wrong = [words(error)]
        domain = Domain(uuid, name, stats, at, xml)
        if reason := wrong[0] if wrong else incomplete(domain):
            self._tell(Problem("use", f"{name}: {reason}", uuid))
        return domain

    def _gone(self, error: Exception) -> bool:
        return isinstance(error, self._libvirt.libvirtError) and gone(self._libvirt, error)

    def _asked(self, listed: Any, ask: Callable[[Any], T]) -> T:
        """What a domain answers, on a connection none of whose requests is stuck."""
        connection = self._connection

        def work() -> T:
            if connection is self._first:
                return ask(listed)
            return ask(self._calls.made(connection.lookupByUUIDString, listed.UUIDString()))

        if self._stuck >= STUCK:
            raise TimeoutError(f"{STUCK} requests to libvirt hang, no more are made")
        try:
            return self._calls.within(work)
        except TimeoutError:
            with self._lock:
                self._stuck += 1
                if connection is self._connection:
                    self._connection = self._calls.within(self._open)
            raise

    def _xml(self, domain: Any) -> str:
        return str(self._calls.made(domain.XMLDesc, 0))

    def _more(self, domain: Any, stats: Stats, xml: DomainXml | None) -> tuple[Stats, list[str]]:
        """What is missing in the statistics of a domain, and what went wrong."""
        if self._singly:
            stats = stats_of(self._libvirt, self._calls, domain.connect(), domain, self._use)
            if _enough(stats, self._use):
                return stats, []
        if self._use:
            return one_by_one(self._libvirt, self._calls, domain, xml)
        return {"state.state": self._calls.made(domain.state)[0]}, []

    def _tell(self, *problems: Problem) -> None:
        with self._lock:
            self.problems += problems


def _enough(stats: Stats, use: bool) -> bool:
    """Whether the driver told all it has: one that knows times of CPUs knows the rest."""
    return "state.state" in stats and (
        not use or "cpu.time" in stats or not Domain("", "", stats).active
    )
