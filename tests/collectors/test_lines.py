"""Files of lines: what is taken, and that every mistake is told with its line."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import linescsv, linesfile
from collectors.link.devices import InterfaceRef
from collectors.link.lines import (
    Line,
    Lines,
    ModuleProbe,
    Units,
    probes_of,
    targets_of,
)
from collectors.link.linesfile import LineErrors
from collectors.link.linevalues import Bandwidth, Dscp
from collectors.link.settings import ProbeTarget
from collectors.strictyaml import DocumentError

FOLDER = Path(__file__).parents[1] / "lines"
INVALID = sorted((*FOLDER.glob("invalid-*.yaml"), *FOLDER.glob("invalid-*.csv")))


def load(text: str | bytes, path: str = "lines.yaml") -> Lines:
    return linesfile.parse(text.encode() if isinstance(text, str) else text, path)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name.removeprefix("invalid-"))
def test_one_mistake(path: Path) -> None:
    if path.suffix == ".csv":
        expected = path.with_suffix(".error").read_text().rstrip("\n")
    else:
        expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        linesfile.load(str(path))
    assert str(error.value).startswith(f"{path}{expected}")
    assert "\n" not in str(error.value)


def test_there_are_enough_of_them() -> None:
    assert len(INVALID) > 50


@pytest.mark.parametrize("name", ["many.yaml", "many.csv"])
def test_every_mistake_is_told_at_once(name: str) -> None:
    path = FOLDER / name
    with pytest.raises(LineErrors) as error:
        linesfile.load(str(path))
    told = str(error.value).replace(f"{path}:", "")
    assert told.splitlines() == path.with_suffix(path.suffix + ".error").read_text().splitlines()
    assert len(error.value.mistakes) >= 10


def test_of_very_many_mistakes_the_first_hundred_are_shown() -> None:
    rows = "".join(f"  - {{name: l{i}, targets: [nowhere..]}}\n" for i in range(5000))
    begin = time.monotonic()
    with pytest.raises(LineErrors) as error:
        load(f"lines:\n{rows}")
    shown = str(error.value).splitlines()
    assert len(shown) == 101
    assert shown[0].startswith("lines.yaml:2: ")
    assert shown[-1] == "lines.yaml: and 4900 more"
    assert time.monotonic() - begin < 30


def test_very_many_missing_peers_do_not_take_for_ever() -> None:
    rows = "".join(
        f"  - {{name: a-rather-long-name-{i}, peer: a-rather-long-nama-{i}, targets: [a.b]}}\n"
        for i in range(10_000)
    )
    begin = time.monotonic()
    with pytest.raises(LineErrors):
        load(f"lines:\n{rows}")
    assert time.monotonic() - begin < 60


def test_everything_that_a_line_has() -> None:
    found = load(
        """
units: {county: 3}
devices: {r1: {local: true}}
lines:
  - name: 城关-主
    site: 城关县局
    level: 县
    carrier: 电信
    role: 主
    peer: 城关-备
    bandwidth: 2.5G
    targets: [192.0.2.1, gw.example.cn]
    probes: [icmp, {module: http_2xx, target: "http://192.0.2.1/"}]
    dscp: AF41
    payload: 1400
    source: eth0
    interface: {device: r1, name: ge-0/0/1}
  - {name: 城关-备, site: 城关县局, level: county, role: backup, peer: 城关-主, family: IPv6,
     targets: ["2001:db8::1"], bandwidth: 100000000, dscp: 46}
"""
    )
    assert found.lines == (
        Line(
            name="城关-主",
            site="城关县局",
            level="county",
            carrier="电信",
            role="main",
            peer="城关-备",
            bandwidth=Bandwidth(2.5e9),
            targets=("192.0.2.1", "gw.example.cn"),
            probes=("icmp", ModuleProbe("http_2xx", "http://192.0.2.1/")),
            dscp=Dscp(34),
            payload=1400,
            source="eth0",
            interface=InterfaceRef("r1", "ge-0/0/1"),
        ),
        Line(
            name="城关-备",
            site="城关县局",
            level="county",
            role="backup",
            peer="城关-主",
            family="ipv6",
            targets=("2001:db8::1",),
            bandwidth=Bandwidth(1e8),
            dscp=Dscp(46),
        ),
    )
    assert found.units == Units(county=3)
    assert found.devices["r1"].local
    assert found.warnings == ()


def test_warnings() -> None:
    found = load(
        "lines:\n"
        "  - {name: a, family: both, targets: [192.0.2.1]}\n"
        "  - {name: b, level: city, site: s, role: backup, targets: [192.0.2.1]}\n"
        "  - {name: c, level: town, site: s, targets: [192.0.2.3]}\n"
    )
    assert found.warnings == (
        "lines.yaml:2: lines[0].family: is both, but every target is an ipv4 address",
        "lines.yaml:3: lines[1].peer: a backup line without peer backs up nothing",
        "lines.yaml:3: lines[1].targets: 192.0.2.1 is a target of the line 'a' (line 2) too",
        "lines.yaml:4: lines[2].level: the site 's' is city by the line 'b'; "
        "here it counts as another site",
    )


def test_modules_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "modules.yaml").write_text("modules: {portal: {prober: http}}\n")
    path = tmp_path / "lines.yaml"
    probe = "[{module: portal, target: x}, {module: portal, target: y}]"
    path.write_text(
        f"modules_file: modules.yaml\nlines: [{{name: a, targets: [a.b], probes: {probe}}}]\n"
    )
    found = linesfile.load(str(path))
    assert found.modules_file == str(tmp_path / "modules.yaml")
    assert [(p.name, p.prober, p.target) for p in probes_of(found.lines[0], found.modules)] == [
        ("a/portal", "http", "x"),
        ("a/portal#2", "http", "y"),
    ]
    assert targets_of(found.lines) == []


def test_names_of_targets() -> None:
    found = load("lines: [{name: a, targets: [192.0.2.1, a.example, '::1']}]")
    assert targets_of(found.lines) == [
        ProbeTarget("a", "192.0.2.1"),
        ProbeTarget("a#2", "a.example"),
        ProbeTarget("a#3", "::1"),
    ]


# --- CSV ----------------------------------------------------------------------------------------

TABLE = (
    "目标,线路,站点,级别,运营商,角色,对端线路,带宽,dscp,设备,接口\r\n"
    '"192.0.2.1; 2001:db8::1",甲-主,"甲\r\n县局",县,电信,主,甲-备,100M,EF,r1,ge-0/0/1\r\n'
    ",,,,,,,,,,\r\n"
    '"192.0.2.2\r\ngw.example.cn",甲-备,"甲\r\n县局",县,移动,备用,甲-主,50兆,,,\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_table_in_every_encoding(encoding: str, newline: str, delimiter: str) -> None:
    text = TABLE.replace('"甲\r\n县局"', "甲县局").replace("\r\n", newline).replace(",", delimiter)
    main, backup = load(text.encode(encoding), "lines.csv").lines
    assert main == Line(
        name="甲-主",
        site="甲县局",
        level="county",
        carrier="电信",
        role="main",
        peer="甲-备",
        bandwidth=Bandwidth(1e8),
        targets=("192.0.2.1", "2001:db8::1"),
        dscp=Dscp(46),
        interface=InterfaceRef("r1", "ge-0/0/1"),
    )
    assert backup.targets == ("192.0.2.2", "gw.example.cn")
    assert (backup.role, backup.bandwidth, backup.peer) == ("backup", 5e7, "甲-主")


def test_lines_of_rows_count_what_is_in_quotes() -> None:
    text = TABLE.replace("\r\n县局", "县局").replace("100M", "much").replace("50兆", "little")
    with pytest.raises(LineErrors) as error:
        load(text, "t.csv")
    told = [str(mistake) for mistake in error.value.mistakes]
    assert [line.partition(" is not a")[0] for line in told] == [
        "t.csv:2: 带宽: 'much'",
        "t.csv:4: 带宽: 'little'",
    ]
    with pytest.raises(LineErrors) as error:
        load(TABLE.replace("50兆", "little"), "t.csv")
    assert {mistake.line for mistake in error.value.mistakes} == {2, 5}  # sites with a newline


def test_the_smallest_table() -> None:
    found = load("name,target\na,192.0.2.1\nb,b.example\n", "lines.csv")
    assert [(line.name, line.site, line.role) for line in found.lines] == [
        ("a", "a", "main"),
        ("b", "b", "main"),
    ]


def test_probes_and_numbers_in_cells() -> None:
    text = "Name;TARGET;probes;payload;family\na;192.0.2.1;icmp http_2xx=http://a/?b=c;1400;v4\n"
    (line,) = load(text, "lines.csv").lines
    assert line.probes == ("icmp", ModuleProbe("http_2xx", "http://a/?b=c"))
    assert (line.payload, line.family) == (1400, "ipv4")


@pytest.mark.parametrize(
    ("content", "path", "lines"),
    [
        (b"lines: []", "x.yaml", True),
        (b"units: {}\n'lines' :\n", "x", True),
        (b"web: {}\n", "x.yaml", False),
        (b"probes: {lines_file: x}\n", "x.yaml", False),
        (b"a,b", "x.csv", True),
        (b"\xef\xbb\xbfname,target\n", "x", True),
        ("线路,目标\n".encode("gbk"), "x.txt", True),
        (b"name,value\n", "x", False),
        (b"", "x", False),
    ],
)
def test_what_is_a_file_of_lines(content: bytes, path: str, lines: bool) -> None:
    assert linesfile.is_lines(content, path) is lines


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["a.csv", "a.yaml", "a"]))
def test_any_content_is_lines_or_a_clear_error(content: bytes, path: str) -> None:
    with contextlib.suppress(DocumentError):
        linesfile.parse(content, path)


CELLS = st.text(st.sampled_from('a1.:;, "\n\r县主#%/=-')) | st.sampled_from(
    ["192.0.2.1", "县", "main", "x" * 200, "100M"]
)


@given(st.lists(st.lists(CELLS, max_size=16), max_size=8))
def test_any_cells_are_lines_or_a_clear_error(rows: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "\n".join([",".join(linescsv.COLUMNS), *quoted])
    with contextlib.suppress(DocumentError):
        linesfile.parse(text.encode(), "a.csv")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(Line.__struct_fields__), JSON), max_size=4))
def test_any_values_are_lines_or_a_clear_error(rows: list[dict[str, object]]) -> None:
    import yaml

    text = yaml.safe_dump({"lines": rows}, allow_unicode=True)
    with contextlib.suppress(DocumentError):
        linesfile.parse(text.encode(), "a.yaml")


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100M", 1e8),
        ("1G", 1e9),
        ("2.5G", 2.5e9),
        (64000, 64e3),
        ("64k", 64e3),
        ("100 Mbit/s", 1e8),
        ("10Gbps", 1e10),
        ("100兆", 1e8),
    ],
)
def test_bandwidths(text: object, rate: float) -> None:
    assert Bandwidth.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "M", "-1M", "0", "999", "101T", "100MB", "100 MiB/s", None, True, [], "1e9", "nan"]
)
def test_no_bandwidths(text: object) -> None:
    with pytest.raises(ValueError, match="bandwidth"):
        Bandwidth.parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [(0, 0), (63, 63), ("46", 46), ("EF", 46), ("ef", 46), ("AF41", 34), ("CS1", 8), ("BE", 0)],
)
def test_dscps(text: object, value: int) -> None:
    assert Dscp.parse(text) == value


@pytest.mark.parametrize("text", [64, -1, "64", "AF51", "", None, True, 1.5])
def test_no_dscps(text: object) -> None:
    with pytest.raises(ValueError, match="is not a DSCP"):
        Dscp.parse(text)


def test_ten_thousand_lines(tmp_path: Path) -> None:
    def row(i: int) -> str:
        pair = f"l{i // 2}"
        mine, other = ("main", "backup") if i % 2 == 0 else ("backup", "main")
        return (
            f"  - name: {pair}-{mine}\n    site: {pair}\n    level: town\n    carrier: 电信\n"
            f"    role: {mine}\n    peer: {pair}-{other}\n    bandwidth: 100M\n"
            f'    targets: [10.{i >> 8}.{i & 255}.1, "2001:db8::{i:x}"]\n'
        )

    path = tmp_path / "lines.yaml"
    path.write_text("lines:\n" + "".join(map(row, range(10_000))), encoding="utf-8")
    begin = time.monotonic()
    found = linesfile.load(str(path))
    assert len(found.lines) == 10_000
    assert len(targets_of(found.lines)) == 20_000
    assert found.warnings == ()
    assert time.monotonic() - begin < 30  # about one second
