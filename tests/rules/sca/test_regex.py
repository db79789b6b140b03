"""OSRegex and PCRE2 by RE2, OSRegex against a matcher of its own that backtracks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sca.regex import Regex, Unjudged, osmatch, osregex

WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@_-"


def in_class(name: str, character: str) -> bool:
    match name:
        case "w" | "W":
            return (character in WORD) == (name == "w")
        case "d" | "D":
            return (character in "0123456789") == (name == "d")
        case "s" | "S":
            return (character == " ") == (name == "s")
        case "t":
            return character == "\t"
        case "p":
            return character in "()*+,-.:;<=>?[]!\"'#$%&|{}"
        case ".":
            return True
    return character == name


def here(parts: list[str], text: str, end: bool) -> bool:
    """Whether `text` begins with what the parts say, and ends with it where `end` is set."""
    if not parts:
        return not end or not text
    part, rest = parts[0], parts[1:]
    if part[0] != "\\":
        return bool(text) and text[0].lower() == part.lower() and here(rest, text[1:], end)
    if rest[:1] in (["+"], ["*"]):
        least = 1 if rest[0] == "+" else 0
        length = 0
        while True:
            if length >= least and here(rest[1:], text[length:], end):
                return True
            if length == len(text) or not in_class(part[1], text[length]):
                return False
            length += 1
    return bool(text) and in_class(part[1], text[0]) and here(rest, text[1:], end)


def slow(alternatives: list[tuple[bool, list[str], bool]], text: str) -> bool:
    return any(
        here(parts, text[start:], end)
        for begin, parts, end in alternatives
        for start in ([0] if begin else range(len(text) + 1))
    )


PARTS = st.sampled_from(
    [*"aB0.-x[", r"\w", r"\d", r"\s", r"\.", r"\p", r"\S", r"\t", r"\(", r"\\", r"\|", r"\$"]
)
QUANTIFIED = st.builds(
    lambda part, more: [part, more] if part[0] == "\\" and more else [part],
    PARTS,
    st.sampled_from(["", "", "+", "*"]),
)
ALTERNATIVE = st.tuples(
    st.booleans(),
    st.lists(QUANTIFIED, min_size=1, max_size=5).map(
        lambda them: [part for one in them for part in one]
    ),
    st.booleans(),
)


@given(
    st.lists(ALTERNATIVE, min_size=1, max_size=3),
    st.lists(st.text(alphabet="aAbB0 .-x[()\\|$\t+*", max_size=12), min_size=5, max_size=20),
)
def test_osregex_is_what_a_slow_matcher_says(
    alternatives: list[tuple[bool, list[str], bool]], texts: list[str]
) -> None:
    pattern = "|".join("^" * b + "".join(parts) + "$" * e for b, parts, e in alternatives)
    regex = Regex(pattern, "osregex", 4)
    for text in texts:
        assert regex.matches(text.encode()) == slow(alternatives, text), (pattern, text)
        assert not regex.matches(text.encode()) or regex.may_match(text.encode())


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"12.", ["12.4", "x12."], ["12", "12x"]),
        (r"a+", ["xa+"], ["aa"]),
        (
            r"^\s*PermitRootLogin\s*\t*no",
            ["  permitrootlogin no", "PermitRootLogin\tno"],
            ["#PermitRootLogin no"],
        ),
        (r"\$FileCreateMode", ["$FileCreateMode 0640"], ["FileCreateMode"]),
        (r"^root:$|:0:", ["root:", "a:0:b"], ["root:x"]),
        (r"minlen=(\d+)", ["minlen=14"], ["minlen="]),
        (r"a$b", ["xa$b"], ["ab"]),
        (r"见\.", ["见x"], ["x"]),
        (r"x{2}", ["x{2}"], ["xx"]),
    ],
)
def test_osregex(pattern: str, yes: list[str], no: list[str]) -> None:
    regex = Regex(pattern, "osregex", 5)
    assert [text for text in yes if not regex.matches(text.encode())] == []
    assert [text for text in no if regex.matches(text.encode())] == []


@pytest.mark.parametrize("pattern", ["((a))", "(a", "a)", "(a|b)", r"\q", "a\\", ""])
def test_what_osregex_does_not_have(pattern: str) -> None:
    with pytest.raises(Unjudged):
        Regex(pattern, "osregex", 4)


@pytest.mark.parametrize(
    "pattern", [r"(?=a)", r"(?<!a)b", r"(a)\1", r"(?>a)", r"a*+", "(", "[", "a{2,1}", "x{5000}", ""]
)
def test_what_re2_does_not_have(pattern: str) -> None:
    with pytest.raises(Unjudged):
        Regex(pattern, "pcre2", 5)


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("site.conf", ["50-SITE.conf.d"], ["sitexconf"]),
        ("^a$|b", ["a", "xb"], ["ax"]),
        ("", ["x"], []),
    ],
)
def test_osmatch(text: str, yes: list[str], no: list[str]) -> None:
    regex = Regex(f"(?i){osmatch(text)}", "pcre2", 4)
    assert all(regex.matches(one.encode()) for one in yes)
    assert not any(regex.matches(one.encode()) for one in no)


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_unjudged(text: str) -> None:
    for engine in ("osregex", "pcre2"):
        try:
            regex = Regex(text, engine, 5)
        except Unjudged:
            continue
        regex.matches(b"\xff\x00any line")


@given(
    st.from_regex(r"[a-c^$.*|\\sAzb()\n-]{1,12}"),
    st.lists(st.text("abc \t", max_size=6), max_size=6),
)
def test_a_text_that_cannot_match_has_no_line_that_does(pattern: str, lines: list[str]) -> None:
    for engine in ("osregex", "pcre2"):
        try:
            regex = Regex(pattern, engine, 5)
        except Unjudged:
            continue
        encoded = [line.encode() for line in lines]
        if any(map(regex.matches, encoded)):
            assert regex.may_match(b"\n".join(encoded))


@pytest.mark.timeout(20)
def test_patterns_that_ruin_other_engines_end() -> None:
    line = b"a" * 50_000 + b"!"
    for pattern in (r"^(a+)+$", r"(a|aa)*b", r"(.*a){20}$", r"(x+x+)+y"):
        Regex(pattern, "pcre2", 5).matches(line)
    Regex(r"\.+a\.+a\.+a\.+b", "osregex", 4).matches(line)


def test_translations_are_as_documented() -> None:
    assert osregex(r"^\w+\.$|a(\d)+") == r"^[A-Za-z0-9@_-]+(?s:.)$|a([0-9])" + r"\x2b"
