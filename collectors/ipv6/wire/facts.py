"""The fact `ipv6_advertisers`: who advertised on the links in the last watch.

The resident agent that watches hands the fact to the audit it starts. By itself this collector says
that nobody watched: no rows would mean that nobody advertised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from collectors.ipv6.model import not_tested
from collectors.ipv6.wire.advertisers import FACT
from collectors.model import Answers, Collector, Fact, Reading


class AdvertisersCollector(Collector, frozen=True):
    """`ipv6_advertisers`: unknown; `jianwei audit --facts` gives it."""

    name: ClassVar[str] = FACT
    facts: ClassVar[tuple[str, ...]] = (FACT,)

    def readings(self) -> Sequence[Reading]:
        return ()

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield not_tested(FACT, "not_asked", "ipv6_watch")
