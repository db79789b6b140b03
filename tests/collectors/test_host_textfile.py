"""Rules of the text files on literal bytes."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from collectors.host.textfile import TextfileCollector
from collectors.model import Answer, Answers, Family, Glob, Stat, Unavailable, gauge, sample
from collectors.observe import Observation
from collectors.rows import FileStat
from collectors.sources.local import LocalSource
from exporters.prometheus.families import with_scrape_series
from tests.collectors.literal import answer, parse, values


def texts(**files: str | bytes | Answer) -> dict[str, Family]:
    glob, stat = Glob("/t/*.prom"), Stat("/t/*.prom")
    contents = {
        f"/t/{name}.prom": Answer("content", it) if isinstance(it, bytes) else answer(it)
        for name, it in files.items()
    }
    rows = [
        FileStat(path, "file", 0o644, 0, 0, mtime=1000.5 + number)
        for number, path in enumerate(contents)
    ]
    return parse(TextfileCollector("/t/"), {glob: contents, stat: rows})


def error(got: Mapping[str, Family]) -> float:
    return values(got["node_textfile_scrape_error"])[()]


def test_families_of_every_type_pass_through() -> None:
    got = texts(
        a='# HELP g Some gauge.\n# TYPE g gauge\ng{b="2",a="x\\"\\n"} -1.5\n'
        "# TYPE c_total counter\nc_total 3\n# TYPE bare counter\nbare 4\nlone 5\n",
        b='# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 4\nh_count 3\n'
        '# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 0\ns_count 0\n',
    )
    assert (got["g"].kind, got["g"].help) == ("gauge", "Some gauge.")
    assert got["g"].samples[0].labels == (("a", 'x"\n'), ("b", "2"))
    assert (got["c_total"].kind, values(got["c_total"])) == ("counter", {(): 3})
    assert (got["bare"].kind, values(got["bare"])) == ("counter", {(): 4})
    assert (got["lone"].kind, got["lone"].help) == ("untyped", "From /t/a.prom.")
    assert (got["h"].kind, values(got["h"])) == (
        "histogram",
        {("1", "_bucket"): 2, ("+Inf", "_bucket"): 3, ("_sum",): 4, ("_count",): 3},
    )
    assert got["s"].kind == "summary"
    assert [it.suffix for it in got["s"].samples] == ["", "_sum", "_count"]
    assert values(got["node_textfile_mtime_seconds"]) == {
        ("/t/a.prom",): 1000.5,
        ("/t/b.prom",): 1001.5,
    }
    assert error(got) == 0


@pytest.mark.parametrize(
    "bad",
    [
        "g 2 1700000000000\n",
        "ok 1\ng 2 1700000000000\n",
        'g{a="1" 2\n',
        "g two\n",
        "g\n",
        "<html>\n",
        "1g 2\n",
        'g{a-b="1"} 2\n',
        '{"g.h"} 2\n',
        'g{"a.b"="1"} 2\n',
        "# TYPE g wrong\ng 1\n",
        "# TYPE g info\ng 1\n",
        "g 1\ng 2\n",
        'g{a="1",b="2"} 1\ng{b="2",a="1"} 1\n',
        "# TYPE g counter\ng 1\n# TYPE g_total counter\ng_total 1\n",
        "node_textfile_scrape_error 0\n",
        "jianwei_web_insecure 0\n",
        "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds 0\n",
        'node_scrape_collector_success{collector="cpu"} 1\n',
        b"g 1\n\xff\n",
        b"\0",
        Answer("denied", reason="permission denied"),
        Answer("failed", reason="longer than 1048576 bytes"),
    ],
)
def test_a_bad_file_is_skipped_whole_and_costs_no_other(bad: str | bytes | Answer) -> None:
    got = texts(a="a 1\n", b=bad, c="c 1\n")
    assert set(got) == {"a", "c", "node_textfile_mtime_seconds", "node_textfile_scrape_error"}
    assert {path for (path,) in values(got["node_textfile_mtime_seconds"])} == {
        "/t/a.prom",
        "/t/c.prom",
    }
    assert error(got) == 1


def test_families_in_several_files_are_put_together() -> None:
    got = texts(
        a='# TYPE g gauge\ng{f="a"} 1\n',
        b='# HELP g From b.\n# TYPE g gauge\ng{f="b"} 2\n',
    )
    assert (values(got["g"]), error(got)) == ({("a",): 1, ("b",): 2}, 0)


@pytest.mark.parametrize(
    "second", ["# TYPE g counter\ng 2\nx 1\n", '# TYPE g gauge\ng{f="a"} 2\nx 1\n']
)
def test_a_file_that_contradicts_an_earlier_one_is_skipped(second: str) -> None:
    got = texts(a='# TYPE g gauge\ng{f="a"} 1\n', b=second)
    assert (values(got["g"]), "x" in got, error(got)) == ({("a",): 1}, False, 1)


def test_a_fifo_and_a_socket_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.prom").write_text("a 1\n")
    (tmp_path / "c.prom").write_text("c 1\n")
    os.mkfifo(tmp_path / "b.prom")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "d.prom"))
        collector = TextfileCollector(str(tmp_path))
        glob, _ = collector.readings()
        answers = LocalSource().answer(collector.readings())
    got = {
        made.name: made for made in collector.parse(Answers(answers)) if isinstance(made, Family)
    }
    assert {"a", "c"} < set(got)
    assert error(got) == 1
    reasons = {path[-6:]: child.reason for path, child in answers[glob].children}
    assert reasons["b.prom"] == reasons["d.prom"] == "is not a regular file"


def test_a_series_of_the_host_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    theirs = texts(a='# TYPE node_load1 gauge\nnode_load1 5\nnode_load1{of="them"} 6\n')
    ours = gauge("node_load1", "Ours.", sample(1.0))
    page = with_scrape_series(
        [
            Observation("textfile", 0.1, tuple(theirs.values())),
            Observation("zone", 0.1, (ours,)),
        ]
    )
    [load] = [family for family in page if family.name == "node_load1"]
    assert (load.help, values(load)) == ("Ours.", {(): 1, ("them",): 6})
    assert "node_load1 has 1 series twice" in caplog.text


def test_no_directory_and_no_file_are_no_error() -> None:
    assert values(texts()["node_textfile_scrape_error"]) == {(): 0}
    denied = Answer("denied", reason="permission denied")
    stat = Stat("/t/*.prom")
    with pytest.raises(Unavailable):
        parse(TextfileCollector("/t"), {Glob("/t/*.prom"): denied, stat: denied})
