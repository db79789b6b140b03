"""What the parts of a report could not measure is told, once each, with a few names."""

from __future__ import annotations

from datetime import UTC, datetime

from exporters.report.document import (
    BaselineDepartment,
    BaselinePart,
    Ipv6Part,
    Ipv6Subject,
    Line,
    LinesPart,
    Maintenance,
)
from exporters.report.sections.gaps import EXAMPLES, gaps

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def line(name: str, availability: float | None, target: float | None, whole: bool) -> Line:
    return Line(name, "", "", "", availability, target, None, 0, 0, 0, whole=whole)


def test_everything_that_is_not_known() -> None:
    lines = LinesPart(
        levels=(),
        worst=(),
        lines=(
            *(line(f"l{n}", None, 99, False) for n in range(EXAMPLES + 1)),
            line("partly", 99.5, 99, False),
            line("free", 100, None, True),
        ),
        maintenance=(
            Maintenance(NOW, NOW, ("l*",), (), "a", matched=6),
            Maintenance(NOW, NOW, ("typo",), (), "b"),
        ),
    )
    ipv6 = Ipv6Part(50, None, (), (Ipv6Subject("s", "site", "", None, 3),))
    hosts = BaselineDepartment("甲局", 4, 1, 50, None, 0, 0, 0, None)
    baseline = BaselinePart((hosts,), (), ())
    found = {one.code: one for one in gaps(lines, ipv6, baseline)}
    assert {code: (one.count, one.examples) for code, one in found.items()} == {
        "lines_unmeasured": (6, ("l0", "l1", "l2", "l3", "l4")),
        "lines_partly": (1, ("partly",)),
        "lines_no_target": (1, ("free",)),
        "maintenance_nothing": (1, ("b",)),
        "ipv6_untested": (1, ("s",)),
        "not_audited": (3, ("甲局",)),
        "no_hits": (1, ("甲局",)),
    }
    assert found["lines_unmeasured"].share == 75
    assert found["not_audited"].share == 75
    assert all(
        one.what.zh and one.what.en and one.why.zh and one.remedy.zh for one in found.values()
    )


def test_parts_that_are_whole_or_not_there() -> None:
    whole = LinesPart((), (), (line("a", 100, 99, True),), ())
    assert gaps(whole, None, None) == ()
    assert gaps(None, None, None) == ()
