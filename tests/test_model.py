import pytest

from collectors.model import Answer, Answers, File, NeedMore, ParseError, Unavailable, malformed

STAT = File("/proc/stat")


def test_absent_and_denied_are_different_and_neither_has_content() -> None:
    absent = Answers({STAT: Answer("absent")})
    denied = Answers({STAT: Answer("denied")})
    assert absent.maybe(STAT) is None
    with pytest.raises(Unavailable) as error:
        denied.maybe(STAT)
    assert error.value.state == "denied"


def test_a_reading_nobody_asked_for_is_asked_for() -> None:
    with pytest.raises(NeedMore) as more:
        Answers({}).text(STAT)
    assert more.value.readings == (STAT,)


def test_malformed_names_the_place() -> None:
    with pytest.raises(ParseError, match="/proc/stat: invalid literal"), malformed("/proc/stat"):
        int("x")
