"""The report itself as PDF: a rich one, and one in which every name wants to harm."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from exporters.report.document import Document
from exporters.report.fonts import FontError
from exporters.report.html.page import html, paper
from exporters.report.pdf import Made, make, ready
from tests.exporters import pdfpages
from tests.reportsample import sample

try:
    ready()
    MISSING = ", ".join(one for one in pdfpages.PROGRAMS if not shutil.which(one))
except FontError as error:
    MISSING = str(error)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HAN = re.compile(r"[\u3400-\u9fff]")


class Printed:
    def __init__(self, document: Document, language: str, path: Path) -> None:
        self.page = paper(html(document, language))
        self.made: Made = make(self.page)
        self.path = path
        path.write_bytes(self.made.content)
        self.texts = pdfpages.texts(path)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    document = sample(3, 30)
    return Printed(document, "zh", tmp_path_factory.mktemp("zh") / "report.pdf")


def test_nothing_is_told(printed: Printed) -> None:
    assert printed.made.warnings == ()


def test_fonts(printed: Printed) -> None:
    found = pdfpages.fonts(printed.path)
    assert all(font.embedded and font.subset for font in found)
    assert not [font for font in found if "CJK" in font.name and "-SC" not in font.name]


def test_every_chinese_character_is_in_it(printed: Printed) -> None:
    told = "".join(printed.texts)
    body = re.sub(r"<(style|title)\b.*?</\1>|<!--.*?-->", "", printed.page, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", "", body)
    assert set(HAN.findall(shown)) <= set(told)
    assert "\ufffd" not in told
    spaceless = re.sub(r"\s", "", told)
    for heading in re.findall(r"<h2[^>]*>(.*?)</h2>", printed.page, flags=re.DOTALL):
        words = re.sub(r"<[^>]*>|\s", "", heading)
        assert words in spaceless


def test_pages(printed: Printed, tmp_path: Path) -> None:
    told = pdfpages.info(printed.path)
    assert "(A4)" in told["Page size"]
    assert told["Tagged"] == "yes"
    assert told["Title"]
    assert told["Author"]
    assert int(told["Pages"]) == printed.made.pages == len(printed.texts)
    for number, text in enumerate(printed.texts[1:], 2):  # not on the cover
        assert f"{number} / {printed.made.pages}" in text
    pdfpages.assert_on_paper(pdfpages.pictures(printed.path, tmp_path))


def test_it_has_its_date(printed: Printed) -> None:
    assert pdfpages.info(printed.path)["CreationDate"]


def test_paper_is_not_left_empty(tmp_path: Path) -> None:
    """Departments and chapters follow each other, and none of their headings is the last of its page."""
    flowing = Printed(sample(8, 90), "zh", tmp_path / "flowing.pdf")
    pages = pdfpages.pictures(flowing.path, tmp_path)
    ends = [max(row for row in range(round(len(ink) * 0.92)) if ink[row].any()) for ink in pages]
    short = [at for at, end in enumerate(ends[3:-1], 4) if end < len(pages[0]) / 2]
    assert len(short) <= len(pages) / 8
    headings = re.findall(r"<h[23][^>]*>(.*?)</h[23]>", flowing.page, flags=re.DOTALL)
    words = {re.sub(r"<[^>]*>|\s", "", one) for one in headings}
    for text in flowing.texts[2:]:
        last = [re.sub(r"\s", "", line) for line in text.splitlines() if line.strip()][-2]
        assert last not in words


def test_contents_lead_to_their_pages(printed: Printed) -> None:
    """The page that the contents name is the one where the heading stands."""
    entries = re.findall(r"^\s*(\S.*?)[ .]{9,}(\d+)\s*$", printed.texts[1], re.MULTILINE)
    assert len(entries) > 6
    for words, number in entries:
        on_it = re.sub(r"\s", "", printed.texts[int(number) - 1])
        assert re.sub(r"\s", "", words) in on_it


def test_one_that_wants_to_harm(tmp_path: Path) -> None:
    hostile = Printed(sample(2, 12, hostile=True), "en", tmp_path / "hostile.pdf")
    assert hostile.made.warnings == ()
    assert all(font.embedded for font in pdfpages.fonts(hostile.path))
    told = pdfpages.info(hostile.path)
    assert told["JavaScript"] == "no"
    pdfpages.assert_on_paper(pdfpages.pictures(hostile.path, tmp_path))
