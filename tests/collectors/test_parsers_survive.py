"""Every collector of the catalogue, whatever its source says: only the errors a parser may raise.

Each reading is answered with the fixture machine's own content, that content damaged, arbitrary
content, or with absent, denied or failed; what a parser asks for besides (`NeedMore`) as well.
"""

from __future__ import annotations

import functools
import json
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.catalogue import COLLECTORS
from collectors.model import (
    Answer,
    Answers,
    Command,
    Fact,
    Family,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
    Walk,
)
from collectors.rows import (
    AuthorizedKey,
    Clock,
    FileStat,
    Mount,
    Process,
    ShadowEntry,
    Socket,
    Timex,
    TlsListener,
    Uname,
    Walked,
)
from collectors.sources.recorded import RecordedSource

MACHINE = Path(__file__).parent.parent / "fixtures/machines/debian12"
EXAMPLES = 50  # of each collector
ROUNDS = 4
PER_ROUND = 30  # readings of one NeedMore that get more than "absent"

ROWS: dict[str, type[msgspec.Struct]] = {
    "sockets": Socket,
    "listeners": Socket,
    "processes": Process,
    "shadow": ShadowEntry,
    "authorized_keys": AuthorizedKey,
    "uname": Uname,
    "clock": Clock,
    "timex": Timex,
}
NASTY = (
    *(b"", b"\n", b"\n\n", b" ", b"\t", b"\0", b"\r", b":", b"=", b"#", b"/", b"-", b"-1", b"0x"),
    *(
        b"nan",
        b"inf",
        b"1e999",
        b"9" * 400,
        b"\xff\xfe",
        b'"',
        b"'",
        b"\\",
        b"kB",
        b"*",
        b"[",
        b"{",
    ),
    *(b"\xe2\x80\xa8", "²".encode(), b"Include /etc/x\n", b"%", b"@", b",", b"\x1b[2J", b"0" * 30),
)
LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
REFUSALS = st.sampled_from(
    (Answer("absent"), Answer("denied"), Answer("failed", reason="odd \x00\n reason"))
)
USUALLY = st.sampled_from((True,) * 9 + (False,))
HOW = st.sampled_from(("real",) * 4 + ("damaged",) * 5 + ("arbitrary", "refused"))


@functools.cache
def real(reading: Reading) -> Answer:
    return _machine().answer([reading])[reading]


@functools.cache
def _machine() -> RecordedSource:
    return RecordedSource(MACHINE)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Some slices cut, doubled or replaced, where they are or wherever the same bytes are."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        cut = content[start : start + draw(st.sampled_from((0, 1, 1, 2, 2, 8, 60, 1 << 20)))]
        put = draw(st.sampled_from(NASTY) | st.binary(max_size=6) | st.just(cut * 2))
        if 0 < len(cut) <= 2 and len(put) <= 8 and draw(USUALLY):
            content = content.replace(cut, put)
        else:
            content = content[:start] + put + content[start + len(cut) :]
    return content


@st.composite
def contents(draw: st.DrawFn, known: Answer) -> Answer:
    """An answer to a file or a command."""
    how = draw(HOW)
    if how == "refused":
        return draw(REFUSALS)
    if how == "arbitrary":
        return Answer("content", draw(st.binary(max_size=60)))
    if how == "real":
        return known
    return Answer("content", draw(damaged(known.content)))


@st.composite
def globs(draw: st.DrawFn, reading: Glob) -> Answer:
    """An answer whose children are the machine's own and some with odd names."""
    if not draw(USUALLY):
        return draw(REFUSALS)
    children = dict(real(reading).children)
    if children:
        for path in draw(st.lists(st.sampled_from(sorted(children)), max_size=4)):
            children[path] = draw(contents(children[path]))
    for word in draw(
        st.lists(st.sampled_from(("", "x", "lo", "0", "²", "a b", "\n", "é")), max_size=2)
    ):
        for name in reading.names or ("",):
            path = f"{reading.pattern.replace('*', word)}/{name}".rstrip("/")
            children[path] = draw(contents(Answer("absent")))
    return Answer("content", children=tuple(children.items()))


def fields_of(row: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """Rows that are of the right types and of nothing else."""
    hints = typing.get_type_hints(row)
    return st.fixed_dictionaries({name: st.from_type(hint) for name, hint in hints.items()})


@st.composite
def rows(draw: st.DrawFn, reading: Reading, row: type[msgspec.Struct]) -> Answer:
    """An answer of rows: the machine's, with odd values, or of another shape altogether."""
    how = draw(HOW)
    known = real(reading)
    if how == "refused":
        return draw(REFUSALS)
    if how == "arbitrary":
        return Answer("content", draw(JSON.map(lambda it: json.dumps(it).encode()) | st.binary()))
    if how == "real" and known.state == "content":
        return known
    made: list[dict[str, Any]] = json.loads(known.content or b"[]")[:30]
    made += draw(st.lists(fields_of(row), max_size=3))
    odd = draw(st.booleans())
    if made and odd:
        victim = dict(draw(st.sampled_from(made)))
        victim[draw(st.sampled_from(sorted(victim)))] = draw(JSON)
        made.append(victim)
    return Answer("content", json.dumps(msgspec.to_builtins(made)).encode())


def answer_to(reading: Reading) -> st.SearchStrategy[Answer]:
    match reading:
        case File() | Command():
            return contents(real(reading))
        case Glob():
            return globs(reading)
        case Stat():
            return rows(reading, FileStat)
        case MountUsage():
            return rows(reading, Mount)
        case Inventory(kind=kind):
            return rows(reading, ROWS[kind])
        case Walk():
            return rows(reading, Walked)
        case Handshakes():
            return rows(reading, TlsListener)


@pytest.mark.parametrize("name", COLLECTORS)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_parser_raises_only_what_it_may(name: str, data: st.DataObject) -> None:
    collector = COLLECTORS[name].cls()
    answered: dict[Reading, Answer] = {}
    wanted = tuple(collector.readings())
    for _ in range(ROUNDS):
        for number, reading in enumerate(dict.fromkeys(wanted)):
            answered[reading] = (
                data.draw(answer_to(reading)) if number < PER_ROUND else Answer("absent")
            )
        try:
            made = list(collector.parse(Answers(answered)))
        except NeedMore as more:
            if all(reading in answered for reading in more.readings):
                pytest.fail(f"asks again for what was answered: {more}")
            wanted = tuple(reading for reading in more.readings if reading not in answered)
        except (ParseError, Unavailable):
            return
        else:
            for it in made:
                _check(it, collector.facts)
            return


def _check(made: Family | Fact, facts: tuple[str, ...]) -> None:
    """What was made of it can be told to others."""
    if isinstance(made, Fact):
        assert made.name in facts
        json.dumps(msgspec.to_builtins(made.value))
        return
    for sample in made.samples:
        float(sample.value)
        assert all(isinstance(text, str) for label in sample.labels for text in label)
