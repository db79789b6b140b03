"""A page as PDF: fonts, characters, paper, and what it refuses."""

from __future__ import annotations

import html
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.report import fonts
from exporters.report.fonts import FAMILY, FontError
from exporters.report.pdf import PdfError, make, pdf, ready
from tests.exporters import pdfpages

try:
    ready()
    MISSING = ", ".join(one for one in pdfpages.PROGRAMS if not shutil.which(one))
except FontError as error:
    MISSING = str(error)
needs_fonts = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HEADINGS = ("月度资源使用通报", "一、总体情况", "二、各部门排名", "三、闲置资源", "四、数据质量")
WORDS = "金平龙湖澄海濠江潮阳潮南南澳县未归属闲收忙扩扩容缩容回收豁免峰值均值，。；：、“”（）《》％‰·…—→×≥≤℃㎡"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x>',
    "=HYPERLINK(1)",
    "&amp;lt;",
    "]]>",
    "\u202egpj.exe",
)
STYLE = f"""
@page {{ size: A4; margin: 20mm 16mm;
  @top-left {{ content: string(title); font-family: "{FAMILY}"; font-size: 8pt }}
  @bottom-center {{ content: "第 " counter(page) " 页，共 " counter(pages) " 页"; font-family: "{FAMILY}" }} }}
html {{ font-family: "{FAMILY}" }}
body {{ font-size: 9pt; margin: 0 }} h1 {{ string-set: title content() }}
table {{ width: 100%; table-layout: fixed; border-collapse: separate; border-spacing: 0 }}
td {{ overflow-wrap: anywhere; border-bottom: 0.3pt solid #888 }} thead {{ display: table-header-group }}
li a::after {{ content: leader(".") target-counter(attr(href), page) }}
"""


def page(extra: str = "", rows: int = 120) -> str:
    title, *others = HEADINGS
    contents = "".join(f'<li><a href="#h{n}">{one}</a></li>' for n, one in enumerate(others))
    table = "".join(
        f"<tr><th scope='row'>云服务器{n:04}</th><td>市大数据局</td><td>{n / 7:.1f}%</td></tr>"
        for n in range(rows)
    )
    parts = "".join(
        f'<h2 id="h{n}">{one}</h2><p>{WORDS}</p><table><thead><tr><th scope="col">名称</th>'
        f'<th scope="col">部门</th><th scope="col">平均使用率</th></tr></thead><tbody>{table}</tbody></table>'
        for n, one in enumerate(others)
    )
    svg = (
        f'<svg font-family="{FAMILY}" role="img" aria-label="趋势图" width="300" height="60" viewBox="0 0 300 60">'
        '<rect x="0" y="20" width="200" height="20"/><text x="5" y="15" font-size="12">图表文字：近十二个月</text></svg>'
    )
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="author" content="市政务服务和数据管理局">'
        '<meta name="dcterms.created" content="2026-11-02T09:00:00+08:00">'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1><ul>{contents}</ul>{svg}{extra}{parts}</body></html>"
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shown = "".join(f"<p>{html.escape(one)}</p>" for one in HOSTILE)
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    it = make(page(shown))
    assert it.warnings == ()
    path.write_bytes(it.content)
    return path


@needs_fonts
def test_fonts_are_embedded_and_ours(made: Path) -> None:
    found = pdfpages.fonts(made)
    assert found
    for font in found:
        assert font.embedded
        assert font.subset
        assert "Noto-Sans-CJK-SC" in font.name


@needs_fonts
def test_every_character_is_found(made: Path) -> None:
    told = "".join(pdfpages.texts(made))
    for heading in (*HEADINGS, "图表文字：近十二个月"):
        assert heading in told
    assert set(WORDS) <= set(told)
    assert "\ufffd" not in told
    for hostile in HOSTILE[:5]:
        assert hostile in told


@needs_fonts
def test_paper(made: Path, tmp_path: Path) -> None:
    told = pdfpages.info(made)
    assert "(A4)" in told["Page size"]
    assert told["Title"] == HEADINGS[0]
    assert told["Author"] == "市政务服务和数据管理局"
    assert told["Tagged"] == "yes"
    assert told["JavaScript"] == "no"
    texts = pdfpages.texts(made)
    assert len(texts) == int(told["Pages"]) > 4
    for number, text in enumerate(texts, 1):
        assert f"第 {number} 页，共 {len(texts)} 页" in text
    pictures = pdfpages.pictures(made, tmp_path)
    assert len(pictures) == len(texts)
    pdfpages.assert_on_paper(pictures)


@needs_fonts
def test_outline_links_and_language(made: Path) -> None:
    """Links lead to places in it; they are in objects that are compressed, so it is made without that here."""
    from weasyprint import HTML

    plain = HTML(string=page(rows=2)).write_pdf(pdf_variant="pdf/ua-1", uncompressed_pdf=True)
    assert plain.count(b"/Subtype /Link") >= 4
    assert plain.count(b"/Title <feff") + plain.count(b"/Title (") >= len(HEADINGS)
    assert b"/Outlines" in plain
    assert b"(zh-CN)" in plain
    told = pdfpages.run("pdfinfo", "-dests", str(made))
    assert {f"h{n}" for n in range(4)} <= set(re.findall(r'"(h\d)"', told))


@needs_fonts
def test_pages_that_are_blank_or_cut_are_seen() -> None:
    """The check itself."""
    blank = np.zeros((400, 300), np.bool_)
    cut = blank.copy()
    cut[100:200, 20:] = True
    for wrong in (blank, cut):
        with pytest.raises(AssertionError):
            pdfpages.assert_on_paper([wrong])


@needs_fonts
def test_same_page_same_bytes() -> None:
    first, second, other = (pdf(page(rows=rows)) for rows in (1, 1, 2))
    assert first == second != other


@needs_fonts
def test_what_no_font_has_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(page("<p>前\ua9c1后\U0010fffd\ud83d</p>", 1)))
    told = "".join(pdfpages.texts(path))
    assert "前[U+A9C1]后[U+10FFFD][U+D83D]" in told


@needs_fonts
def test_a_character_that_slips_through_is_an_error() -> None:
    with pytest.raises(PdfError, match=r"notdef.*A9C1"):
        pdf(page("<p>&#xa9c1;</p>", 1))


@needs_fonts
@pytest.mark.parametrize(
    "form",
    [
        '<img alt="" src="{}">',
        '<svg><image href="{}"/></svg>',
        '<link rel="stylesheet" href="{}">',
        '<style>@import "{}"; p {{ color: red }}</style>',
    ],
)
def test_nothing_is_fetched(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.01)
        web = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        for url in (web, "file:///etc/passwd"):
            with pytest.raises(PdfError, match="Failed to load"):
                pdf(page(form.format(url), 1))
        with pytest.raises(TimeoutError):
            server.accept()


def _child(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


ASK = """
import sys
from exporters.report.fonts import FontError
from exporters.report.pdf import pdf
try:
    pdf("<p>x</p>")
except FontError as error:
    print(error)
    print("weasyprint" in sys.modules)
"""


@needs_fonts
def test_no_font(tmp_path: Path) -> None:
    """Told before anything is set, with the package."""
    empty = tmp_path / "fonts.conf"
    empty.write_text(f"<fontconfig><cachedir>{tmp_path}</cachedir></fontconfig>")
    ran = _child(ASK, FONTCONFIG_FILE=str(empty))
    assert ran.stderr == ""
    told, imported = ran.stdout.splitlines()
    assert "no font 'Noto Sans CJK SC'" in told
    assert "fonts-noto-cjk" in told
    assert "google-noto-sans-cjk-ttc-fonts" in told
    assert imported == "False"


@needs_fonts
@pytest.mark.parametrize(
    ("library", "package"),
    [("libpango-1.0.so.0", "libpango-1.0-0"), ("libharfbuzz-subset.so.0", "libharfbuzz-subset0")],
)
def test_no_library(library: str, package: str, tmp_path: Path) -> None:
    (tmp_path / library).write_bytes(b"no library")
    ran = _child(ASK, LD_LIBRARY_PATH=str(tmp_path))
    assert ran.stderr == ""
    told, imported = ran.stdout.splitlines()
    assert library in told
    assert f"install {package} (" in told
    assert imported == "False"


@needs_fonts
def test_no_fc_list(tmp_path: Path) -> None:
    ran = _child(ASK, PATH=str(tmp_path))
    assert "install fontconfig" in ran.stdout


@needs_fonts
def test_a_family_that_is_not_there_or_not_chinese() -> None:
    for family in ("No Such Font", "DejaVu Sans Mono"):
        with pytest.raises(FontError, match="`font` of the profile"):
            ready(family)
    ready("Noto Serif CJK SC")
    with pytest.raises(ValueError, match="not the name of a font"):
        fonts.checked_name('a"; } body { display: none')
    assert fonts.checked_name("思源黑体 CN") == "思源黑体 CN"


def test_parse() -> None:
    found = fonts.parse(
        "A\\, B,甲体\tzh-cn|en\tCFF\t20-7e 4e00-4e02\nC\ten\tTrueType\t4e03 1f600\nD\tzh-cn\tPCF\tffff\nbad\n"
    )
    assert found.chinese == {"a, b", "甲体"}
    assert [found.has(one) for one in "A一丂七\U0001f600\uffff"] == [
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    assert found.settable("一\u200b\ufe0f\u3000é") == "一\u200b\ufe0f\u3000[U+00E9]"


@given(st.text(alphabet="aA\\,\t\n|-: 0f4eCFzh-cn\u4e00"))
def test_any_answer_is_read(told: str) -> None:
    fonts.parse(told)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300))), st.integers(0, 301))
def test_ranges(pairs: list[tuple[int, int]], asked: int) -> None:
    spans = [(min(pair), max(pair)) for pair in pairs]
    told = " ".join(f"{first:x}-{last:x}" for first, last in spans)
    found = fonts.parse(f"A\tzh-cn\tCFF\t{told}\n")
    assert found.has(chr(asked)) == any(first <= asked <= last for first, last in spans)
