"""`jianwei history`: its commands as people run them, the PlanetLab traces, and kills in the middle."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from tests.historylab import START, content, long_csv, samples, whole

PLANETLAB = Path(__file__).parents[2] / "../shared/data/planetlab"
ARGV = (sys.executable, "-P", "-m", "agents", "history")


def run(*arguments: str | Path, given: bytes | None = None) -> Result:
    argv = ["history", *map(str, arguments)]
    done = CliRunner().invoke(main, argv, input=given, env={"LC_ALL": "", "LANG": ""})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize(
    ("day", "resources", "mean", "deviation", "quartiles"),
    [
        ("2011-03-03", 1052, "12.31", "17.09", (2, 6, 15)),
        ("2011-03-06", 898, "11.44", "16.83", (2, 5, 13)),
        ("2011-03-09", 1061, "10.70", "15.57", (2, 4, 13)),
    ],
)
def test_the_published_figures_of_planetlab_come_out(
    tmp_path: Path, day: str, resources: int, mean: str, deviation: str, quartiles: tuple[int, ...]
) -> None:
    csv = PLANETLAB / f"{day.replace('-', '')}.csv.gz"
    if not csv.exists():
        pytest.skip(f"the PlanetLab traces are not at {PLANETLAB}")
    history = tmp_path / "h"
    start = f"{day}T00:00:00Z"
    form = ("--wide", "--metric", "cpu", "--unit", "percent", "--start", start, "--step", "5m")
    done = run("import", *form, "--history", history, csv)
    assert done.exit_code == 0, done.output
    told = json.loads(
        run("summary", "--history", history, "--metric", "cpu", "--format", "json").stdout
    )
    assert (told["resources"], told["samples"]) == (resources, resources * 288)
    assert (f"{told['mean']:.2f}", f"{told['stddev']:.2f}") == (mean, deviation)
    assert (told["q1"], told["median"], told["q3"]) == quartiles
    assert not told["estimated"]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    rows = [
        f"{START + 300 * at},vm-{n},{metric},{(at * 7 + n) % 50 / 4}"
        for at in range(300)
        for n in range(4)
        for metric in ("cpu", "net_rx")
    ]
    return long_csv(tmp_path / "usage.csv", "timestamp,resource,metric,value", *rows)


@pytest.fixture
def history(tmp_path: Path, csv: Path) -> Path:
    assert run("import", "--history", tmp_path / "h.db", csv).exit_code == 0
    return tmp_path / "h.db"


def test_summary_tells_all_and_each_resource(history: Path) -> None:
    table = run("summary", "--history", history, "--metric", "cpu", "--by", "resource").stdout
    lines = table.splitlines()
    assert lines[0] == "cpu (percent), 2026-11-01T00:00+08:00 to 2026-11-03T00:00+08:00"
    assert [line.split()[0] for line in lines[1:]] == [
        "resource",
        "vm-0",
        "vm-1",
        "vm-2",
        "vm-3",
        "all",
    ]
    assert {"coverage", "p95", "max_at"} <= set(lines[1].split())
    part = ("--since", "2026-11-01 01:00", "--until", "2026-11-01T02:00", "--resource", "vm-1")
    told = json.loads(
        run(
            "summary",
            "--history",
            history,
            "--metric",
            "cpu",
            *part,
            "--by",
            "resource",
            "--format",
            "json",
        ).stdout
    )
    values = [(at * 7 + 1) % 50 / 4 for at in range(12, 24)]
    assert (told["samples"], told["mean"]) == (12, pytest.approx(sum(values) / 12))
    assert [row["resource"] for row in told["by_resource"]] == ["vm-1"]
    [row] = told["by_resource"]
    assert row["p95"] == told["p95"] == pytest.approx(np.quantile(values, 0.95))
    assert row["coverage"] == told["coverage"] == 1
    highest = 12 + values.index(max(values))
    assert row["max_at"] == f"2026-11-01T{highest // 12:02}:{highest % 12 * 5:02}+08:00"
    assert list(told)[:13] == (
        [
            "metric",
            "unit",
            "resources",
            "samples",
            "mean",
            "stddev",
            "q1",
            "median",
            "q3",
            "max",
            "since",
            "until",
            "estimated",
        ]
    )
    nothing = run(
        "summary",
        "--history",
        history,
        "--metric",
        "cpu",
        "--since",
        "2027-01-01",
        "--format",
        "json",
    )
    assert nothing.exit_code == 1
    assert json.loads(nothing.stdout)["mean"] is None


def test_an_export_imports_to_the_same_values(tmp_path: Path, history: Path) -> None:
    minutes = long_csv(
        tmp_path / "m", f'{START + 60},"a,""1""",cpu,3.3', f'{START + 90},"a,""1""",cpu,8.1'
    )
    run("import", "--history", history, minutes)
    assert run("export", "--history", history, "--out", tmp_path / "out.csv.gz").exit_code == 0
    assert (
        run(
            "import", "--strict", "--history", tmp_path / "again.db", tmp_path / "out.csv.gz"
        ).exit_code
        == 0
    )
    assert samples(tmp_path / "again.db") == samples(history)
    assert ("cpu", 'a,"1"', START // 300) in samples(history)
    piped = run(
        "export",
        "--history",
        history,
        "--metric",
        "cpu",
        "--resource",
        "vm-2",
        "--until",
        "2026-11-01 00:10",
    )
    assert piped.stdout_bytes.decode().splitlines() == [
        "timestamp,resource,metric,unit,value,maximum",
        "2026-11-01T00:00+08:00,vm-2,cpu,percent,0.5,",
        "2026-11-01T00:05+08:00,vm-2,cpu,percent,2.25,",
    ]
    before = content(history)
    run("import", "--history", history, tmp_path / "out.csv.gz")
    assert content(history) == before


def test_an_export_replaces_an_export_and_nothing_else(
    tmp_path: Path, csv: Path, history: Path
) -> None:
    before = content(history)
    note = tmp_path / "note.gz"
    note.write_bytes(gzip.compress(b"mine"))
    sides = [history.with_name(f"{history.name}{end}") for end in ("-wal", "-shm", ".lock")]
    sides[-1].touch()
    for side in sides:
        done = run("export", "--history", history, "--out", side)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert [side.exists() for side in sides] == [False, False, True]
    assert sides[-1].read_bytes() == b""
    for out in (history, csv, note, tmp_path):
        was = out.read_bytes() if out.is_file() else b""
        done = run("export", "--history", history, "--out", out)
        assert done.exit_code == 2
        assert len(done.stderr.splitlines()) == 1
        assert out == tmp_path or out.read_bytes() == was
    assert content(history) == before
    plain, packed, link = tmp_path / "o.csv", tmp_path / "o.csv.gz", tmp_path / "link"
    plain.touch(0o640)
    link.symlink_to(plain)
    for out in (plain, packed, plain, packed, link):
        assert run("export", "--history", history, "--out", out).exit_code == 0
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert plain.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()


def test_an_export_goes_through_a_pipe(tmp_path: Path, history: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert run("export", "--history", history, "--out", pipe).exit_code == 0
        found, _ = reader.communicate(timeout=60)
    assert found == run("export", "--history", history).stdout_bytes
    assert pipe.is_fifo()
    for out in ("/dev/full", "/dev/full/x"):
        full = run("export", "--history", history, "--out", out)
        assert (full.exit_code, len(full.stderr.splitlines())) == (2, 1)
    with open("/dev/full", "wb") as device:
        argv = [*ARGV, "export", "--history", str(history)]
        process = subprocess.run(argv, stdout=device, stderr=subprocess.PIPE, check=False)
    assert process.returncode == 2
    assert b"cannot be written: No space left" in process.stderr
    assert b"Traceback" not in process.stderr


def test_an_export_says_where_there_is_nothing(history: Path) -> None:
    done = run("export", "--history", history, "--resource", "nope")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no resource 'nope'" in done.stderr
    done = run("export", "--history", history, "--since", "2027-01-01")
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 1)


def test_kinds_and_names_like_formulas_come_back(tmp_path: Path) -> None:
    names = ["=HYPERLINK(1)", "@x", "'=quoted", "''+1", "'plain", "-1", "＝", "@" * 255, "ok"]
    history = tmp_path / "h"
    lines = [f"{START},{'' if name == 'ok' else chr(39)}{name},cpu,1" for name in names]
    lines[4] = f"{START},'plain,cpu,1"
    given = long_csv(tmp_path / "c", *lines)
    assert run("import", "--strict", "--history", history, given).exit_code == 0
    assert {name for _, name, _ in samples(history)} == set(names)
    assert "kind" not in run("export", "--history", history).stdout
    more = long_csv(
        tmp_path / "more",
        "timestamp,resource,metric,value,类型",
        f"{START},h1,cpu,1,host",
        f"{START},v1,disk,1,volume",
        f"{START},s1,cpu,1,",
        f"{START},c1,cpu,1,robot",
    )
    done = run("import", "--history", history, "--kind", "container", more)
    assert "the kind 'robot' is none of: server, volume, host, container" in done.stderr
    out = tmp_path / "out.csv"
    assert run("export", "--history", history, "--out", out).exit_code == 0
    assert not [line for line in out.read_text().splitlines() if line.split(",")[1][0] in "=@+-＝"]
    again = tmp_path / "again"
    assert run("import", "--strict", "--history", again, out).exit_code == 0
    assert samples(again) == samples(history)
    for path in (history, again):
        told = json.loads(run("info", "--history", path, "--json").stdout)
        assert told["resources"] == {"container": 1, "host": 1, "server": 9, "volume": 1}


def test_import_counts_what_it_took(tmp_path: Path) -> None:
    lines = [f"{START},bad-{n},cpu,x" for n in range(50)]
    done = run(
        "import", "--history", tmp_path / "h", long_csv(tmp_path / "c", *lines, f"{START},a,cpu,1")
    )
    assert done.stdout.startswith("1 samples of 1 resources in")


def test_import_tells_of_slots_that_it_replaces(tmp_path: Path) -> None:
    minutes = [f"{START + 60 * n},a,cpu,{value}" for n, value in enumerate((0, 0, 0, 100, 0))]
    history = tmp_path / "h"
    done = run("import", "--history", history, long_csv(tmp_path / "1", *minutes[:4]))
    assert "; 0 five-minute values replaced by others" in done.stdout
    done = run("import", "--history", history, long_csv(tmp_path / "2", *minutes[4:]))
    assert "; 1 five-minute values replaced by others" in done.stdout
    told = json.loads(
        run("import", "--json", "--history", history, tmp_path / "1", tmp_path / "2").stdout
    )
    assert told["replaced"] == 1
    assert samples(history) == {("cpu", "a", START // 300): (20, 100)}
    again = run("import", "--json", "--history", history, tmp_path / "1", tmp_path / "2")
    assert json.loads(again.stdout)["replaced"] == 0


def test_import_tells_of_hours_without_a_step(tmp_path: Path) -> None:
    hours = [f"{START + 3600 * n},{name},cpu,{n}" for n in range(24) for name in "ab"]
    dense = [f"{START + 300 * n},a,memory,{n}" for n in range(24)]
    csv = long_csv(tmp_path / "c", *hours, *dense)
    done = run("import", "--history", tmp_path / "h", csv)
    assert done.stderr.count("warning") == 1
    assert "values of cpu are 1h apart" in done.stderr
    assert "say --step 1h" in done.stderr
    done = run("import", "--json", "--history", tmp_path / "h", "--step", "5m", csv)
    assert (done.stderr, json.loads(done.stdout)["wide_gaps"]) == ("", {})
    now_and_then = [f"{START + 300 * n * n},a,cpu,{n}" for n in range(2, 17)]
    csv = long_csv(tmp_path / "d", *now_and_then)
    assert run("import", "--history", tmp_path / "i", csv).stderr == ""


def test_merge_tells_of_machines_with_one_id(tmp_path: Path) -> None:
    files = []
    for value, name in enumerate(("web1", "web2")):
        files.append(tmp_path / name)
        run("import", "--history", files[-1], long_csv(tmp_path / "c", f"{START},m,cpu,{value}"))
        with closing(sqlite3.connect(files[-1])) as db, db:
            db.execute("UPDATE resources SET name = ?", (name,))
    done = run("merge", "--json", "--history", tmp_path / "out", *files)
    assert done.exit_code == 1
    assert done.stderr.startswith("warning: web1, web2 have the same id m")
    assert json.loads(done.stdout)["clones"] == [{"id": "m", "names": ["web1", "web2"]}]
    assert (tmp_path / "out").exists()


def test_import_tells_what_it_did(tmp_path: Path, csv: Path) -> None:
    history = tmp_path / "h"
    packed = gzip.compress(csv.read_bytes() + b"1,\x1b[2J,cpu,1\n" * 8)
    done = run("import", "--json", "--history", history, "-", given=packed)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["samples"], told["bad"], told["resources"], told["written"]) == (2400, 8, 4, 16)
    assert done.stderr.startswith("8 bad lines, left out\n  -:2402: the timestamp is not between")
    assert "  and 3 more\n" in done.stderr
    assert "\x1b" not in done.stderr
    again = run("import", "--history", history, csv)
    assert "days of series: 0 written, 16 as they were" in again.stdout
    assert "2,400 samples of 4 resources" in again.stdout
    ratio = long_csv(tmp_path / "r", f"{START},x,memory,0.4")
    assert "say --unit ratio" in run("import", "--history", history, ratio).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (
            ("--strict", "bad"),
            2,
            "bad:2: the value is negative: {start},a,cpu,-1; nothing is imported",
        ),
        (("empty",), 1, ""),
        (("header",), 1, ""),
        (("absent",), 2, "absent: cannot be read: No such file"),
        (("good", "absent"), 2, "absent: cannot be read: No such file"),
        ((".",), 2, "Is a directory"),
        (("--wide", "good"), 2, "say the metric"),
        (("--zone", "Mars/Base", "good"), 2, "there is no such time zone"),
        (("--step", "7m", "good"), 2, "multiple of 5m"),
        (("--step", "soon", "good"), 2, "is not a duration"),
        (("--start", "2026-11-01", "good"), 2, "--start is for --wide"),
        (("--wide", "--metric", "cpu", "--start", "noon", "good"), 2, "--start 'noon'"),
        (("--unit", "bytes", "--metric", "cpu", "good"), 2, "kept in percent"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    long_csv(Path("good"), f"{START},a,cpu,1")
    long_csv(Path("bad"), f"{START},a,cpu,1", f"{START},a,cpu,-1")
    long_csv(Path("header"), "timestamp,resource,metric,value")
    Path("empty").touch()
    done = run("import", "--history", "h.db", *arguments)
    assert done.exit_code == code, done.output
    assert problem.format(start=START) in done.stderr
    assert not Path("h.db").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad", "empty", "good", "header"]


def test_files_that_are_no_history_are_refused(tmp_path: Path, csv: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"SQLite format 3\0" + bytes(4000))
    for arguments in (
        ("import", "--history", other, csv),
        ("summary", "--history", other, "--metric", "cpu"),
        ("info", "--history", other),
        ("export", "--history", other),
        ("merge", "--history", tmp_path / "out", other),
        ("compact", "--history", other),
        ("info", "--history", tmp_path / "absent"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, arguments
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.output
    assert other.read_bytes() == b"SQLite format 3\0" + bytes(4000)


def test_info_tells_and_checks(tmp_path: Path, history: Path) -> None:
    told = json.loads(run("info", "--history", history, "--check", "--json").stdout)
    assert told["resources"] == {"server": 4}
    assert [one["name"] for one in told["metrics"]] == ["cpu", "net_rx"]
    assert (told["blocks"], told["problems"], told["zone"]) == (16, [], "Asia/Shanghai")
    assert told["keep_days"] is None
    table = run("info", "--history", history, "--check")
    assert table.exit_code == 0
    assert "whole" in table.stdout
    assert "all of it: no agent lets go of what is old" in table.stdout
    assert (
        run("compact", "--history", history, "--keep", "7", "--keep-sketches", "90").exit_code == 0
    )
    assert "rollups 7 days, sketches 90 days" in run("info", "--history", history).stdout
    raw = bytearray(history.read_bytes())
    for at in range(len(raw) // 2, len(raw) // 2 + 8192):
        raw[at] ^= 0xFF
    history.write_bytes(raw)
    damaged = run("info", "--history", history, "--check")
    assert damaged.exit_code in (1, 2)
    assert "whole" not in damaged.stdout
    merged = run("merge", "--history", tmp_path / "out", history)
    assert merged.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_merge_and_compact(tmp_path: Path, history: Path) -> None:
    done = run("merge", "--history", tmp_path / "out.db", history, history)
    assert done.stdout == "2 files: 4 resources, 2 days\n"
    assert samples(tmp_path / "out.db") == samples(history)
    done = run("compact", "--history", history, "--keep", "1", "--now", str(START + 86400 * 9))
    assert json.loads(done.stdout)["expired"] == 0
    listed = run("--help").stdout
    assert "  merge " in listed
    assert "compact" not in listed


def test_a_killed_import_leaves_whole_days_and_can_be_repeated(tmp_path: Path) -> None:
    lines = (
        f"vm-{n}," + ",".join(str((n * 31 + at * 17) % 400 / 4) for at in range(288 * 8))
        for n in range(200)
    )
    csv = long_csv(tmp_path / "wide.csv", *lines)
    start = "2026-11-01T00:00"
    form = ("import", "--wide", "--metric", "cpu", "--start", start, "--history")
    assert run(*form, tmp_path / "right.db", csv).exit_code == 0
    right = samples(tmp_path / "right.db")
    history = tmp_path / "h.db"
    days: set[int] = set()
    for _ in range(6):
        process = subprocess.Popen(
            [*ARGV, *form, str(history), str(csv)], stdout=subprocess.DEVNULL
        )
        while process.poll() is None and not history.exists():
            time.sleep(0.002)
        time.sleep(0.04 * len(days))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert whole(history)
        done = json.loads(run("info", "--history", history, "--json").stdout or "{}")
        blocks = done.get("blocks", 0)
        assert blocks % 200 == 0  # whole days
        days.add(blocks // 200)
        if blocks:
            found = samples(history)
            assert found.items() <= right.items()
    assert run(*form, history, csv).exit_code == 0
    assert samples(history) == right
    assert sorted(one.name for one in tmp_path.iterdir()) == ["h.db", "right.db", "wide.csv"]
