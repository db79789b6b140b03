"""Everything the agent probes: continuously, and on demand for `/probe`; and the lines it is for."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agents.connections import Connections, tasks_of
from agents.echoes import Echoes
from agents.errors import UserError
from agents.interfaces import InterfaceSchedule
from agents.linehistory import LineSeconds
from agents.paths import PathSchedule
from collectors.columns import Columns, Joined
from collectors.link import modules as modular
from collectors.link.devices import BandwidthSettings
from collectors.link.lines import LEVELS, LineProbe, Lines, metered, probes_of, targets_of
from collectors.link.measure import Measure
from collectors.link.modules import Modules
from collectors.link.path import PathSettings
from collectors.link.resolve import Resolver
from collectors.link.settings import GATEWAY, ProbeSettings
from collectors.model import AddressFamily, Family, ProbeResult, Source, Target
from exporters.prometheus.allowlist import AllowList
from exporters.prometheus.lines import LineFamilies
from exporters.prometheus.probe import probe as probe_on_demand
from rules.linerows import rows
from rules.linestate import LineStates
from rules.linethresholds import Thresholds, configured

log = logging.getLogger(__name__)

SHOWN = 50  # targets on the landing page
LOOK, SELDOM = 2.0, 30.0  # seconds between two looks at all measures

Key = tuple[str, AddressFamily, str]


class Probing(NamedTuple):
    """What is probed and how: a configuration and the files it names."""

    settings: ProbeSettings
    paths: PathSettings
    bandwidth: BandwidthSettings
    lines: Lines
    modules: Modules
    thresholds: Mapping[str, Thresholds]

    @classmethod
    def load(
        cls,
        settings: ProbeSettings,
        paths: PathSettings,
        bandwidth: BandwidthSettings,
        params: Mapping[str, Any] | None = None,
    ) -> Probing:
        """`params` override those of the pack `link-quality`. Raises DocumentError for what is wrong
        with a file, and UserError for parameters."""
        modules = modular.load(settings.modules_file)
        lines, thresholds = Lines(), dict.fromkeys((*LEVELS, ""), Thresholds())
        if settings.lines_file:
            from collectors.link import linesfile  # and what CSV takes

            probers = {name: module.prober for name, module in modules.items()}
            lines = linesfile.load(settings.lines_file, probers)
            if lines.modules_file:
                modules = {**modules, **modular.load(lines.modules_file)}
            try:
                thresholds = configured(params or {})
            except ValueError as error:
                raise UserError(f"audit.params: {error}") from error
        return cls(settings, paths, bandwidth, lines, modules, thresholds)

    @property
    def probes(self) -> list[LineProbe]:
        return [p for line in self.lines.lines for p in probes_of(line, self.lines.modules)]


class ProbeSchedule:
    """The probes of one configuration, from `start` to `stop`."""

    def __init__(self, probing: Probing, source: Source, config_path: str = "") -> None:
        settings, lines = probing.settings, probing.lines
        self._modules = probing.modules
        targets = targets_of(lines.lines)
        tasks = tasks_of(probing.probes, probing.modules)
        self._allow = AllowList(settings, targets, {task.asked.host for task in tasks})
        self._resolver = Resolver()  # a name that hangs on demand does not hold up the others
        self._echoes = Echoes(settings, (*settings.targets, *targets), source)
        self._connections = Connections(
            tasks, settings.interval, settings.window, self._allow, Resolver()
        )
        self._paths = PathSchedule(probing.paths, self._located)
        arguments = ("interfaces", settings.lines_file or "", "--config", config_path)
        self._interfaces = InterfaceSchedule(
            arguments, probing.bandwidth, lines.devices, metered(lines)
        )
        self._states = LineStates(lines, probing.thresholds)
        self._families = LineFamilies(self._states)
        self._changed: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._every = min(max(settings.interval, LOOK), SELDOM)
        self._hop_changes: Mapping[tuple[str, AddressFamily], int] = {}
        self._lost: set[Key] = set()
        self._thread = threading.Thread(target=self._look, name="lines", daemon=True)

    def start(self) -> None:
        self._echoes.start()
        self._connections.start()
        self._paths.start()
        self._interfaces.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._echoes.stop()
        self._connections.stop()
        self._paths.stop()
        self._interfaces.stop()

    def adopt(self, before: ProbeSchedule) -> None:
        """Go on counting where another one, that has been stopped, ends; before `start`."""
        self._echoes.adopt(before._echoes)
        self._connections.adopt(before._connections)
        with before._lock:
            self._states.adopt(before._states)

    def when_lines_change(self, call: Callable[[], None]) -> None:
        """Have this called when a line's state changes; before `start`."""
        self._changed = call

    # --- looking at what the probes say

    def _look(self) -> None:
        while not self._stop.wait(self._every):
            try:
                measures = {
                    (one.target, one.family, one.prober): one
                    for part in (self._echoes, self._connections)
                    for one in part.measures()
                }
                self._trace(measures)
                self._judge(measures)
            except Exception:
                log.exception("the measures could not be looked at")

    def _judge(self, measures: Mapping[Key, Measure]) -> None:
        """The states of lines; what changes is an event in the log."""
        uses = {
            name: (use.in_bits, use.out_bits)
            for name, use in self._interfaces.utilisation().items()
            if use.in_bits is not None and use.out_bits is not None
        }
        with self._lock:
            events = self._states.update(time.time(), measures, uses)
        for event in events:
            if event.before == "unknown" and event.after in ("up", "connected"):
                continue  # so all begin
            took = "" if event.seconds is None else f" after {event.seconds:.1f} s"
            why = f": {event.reason}" if event.reason else ""
            log.warning(
                *("%s %s: %s → %s%s%s", event.kind, event.name, event.before, event.after),
                *(took, why),
                extra={"event": event._asdict()},
            )
        if any(event.before != "unknown" for event in events):
            self._changed()

    def _trace(self, measures: Mapping[Key, Measure]) -> None:
        """Ask for the way to where loss begins, or the hop limit of answers changes."""
        lost = {key for key, one in measures.items() if one.streak < 0 and one.sent}
        changed = self._echoes.hop_changes()
        begun = [(key[:2], "loss") for key in lost - self._lost]
        begun += [
            (key, "hop limit") for key, n in changed.items() if n > self._hop_changes.get(key, n)
        ]
        self._lost, self._hop_changes = lost, changed
        addresses = self._echoes.addresses() if begun else {}
        for (name, family), why in begun:
            if address := addresses.get((name, family)):
                self._paths.request(name, address, family, why)

    def _located(self) -> list[Target]:
        """The targets whose way is traced: those configured, not the gateways one hop away."""
        return [
            Target(name, address, family)
            for (name, family), address in self._echoes.addresses().items()
            if not name.startswith(GATEWAY)
        ]

    # --- reading

    def results(self) -> Sequence[ProbeResult]:
        """What is known of the targets, of those that do not answer first."""
        return [*self._echoes.results(SHOWN), *self._connections.results()][:SHOWN]

    def families(self) -> Sequence[Family]:
        """Each name once."""
        merged: dict[str, Family] = {}
        with self._lock:
            lines = list(self._families.families())
        for families in (
            *(part.families() for part in (self._echoes, self._connections)),
            *(part.families() for part in (self._paths, self._interfaces)),
            lines,
        ):
            for family in families:
                if not len(family.samples):
                    continue
                known = merged.get(family.name)
                merged[family.name] = _joined(known, family) if known else family
        return list(merged.values())

    def lines(self) -> list[dict[str, Any]]:
        """The fact `lines`, for the audit."""
        with self._lock:
            return rows(self._states, self._interfaces.utilisation())

    def line_seconds(self) -> LineSeconds:
        """How long each line was up or degraded, and how long that is known at all, until now."""
        with self._lock:
            states = self._states.states
            return LineSeconds(
                self._states.lines.lines,
                array("d", (one.seconds[0] + one.seconds[1] for one in states)),
                array("d", (one.seconds[0] + one.seconds[1] + one.seconds[2] for one in states)),
            )

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        """One probe for `/probe`; blocks for its timeout. Raises ProbeRefused."""
        allow = self._allow.with_gateways(self._echoes.gateways())
        return probe_on_demand(query, headers, allow, self._resolver, self._modules)


def _joined(one: Family, other: Family) -> Family:
    if isinstance(one.samples, Columns) and isinstance(other.samples, Columns):
        return Family(one.name, one.kind, one.help, Joined(one.samples, other.samples))
    return Family(one.name, one.kind, one.help, (*one.samples, *other.samples))
