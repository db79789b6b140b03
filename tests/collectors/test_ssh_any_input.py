"""Any name, any pattern, any bytes that a host may have or tell."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.model import (
    Answers,
    Command,
    File,
    Glob,
    Inventory,
    InventoryKind,
    MountUsage,
    ParseError,
    Reading,
    Stat,
    describe,
)
from collectors.rows import Clock, FileStat, Mount, Process, ShadowEntry, Socket, Timex
from collectors.sources.inventories import parse_shadow
from collectors.sources.ssh.answers import parse_frames
from collectors.sources.ssh.awkprograms import SHADOW
from collectors.sources.ssh.frames import FrameError
from tests.shellhost import SHELLS, ask_as_local

INVENTORIES: list[InventoryKind] = ["listeners", "shadow", "authorized_keys", "uname", "timex"]


names = st.binary(min_size=1, max_size=40).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")
)


@settings(max_examples=12)
@example(wanted=[bytes(b) for b in [[*range(1, 47)], [*range(48, 140)], [*range(140, 256)]]])
@given(wanted=st.lists(names, min_size=1, max_size=30, unique=True))
@pytest.mark.parametrize("shell_name", SHELLS)
def test_any_name_comes_through_as_data(wanted: list[bytes], shell_name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(wanted):
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:
                file.write(b"%d " % number + name)
        readings: list[Reading] = [File(f"{folder}/{os.fsdecode(name)}") for name in wanted]
        readings += [
            Stat(f"{folder}/*"),
            Glob(f"{folder}/*"),
            Glob(folder, names=tuple(map(os.fsdecode, wanted))),
        ]
        answers = ask_as_local(SHELLS[shell_name], *readings)
        assert [answers[r].content for r in readings[: len(wanted)]] == [
            b"%d " % n + name for n, name in enumerate(wanted)
        ]


words = st.text(st.sampled_from("ab[]!^-*?.$`'\"\\ ~\n;&|"), min_size=1, max_size=6)


@settings(max_examples=15)
@given(
    there=st.lists(
        words.filter(lambda w: w not in (".", "..")), min_size=1, max_size=15, unique=True
    ),
    patterns=st.lists(
        words.filter(lambda w: w not in (".", "..")), min_size=1, max_size=15, unique=True
    ),
)
@pytest.mark.parametrize("shell_name", SHELLS)
def test_any_pattern_expands_as_local(
    there: list[str], patterns: list[str], shell_name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in there:
            Path(folder, name).write_text(name)
        ask_as_local(SHELLS[shell_name], *(Glob(f"{folder}/{pattern}") for pattern in patterns))


readings_of_every_kind: list[Reading] = [
    File("/a"),
    Glob("/a/*"),
    Glob("/a/*", names=("b",)),
    Stat("/a/*"),
    Command(("a",)),
    MountUsage(),
    *(Inventory(kind) for kind in INVENTORIES),
    Inventory("sockets"),
    Inventory("processes"),
    Inventory("clock"),
]


NONCE = "0123456789abcdef"


heads = st.one_of(
    st.sampled_from(
        [
            "c",
            "m",
            "n",
            "t",
            "s",
            "q",
            "d 0",
            "d 137",
            "x 0",
            "x 1 Permission denied",
            "l 2 y",
            "x",
            "d",
            "",
        ]
    ),
    st.integers(-1, 13).map("r {}".format),
    st.text(max_size=10),
)


records = st.lists(st.tuples(heads, st.binary(max_size=40)), max_size=40).map(
    lambda pairs: b"".join(f"\n{NONCE} {head}\n".encode() + payload for head, payload in pairs)
)


@given(data=st.one_of(st.binary(), records.map(lambda r: f"\n{NONCE} begin\n".encode() + r)))
def test_any_bytes_give_answers_or_one_error(data: bytes) -> None:
    mounts = {5: [Mount("/dev/vda1", "/", "ext4", ("rw",))]}
    for asked in ({}, mounts):
        try:
            answers = parse_frames(data, NONCE, readings_of_every_kind, "cut off", asked)
        except FrameError:
            continue
        assert list(answers) == readings_of_every_kind
        for reading, row in (
            (readings_of_every_kind[3], FileStat),
            (Inventory("shadow"), ShadowEntry),
        ):
            if answers[reading].state == "content":
                Answers(answers).rows(reading, row)


HUGE = b"9" * 30


ROWS: dict[str, type[msgspec.Struct]] = {
    "stat /a": FileStat,
    "timex": Timex,
    "processes": Process,
    "listeners": Socket,
    "clock": Clock,
    "mounts": Mount,
}


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (Stat("/a"), b"m\n/a|s\n81a4 %b 0 0 0 x" % HUGE),
        (Stat("/a"), b"m\n/a|s\n%b 0 0 0 0 x" % HUGE),
        (Stat("/a"), b"m\n/a|s\n81a4 0 0 0 %b x" % (HUGE * 20)),
        (Inventory("timex"), b"c\n0 " + b" ".join([HUGE] * 21) + b"|x 0 "),
        (Inventory("processes"), b"c\n/proc/%b/stat:%b (a) S|x 0 " % (HUGE, HUGE)),
        (Inventory("listeners"), b"m\ntcp|c\nhead\n0: 0100007F:%b 0:0 0A 0 0 0 0 0 1|x 0 " % HUGE),
        (Inventory("clock"), b"c\n%b +%b UTC|x 0 " % (HUGE, HUGE)),
        (MountUsage(), b"c\n|x 0 |c\n|x 0 |m\n/|c\n" + b" ".join([HUGE] * 7) + b"|x 0 "),
    ],
    ids=str,
)
def test_numbers_beyond_any_row_raise_nothing_else(reading: Reading, told: bytes) -> None:
    heads = [b"begin", b"r 0", *told.split(b"|"), b"d 0", b"end\n"]
    data = b"".join(
        b"\n" + NONCE.encode() + b" " + head + b"\n" * (b"\n" not in head) for head in heads
    )
    asked = {0: [Mount("/dev/vda1", "/", "ext4", ("rw",))]} if reading == MountUsage() else {}
    answer = parse_frames(data, NONCE, [reading], "cut off", asked)[reading]
    if answer.state == "content":
        with contextlib.suppress(ParseError):
            assert Answers({reading: answer}).rows(reading, ROWS[describe(reading)])


fields = st.text(st.sampled_from("ab$1y6*!.,/=- "), max_size=14)


lines = st.one_of(
    st.lists(st.one_of(fields, st.sampled_from(["", "19000", "99999"])), max_size=9).map(":".join),
    st.tuples(
        fields,
        st.sampled_from(
            [
                "",
                "!",
                "*",
                "!$6$salt$hash",
                "$6$salt$hash",
                "$y$j9T$salt$hash",
                "abcdefghijklm",
                "x",
            ]
        ),
        st.just(":19000:0:99999:7:::"),
    ).map(lambda t: f"{t[0]}:{t[1]}{t[2]}"),
)


AWKS = [argv for argv in (["mawk"], ["gawk"], ["busybox", "awk"], ["awk"]) if shutil.which(argv[0])]


@settings(max_examples=25)
@given(text=st.lists(lines, max_size=20).map("\n".join))
@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_shadow_is_reduced_on_the_host_as_it_is_here(text: str, awk: list[str]) -> None:
    reduced = subprocess.run([*awk, SHADOW], input=text, capture_output=True, text=True, check=True)
    assert "salt" not in reduced.stdout
    assert "hash" not in reduced.stdout
    assert _shadow(reduced.stdout) == _shadow(text)


def _shadow(text: str) -> list[ShadowEntry] | None:
    try:
        return parse_shadow(text)
    except ParseError:
        return None
