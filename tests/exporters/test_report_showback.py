"""Showback against sums done by hand: prices that change within a month, what has none, and totals that add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.model import Size
from exporters.history.file import connect
from exporters.report.content.prices import Prices, parse
from exporters.report.content.showback import Month, monthly, pieces, showback
from exporters.report.document import Cost, Showback, Sums, Total
from exporters.usage.historysource import HistorySource
from exporters.usage.period import Period, month
from exporters.usage.shares import Share, shares
from rules.usagejudgement import NOTHING, Amount
from tests.exporters.test_usage_period import City, day, owned

CHINA = ZoneInfo("Asia/Shanghai")
GIB = 2**30
LATER = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
OCTOBER = month("2026-10", CHINA, LATER)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path / "history.db")
    yield made
    made.writer.close()


def table(*rows: str) -> Prices:
    return parse(("prices:\n" + "".join(f"  - {{{row}}}\n" for row in rows)).encode(), "p.yaml")


class Steady:
    """A department that is granted so many cores, GiB of memory and of disk, and uses a part of what is known."""

    def __init__(
        self,
        department: str = "市财政局",
        cores: float = 10,
        known: float = 1.0,
        used: float = 0.25,
    ) -> None:
        self.department, self.cores, self.known, self.used = department, cores, known, used
        self.asked: list[tuple[float, float]] = []

    def __call__(self, since: float, until: float) -> list[Share]:
        self.asked.append((since, until))
        hours = (until - since) / 3600
        cores, memory = self.cores * hours, self.cores * 4 * GIB * hours
        return [
            Share(
                self.department,
                granted_core_hours=cores,
                known_core_hours=cores * self.known,
                used_core_hours=cores * self.known * self.used,
                granted_memory_byte_hours=memory,
                known_memory_byte_hours=memory * self.known,
                used_memory_byte_hours=memory * self.known * self.used,
                granted_disk_byte_hours=100 * GIB * hours,
            )
        ]


def lines(shown: Showback) -> dict[str, Cost]:
    return {it.item: it for it in shown.lines}


def test_a_price_that_changes_within_the_month_by_hand() -> None:
    prices = table(
        "item: vcpu, unit: hour, price: 0.3, valid_to: 2026-10-15",
        "item: vcpu, unit: hour, price: 0.1, valid_from: 2026-10-16",
        "item: memory, unit: day, price: 0.24",
        "item: disk, unit: month, price: 0.6",
    )
    steady = Steady()
    shown = showback(prices, OCTOBER, CHINA, steady, {})
    # 15 days and 16 days of October, in China
    change = datetime(2026, 10, 16, tzinfo=CHINA).timestamp()
    assert steady.asked == [(OCTOBER.since, change), (change, OCTOBER.until)]
    vcpu = Decimal("0.3") * 10 * 15 * 24 + Decimal("0.1") * 10 * 16 * 24
    assert vcpu == Decimal("1464.0")
    memory = Decimal("0.24") / 24 * 40 * 744  # 0.01 a GiB hour
    disk = Decimal("0.6") * 100
    one = lines(shown.departments["市财政局"])
    assert one["vcpu"].granted_cost == float(vcpu)
    assert one["vcpu"].used_cost == float(vcpu / 4)
    assert one["vcpu"].prices == ("0.3/h (→ 2026-10-15)", "0.1/h (2026-10-16 →)")
    assert (one["vcpu"].granted, one["vcpu"].used) == (7440, 1860)
    assert one["memory"].granted_cost == float(memory) == 297.6
    assert one["memory"].used_cost == 74.4
    assert (one["disk"].granted_cost, one["disk"].used_cost) == (float(disk), None)
    assert (one["disk"].used, one["disk"].used_known) == (None, False)
    whole = shown.departments["市财政局"]
    assert whole.granted_cost == float(vcpu + memory + disk)
    assert whole.used_cost == float(vcpu / 4 + memory / 4)
    assert whole.known_cost == float(vcpu + memory)  # and not of the disk
    assert whole.complete
    assert shown.estate.granted_cost == whole.granted_cost


def test_a_price_of_a_department_for_some_days() -> None:
    prices = table(
        "item: vcpu, unit: hour, price: 0.3",
        "item: vcpu, unit: hour, price: 0, department: 市财政局, valid_from: 2026-10-10, valid_to: 2026-10-12",
    )
    own = lines(showback(prices, OCTOBER, CHINA, Steady(), {}).departments["市财政局"])
    other = lines(showback(prices, OCTOBER, CHINA, Steady(""), {}).departments[""])
    assert own["vcpu"].granted_cost == float(Decimal("0.3") * 10 * 28 * 24)  # three days are free
    assert own["vcpu"].unpriced == 0
    assert other["vcpu"].granted_cost == float(Decimal("0.3") * 10 * 31 * 24)


def test_no_price_is_unpriced_and_never_0() -> None:
    prices = table("item: vcpu, unit: hour, price: 0.3, valid_from: 2026-10-31")
    shown = showback(prices, OCTOBER, CHINA, Steady(), {})
    for whole in (shown.departments["市财政局"], shown.estate):
        one = lines(whole)
        assert one["vcpu"].unpriced == 7200
        assert one["vcpu"].granted_cost == 72.0  # of the last day
        assert (one["memory"].granted_cost, one["memory"].used_cost) == (None, None)
        assert one["memory"].unpriced == one["memory"].granted == 29760
        assert one["memory"].prices == ()
        assert not whole.complete
    nothing = showback(Prices(), OCTOBER, CHINA, Steady(), {})
    assert (nothing.estate.granted_cost, nothing.estate.used_cost) == (None, None)
    assert not nothing.estate.complete


def test_a_price_of_0_is_a_price() -> None:
    prices = table(*(f"item: {it}, unit: hour, price: 0" for it in ("vcpu", "memory", "disk")))
    shown = showback(prices, OCTOBER, CHINA, Steady(), {"市财政局": due(8, 16, 0)})
    assert (shown.estate.granted_cost, shown.estate.used_cost) == (0.0, 0.0)
    assert shown.estate.reclaimable_cost == 0.0
    assert shown.estate.complete


def test_use_that_is_not_known_is_told() -> None:
    prices = table("item: vcpu, unit: hour, price: 0.3")
    half = lines(showback(prices, OCTOBER, CHINA, Steady(known=0.5), {}).estate)["vcpu"]
    assert (half.used, half.used_known) == (930, False)
    assert half.used_cost == float(Decimal("0.3") * 930)
    assert half.known_cost == float(Decimal("0.3") * 3720)  # of which a quarter was used
    none = lines(showback(prices, OCTOBER, CHINA, Steady(known=0), {}).estate)["vcpu"]
    assert (none.used, none.used_cost, none.used_known) == (None, None, False)
    idle = lines(showback(prices, OCTOBER, CHINA, Steady(used=0), {}).estate)["vcpu"]
    assert (idle.used, idle.used_cost, idle.used_known) == (0.0, 0.0, True)


def test_servers_of_unknown_size_are_in_no_line_and_make_it_incomplete() -> None:
    prices = table("item: vcpu, unit: hour, price: 0.3")

    def shares_of(since: float, until: float) -> list[Share]:
        hours = (until - since) / 3600
        return [
            Share("甲", granted_core_hours=2.0, unsized_hours=hours, unsized_vcpu_hours=hours),
            Share("", unsized_volume_hours=hours, unsized_disk_hours=hours),
        ]

    shown = showback(prices, OCTOBER, CHINA, shares_of, {})
    assert shown.departments["甲"].unsized == shown.estate.unsized == 744
    assert shown.departments[""].unsized_volumes == shown.estate.unsized_volumes == 744
    assert not any(it.complete for it in (*shown.departments.values(), shown.estate))
    vcpu = lines(shown.departments["甲"])["vcpu"]
    assert (vcpu.granted, vcpu.granted_cost, vcpu.unsized) == (2, 0.6, 744)
    assert not vcpu.used_known


def test_what_is_of_unknown_size_alone_costs_no_0(city: City) -> None:
    """A server without any size, and a volume without one, each for every hour of the month once."""
    for id, kind in (("vm", "server"), ("disk", "volume")):
        city.server(
            id,
            ("owner", day(1), None, owned("甲" if kind == "server" else "")),
            ("size", day(1), None, Size(None, None, None)),
            ("state", day(1), None, "active"),
            kind=kind,
        )
    prices = table(*(f"item: {it}, unit: hour, price: 0.3" for it in ("vcpu", "memory", "disk")))
    with closing(connect(city.path)) as connection:
        source = HistorySource(connection, "x")

        def shares_of(since: float, until: float) -> list[Share]:
            return shares(source, OCTOBER._replace(since=since, until=until))

        shown = showback(prices, OCTOBER, CHINA, shares_of, {})
    whole, nobodys = shown.departments["甲"], shown.departments[""]
    assert (whole.unsized, whole.unsized_volumes) == (744, 0)
    assert (nobodys.unsized, nobodys.unsized_volumes) == (0, 744)
    for one in (*whole.lines, lines(nobodys)["disk"], *shown.estate.lines):
        told = (one.granted, one.used, one.granted_cost, one.known_cost, one.used_cost)
        assert told == (None,) * 5
        assert not one.used_known
        assert one.prices  # it is the size that is missing
    assert [it.unsized for it in shown.estate.lines] == [744, 744, 1488]
    assert (whole.granted_cost, whole.known_cost, whole.used_cost) == (None, None, None)
    for part in (nobodys, shown.estate):
        assert (part.granted_cost, part.known_cost, part.used_cost) == (None, None, None)


def test_0_beside_what_has_no_price_is_no_sum() -> None:
    """One department has something due without a price, another has nothing due."""
    prices = table("item: vcpu, unit: hour, price: 0.3")
    all_of = {"甲": due(0, 0, 500), "乙": due(0, 0, 0)}
    shown = showback(prices, OCTOBER, CHINA, lambda _, __: [], all_of)
    costs = {name: it.reclaimable_cost for name, it in shown.departments.items()}
    assert costs == {"甲": None, "乙": 0.0}
    assert shown.estate.reclaimable_cost is None
    free = table("item: vcpu, unit: hour, price: 0, department: 市财政局")

    def shares_of(since: float, until: float) -> list[Share]:
        return [*Steady()(since, until), *Steady("乙")(since, until)]

    shown = showback(free, OCTOBER, CHINA, shares_of, {})
    assert lines(shown.departments["市财政局"])["vcpu"].granted_cost == 0.0
    assert lines(shown.estate)["vcpu"].granted_cost is None
    assert shown.estate.granted_cost is None


def test_it_says_for_how_many_days_it_is() -> None:
    prices = table("item: vcpu, unit: hour, price: 0.3")
    extent = OCTOBER.since - 86400, OCTOBER.since + 2.5 * 86400
    some = showback(prices, OCTOBER, CHINA, Steady(), {}, extent)
    assert (some.estate.days, some.estate.days_in_month) == (2.5, 31)
    assert some.departments["市财政局"].days == 2.5
    under_way = month("2026-10", CHINA, OCTOBER.since + 4 * 86400)
    assert showback(prices, under_way, CHINA, Steady(), {}).estate.days == 4
    assert showback(prices, OCTOBER, CHINA, Steady(), {}).estate.days == 31


def due(vcpus: float, memory: float, disk: float, unknown: int = 0) -> Sums:
    sizes = Total(memory * GIB), Total(disk * GIB)
    return Sums(1, Total(vcpus, unknown), *sizes)


def test_what_is_reclaimable_is_a_month_at_the_price_of_the_last_day() -> None:
    prices = table(
        "item: vcpu, unit: hour, price: 0.3, valid_to: 2026-10-30",
        "item: vcpu, unit: hour, price: 0.1, valid_from: 2026-10-31, valid_to: 2026-10-31",
        "item: vcpu, unit: hour, price: 7, valid_from: 2026-11-01",
        "item: memory, unit: month, price: 20",
    )

    def saved(sums: Sums) -> tuple[float | None, bool]:
        all_of = {"市财政局": sums}
        whole = showback(prices, OCTOBER, CHINA, lambda _, __: [], all_of).estate
        return whole.reclaimable_cost, whole.complete

    assert saved(due(8, 16, 0)) == (float(Decimal("0.1") * 8 * 744 + 20 * 16), True)
    assert saved(due(8, 0, 500)) == (595.2, False)  # disks have no price
    assert saved(due(0, 0, 500)) == (None, False)
    assert saved(due(0, 0, 0)) == (0.0, True)
    assert saved(due(0, 0, 0, unknown=1)) == (None, False)
    of_month = Month.of("2026-10", CHINA)
    assert monthly(prices, "x", Amount(8, 16 * GIB, 0), of_month) == 915.2
    assert monthly(prices, "x", Amount(8, None, None), of_month) == 595.2
    assert monthly(prices, "x", Amount(None, None, None), of_month) is None
    assert monthly(prices, "x", NOTHING, of_month) == 0.0


def test_a_month_under_way_is_priced_so_far_by_all_of_its_hours() -> None:
    now = datetime(2026, 10, 11, 6, tzinfo=CHINA).timestamp()
    period = month("2026-10", CHINA, now)
    prices = table("item: disk, unit: month, price: 0.744")
    disk = lines(showback(prices, period, CHINA, Steady(), {}).estate)["disk"]
    assert disk.granted_cost == float(Decimal("0.001") * 100 * (240 + 6))


@pytest.mark.parametrize(("label", "hours"), [("2026-02", 672), ("2028-02", 696), ("2026-11", 720)])
def test_a_month_is_its_real_hours(label: str, hours: int) -> None:
    prices = table("item: disk, unit: month, price: 0.6")
    shown = showback(prices, month(label, CHINA, 2e9), CHINA, Steady(), {})
    assert lines(shown.estate)["disk"].granted_cost == 60.0
    assert lines(shown.estate)["disk"].granted == 100 * hours


def test_a_month_with_a_change_of_clock() -> None:
    zone = ZoneInfo("Europe/Berlin")
    period = month("2026-10", zone, LATER)
    prices = table(
        "item: vcpu, unit: hour, price: 1, valid_to: 2026-10-25",
        "item: vcpu, unit: hour, price: 0, valid_from: 2026-10-26",
    )
    assert lines(showback(prices, period, zone, Steady(), {}).estate)["vcpu"].granted_cost == 6010
    assert Month.of("2026-10", zone) == (date(2026, 10, 1), date(2026, 10, 31), Fraction(745))


def test_pieces_of_a_real_history_are_the_whole(city: City) -> None:
    """One price or the same in four rows, over a server that moved and was resized within the month."""
    city.server(
        "vm",
        ("owner", day(1), day(11, 7), owned("市财政局")),
        ("owner", day(11, 7), None, owned("市教育局")),
        ("size", day(1), day(20, 13), Size(4, 8 * GIB, 40 * GIB)),
        ("size", day(20, 13), None, Size(2, 8 * GIB, 40 * GIB)),
        ("state", day(1), None, "active"),
    )
    city.cpu("vm", day(9, 3), day(23), 50.0)
    days = ("2026-10-05", "2026-10-11", "2026-10-12", "2026-10-25")
    ends = (*days, "9999-12-31")
    begins = ("2026-01-01", *(str(date.fromisoformat(it) + timedelta(1)) for it in days))
    parts = table(
        *(
            f"item: {item}, unit: hour, price: 0.3, valid_from: {since}, valid_to: {until}"
            for item in ("vcpu", "memory", "disk")
            for since, until in zip(begins, ends, strict=True)
        )
    )
    whole = table(*(f"item: {it}, unit: hour, price: 0.3" for it in ("vcpu", "memory", "disk")))
    with closing(connect(city.path)) as connection:
        source = HistorySource(connection, "x")

        def shares_of(since: float, until: float) -> list[Share]:
            return shares(source, OCTOBER._replace(since=since, until=until))

        found = [showback(it, OCTOBER, CHINA, shares_of, {}) for it in (parts, whole)]
    assert len(list(pieces(parts, OCTOBER, CHINA))) == 5
    for name in ("市财政局", "市教育局"):
        one, other = (it.departments[name] for it in found)
        assert one.granted_cost == pytest.approx(other.granted_cost, abs=1e-5)
        assert one.used_cost == pytest.approx(other.used_cost, abs=1e-5)
    finance, education = found[0].departments["市财政局"], found[0].departments["市教育局"]
    hours = 10 * 24 + 7
    assert lines(finance)["vcpu"].granted_cost == pytest.approx(0.3 * 4 * hours)
    assert lines(finance)["disk"].granted_cost == pytest.approx(0.3 * 40 * hours)
    assert lines(finance)["vcpu"].used_cost == pytest.approx(0.3 * 0.5 * 4 * (2 * 24 + 4))
    grown = 4 * (9 * 24 + 6) + 2 * (11 * 24 + 11)
    assert lines(education)["vcpu"].granted_cost == pytest.approx(0.3 * grown)


def test_nothing_of_a_month_is_no_error() -> None:
    empty = Period("2026-10", OCTOBER.since, OCTOBER.since, under_way=True)
    prices = table("item: vcpu, unit: hour, price: 1")
    assert list(pieces(prices, empty, CHINA)) == []
    shown = showback(prices, empty, CHINA, Steady(), {})
    assert shown.departments == {}
    assert shown.estate.granted_cost is None


AMOUNT = st.floats(0, 1e6, allow_nan=False)
PART = st.floats(0, 1, allow_nan=False)


@st.composite
def share(draw: st.DrawFn) -> Share:
    """What is used is of what is known, and that is of what was granted."""
    granted, memory = draw(AMOUNT), draw(AMOUNT) * GIB
    known = granted * draw(PART)
    return Share(
        draw(st.sampled_from(["", "甲", "乙", "丙"])),
        granted_core_hours=granted,
        known_core_hours=known,
        used_core_hours=known * draw(PART),
        granted_memory_byte_hours=memory,
        granted_disk_byte_hours=draw(AMOUNT) * GIB,
    )


@given(st.lists(share(), max_size=8), st.decimals(0, 10, places=4), st.integers(2, 31))
def test_the_estate_is_the_sum_of_its_departments_exactly(
    shares: Sequence[Share], price: Decimal, day: int
) -> None:
    prices = table(
        f"item: vcpu, unit: hour, price: '{price}', valid_to: 2026-10-{day - 1:02}",
        f"item: vcpu, unit: month, price: '{price}', valid_from: 2026-10-{day:02}",
        f"item: memory, unit: day, price: '{price}', department: 甲",
    )
    shown = showback(prices, OCTOBER, CHINA, lambda _, __: shares, {})
    for key in ("granted_cost", "used_cost", "known_cost"):
        told = [getattr(it, key) for it in shown.departments.values()]
        known = [Decimal(repr(it)) for it in told if it is not None]
        estate = getattr(shown.estate, key)
        assert estate is not None or not sum(known)
        assert estate is None or Decimal(repr(estate)) == sum(known)
        for number in range(3):
            of_item = [getattr(it.lines[number], key) for it in shown.departments.values()]
            sums = [Decimal(repr(it)) for it in of_item if it is not None]
            line = getattr(shown.estate.lines[number], key)
            assert line is None or Decimal(repr(line)) == sum(sums)
    cost = shown.estate.lines[0].granted_cost
    if cost is not None:
        hours = sum(Fraction(it.granted_core_hours) for it in shares)
        by_hand = hours * Fraction(price) * (1 + Fraction(1, 744))
        assert abs(by_hand - Fraction(repr(cost))) <= Fraction(4, 10**6)
