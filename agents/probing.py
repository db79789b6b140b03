"""Everything the agent probes: continuously, and on demand for `/probe`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.echoes import Echoes
from collectors.link.resolve import Resolver
from collectors.link.settings import ProbeSettings
from collectors.model import Family, ProbeResult, Source
from exporters.prometheus.probe import AllowList
from exporters.prometheus.probe import probe as probe_on_demand

SHOWN = 50  # targets on the landing page


class ProbeSchedule:
    """The probes of one configuration, from `start` to `stop`."""

    def __init__(self, settings: ProbeSettings, source: Source) -> None:
        self._echoes = Echoes(settings, settings.targets, source)
        self._allow = AllowList(settings)
        self._resolver = Resolver()  # a name that hangs on demand does not hold up the others

    def start(self) -> None:
        self._echoes.start()

    def stop(self) -> None:
        self._echoes.stop()

    def adopt(self, before: ProbeSchedule) -> None:
        """Go on counting where another one, that has been stopped, ends; before `start`."""
        self._echoes.adopt(before._echoes)

    def results(self) -> Sequence[ProbeResult]:
        """What is known of the targets, of those that do not answer first."""
        return self._echoes.results(SHOWN)

    def families(self) -> Sequence[Family]:
        return [family for family in self._echoes.families() if len(family.samples)]

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        """One probe for `/probe`; blocks for its timeout. Raises ProbeRefused."""
        allow = self._allow.with_gateways(self._echoes.gateways())
        return probe_on_demand(query, headers, allow, self._resolver)
