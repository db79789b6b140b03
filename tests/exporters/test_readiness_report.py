"""The report as people open it: complete in both languages, asking for nothing, harmless."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.estate import files as estatefiles
from exporters.estate.readiness import FRESH, Report, report
from exporters.estate.readinesscsv import checks, subjects
from exporters.estate.readinesshtml import html
from exporters.estate.results import slim
from exporters.estate.words import LANGUAGES, WORDS
from exporters.report import files, plain
from rules.model import Text
from rules.readinessmodel import Evidence, Readiness
from tests import estatesample as sample
from tests.estatesample import ESTATE, RESULTS
from tests.htmlpage import Page

MADE = datetime(2026, 3, 2, tzinfo=UTC)
HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=//e.example/x>&amp;"
    "\u202etxt.exe\x00\x1b[2J\n"
)


def made(results: Any = RESULTS, rows: Any = ESTATE) -> Report:
    return report(rows, sample.by_row(results))


def hostile() -> Report:
    """Everything that others can write is hostile."""
    text = Text(HOSTILE, HOSTILE)
    evidence = Evidence(HOSTILE, {HOSTILE: [HOSTILE]}, HOSTILE, HOSTILE)
    rows = [
        msgspec.structs.replace(
            row, name=f"{row.name}{HOSTILE}", owner=HOSTILE, hosts=(), department=HOSTILE
        )
        for row in ESTATE
    ]
    results = []
    for row, one in zip(rows, RESULTS, strict=True):
        bad = tuple(
            msgspec.structs.replace(
                c, id=c.id + HOSTILE, title=text, reason=text, fix=text, evidence=(evidence,)
            )
            for c in one.checks
        )
        layers = tuple(msgspec.structs.replace(layer, title=text) for layer in one.layers)
        results.append(
            msgspec.structs.replace(
                one,
                subject=msgspec.structs.replace(one.subject, name=row.name),
                checks=bad,
                layers=layers,
                problem=one.problem and HOSTILE,
                capped=one.capped and text,
            )
        )
    return made(results, rows)


def table(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_both_languages_have_every_word() -> None:
    for key, words in WORDS.items():
        assert all(words), key
        assert re.search("[\u4e00-\u9fff]|^[0-9–]+$", words[0]), key
        assert not re.search("[\u4e00-\u9fff]", words[1]), key
        assert len(re.findall(r"\{\w*\}", words[0])) == len(re.findall(r"\{\w*\}", words[1])), key


def test_every_word_is_used() -> None:
    folder = Path(estatefiles.__file__).parent
    used = "".join(
        path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.is_file() and path.name != "words.py"
    )
    dynamic = ("level_", "none_")
    unused = [key for key in WORDS if f'"{key}"' not in used and f"'{key}'" not in used]
    assert [key for key in unused if not key.startswith(dynamic)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_asks_for_nothing(language: str) -> None:
    page = Page(html(made(), language, MADE))
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {
        "figures",
        "fixes",
        "departments",
        "levels",
        "subjects",
        "untested",
        "details",
        "how",
    } <= {*ids}
    for tag, found in page.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "base", "form")
        assert not found.keys() & {"src", "srcset", "style", "action"}
        assert not any(name.startswith("on") for name in found)
        if "href" in found:
            assert (found["href"] or "").removeprefix("#") in ids
    assert "url(" not in html(made(), language, MADE)
    assert "@import" not in html(made(), language, MADE)


def test_the_figures_are_on_the_page_in_both_languages() -> None:
    zh, en = (Page(html(made(), language, MADE)).words for language in LANGUAGES)
    for words in (zh, en):
        for figure in ("50.2", "40.0", "30.7%", "26.0", "57.7", "86.5", "10.7"):
            assert figure in words
    assert "得分最低的已测试部门: 乙局" in zh
    assert "The worst department tested: 乙局" in en
    assert "db-01: the host cannot be reached: timed out" in zh
    assert "最先处理: 检查 host.listeners — 修复 host.listeners" in zh
    assert "没有有效的 AAAA，总分不超过 40 (−54.7)" in zh
    assert "no valid AAAA: at most 40 (−54.7)" in en
    assert not re.search(
        "[\u4e00-\u9fff]", en.replace("甲局", "").replace("乙局", "").replace("张三", "")
    )


@pytest.mark.parametrize(("language", "mark"), [("zh", "已过期"), ("en", "out of date")])
def test_every_row_has_its_time_and_old_ones_a_mark(language: str, mark: str) -> None:
    old = msgspec.structs.replace(RESULTS[3], time=MADE - FRESH - timedelta(seconds=1))
    young = msgspec.structs.replace(RESULTS[2], time=MADE - FRESH)
    found = made([RESULTS[0], RESULTS[1], young, old, *RESULTS[4:]])
    text = html(found, language, MADE)
    assert text.count(f"⚠ {mark}") == 2  # in the list, and in the details
    listed = text[text.index('<section id="subjects">') : text.index('<section id="untested">')]
    assert listed.count(plain.day(sample.TIME)) == 4
    (row,) = [line for line in listed.split("<tr>") if "web-01" in line]
    assert plain.day(old.time) in row
    assert plain.moment(old.time) in text
    assert mark in row
    assert "35" in listed
    marked = {one["Name"]: one["out of date"] for one in table(subjects(found, "en", MADE))}
    assert {name for name, is_old in marked.items() if is_old} == {"web-01"}
    assert mark not in html(made(), language, MADE)


@pytest.mark.parametrize(("language", "word"), [("zh", "未测试"), ("en", "not tested")])
def test_a_department_in_which_nobody_was_tested_has_no_score(language: str, word: str) -> None:
    rows = [sample.host("a", department="丙局"), sample.host("b", department="丁局")]
    found = made([sample.result(rows[1], fail=["host.router"])], rows)
    text = html(found, language, MADE)
    short = text[text.index('id="summary"') : text.index('<div class="pair">')]
    assert "丁局" in short
    assert "丙局" not in short
    listed = text[
        text.index('<section id="departments">') : text.index(
            "<h3>", text.index('id="departments"')
        )
    ]
    (row,) = [line for line in listed.split("<tr>") if "丙局" in line]
    assert word in row
    assert "0.0" not in row.replace("100.0%", "")
    nothing = Page(html(made([], rows), language, MADE)).words
    assert "丙局" not in nothing[: nothing.index("90")]
    cards = html(made([], rows), language, MADE).partition('id="summary"')[0]
    assert ">0.0<" not in cards


def test_every_reason_of_what_was_not_tested_is_told_with_its_count() -> None:
    rows = [sample.host(f"h{n}") for n in range(20)]
    results = []
    for n, row in enumerate(rows):
        reason = Text(f"原因 {min(n // 3, 6)}", f"reason {min(n // 3, 6)}")
        lost = sample.check("network.loss", 6, "unknown", reason=reason)
        results.append(sample.of_checks(row, (lost, sample.check("host.router", 3))))
    found = made(results, rows)
    words = Page(html(found, "en", MADE)).words
    listed = words[words.index("Checks that could not be done") : words.index("Details")]
    for n in range(5):
        assert f"reason {n} ×3" in listed
    assert "reason 5" not in listed
    assert "2 more reasons" in listed
    assert "另有 2 种原因" in Page(html(found, "zh", MADE)).words


def test_words_are_those_of_the_other_tables() -> None:
    for zh, _ in WORDS.values():
        assert not re.search("未测(?!试)|主页|整改|检测", zh)
    assert "未能测试" in WORDS["how_caps"][0]
    assert "could not be tested" in " ".join(WORDS["how_caps"])
    assert "站点自身" in WORDS["how_system"][0]
    assert "the site's own" in WORDS["how_system"][1]


def test_every_lost_point_has_its_reason_and_evidence() -> None:
    text = html(made(), "en", MADE)
    for one in RESULTS:
        for check in one.checks:
            if check.verdict in ("fail", "unknown"):
                assert check.reason.en in text
    assert "1 (wanted 0) [from here]" in text
    assert "web-01: 1 (wanted 0) [from here]" in text  # of the host behind the portal


def test_times_are_in_the_zone_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert "2026-03-01 16:00:00 +0800" in html(made(), "zh", MADE)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_text_is_text(language: str) -> None:
    text = html(hostile(), language, MADE)
    page = Page(text)
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text
    )
    assert r"\u202etxt.exe" in page.words
    for content in (subjects(hostile(), language, MADE), checks(hostile(), language)):
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", content.decode("utf-8-sig"))


@settings(max_examples=40)
@given(
    st.text(),
    st.text(),
    st.recursive(
        st.none() | st.text() | st.floats() | st.integers(),
        lambda i: st.lists(i) | st.dictionaries(st.text(), i),
    ),
)
def test_any_text_leaves_the_page_whole(name: str, reason: str, actual: Any) -> None:
    row = sample.host(name)
    check = sample.check(
        "host.router", 3, "fail", reason=Text(reason, reason), evidence=(Evidence(name, actual),)
    )
    found = made([sample.of_checks(row, (check,))], [row])
    page = Page(html(found, "zh", MADE))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    csv.reader(io.StringIO(checks(found, "zh").decode("utf-8-sig")))


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(first: str) -> None:
    row = sample.host(f"{first}1+1", department=f"{first}x", owner=f"{first}y")
    check = sample.check(
        "host.router",
        3,
        "fail",
        id=f"{first}id",
        title=Text(first, first),
        reason=Text(f"{first}r", f"{first}r"),
        evidence=(Evidence("", f"{first}v"),),
    )
    found = made([sample.of_checks(row, (check,), problem="")], [row])
    for content in (subjects(found, "en", MADE), checks(found, "en")):
        for line in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            assert not [
                cell
                for cell in line
                if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
            ]
    (told,) = table(subjects(found, "en", MADE))
    assert told["Name"].startswith("'")


def test_tables_have_a_row_a_subject_and_a_row_a_check() -> None:
    rows = table(subjects(made(), "en", MADE))
    assert [(r["Name"], r["Score"], r["Not tested"], r["Tested"]) for r in rows] == [
        ("db-01", "", "100.0%", "no"),
        ("bureau", "12.0", "60.0%", "yes"),
        ("town", "40.0", "0.0%", "yes"),
        ("odd", "76.0", "24.0%", "yes"),
        ("web-01", "80.0", "0.0%", "yes"),
        ("portal", "93.0", "0.0%", "yes"),
    ]
    assert rows[0]["Why"] == "db-01: the host cannot be reached: timed out"
    told = table(checks(made(), "zh"))
    assert len(told) == 3 * len(sample.SITE_CHECKS) + 2 * len(sample.HOST_CHECKS) + 1
    lost = [(r["名称"], r["检查项 ID"], r["失分"]) for r in told if r["结果"] == "不通过"]
    assert ("web-01", "ipv6.host.listeners", "20.0") in lost
    assert len(lost) == 6


def big() -> Readiness:
    """Ten megabytes of evidence."""
    row = ESTATE[3]
    evidence = (
        Evidence("x" * 1_000_000, ["<b>" * 1_000_000, *([{"k": "v"}] * 50_000)], "y" * 1_000_000),
    )
    many = tuple(Evidence(f"port {i}", i) for i in range(100_000))
    found = [
        sample.check("host.router", 3, "fail", evidence=evidence),
        sample.check("host.sysctls", 3, "fail", evidence=many),
    ]
    return sample.of_checks(row, tuple(found))


@pytest.mark.parametrize("slimmed", [False, True])
def test_ten_megabytes_of_evidence_are_cut(slimmed: bool) -> None:
    one = slim(big()) if slimmed else big()
    begin = time.monotonic()
    text = html(made([one], [ESTATE[3]]), "en", MADE)
    table_of_checks = checks(made([one], [ESTATE[3]]), "en")
    assert time.monotonic() - begin < 10
    assert len(text) < 60_000
    assert len(table_of_checks) < 60_000
    assert "port 19" in text
    assert "port 20" not in text
    assert f"{(200 if slimmed else 100_000) - 20} more" in text


def test_deep_and_odd_values_are_short_and_in_one_line() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [{"a": deep}]
    for it in (
        deep,
        10**10_000,
        {"a" * 10_000: 1},
        float("inf"),
        "\ud800",
        {str(i): i for i in range(10_000)},
    ):
        shown = plain.value(it)
        assert len(shown) <= plain.MAX_VALUE
        assert shown.isprintable()


def test_a_thousand_subjects_in_bounded_time_and_size() -> None:
    rows = [sample.site(f"site-{i}", department=f"d{i % 40}", level="county") for i in range(1000)]
    results = [sample.result(row, fail=["dns.times", "network.mtu"]) for row in rows]
    begin = time.monotonic()
    text = html(made(results, rows), "zh", MADE)
    assert time.monotonic() - begin < 30  # about one second
    assert len(text) < 5_000_000


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    first = files.write(str(folder), {"x.html": b"1", "y.csv": b"2"})
    assert sorted(first) == [str(folder / "x.html"), str(folder / "y.csv")]
    files.write(str(folder), {"x.html": b"3"})
    assert (folder / "x.html").read_bytes() == b"3"
    (folder / "z.csv").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        files.write(str(folder), {"new.html": b"4", "z.csv": b"5"})
    assert sorted(os.listdir(folder)) == ["x.html", "y.csv", "z.csv"]


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "x.html").symlink_to(victim)
    files.write(str(tmp_path), {"x.html": b"new"})
    assert victim.read_text() == "mine"
    assert (tmp_path / "x.html").read_text() == "new"


# --- a real browser -------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


def browse(path: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """What Chromium makes of a page, and what it says of it."""
    done = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            *flags,
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(console)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_takes_the_page_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    text = html(hostile(), "zh", MADE)
    path.write_text(text, encoding="utf-8")
    dom, console = browse(path, tmp_path / "profile", "--dump-dom")
    assert console == ""
    assert "<title>IPv6 就绪度报告</title>" in dom
    assert dom.count("<details") == text.count("<details") > len(ESTATE)
    assert dom.count("<svg") == text.count("<svg")
    # the same page with a style that is not ours: the policy is in force, and it would be told
    path.write_text(text.replace("<style>", "<style>p{}", 1), encoding="utf-8")
    _, console = browse(path, tmp_path / "profile", "--dump-dom")
    assert "Content Security Policy" in console


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_prints_the_details_too(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed")
    path, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    path.write_text(html(made(), "en", MADE), encoding="utf-8")
    browse(path, tmp_path / "profile", f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    text = subprocess.run(
        ["pdftotext", "-raw", printed, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "the reason of service.homepage" in " ".join(text.split())
    info = subprocess.run(["pdfinfo", printed], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Page size: .*59\d\.\d+ x 84\d\.\d+ pts", info)
