"""What the hand-written encoder sends is what the protobuf library reads, in both versions."""

import struct
from array import array
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import Family, Sample, gauge, sample
from exporters.prometheus.remotewrite.series import STALE_BYTES, Book, Series
from exporters.prometheus.remotewrite.wire import Version1, Version2, varint
from tests.remotewritelab import Labels, Request, Samples, WriteRequest, decoded1, decoded2


class Moment(NamedTuple):
    time: int
    series: list[Series]
    values: bytes


NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=140)
LABELS = st.dictionaries(NAMES, TEXT, max_size=4)
SERIES = st.builds(
    lambda name, labels, kind, help, created: Series(
        tuple(sorted({**labels, "__name__": name}.items())), kind, help, created
    ),
    TEXT, LABELS, st.sampled_from(["counter", "gauge", "histogram", "summary", "untyped"]),
    st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from([0, 1, 1764000000000]),
)  # fmt: skip
BITS = st.binary(min_size=8, max_size=8)  # any double, NaN with any bits


@st.composite
def moments(draw: st.DrawFn) -> list[Moment]:
    every = draw(st.lists(SERIES, min_size=1, max_size=6, unique_by=lambda one: one.labels))
    times = draw(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=5, unique=True))
    found: list[Moment] = []
    for time in sorted(times):
        chosen = draw(st.lists(st.sampled_from(every), min_size=1, unique_by=id))
        same: bool = draw(st.booleans())
        series = found[-1].series if found and same else chosen
        found.append(Moment(time, series, b"".join(draw(BITS) for _ in series)))
    return found


def expected(blocks: list[Moment]) -> Samples:
    found: Samples = {}
    for block in blocks:
        for number, one in enumerate(block.series):
            cell = block.values[8 * number : 8 * number + 8]
            found.setdefault(one.labels, []).append((block.time, cell))
    return found


def quiet(samples: Samples) -> Samples:
    """Bits of a signalling NaN may be lost in a Python float, on some processors."""
    return {k: [(t, struct.pack("<d", *struct.unpack("<d", v))) for t, v in s] for k, s in samples.items()}  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(moments())
def test_both_versions_decode_to_what_was_encoded(blocks: list[Moment]) -> None:
    first = decoded1(Version1().encode(blocks))
    second = decoded2(Version2().encode(blocks))
    assert first.samples == second.samples == quiet(expected(blocks))
    kinds = {"counter": 1, "gauge": 2, "histogram": 3, "summary": 5, "untyped": 0}
    assert second.metadata == {
        one.labels: (kinds[one.kind], one.help, one.created) for b in blocks for one in b.series
    }


@settings(max_examples=15, deadline=None)
@given(moments())
def test_the_library_writes_the_same_bytes_where_nothing_is_a_default(blocks: list[Moment]) -> None:
    """It leaves out zeros, which a reader takes for the same."""
    raw = Version1().encode(blocks)
    assert decoded1(WriteRequest.FromString(raw).SerializeToString()) == decoded1(raw)
    raw = Version2().encode(blocks)
    assert decoded2(Request.FromString(raw).SerializeToString()) == decoded2(raw)


def test_an_encoder_that_is_used_again_forgets_what_has_changed() -> None:
    one, two = Version1(), Version2()
    book = Book({"job": "j"})
    for number in range(30):
        page = [gauge("g", "h", *(sample(float(n), n=str(n)) for n in range(number % 7 + 1)))]
        shot = book.snapshot(page, 1000 + number)
        block = Moment(shot.time, shot.series, shot.values.tobytes())
        assert decoded1(one.encode([block])).samples == quiet(expected([block]))
        assert decoded2(two.encode([block])).samples == quiet(expected([block]))


def test_varints_are_those_of_protobuf() -> None:
    assert varint(0) == b"\0"
    assert varint(300) == b"\xac\x02"
    assert len(varint(-1)) == 10


def labels_of(book: Book, page: list[Family], time: int) -> dict[Labels, bytes]:
    shot = book.snapshot(page, time)
    raw = shot.values.tobytes()
    return {s.labels: raw[8 * n : 8 * n + 8] for n, s in enumerate(shot.series)}


def test_a_series_that_goes_away_ends_with_a_stale_marker_and_may_come_back() -> None:
    book = Book()
    both = [gauge("g", "h", sample(1.0, a="1"), sample(2.0, a="2"))]
    one, gone = [gauge("g", "h", sample(1.0, a="1"))], (("__name__", "g"), ("a", "2"))
    assert len(labels_of(book, both, 1)) == 2
    assert labels_of(book, one, 2)[gone] == STALE_BYTES
    assert gone not in labels_of(book, one, 3)
    assert labels_of(book, both, 4)[gone] == struct.pack("<d", 2.0)
    assert set(labels_of(book, [], 5).values()) == {STALE_BYTES}
    assert labels_of(book, [], 6) == {}


def test_the_list_of_series_is_the_same_object_while_they_are_the_same() -> None:
    book = Book()
    shots = [book.snapshot([gauge("g", "h", sample(float(n), a="1"))], n) for n in range(3)]
    assert shots[0].series is shots[1].series is shots[2].series
    assert shots[2].values == array("d", [2.0])


def test_names_and_labels_are_made_what_a_receiver_takes() -> None:
    book = Book({"job": "j", "zone": "z"}, lambda name: not name.startswith("drop"))
    page = [
        Family("1 bad", "gauge", "h", [Sample((("a-b", "x"), ("empty", ""), ("zone", "own")), 1.0)]),
        Family("drop_me", "gauge", "h", [Sample((), 1.0)]),
        Family("h", "histogram", "h", [Sample((("le", "+Inf"),), 1.0, "_bucket"), Sample((), 1.0, "_sum")]),
        Family("twice", "gauge", "h", [Sample((("a", "1"), ("b", "2")), 1.0), Sample((("b", "2"), ("a", "1")), 2.0)]),
    ]  # fmt: skip
    found = labels_of(book, page, 1)
    assert [dict(one)["__name__"] for one in found] == ["__bad", "h_bucket", "h_sum", "twice"]
    assert (("__name__", "__bad"), ("a_b", "x"), ("job", "j"), ("zone", "own")) in found
    assert len(found) == len(labels_of(book, page, 2)) == 4


def test_a_changed_help_is_another_series_to_us_and_the_same_to_the_receiver() -> None:
    book = Book()
    labels_of(book, [gauge("g", "before", sample(1.0))], 1)
    assert labels_of(book, [gauge("g", "after", sample(2.0))], 2) == {
        (("__name__", "g"),): struct.pack("<d", 2.0)
    }
