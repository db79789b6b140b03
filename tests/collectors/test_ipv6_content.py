"""How much two pages differ: what is noise, what is not, and that the number means something."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.web.difference import compare, difference
from collectors.ipv6.web.noise import read_lines, without_noise

LINES = st.lists(st.text("ab\n", max_size=4), max_size=12)


@given(LINES, LINES)
def test_difference_is_a_distance(one: list[str], other: list[str]) -> None:
    there, back = difference(one, other), difference(other, one)
    assert there == back
    assert 0 <= there <= 1
    assert difference(one, one) == 0


@given(LINES, LINES)
def test_difference_is_nothing_only_between_equals(one: list[str], other: list[str]) -> None:
    assert (difference(one, other) == 0) == (sorted(one) == sorted(other))


@given(LINES, LINES, LINES)
def test_compare_any_three(before: list[str], other: list[str], after: list[str]) -> None:
    compared = compare(before, other, after)
    assert compare(before, before, before).difference == 0
    assert compare(before, before, after).difference == 0
    assert bool(compared.differences) == bool(compared.difference)
    if compared.difference is not None:
        assert 0 <= compared.difference <= 1


def test_a_page_that_never_repeats_is_no_licence_for_any_other() -> None:
    one, after = ["title 1", "news 1"], ["title 2", "news 2"]
    compared = compare(one, ["Welcome to nginx", "x"], after)
    assert compared == (None, (), 2)
    assert compare(one, ["title 3", "news 3"], after).difference is None
    assert compare(one, after, after).difference == 0  # that one has been seen over IPv4
    # nor is a page that has grown
    grown = ["title", *(f"news {n}" for n in range(9))]
    assert compare(["title"], ["title", *"otherwise"], grown).difference is None


def test_half_a_page_that_stays_is_enough() -> None:
    one, after = ["a" * 100, "b" * 100], ["a" * 100, "c" * 100]
    assert compare(one, ["a" * 100, "d" * 100], after).difference == 0
    assert compare(one, ["e" * 100, "d" * 100], after).difference == 1


def test_strangers_differ_in_all() -> None:
    assert difference(["a", "b"], ["c"]) == 1
    assert difference([], ["c"]) == 1


def page(seed: int, text: str = "news") -> bytes:
    """A page like real ones: the same each time, but for what is made anew."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    token = dice.randbytes(16).hex()
    visits = dice.randrange(1000, 9999)
    return f"""<html><head><title>Site</title><meta name="csrf-token" content="x{seed}y">
    <script nonce="{seed}n{seed}">var t = {1700000000 + seed}; var id = "{token}"; var v{seed} = 1;</script>
    <link rel=stylesheet href="/a.css?t={seed}"></head><body>
    <form><input type=hidden name=__VIEWSTATE value="{seed}"></form>
    <p>Now {seed % 24:02}:{seed % 60:02}:07</p><p>visits: {visits}</p>
    <a href="/b;jsessionid={token.upper()}?x=1">link</a>
    {"".join(f"<p>{text} number {i}</p>" for i in range(20))}
    </body></html>""".encode()


def lines(body: bytes) -> tuple[str, ...]:
    return read_lines(body, "text/html; charset=utf-8").lines


def test_noise_is_no_difference() -> None:
    compared = compare(lines(page(1)), lines(page(2)), lines(page(3)))
    assert compared.difference == 0, compared
    assert compared.noise > 0  # the counter of visits, which nothing but a second look tells


def test_what_was_removed_is_counted_by_kind() -> None:
    removed = read_lines(page(1), "").removed
    assert removed["hidden input"] == 1
    assert removed["nonce"] == 1
    assert removed["secret"] == 1
    assert removed["query"] >= 2
    assert removed["time"] >= 2
    assert removed["token"] >= 1


def test_another_text_is_a_difference_and_is_shown() -> None:
    compared = compare(lines(page(1)), lines(page(2, "olds")), lines(page(3)))
    assert (compared.difference or 0) > 0.5
    assert "- news number 0" in compared.differences
    assert "+ olds number 0" in compared.differences


def test_one_line_of_many() -> None:
    other = page(2).replace(b"news number 7", b"another thing")
    compared = compare(lines(page(1)), lines(other), lines(page(3)))
    assert 0 < (compared.difference or 0) < 0.1
    assert compared.differences == ("- news number 7", "+ another thing")


def test_a_place_for_noise_takes_no_more_than_it_had() -> None:
    """Where one family has an advertisement, the other has no licence for a page of its own."""
    one, after = ["head", "ad 1", "foot"], ["head", "ad 2", "foot"]
    assert compare(one, ["head", "ad 3", "foot"], after).difference == 0
    long = ["head", *(f"other text {i}" for i in range(20)), "foot"]
    assert (compare(one, long, after).difference or 0) > 0.5


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/a?t=123&x=1", "/a?t=…&x=1"),
        ("/a?v=2", "/a?v=2"),
        ("/a;jsessionid=AB12", "/a;jsessionid=…"),
        ("at 12:30:05 on", "at … on"),
        ("10时20分30秒", "…"),
        ("1700000000123", "…"),
        ("5d41402abc4b2a76b9719d911017c592", "…"),
        ("a550e8400-e29b-41d4-a716-446655440000", "…"),
        ("/app.5d41402abc4b2a76.js", "/app.….js"),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "…"),
        ("an-ordinary-long-name-of-a-thing", "an-ordinary-long-name-of-a-thing"),
        ("backgroundPositionHorizontal", "backgroundPositionHorizontal"),
        ("1700000000.25 s", "… s"),
        ("0000000000000000000000000001ee9a", "…"),
        ("styleSheet2024Homepage01Main", "styleSheet2024Homepage01Main"),
        ("MzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "…"),
        ("ratio 4:3 is", "ratio 4:3 is"),
        ("2024-05-01", "2024-05-01"),
        ("13800138000", "13800138000"),
        ("44030200000000000012", "44030200000000000012"),
    ],
)
def test_what_is_noise(text: str, clean: str) -> None:
    assert without_noise(text) == clean


@given(st.text(max_size=200))
def test_noise_of_any_text(text: str) -> None:
    assert isinstance(without_noise(text), str)


def test_lines_of_somebody_else_are_fit_to_be_shown() -> None:
    compared = compare(["a"], ["\x1b[31m" + "x" * 500], ["a"])
    shown = compared.differences[-1]
    assert "\x1b" not in shown
    assert len(shown) < 200


def test_the_end_of_a_very_long_page_counts_too() -> None:
    body = b"".join(b"<p>%d</p>" % i for i in range(30_000))
    one, other = lines(body), lines(body + b"<p>more</p>")
    assert len(one) == len(other)
    assert difference(one, other) > 0
