"""Times, names and values as CSV files write them; each says why it is none."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from exporters.findings.text import neutral

EARLIEST: Final = 946_684_800  # 2000
LATEST: Final = 4_102_444_800  # 2100
MOST: Final = 1e18  # more is no use of anything
LONGEST: Final = 255  # characters of a name
_MILLISECONDS: Final = 1e11  # Unix times above are in milliseconds
_TIME: Final = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?"
    r" ?(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_FORMULA: Final = re.compile(r"'*[=+\-@＝＋－＠]")  # and its apostrophes
_NUMBER: Final = re.compile(r"\d+(\.\d*)?", re.ASCII)


class BadField(ValueError):
    """Why a field is not what it should be, in a few words."""


def seconds(text: str, zone: ZoneInfo) -> int:
    """A time as Unix seconds: seconds or milliseconds since 1970, or ISO 8601; one without a zone is of
    `zone`, and the earlier one where clocks show it twice. A leap second is the second after it."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        found = int(number / 1000 if number >= _MILLISECONDS else number)
    elif match := _TIME.fullmatch(text):
        found = _of_clock(match, zone)
    else:
        raise BadField("the timestamp is neither Unix time nor ISO 8601")
    if not EARLIEST <= found < LATEST:
        raise BadField("the timestamp is not between 2000 and 2099")
    return found


def again(text: str, zone: ZoneInfo) -> int | None:
    """The later time of one that clocks show twice, as Unix seconds; None of others."""
    match = _TIME.fullmatch(text.strip())
    if match is None or match.group(8):
        return None
    first = _of_clock(match, zone)
    before = datetime.fromtimestamp(first, zone)
    later = int(before.replace(fold=1).timestamp())
    return later if later > first else None


def _of_clock(match: re.Match[str], zone: ZoneInfo) -> int:
    year, _, month, day, hour, minute, second, offset = match.groups()
    leap = second == "60"
    padded = f"{year}-{month:>02}-{day:>02}T{hour:>02}:{minute}:{'59' if leap else second or '00'}"
    try:
        time = datetime.fromisoformat(padded + (offset or ""))
    except ValueError as error:
        raise BadField("the timestamp is no time of any day") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone)
        at = int(time.timestamp())
        if datetime.fromtimestamp(at, zone).replace(tzinfo=None) != time.replace(tzinfo=None):
            raise BadField(f"clocks of {zone.key} never showed this time")
        return at + leap
    return int(time.timestamp()) + leap


def name(raw: bytes, what: str) -> str:
    """A name in UTF-8, or else in GB18030; without the apostrophe of `guarded`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError as error:
            raise BadField(f"the {what} is neither UTF-8 nor GB18030") from error
    text = text.strip()
    if text.startswith("'") and _FORMULA.match(text):
        text = text[1:]
    if not text:
        raise BadField(f"the {what} is empty")
    if len(text) > LONGEST:
        raise BadField(f"the {what} is longer than {LONGEST} characters")
    if text != neutral(text):
        raise BadField(f"the {what} has control characters")
    return text


def guarded(text: str) -> str:
    """With an apostrophe where a spreadsheet would take a name for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def value(raw: bytes) -> float:
    """A number from 0 to MOST; use is never negative."""
    try:
        number = float(raw) if b"_" not in raw else None
    except ValueError:
        number = None
    if number is None:
        raise BadField("the value is no number")
    return check(number)


def check(number: float) -> float:
    """Of a number that was read: whether it can be a use."""
    if number != number:
        raise BadField("the value is not a number (NaN)")
    if number < 0:
        raise BadField("the value is negative")
    if number > MOST:
        raise BadField("the value is infinite or above 1e18")
    return number
