"""What routers print of an interface, as rows: Comware and VRP `display interface`, IOS `show interfaces`.

Written from the vendors' command references and published examples, not recorded on a device. The
counters are the sums since they were last cleared; the speed is the negotiated one, since the
"bandwidth" that routers print may be any figure somebody configured. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from collectors.link.devices import Dialect
from collectors.link.interfaces import Admin, InterfaceCounters, Oper, plain_text

Router = Literal["comware", "vrp", "ios"]

MAX_NUMBER = 2**64 - 1
_MEGABIT = 1e6
_UNITS = {"": _MEGABIT, "k": 1e3, "m": _MEGABIT, "g": 1e9, "t": 1e12}


class Grammar(NamedTuple):
    """How a dialect says it: the command, and patterns of which the first that is found counts.

    `head` has the groups name, state and, where it is there, line; the others one group.
    """

    command: tuple[str, ...]
    head: re.Pattern[str]
    line: re.Pattern[str]
    alias: re.Pattern[str]
    speed: re.Pattern[str]
    octets: Mapping[str, Sequence[re.Pattern[str]]]
    errors: Mapping[str, re.Pattern[str]]
    discards: Mapping[str, re.Pattern[str]]


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | re.IGNORECASE | re.ASCII)


_LINE = _re(r"^[ \t]*Line protocol (?:current )?state ?: ?([^\n]*)")
_ALIAS = re.compile(r"^[ \t]*Description: ?([^\n]*)", re.MULTILINE)

GRAMMARS: Mapping[Router, Grammar] = {
    "comware": Grammar(
        ("display", "interface"),
        _re(
            r"^[ \t]*(?P<name>[A-Za-z]\S{0,62})"
            r"(?: current state ?: ?|[ \t]*\n[ \t]*Current state: ?)(?P<state>[^\n]*)"
        ),
        _LINE,
        _ALIAS,
        _re(r"\b(\d{1,6}(?:\.\d+)?)([kmgt]?)bps-speed mode"),
        {
            way: (
                _re(rf"^[ \t]*{way} ?\(total\): *\d+ packets, (\d{{1,20}}) bytes"),
                _re(rf"^[ \t]*{way}: *\d+ packets, (\d{{1,20}}) bytes"),
                _re(rf"^[ \t]*\d+ packets {way}, (\d{{1,20}}) bytes"),
            )
            for way in ("input", "output")
        },
        {way: _re(rf"\b(\d{{1,20}}) {way} errors") for way in ("input", "output")},
        {
            "input": _re(r"(?:input:|packets input)[^\n]{0,100} bytes, (\d{1,20}) drops"),
            "output": _re(r"(?:output:|packets output)[^\n]{0,100} bytes, (\d{1,20}) drops"),
        },
    ),
    "vrp": Grammar(
        ("display", "interface"),
        _re(r"^[ \t]*(?P<name>[A-Za-z0-9]\S{0,62}) current state ?: ?(?P<state>[^\n]*)"),
        _LINE,
        _ALIAS,
        _re(r"(?:\bSpeed ?: ?|\bPort BW: ?)(\d{1,6}(?:\.\d+)?)([kmgt]?)\b"),
        {
            way: (
                _re(rf"^[ \t]*{way}: *\d+ packets, *(\d{{1,20}}) bytes"),
                _re(rf"^[ \t]*{way}: *(\d{{1,20}}) bytes"),
            )
            for way in ("input", "output")
        },
        # within the part of one direction, which begins with its name
        {way: _re(r"\bTotal Errors?: *(\d{1,20})") for way in ("input", "output")},
        {way: _re(r"\bDiscard: *(\d{1,20})") for way in ("input", "output")},
    ),
    "ios": Grammar(
        ("show", "interfaces"),
        _re(
            r"^(?P<name>[A-Za-z]\S{0,62}) is (?P<state>[^,\n]+), *line protocol is (?P<line>[^\n]*)"
        ),
        _LINE,
        _ALIAS,
        _re(r"duplex, *(\d{1,6}(?:\.\d+)?) ?([kmgt]?)b(?:ps|/s)"),
        {way: (_re(rf"\b\d+ packets {way}, (\d{{1,20}}) bytes"),) for way in ("input", "output")},
        {way: _re(rf"\b(\d{{1,20}}) {way} errors") for way in ("input", "output")},
        {
            "input": _re(r"Input queue: *\d+/\d+/(\d{1,20})"),
            "output": _re(r"Total output drops: *(\d{1,20})"),
        },
    ),
}

# What a terminal adds: the prompt of a pager and how it is wiped out again.
PAGER = re.compile(rb"-{2,4} ?more ?-{2,4}", re.IGNORECASE)
_NOISE = re.compile(r"-{2,4} ?more ?-{2,4}|\x1b\[[0-9;?]*[A-Za-z]|\x08+ *\x08*", re.IGNORECASE)


def command(dialect: Dialect, interface: str = "") -> str:
    """The command for one interface, whose name was checked, or for all."""
    grammar = GRAMMARS[_router(dialect)]
    return " ".join((*grammar.command, *filter(None, (interface,))))


def rows(dialect: Dialect, device: str, raw: bytes, at: float) -> list[InterfaceCounters]:
    """The interfaces in an output that have octet counters, by the names in it."""
    grammar = GRAMMARS[_router(dialect)]
    text = _NOISE.sub("", raw.decode("utf-8", "replace")).replace("\r", "")
    heads = list(grammar.head.finditer(text))
    found = []
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        row = _row(grammar, device, head, text[head.end() : end], at)
        if row:
            found.append(row)
    return found


def _router(dialect: Dialect) -> Router:
    if dialect == "linux":
        raise ValueError("linux hosts are read by readings, not by a router's commands")
    return dialect


def _row(
    grammar: Grammar, device: str, head: re.Match[str], body: str, at: float
) -> InterfaceCounters | None:
    inward, outward = (
        _number(*(pattern.search(body) for pattern in grammar.octets[way]))
        for way in ("input", "output")
    )
    if inward is None or outward is None:
        return None
    parts = _parts(grammar, body)
    groups = head.groupdict()
    line = groups.get("line") or _text(grammar.line.search(body))
    oper, admin = _state(groups["state"], line)
    return InterfaceCounters(
        device,
        head["name"],
        at,
        inward,
        outward,
        alias=plain_text(_text(grammar.alias.search(body)).encode()),
        in_errors=_number(grammar.errors["input"].search(parts[0])),
        out_errors=_number(grammar.errors["output"].search(parts[1])),
        in_discards=_number(grammar.discards["input"].search(parts[0])),
        out_discards=_number(grammar.discards["output"].search(parts[1])),
        wide=True,
        oper=oper,
        admin=admin,
        speed=_speed(grammar.speed.search(body)),
    )


def _parts(grammar: Grammar, body: str) -> tuple[str, str]:
    """Where errors of each direction are: VRP says them alike, below the name of the direction."""
    if grammar.errors["input"].pattern != grammar.errors["output"].pattern:
        return body, body
    starts = [
        max((m.start() for m in re.finditer(rf"^[ \t]*{way}:", body, re.MULTILINE)), default=0)
        for way in ("Input", "Output")
    ]
    return body[starts[0] : starts[1]], body[starts[1] :]


def _state(state: str, line: str) -> tuple[Oper, Admin]:
    state, line = state.lower(), line.lower()
    if "administratively" in state:
        return "down", "down"
    up = state.strip().startswith("up") and not line.strip().startswith("down")
    return ("up" if up else "down"), "up"


def _number(*matches: re.Match[str] | None) -> int | None:
    for match in matches:
        if match:
            value = int(match[1])
            return value if value <= MAX_NUMBER else None
    return None


def _text(match: re.Match[str] | None) -> str:
    return match[1].strip() if match else ""


def _speed(match: re.Match[str] | None) -> float | None:
    """bit/s; a bare figure is Mbit/s."""
    return (float(match[1]) * _UNITS[match[2].lower()] or None) if match else None
