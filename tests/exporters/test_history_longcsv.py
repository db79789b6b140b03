"""Long CSV: what is taken, what is bad and why."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.history.badlines import ImportRefused
from exporters.history.csvlines import MAX_LINE
from exporters.history.csvvalues import guarded
from exporters.history.importing import Form
from tests.historylab import SLOT, START, content, imported, long_csv, samples

FIRST = START // SLOT


def test_columns_come_by_position_or_by_name(tmp_path: Path) -> None:
    rows = [(START, "a", "cpu", 1), (START + 300, "b", "memory", 2)]
    plain = long_csv(tmp_path / "plain", *(",".join(map(str, row)) for row in rows))
    named = long_csv(
        tmp_path / "named",
        "值,备注,指标,资源,时间",
        *(f"{v},x,{m},{r},{t}" for t, r, m, v in rows),
    )
    three = long_csv(tmp_path / "three", f"{START},a,1")
    for path in (plain, named):
        imported(tmp_path / f"{path.name}.db", path)
    assert samples(tmp_path / "plain.db") == {
        ("cpu", "a", FIRST): (1, 1),
        ("memory", "b", FIRST + 1): (2, 2),
    }
    assert content(tmp_path / "plain.db") == content(tmp_path / "named.db")
    imported(tmp_path / "three.db", three, Form(metric="cpu"))
    assert samples(tmp_path / "three.db") == {("cpu", "a", FIRST): (1, 1)}


@pytest.mark.parametrize(
    "written",
    [
        str(START),
        f"{START}.25",
        f"{START}000",
        "2026-11-01T00:00:00+08:00",
        "2026-10-31T16:00:00Z",
        "2026-10-31 16:00:00.5+00:00",
        "2026-11-01 00:00",
        "2026/11/1 0:00",
        "2026-10-31T23:59:60",
    ],
)
def test_times_have_many_forms(tmp_path: Path, written: str) -> None:
    imported(tmp_path / "h", long_csv(tmp_path / "c", f"{written},a,cpu,1"), strict=True)
    assert samples(tmp_path / "h") == {("cpu", "a", FIRST): (1, 1)}


BAD = {
    f"{START},a,cpu,NaN": "the value is not a number (NaN)",
    f"{START},a,cpu,-1": "the value is negative",
    f"{START},a,cpu,1e308": "the value is infinite or above 1e18",
    f"{START},a,cpu,inf": "the value is infinite or above 1e18",
    f"{START},a,cpu,1_0": "the value is no number",
    f"{START},a,cpu,x": "the value is no number",
    f"{START},,cpu,1": "the resource is empty",
    f"{START},a\x1b[31m,cpu,1": "the resource has control characters",
    f"{START},{'x' * 300},cpu,1": "the resource is longer than 255 characters",
    f"{START},a,,1": "the metric is empty",
    f"{START},a,new,1": "the metric 'new' is new and has no unit; say it by --unit",
    f"{START},a,cpu": "the line has 3 fields and not 4",
    f"{START},a,b,cpu,1": "the line has 5 fields and not 4",
    f"{START},a\0b,cpu,1": "the line has NUL bytes",
    f'{START},"a,cpu,1': "quotes: unexpected end of data",
    "soon,a,cpu,1": "the timestamp is neither Unix time nor ISO 8601",
    "12,a,cpu,1": "the timestamp is not between 2000 and 2099",
    "2026-02-30T00:00,a,cpu,1": "the timestamp is no time of any day",
}


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_bad_line_is_quoted_and_the_others_are_taken(
    tmp_path: Path, line: str, quoted: bool
) -> None:
    other = f'{START},"b",cpu,2' if quoted else f"{START},b,cpu,2"
    path = long_csv(
        tmp_path / "c", "timestamp,resource,metric,value", other, line, f"{START + 300},b,cpu,3"
    )
    done = imported(tmp_path / "h", path)
    assert (done.samples, done.bad, done.reasons) == (2, 1, {BAD[line]: 1})
    assert done.quoted[0].startswith(f"{path}:3: {BAD[line]}: ")
    assert done.quoted[0].isprintable()
    assert len(done.quoted[0]) < len(f"{path}") + 200
    assert set(samples(tmp_path / "h")) == {("cpu", "b", FIRST), ("cpu", "b", FIRST + 1)}
    with pytest.raises(ImportRefused, match=r":3: .*nothing is imported"):
        imported(tmp_path / "strict", path, strict=True)
    assert not (tmp_path / "strict").exists()


def test_an_empty_value_is_missing_and_no_mistake(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c", f"{START},a,cpu,", f"{START + 300},a,cpu, ", f"{START},b,cpu,1", ""
    )
    done = imported(tmp_path / "h", path, strict=True)
    assert (done.samples, done.missing, done.bad) == (1, 2, 0)


def test_encodings_and_ends_of_lines(tmp_path: Path) -> None:
    text = f'timestamp,resource,metric,value\r\n{START},"水务局,一号",cpu,1\r\n{START},政务云,cpu,2\r\n'
    expected = {("cpu", "水务局,一号", FIRST): (1, 1), ("cpu", "政务云", FIRST): (2, 2)}
    for name, raw in {
        "utf8": text.encode(),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "gb": text.encode("gb18030"),
        "gz": gzip.compress(text.encode()),
        "members": gzip.compress(text[:40].encode())
        + gzip.compress(text[40:].encode())
        + bytes(64),
        "open": text.encode().rstrip(b"\r\n"),
        "unix": text.replace("\r", "").encode(),
        "quoted": text.replace("政务云", '"政务云"').encode("gb18030"),
    }.items():
        path = tmp_path / name
        path.write_bytes(raw)
        assert imported(tmp_path / f"{name}.db", path, strict=True).samples == 2, name
        assert samples(tmp_path / f"{name}.db") == expected, name
    (tmp_path / "utf16").write_text(text, "utf-16")
    with pytest.raises(ImportRefused, match="UTF-16"):
        imported(tmp_path / "h", tmp_path / "utf16")


def test_compressed_data_may_be_cut_or_damaged(tmp_path: Path) -> None:
    lines = [f"{START + 300 * (n % 288)},r{n},cpu,{n % 97}" for n in range(5000)]
    packed = gzip.compress("\n".join(lines).encode())
    for name, raw in {"cut": packed[:-4000], "damaged": packed[:9000] + b"\xff" * 999}.items():
        path = tmp_path / name
        path.write_bytes(raw)
        done = imported(tmp_path / f"{name}.db", path)
        assert done.bad == 1
        assert "compressed data" in done.quoted[0]
        assert done.samples < 5000
        assert done.samples > 500
        expected = {line.split(",")[1]: float(line.split(",")[3]) for line in lines[: done.samples]}
        assert {
            key[1]: value[0] for key, value in samples(tmp_path / f"{name}.db").items()
        } == expected
        with pytest.raises(ImportRefused):
            imported(tmp_path / "strict", path, strict=True)


def test_a_line_without_end_is_left_out(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c",
        f"{START},a,cpu,1",
        "x" * (MAX_LINE * 2),
        f"{START},b,cpu,,",
        f"{START},c,cpu,3",
    )
    done = imported(tmp_path / "h", path)
    assert done.samples == 2
    assert [one.split(":")[1] for one in done.quoted] == ["2", "3"]


def test_the_last_of_equal_times_wins_and_others_are_averaged(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c",
        f"{START + 60},a,cpu,10",
        f"{START},a,cpu,1",
        f"{START + 299},a,cpu,4",
        f"{START},a,cpu,4",  # again
        f"{START + 86400 * 3},a,cpu,7",
        f"{START - 86400 * 3},a,cpu,8",
        f"{START},b,cpu,5",
        f"{START + 60},a,cpu,1",  # again
    )
    done = imported(tmp_path / "h", path)
    assert done.duplicates == 2
    assert samples(tmp_path / "h") == {
        ("cpu", "a", FIRST): (3, 4),
        ("cpu", "a", FIRST + 288 * 3): (7, 7),
        ("cpu", "a", FIRST - 288 * 3): (8, 8),
        ("cpu", "b", FIRST): (5, 5),
    }


def test_a_long_step_stands_for_all_its_slots(tmp_path: Path) -> None:
    path = long_csv(tmp_path / "c", f"{START + 86400 - 300},a,cpu,5")
    imported(tmp_path / "h", path, Form(step=900))
    assert {key[2] for key in samples(tmp_path / "h")} == {FIRST + 287, FIRST + 288, FIRST + 289}
    with pytest.raises(ImportRefused, match="multiple of 5m"):
        imported(tmp_path / "h", path, Form(step=420))


def test_units_are_converted_or_contradict(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c",
        "timestamp,resource,metric,value,unit",
        f"{START},a,cpu,0.5,ratio",
        f"{START},b,cpu,50,percent",
        f"{START},c,cpu,50,",
        f"{START},d,cpu,50,bytes",
        f"{START},e,cpu,50,parsec",
        f"{START},f,volume,2,gib",
        f"{START},g,net_rx,8,bits_per_second",
    )
    done = imported(tmp_path / "h", path)
    assert {key[:2]: value[0] for key, value in samples(tmp_path / "h").items()} == {
        ("cpu", "a"): 50,
        ("cpu", "b"): 50,
        ("cpu", "c"): 50,
        ("volume", "f"): 2 << 30,
        ("net_rx", "g"): 1,
    }
    assert "cpu is kept in percent, which bytes contradicts" in done.reasons
    assert any("'parsec' is none of" in reason for reason in done.reasons)
    with pytest.raises(ImportRefused, match="volume is kept in bytes, which count contradicts"):
        imported(tmp_path / "h", path, Form(metric="volume", unit="count"))
    more = long_csv(tmp_path / "more", f"{START},h,volume,3")
    assert imported(tmp_path / "h", more, strict=True).samples == 1


def test_percent_that_looks_like_a_ratio_is_told(tmp_path: Path) -> None:
    path = long_csv(tmp_path / "c", f"{START},a,cpu,0.5", f"{START},a,memory,50")
    assert imported(tmp_path / "h", path).like_ratio == ["cpu"]


def test_maxima_come_with_averages(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c",
        "timestamp,resource,metric,value,maximum",
        f"{START},a,cpu,1,9",
        f"{START},b,cpu,1,",
        f"{START},c,cpu,5,2",
        f"{START},d,cpu,5,x",
    )
    assert imported(tmp_path / "h", path).bad == 1
    assert {key[1]: value for key, value in samples(tmp_path / "h").items()} == {
        "a": (1, 9),
        "b": (1, 1),
        "c": (5, 5),
    }


def test_again_changes_nothing_and_new_values_replace(tmp_path: Path) -> None:
    lines = [f"{START + 300 * n},a,cpu,{n % 50}" for n in range(600)]
    path = long_csv(tmp_path / "c", *lines)
    imported(tmp_path / "h", path)
    before = content(tmp_path / "h")
    done = imported(tmp_path / "h", path)
    assert (done.written, done.unchanged) == (0, 3)
    assert content(tmp_path / "h") == before
    imported(tmp_path / "h", long_csv(tmp_path / "d", f"{START + 300},a,cpu,99"))
    assert samples(tmp_path / "h")["cpu", "a", FIRST + 1] == (99, 99)
    assert len(samples(tmp_path / "h")) == 600


texts = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8
)


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.integers(0, 3 * 86400), texts, st.floats(0, 1e6, width=32)),
        min_size=1,
        max_size=30,
    ),
    st.booleans(),
)
def test_any_rows_are_what_python_makes_of_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, float]], quoted: bool
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerows((START + at, guarded(name), "cpu", value) for at, name, value in rows)
    (folder / "c").write_text(out.getvalue(), "utf-8")
    done = imported(folder / "h", folder / "c", strict=True)
    moments = {(name, at): value for at, name, value in rows}
    assert done.duplicates == len(rows) - len(moments)
    slots: dict[tuple[str, str, int], list[float]] = {}
    for (name, at), value in moments.items():
        slots.setdefault(("cpu", name, (START + at) // SLOT), []).append(value)
    found = samples(folder / "h")
    assert found.keys() == slots.keys()
    for key, values in slots.items():
        assert found[key][0] == pytest.approx(sum(values) / len(values), rel=1e-6)
        assert found[key][1] == max(values)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "c").write_bytes(f"{START},a,cpu,1\n".encode() + raw)
    done = imported(folder / "h", folder / "c")
    assert done.samples >= 1


@pytest.mark.parametrize("nothing", ["", " ", "\t", " \t"])
def test_a_maximum_of_nothing_is_the_value(tmp_path: Path, nothing: str) -> None:
    path = long_csv(
        tmp_path / "c", "timestamp,resource,metric,value,maximum", f"{START},a,cpu,1,{nothing}"
    )
    assert imported(tmp_path / "h", path, strict=True).samples == 1
    assert samples(tmp_path / "h") == {("cpu", "a", FIRST): (1, 1)}


@pytest.mark.parametrize("name", ["id", "时间", "kind"])
def test_a_line_with_a_time_is_no_header(tmp_path: Path, name: str) -> None:
    imported(tmp_path / "h", long_csv(tmp_path / "c", f"{START},{name},cpu,1"), strict=True)
    assert samples(tmp_path / "h") == {("cpu", name, FIRST): (1, 1)}


def test_what_a_metric_is_kept_in_follows_from_the_lines_before(tmp_path: Path) -> None:
    """A line without a unit is bad until one before it has told the metric's."""
    lines = [
        "timestamp,resource,metric,value,unit",
        f"{START},a,new,1,",
        f"{START + 300},a,new,2,bytes",
        f"{START + 600},a,new,3,",
        f"{START + 900},a,new,4,percent",
        f"{START + 1200},a,cpu,5,",
    ]
    done = imported(tmp_path / "h", long_csv(tmp_path / "c", *lines))
    assert (done.samples, done.bad) == (3, 2)
    assert [told.split(":")[1] for told in done.quoted] == ["2", "5"]
    assert {key[2] - FIRST for key in samples(tmp_path / "h")} == {1, 2, 4}
