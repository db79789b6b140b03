"""The bytes of an agent's `/findings` as an audit, or a refusal that says why.

The agent serves rules.model.AuditResult as JSON (exporters/findings/digest.py); newer agents may have more fields. What
an audit says of itself is believed of its own host alone: fingerprints are made anew when it is taken in.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from rules.model import AuditResult, Hit, Verdict

MAX_BYTES: Final = 16 << 20  # an agent serves half of that
MAX_VALUES: Final = 1_000_000  # an empty list is three bytes here and seventy as an object
MAX_VERDICTS: Final = 200_000  # and as many hits
MAX_RULES: Final = 3000
MAX_PACKS: Final = 100
AHEAD: Final = timedelta(hours=1)  # of a clock that is wrong
EARLIEST_YEAR: Final = 2000
MAX_ID: Final = 200

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*", re.ASCII)
_MARK: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DECODER: Final = msgspec.json.Decoder(AuditResult)


class Refused(Exception):
    """An audit that is not taken in; `str()` says why, in one line without any of its text."""


def decoded(content: bytes, now: datetime) -> AuditResult:
    """Raises Refused."""
    if len(content) > MAX_BYTES:
        raise Refused(f"longer than {MAX_BYTES >> 20} MiB")
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Refused(f"more than {MAX_VALUES} values")
    try:
        result = _DECODER.decode(content)
    except msgspec.ValidationError as error:
        raise Refused(f"not an audit of a version that is known: {_short(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"not JSON: {_short(error)}") from error
    except RecursionError as error:
        raise Refused("nested too deeply") from error
    _check(result, now)
    return result


def _check(result: AuditResult, now: datetime) -> None:
    host = result.host.id
    if len(host) > MAX_ID or not _HOST.fullmatch(host):
        raise Refused("the host's id has other characters than letters, digits and . _ : -")
    if host == "unknown":
        raise Refused("the agent could not read what host it is on")
    _time(result.time, now)
    if len(result.packs) > MAX_PACKS:
        raise Refused(f"more than {MAX_PACKS} packs")
    if len({pack.pack for pack in result.packs}) != len(result.packs):
        raise Refused("a pack is in it twice")
    verdicts = sum(len(pack.verdicts) for pack in result.packs)
    if max(verdicts, len(result.hits)) > MAX_VERDICTS:
        raise Refused(f"more than {MAX_VERDICTS} verdicts or hits")
    if len({one.rule for pack in result.packs for one in pack.verdicts}) > MAX_RULES:
        raise Refused(f"more than {MAX_RULES} rules")
    if result.left_out < 0:
        raise Refused("left_out is below 0")
    for pack in result.packs:
        if pack.score is not None and not 0 <= pack.score <= 1:
            raise Refused("a score is not between 0 and 1")
        for verdict in pack.verdicts:
            if verdict.verdict == "fail":
                _mark(verdict)
    for hit in result.hits:
        _mark(hit)
        for when in (hit.first_seen, hit.last_seen, hit.changed):
            _time(when, now)


def _mark(one: Verdict | Hit) -> None:
    if not _MARK.fullmatch(one.fingerprint):
        raise Refused("a fingerprint is not 64 hexadecimal digits")
    if not one.rule:
        raise Refused("a verdict is of no rule")


def _time(when: datetime, now: datetime) -> None:
    if when.tzinfo is None:
        raise Refused("a time is without its zone")
    if when.year < EARLIEST_YEAR:
        raise Refused(f"a time is before {EARLIEST_YEAR}")
    if when > now + AHEAD:
        raise Refused("a time is more than an hour in the future: is the host's clock right?")


def _short(error: Any) -> str:
    """What msgspec says has places and types in it, and at most a value of a closed set of words."""
    return "".join(c if c.isprintable() else "?" for c in str(error))[:200]
