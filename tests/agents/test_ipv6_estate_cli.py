"""`jianwei ipv6 estate`: from an inventory and results to a report, and every mistake told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.cli import ipv6estate as cli
from agents.cli import main
from agents.cli.ipv6estate import Checkers
from agents.errors import UserError
from collectors.ipv6.estate.model import Estate, EstateRow
from collectors.strictyaml import DocumentError
from exporters.estate import results as ipv6results
from exporters.report import files, jsonlines
from rules.readinessmodel import Readiness, Subject
from tests import estatesample as sample
from tests.estatesample import ESTATE, RESULTS


def inventory(folder: Path, rows: Sequence[EstateRow] = ESTATE) -> Path:
    path = folder / "estate.yaml"
    data = [{k: v for k, v in msgspec.to_builtins(row).items() if v} for row in rows]
    for row in data:
        row.update({"hosts": list(row["hosts"])} if "hosts" in row else {})
    path.write_text(yaml.safe_dump({"subjects": data}, allow_unicode=True), encoding="utf-8")
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["ipv6", "estate", *map(str, args)], catch_exceptions=False)


def lines(folder: Path, results: Sequence[Readiness] = RESULTS, name: str = "r.jsonl") -> Path:
    path = folder / name
    path.write_bytes(sample.json_lines(results))
    return path


def test_a_report_of_results_made_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = run(inventory(tmp_path), "--out", out, "--results", lines(tmp_path))
    assert found.exit_code == 1  # db-01 could not be reached
    assert found.stdout.splitlines()[0] == "score 50.2, not tested 30.7%, 5 of 6 subjects tested"
    assert sorted(path.name for path in out.iterdir()) == [
        "ipv6-checks.en.csv",
        "ipv6-checks.zh.csv",
        "ipv6-estate.en.html",
        "ipv6-estate.zh.html",
        "ipv6-subjects.en.csv",
        "ipv6-subjects.zh.csv",
    ]
    assert "50.2" in (out / "ipv6-estate.zh.html").read_text(encoding="utf-8")


def test_one_language_and_json(tmp_path: Path) -> None:
    args = [inventory(tmp_path), "--out", tmp_path / "out", "--results", lines(tmp_path)]
    found = run(*args, "--lang", "zh", "--json")
    assert not list((tmp_path / "out").glob("*.en.*"))
    data = json.loads(found.stdout)
    assert data["whole"]["mean"] == pytest.approx(301 / 6)
    assert [group["name"] for group in data["departments"]] == ["乙局", "甲局", ""]
    assert data["fixes"][0]["check"] == "ipv6.host.listeners"
    assert len(data["subjects"]) == 6


def test_everything_tested_is_exit_code_0(tmp_path: Path) -> None:
    rows = [row for row in ESTATE if row.name != "db-01"]
    results = [one for one in RESULTS if one.subject.name != "db-01"]
    args = [inventory(tmp_path, rows), "--out", tmp_path, "--results", lines(tmp_path, results)]
    assert run(*args).exit_code == 0


def test_a_row_without_a_result_is_not_tested(tmp_path: Path) -> None:
    results = lines(tmp_path, RESULTS[:3])
    found = run(inventory(tmp_path), "--out", tmp_path, "--results", results)
    assert found.exit_code == 1
    assert "3 of 6 subjects tested" in found.stdout
    page = (tmp_path / "ipv6-estate.zh.html").read_text(encoding="utf-8")
    assert page.count("没有该对象的测试结果") == 6  # in the list and in the details of each


def test_a_folder_of_results(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    lines(folder, RESULTS[:2], "b.jsonl")
    lines(folder, RESULTS[2:4], "a.ndjson")
    (folder / "c.json").write_bytes(b"\xef\xbb\xbf\n" + sample.json_lines(RESULTS[4:]) + b"\n")
    (folder / "notes.txt").write_text("nothing")
    found = run(inventory(tmp_path), "--out", tmp_path, "--results", folder)
    assert "5 of 6 subjects tested" in found.stdout


def test_results_by_their_address(tmp_path: Path) -> None:
    """What knows nothing of our names is told by its URL, or by where it was asked."""

    def renamed(one: Readiness) -> Readiness:
        target = one.subject.target.replace("https://p", "HTTPS://P")
        return msgspec.structs.replace(one, subject=Subject(one.subject.kind, "x", target))

    results = lines(tmp_path, [renamed(one) for one in RESULTS])
    found = run(inventory(tmp_path), "--out", tmp_path, "--results", results)
    assert "5 of 6 subjects tested" in found.stdout


def named(one: Readiness, target: str) -> Readiness:
    subject = msgspec.structs.replace(one.subject, target=target)
    return msgspec.structs.replace(one, subject=subject)


@pytest.mark.parametrize(
    ("index", "target"),
    [
        (0, "https://other.example.gov.cn/"),
        (0, "http://portal.example.gov.cn/"),
        (0, "https://portal.example.gov.cn/old/"),
        (3, "ssh://ops@web-02"),
    ],
)
def test_a_result_of_the_same_name_and_another_address_is_a_mistake(
    tmp_path: Path, index: int, target: str
) -> None:
    path = lines(tmp_path, [RESULTS[1], named(RESULTS[index], target)])
    found = run(inventory(tmp_path), "--out", tmp_path / "out", "--results", path)
    assert found.exit_code == 2
    row = ESTATE[index]
    assert f"jianwei: {path}:2: is of {target}, but {row.kind} {row.name!r} of the estate is" in (
        found.stderr
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("index", "target"),
    [
        (0, "portal.example.gov.cn"),
        (0, "HTTPS://Portal.example.gov.cn:443"),
        (0, ""),
        (3, "ssh://root@WEB-01:2222"),
        (3, "local"),
        (3, "/var/recordings/web-01"),
    ],
)
def test_a_result_of_the_same_name_and_address_is_taken(
    tmp_path: Path, index: int, target: str
) -> None:
    path = lines(tmp_path, [named(RESULTS[index], target)])
    found = run(inventory(tmp_path), "--out", tmp_path / "out", "--results", path)
    assert "1 of 6 subjects tested" in found.stdout


def test_every_machine_calls_itself_local(tmp_path: Path) -> None:
    here = EstateRow(name="here", kind="host", host="local")
    other = msgspec.structs.replace(sample.result(here), subject=Subject("host", "db-7", "local"))
    path = lines(tmp_path, [other])
    found = run(inventory(tmp_path, [here]), "--out", tmp_path, "--results", path)
    assert found.exit_code == 2
    assert f"jianwei: {path}:1: the estate has no host 'db-7'; there are: here" in found.stderr


def test_every_mistake_in_results_is_told_at_once(tmp_path: Path) -> None:
    stranger = msgspec.structs.replace(RESULTS[0], subject=Subject("site", "portla", "https://x/"))
    as_host = msgspec.structs.replace(RESULTS[0], subject=Subject("host", "portal", ""))
    content = sample.json_lines([RESULTS[0], stranger, RESULTS[0], as_host])
    content += b'{"subject": 1}\n\nnot json\n"\xff"\n' + b"[" * 100_000 + b"\n"
    content += sample.json_lines(RESULTS[:1]).replace(b'"score":97.', b'"score":197.')
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    found = run(inventory(tmp_path), "--out", tmp_path / "out", "--results", path)
    assert found.exit_code == 2
    told = found.stderr.replace(f"{path}:", "").splitlines()
    assert told[0] == "jianwei: 2: the estate has no site 'portla'; did you mean 'portal'?"
    assert told[1] == " 'portal' is in 1 already; leave one out".replace(" ", "3: ", 1)
    assert told[2].startswith("4: the estate has no host 'portal'; ")
    assert [line.partition(" is no result")[0] for line in told[3:]] == [
        "5:",
        "7:",
        "8:",
        "9:",
        "10:",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--results", "{tmp}/empty"], "has no results; name files *.json"),
        (["--config", "{tmp}/none.yaml"], "none.yaml"),
        (["--param", "no_such=1"], "no such parameter"),
        (["--results", "{tmp}/none"], "does not exist"),
        (["--workers", "0"], "not in the range"),
    ],
)
def test_bad_input_is_exit_code_2(tmp_path: Path, args: list[str], told: str) -> None:
    (tmp_path / "empty").mkdir()
    given = [arg.replace("{tmp}", str(tmp_path)) for arg in args]
    found = run(inventory(tmp_path), "--out", tmp_path / "out", *given)
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_bad_inventory_is_told_whole(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("名称,类型,网址\n甲,网站,a\n乙,网站,b\n", encoding="gbk")
    found = run(path, "--out", tmp_path)
    assert found.exit_code == 2
    assert f"{path}:2: 网址: 'a' is no http" in found.stderr
    assert f"{path}:3: 网址: 'b' is no http" in found.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    args = [inventory(tmp_path), "--results", lines(tmp_path), "--out", tmp_path / "file/out"]
    found = run(*args)
    assert found.exit_code == 2
    assert "cannot be written: Not a directory" in found.stderr


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: BinaryIO, content: bytes) -> None:
        file.write(content[:10])
        if "checks.zh.csv" in file.name:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write", full)
    args = [inventory(tmp_path), "--results", lines(tmp_path), "--out", tmp_path / "out"]
    found = run(*args)
    assert found.exit_code == 2
    assert "No space left on device" in found.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_line_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "MAX_LINE", 1000)
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"x" * 100_000)
    with pytest.raises(DocumentError, match=r"r.jsonl:1: is longer than 0 MiB"):
        ipv6results.read(str(path), Estate("e", ESTATE))


# --- looking at sites and hosts -------------------------------------------------------------------


class Lab:
    """Stands for those who look; counts how many hosts are asked at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.workers = 0
        self._lock = threading.Lock()
        self._known = sample.by_row(RESULTS)

    def check_sites(self, rows: Sequence[EstateRow], *, workers: int) -> Iterator[Readiness]:
        self.workers = workers
        for row in reversed(rows):
            if row.name != "town":  # never answered
                yield self._known["site", row.name]
        yield msgspec.structs.replace(RESULTS[0], subject=Subject("site", "stranger", ""))

    def audit_host(self, row: EstateRow) -> Readiness:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self._lock:
            self.now -= 1
        if row.name == "db-01":
            raise UserError("db-01: no route to host")
        return self._known["host", row.name]


@pytest.mark.parametrize("workers", [1, 3])
def test_subjects_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    lab = Lab()
    monkeypatch.setattr(cli, "checkers", lambda *_: Checkers(lab.check_sites, lab.audit_host))
    args = [inventory(tmp_path), "--out", tmp_path, "--workers", workers, "--lang", "en"]
    found = run(*args)
    assert found.exit_code == 1
    assert "4 of 6 subjects tested" in found.stdout
    assert lab.most <= workers == lab.workers
    page = (tmp_path / "ipv6-estate.en.html").read_text(encoding="utf-8")
    assert "db-01: no route to host" in page
    assert "there is no result of this subject" in page


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary()
    | st.dictionaries(st.sampled_from(Readiness.__struct_fields__), JSON).map(
        lambda it: json.dumps(it).encode()
    )
)
def test_any_content_is_results_or_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(content)
    with contextlib.suppress(DocumentError):
        assert ipv6results.read(str(path), Estate("e", ESTATE)) == {}
