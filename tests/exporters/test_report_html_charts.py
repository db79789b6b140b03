"""The charts of the report: pure, well-formed whatever the numbers, told apart by everybody and without colour."""

from __future__ import annotations

import itertools
import math
import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.report.html import charts, chartsbars, figures, look, svg
from exporters.report.html.words import LANGUAGES, say

VALUES = st.none() | st.floats() | st.integers(-(10**20), 10**20).map(float)
TEXTS = st.text(max_size=40)
LANGUAGE = st.sampled_from(LANGUAGES)
NUMBER = re.compile(r"-?\d+(\.\d)?")
GEOMETRY = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height")


def checked(picture: str) -> ElementTree.Element:
    """Well-formed, finite, nothing but what charts are made of."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    for element in root.iter():
        assert element.tag.partition("}")[2] in {
            *("svg", "title", "desc", "g", "rect", "line", "path", "circle", "text")
        } or element.tag in {"svg", "g", "path", "rect"}
        for name in GEOMETRY:
            if name in element.attrib:
                assert NUMBER.fullmatch(element.attrib[name]), element.attrib
        assert not re.search("nan|inf", element.get("d", ""), re.IGNORECASE)
        assert not [name for name in element.attrib if name.startswith("on") or name == "style"]
        assert "href" not in "".join(element.attrib)
    return root


def described(picture: str) -> ElementTree.Element:
    root = checked(picture)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.get("role") == "img"
    assert root.findtext("s:title", namespaces=space)
    assert root.find("s:desc", space) is not None
    assert "Noto Sans CJK SC" in root.get("font-family", "")
    assert "nan" not in "".join(root.itertext()).lower().replace("finan", "")
    return root


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(charts.Month, TEXTS, VALUES, VALUES, VALUES), max_size=80), LANGUAGE)
def test_any_trend_is_a_picture(months: list[charts.Month], language: str) -> None:
    assert charts.trend(months, language) == charts.trend(tuple(months), language)
    checked(charts.trend(months, language))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(charts.Day, st.dates(), VALUES, VALUES, st.booleans()), max_size=70),
    LANGUAGE,
)
def test_any_days_are_a_picture(days: list[charts.Day], language: str) -> None:
    checked(charts.days(days, language))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            chartsbars.Capacity, TEXTS, VALUES, VALUES, VALUES, st.tuples(TEXTS, TEXTS, TEXTS)
        ),
        max_size=5,
    ),
    LANGUAGE,
)
def test_any_capacity_is_a_picture(those: list[chartsbars.Capacity], language: str) -> None:
    checked(chartsbars.capacity(those, language))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(chartsbars.Bar, TEXTS, *[st.floats()] * 3, VALUES, TEXTS)), LANGUAGE)
def test_any_departments_are_a_picture(bars: list[chartsbars.Bar], language: str) -> None:
    checked(chartsbars.departments(bars, language))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            chartsbars.Share,
            TEXTS | st.sampled_from(sorted(look.STATES)),
            TEXTS,
            st.integers(-5, 10**12),
        ),
        max_size=20,
    ),
    LANGUAGE,
)
def test_any_states_are_a_picture(shares: list[chartsbars.Share], language: str) -> None:
    checked(chartsbars.states(shares, language))
    for it in shares:
        checked(chartsbars.swatch(it.key))


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES, VALUES, st.lists(VALUES, max_size=30), TEXTS)
def test_any_small_picture(
    a: float | None, b: float | None, c: float | None, many: list[float | None], label: str
) -> None:
    for picture in (chartsbars.strip(a, b, c), chartsbars.gauge(a, b), charts.spark(many, label)):
        if picture:
            checked(picture)


@given(st.floats(allow_nan=False, min_value=1e-6, max_value=1e14), st.integers(1, 8))
def test_ticks_are_nice_and_few(top: float, most: int) -> None:
    marks = svg.ticks(top, most)
    assert marks[0] == 0
    assert marks[-1] >= top * (1 - 1e-9)
    assert 2 <= len(marks) <= most + 1
    step = marks[1]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 2.5, 5)


def test_nothing_to_draw_says_so() -> None:
    assert chartsbars.strip(None, None, None) == ""
    assert chartsbars.gauge(None) == ""
    assert charts.spark([None, 3.0, None], "x") == ""
    assert "无数据" in chartsbars.states([], "zh")
    nothing = [charts.Month(f"2026-{m:02}", None, None, None) for m in range(1, 13)]
    shown = charts.trend(nothing, "zh")
    assert shown.count(">无数据</text>") == 24
    assert "circle" not in shown
    days = [charts.Day(date(2026, 10, 1) + timedelta(i), None, None, True) for i in range(31)]
    assert ">无数据</text>" in charts.days(days, "zh")
    told = chartsbars.capacity(
        [chartsbars.Capacity("存储", None, 5.0, None, ("—", "5 TiB", "—"))], "zh"
    )
    assert say("of_granted", "zh") in told


def test_a_gap_breaks_a_line() -> None:
    points = [(0.0, 1.0), (1.0, 1.0), None, (3.0, 1.0), (4.0, 1.0), None, (6.0, 1.0)]
    assert svg.polyline(points).count("M") == 2
    assert len(svg.runs(points)) == 3


def test_bars_begin_at_zero() -> None:
    """Twice as much is twice as long."""
    bars = [chartsbars.Bar(n, v, v, v, 100.0, "") for n, v in (("a", 100.0), ("b", 200.0))]
    root = described(chartsbars.departments(bars, "en"))
    drawn = [
        float(it.get("width", "0"))
        for it in root.iter("{http://www.w3.org/2000/svg}rect")
        if it.get("height") == "15"
    ]
    assert drawn[1] == pytest.approx(2 * drawn[0], abs=0.2)


def test_hours_of_unknown_use_are_not_unused() -> None:
    bars = [
        chartsbars.Bar("a", 100.0, 40.0, 10.0, 25.0, ""),
        chartsbars.Bar("b", 100, 0, 0, None, ""),
    ]
    told = chartsbars.departments(bars, "en")
    assert "25.0%" in told
    assert "10.0%" not in told
    assert ">—<" in told
    assert told.count(f'stroke-dasharray="{look.UNKNOWN.dash}"') == 3  # of each, and of the key


@pytest.mark.parametrize("language", LANGUAGES)
def test_charts_tell_what_they_show(language: str) -> None:
    months = [charts.Month(f"2026-{m:02}", 100.0 * m, 10.0 + m, None) for m in range(1, 13)]
    root = described(charts.trend(months, language))
    told = "".join(root.itertext())
    assert "1,200" in told
    assert "CPU 22.0%" in told
    assert "%" in told
    assert "vCPU" in told
    days = [charts.Day(date(2026, 10, 1) + timedelta(i), 20.0, 60.0, i % 7 < 5) for i in range(31)]
    told = "".join(described(charts.days(days, language)).itertext())
    assert say("day_off", language) in told
    assert "31" in told


def test_hostile_names_are_text_in_charts() -> None:
    name = '</svg><script>alert(1)</script>"\u202e&' + "长" * 300
    for picture in (
        chartsbars.departments([chartsbars.Bar(name, 5.0, 4.0, 1.0, 25.0, name)], "zh"),
        chartsbars.states([chartsbars.Share(name, name, 4)], "zh"),
        chartsbars.capacity([chartsbars.Capacity(name, 5, 4, 3, (name, name, name))], "zh"),
        charts.spark([1.0, 2.0, 3.0], name),
    ):
        checked(picture)
        assert "<script" not in picture
        assert "\u202e" not in picture


# --- colour -----------------------------------------------------------------------------------

# Machado, Oliveira, Fernandes (2009): how linear RGB is seen without the one or the other cone
SEEN = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def seen(colour: str, how: str) -> list[float]:
    rgb = linear(colour)
    return [min(max(sum(m * c for m, c in zip(row, rgb, strict=True)), 0), 1) for row in SEEN[how]]


def luminance(rgb: list[float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def lab(rgb: list[float]) -> tuple[float, float, float]:
    matrix = (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (
        sum(m * c for m, c in zip(row, rgb, strict=True)) / w
        for row, w in zip(matrix, white, strict=True)
    )
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def apart(a: str, b: str, how: str) -> float:
    return math.dist(lab(seen(a, how)), lab(seen(b, how)))


@pytest.mark.parametrize("how", SEEN)
def test_series_are_apart_for_the_colour_blind(how: str) -> None:
    assert apart(look.CPU.colour, look.MEMORY.colour, how) > 30
    assert apart(look.USED.colour, look.PEAK.colour, how) > 30
    assert apart(look.USED.colour, look.GRANTED.colour, how) > 30
    for (_, a), (_, b) in itertools.combinations(look.STATES.items(), 2):
        assert apart(a.colour, b.colour, how) > 12 or a.hatch != b.hatch


def test_everything_is_told_apart_without_colour() -> None:
    """By hatching, or by how dark it is where neither is hatched."""
    for (_, a), (_, b) in itertools.combinations(look.STATES.items(), 2):
        if a.hatch == b.hatch:
            light = sorted(luminance(linear(fill.colour)) for fill in (a, b))
            assert (light[1] + 0.05) / (light[0] + 0.05) > 1.25, (a, b)
    strokes = [look.CPU, look.MEMORY]
    assert (
        len({stroke.dash for stroke in strokes}) == len({stroke.marker for stroke in strokes}) == 2
    )
    assert look.GRANTED.hatch
    assert not look.USED.hatch


def test_lines_and_letters_have_contrast_on_paper() -> None:
    for colour, least in (
        (svg.INK, 7),
        (svg.SOFT, 4.5),
        (look.BLUE, 4.5),
        (look.VERMILLION, 3),
    ):
        assert 1.05 / (luminance(linear(colour)) + 0.05) >= least


# --- numbers ------------------------------------------------------------------------------------


def test_numbers_are_as_people_write_them() -> None:
    assert figures.number(1234567.891, 1) == "1,234,567.9"
    assert figures.number(0.0, 1) == "0.0"
    assert figures.number(0.01, 1) == "<0.1"
    assert figures.number(0.2) == "<1"
    assert figures.number(-0.01, 1) == ">−0.1"
    assert figures.number(-12.5, 1) == "−12.5"
    assert figures.short(8820) == "8,820"
    assert figures.short(0.25) == "0.25"
    assert figures.size(2**40 * 1.5) == "1.5\N{NO-BREAK SPACE}TiB"
    assert figures.size(16 * 2**30) == "16\N{NO-BREAK SPACE}GiB"
    assert figures.slot("2026-10-14T15:05+08:00") == "10-14 15:05"
    assert figures.slot("") == "—"


@given(st.none() | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_what_is_no_number_is_never_0(value: float | None) -> None:
    for told in (figures.number(value, 1), figures.short(value)):
        assert told == "—"


@given(st.floats())
def test_any_number_is_told_in_few_letters(value: float) -> None:
    for told in (figures.number(value), figures.number(value, 3), figures.short(value)):
        assert len(told) <= 26
        if value and "—" not in told:
            assert re.search("[1-9]", told)
