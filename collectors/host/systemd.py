"""Units of systemd: the properties that `systemctl show` prints (systemctl(1), org.freedesktop.systemd1(5)).

One call shows every unit that is loaded: lines `Property=value`, an empty line between two units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from collectors.filters import OwnRegex, keeper
from collectors.model import (
    Answers,
    Collector,
    Command,
    Family,
    Kind,
    ParseError,
    Sample,
    gauge,
    malformed,
)
from collectors.strictyaml import Regex

SHOW = Command(
    (
        "systemctl",
        "show",
        "--no-pager",
        "--property=Id,LoadState,ActiveState,Type,NAccepted,NConnections,NRefused",
        "*",
    )
)
STATES = ("activating", "active", "deactivating", "failed", "inactive")
NOT_SERVICES = OwnRegex(r"\.(automount|device|mount|scope|slice|target)$")
# node_exporter calls the last one a gauge, against its name; it only ever grows
SOCKETS: tuple[tuple[str, str, Kind, str], ...] = (
    ("accepted_connections_total", "NAccepted", "counter", "Connections that a socket took."),
    ("current_connections", "NConnections", "gauge", "Connections that a socket has."),
    ("refused_connections_total", "NRefused", "counter", "Connections that a socket refused."),
)


class SystemdCollector(Collector, frozen=True):
    """State of systemd's units. It starts a program at each scrape, hence it is off by default."""

    name: ClassVar[str] = "systemd"

    include_units: Regex = Regex("")
    exclude_units: Regex = NOT_SERVICES

    def readings(self) -> tuple[Command]:
        return (SHOW,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("systemctl show"):
            units = [_properties(block) for block in answers.text(SHOW).split("\n\n")]
            units = [unit for unit in units if unit]
            if not units:
                raise ParseError("systemctl show: no units")
            totals = Counter(dict.fromkeys(STATES, 0))
            totals.update(unit["ActiveState"] for unit in units)
            yield gauge(
                "node_systemd_units",
                "Units by state.",
                *(Sample((("state", state),), count) for state, count in totals.items()),
            )
            keep = keeper(self.include_units, self.exclude_units)
            units = [u for u in units if u["LoadState"] == "loaded" and keep(u["Id"])]
            yield gauge(
                "node_systemd_unit_state",
                "Whether a unit is in a state.",
                *(
                    Sample(
                        (("name", unit["Id"]), ("state", state), ("type", unit.get("Type", ""))),
                        float(unit["ActiveState"] == state),
                    )
                    for unit in units
                    for state in STATES
                ),
            )
            for name, property, kind, help_ in SOCKETS:
                samples = [
                    Sample((("name", unit["Id"]),), float(unit[property]))
                    for unit in units
                    if unit["Id"].endswith(".socket") and property in unit
                ]
                yield Family(f"node_systemd_socket_{name}", kind, help_, samples)


def _properties(block: str) -> dict[str, str]:
    lines = (line.partition("=") for line in block.splitlines())
    return {name: value for name, equals, value in lines if equals}
