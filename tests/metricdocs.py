"""docs/metrics.md: one row for each family the agent can serve, made from what it really serves.

Names that depend on the kernel or on what is configured are one row, with `*`, of `PATTERNS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from collectors.model import Family

HEAD = """# Metrics

Every family that the agent serves, by collector, and those that the review console (`review console`) and
`jianwei fleet serve-sd` (`fleet sd`) serve beside the process's own. Written by `make golden`; a test compares it with
what is served. A `*` stands for names that depend on the kernel. Not every machine has them all.

"""
COLUMNS = "| name | type | labels | collector | help |\n|---|---|---|---|---|\n"


class Pattern(NamedTuple):
    """Families of one collector whose name and help match are documented as one row."""

    collector: str
    name: str
    help: str
    described: str


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "meminfo",
        "node_memory_*_bytes",
        "* of /proc/meminfo.",
        "Any other amount of /proc/meminfo, its parentheses written as `_`.",
    ),
    Pattern(
        "meminfo",
        "node_memory_HugePages_*",
        "* of /proc/meminfo.",
        "Any other count of huge pages of /proc/meminfo.",
    ),
    Pattern(
        "hwmon",
        "node_hwmon_*",
        "*, as sensors tell*",
        "Figures of sensors: type (temp, fan, in, curr, power …), property (max, crit, alarm …) and"
        " unit.",
    ),
)


class Row(NamedTuple):
    """One row; `labels` in alphabetical order, without `le` and `quantile`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    collector: str
    help: str

    def describes(self, other: Row) -> bool:
        """Whether a family's row is told by this one; a family may lack some of the labels."""
        return (
            fnmatchcase(other.name, self.name)
            and self.kind == other.kind
            and self.collector == other.collector
            and set(other.labels) <= set(self.labels)
        )


def rows(collector: str, families: Iterable[Family]) -> list[Row]:
    """The rows of what one collector gave."""
    return sorted({_row(collector, family) for family in families if named(collector, family)})


def named(collector: str, family: Family) -> bool:
    """Whether the name is ours to document: what is in text files others have named."""
    return collector != "textfile" or family.name.startswith("node_textfile_")


def exact(collector: str, family: Family) -> Row:
    """The row of a family under its own name."""
    labels = {name for sample in family.samples for name, _ in sample.labels}
    labels -= {"le", "quantile"}
    return Row(family.name, family.kind, tuple(sorted(labels)), collector, family.help)


def _row(collector: str, family: Family) -> Row:
    row = exact(collector, family)
    for pattern in PATTERNS:
        if (
            pattern.collector == collector
            and fnmatchcase(family.name, pattern.name)
            and fnmatchcase(family.help, pattern.help)
        ):
            return row._replace(name=pattern.name, help=pattern.described)
    return row


def document(all_rows: Sequence[Row]) -> str:
    lines = [
        f"| `{row.name}` | {row.kind} | {', '.join(row.labels)} | {row.collector} |"
        f" {row.help.replace('|', chr(92) + '|')} |\n"
        for row in all_rows
    ]
    return HEAD + COLUMNS + "".join(lines)


def read(text: str) -> list[Row]:
    """The rows of a document."""
    found = []
    for line in text.split(COLUMNS, 1)[1].splitlines():
        name, kind, labels, collector, help = line.strip("| ").split(" | ", 4)
        listed = tuple(labels.split(", ")) if labels else ()
        found.append(Row(name.strip("`"), kind, listed, collector, help))
    return found
