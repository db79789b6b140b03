"""The monthly report as a page: complete in both languages, asking for nothing, harmless, and nobody else's in an excerpt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from string import Formatter

import msgspec
import pytest

from exporters.report.document import (
    Capacity,
    DayPoint,
    Department,
    Document,
    Estate,
    Load,
    MonthPoint,
    Sums,
    Total,
)
from exporters.report.excerpt import excerpt
from exporters.report.html import page as pages
from exporters.report.html.page import html, paper
from exporters.report.html.rows import MAX_ALL, MAX_LIST
from exporters.report.html.view import CHAPTERS
from exporters.report.html.words import LANGUAGES, WORDS, say
from rules.usagejudgement import Amount
from tests.htmlpage import Page
from tests.reportsample import sample

FOLDER = Path(pages.__file__).parent


@pytest.fixture(scope="module")
def document() -> Document:
    return sample(departments=8, resources=150)


@pytest.fixture(scope="module", params=LANGUAGES)
def both(request: pytest.FixtureRequest, document: Document) -> tuple[str, str]:
    return request.param, html(document, request.param)


def section(text: str, key: str) -> str:
    """A chapter."""
    begin = text.index(f'<h2 id="{key}">')
    return text[begin : text.index("</section>", begin)]


def test_chapters_are_there_and_links_lead_somewhere(both: tuple[str, str]) -> None:
    language, text = both
    page = Page(text)
    assert set(CHAPTERS) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    links = [attrs["href"] or "" for tag, attrs in page.tags if tag == "a"]
    assert {link[1:] for link in links} <= set(page.ids)
    assert all(link.startswith("#") for link in links)
    for key in CHAPTERS:
        assert say(key, language) in page.words
    assert not {"script", "img", "link", "iframe", "object", "form"} & {t for t, _ in page.tags}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a == "style"]


def test_it_is_the_same_each_time(document: Document) -> None:
    assert html(document, "zh") == html(document, "zh")


def test_every_department_and_figure_is_told(document: Document, both: tuple[str, str]) -> None:
    _, text = both
    words = Page(text).words
    for one in document.departments:
        if one.name:
            assert words.count(one.name) >= 3
    for figure in document.figures:
        assert figure.title.zh in words or figure.title.en in words
    assert document.scope.data_hash in words
    assert document.scope.thresholds[:12] in words


def test_every_word_is_used_and_in_both_languages() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in FOLDER.iterdir()
        if path.suffix in (".py", ".j2") and path.name != "words.py"
    )
    families = ("p_", "level_", "kind_", "hit_", "step_", "method_", "source_")
    for key, (zh, en) in WORDS.items():
        assert f"'{key}'" in source or f'"{key}"' in source or key.startswith(families), key
        fields = [{name for _, name, _, _ in Formatter().parse(it)} for it in (zh, en)]
        assert fields[0] - {None} == fields[1] - {None}, key
        assert zh
        assert en or key in ("unit_count", "currency_none")
    for family in families:
        assert f"'{family[:-1]}" in source or f"{family}" in source


def test_english_has_no_chinese_of_its_own() -> None:
    for key, (zh, en) in WORDS.items():
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", en), key
        assert zh != en or not re.search("[a-z]{4}", en), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_part_that_is_none_is_said_in_its_place(language: str) -> None:
    keys = ("showback", "lines", "ipv6", "baseline", "follow_ups")
    few = sample(departments=1, resources=20)
    text = html(msgspec.structs.replace(few, **dict.fromkeys(keys)), language)
    for key in keys:
        part = Page(f"<div>{section(text, key).partition('</h2>')[2]}</div>").words
        assert part.startswith(say("not_given", language).format(say(key, language)))
        assert not re.search(r"\d", part.replace("IPv6", ""))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_excerpt_tells_what_the_whole_report_has_from_what_nobody_was_given(
    document: Document, language: str
) -> None:
    few = msgspec.structs.replace(document, baseline=None)
    page = html(excerpt(few, document.departments[0].name), language)

    def start(key: str) -> str:
        return Page(f"<div>{section(page, key).partition('</h2>')[2]}</div>").words

    assert start("lines").startswith(say("left_out", language).format(say("lines", language)))
    assert say("not_given_hint", language) not in start("lines")
    absent = say("not_given", language).format(say("baseline", language))
    assert start("baseline").startswith(absent)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_excerpt_says_nothing_of_a_month_before_that_it_does_not_have(
    document: Document, language: str
) -> None:
    one = next(it for it in document.departments if it.cpu_before is not None and it.change)
    cards = section(html(excerpt(document, one.name), language), "summary")
    assert say("before_unknown", language) not in cards
    told = re.findall('<p class="change">(.*?)</p>', cards)
    assert [bool(it) for it in told] == [True, False, False, False, False]  # the use of CPU


def test_an_excerpt_calls_what_is_the_department_s_its_own(document: Document) -> None:
    own = excerpt(document, document.departments[0].name)
    for language in LANGUAGES:
        every = say("load_caption", language)
        assert every in html(document, language)
        assert every not in html(own, language)
        assert say("load_caption_department", language) in html(own, language)
    assert "全域" not in re.sub("<li>.*?</li>", "", section(html(own, "zh"), "estate"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_definitions_are_those_of_the_source_and_its_zone(
    document: Document, language: str
) -> None:
    for kind, other in (("history", "prometheus"), ("prometheus", "history")):
        source = msgspec.structs.replace(document.scope.source, kind=kind)
        scope = msgspec.structs.replace(document.scope, source=source, zone="America/Lima")
        told = section(html(msgspec.structs.replace(document, scope=scope), language), "method")
        assert say(f"method_peak_{kind}", language) in told
        assert say(f"method_peak_{other}", language) not in told
        assert say("method_hours", language).format("America/Lima") in told
        for word in ("北京时间", "国务院", "China"):
            assert word not in told


def test_a_saving_that_is_not_known_is_not_unpriced(document: Document) -> None:
    part = document.follow_ups
    assert part is not None
    for total, told in ((Amount(), "—"), (Amount(4.0, 2**33, 0), say("unpriced", "zh"))):
        follow_ups = msgspec.structs.replace(part, realised_total=total, saved_cost=None)
        text = html(msgspec.structs.replace(document, follow_ups=follow_ups), "zh")
        shown = section(text, "follow_ups").partition(say("saved_cost", "zh"))[2][:80]
        assert f'<dd class="text">{told}</dd>' in shown


def cells(text: str) -> list[str]:
    return [
        re.sub("<[^>]*>", " ", it).strip() for it in re.findall("<td.*?>(.*?)</td>", text, re.S)
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_known_is_never_0(language: str) -> None:
    """A document of which nothing is known but that there are resources."""
    base = sample(departments=1, resources=12)
    unknown = Sums(12, Total(0.0, 12), Total(0.0, 12), Total(0.0, 12))
    one = msgspec.structs.replace(
        base.departments[0],
        rank=1,
        rank_before=None,
        granted=unknown,
        waste=None,
        load=Load(),
        cpu_before=None,
        change=None,
        memory=None,
        due=unknown,
        watched=unknown,
        systems=(),
        resources=(),
        showback=None,
    )
    months = tuple(MonthPoint(f"2026-{m:02}") for m in range(1, 13))
    days = tuple(DayPoint(it.day, None, None, it.workday) for it in base.estate.days)
    estate = Estate(
        (Capacity("vcpus", None, None, Total(0.0, 12), None),),
        unknown, {}, {}, Load(), months, days, unknown, unknown,
    )  # fmt: skip
    figures = tuple(msgspec.structs.replace(it, value=None, before=None) for it in base.figures)
    text = html(
        msgspec.structs.replace(
            base,
            estate=estate,
            departments=(one,),
            figures=figures,
            scope=msgspec.structs.replace(base.scope, coverage=None),
        ),
        language,
    )
    told = cells(section(text, "estate"))
    parts = say("unknown_parts", language).format(12)
    assert [it.split() for it in told if it not in ("—", "12")][:2] == [["—", *parts.split()]] * 2
    for it in told:
        assert it in ("12", "—", "— → —", "0 / 3", "0 / 6", "0 / 12") or it.startswith("— "), it
    cards = section(text, "summary")
    assert cards.count('<p class="value">—</p>') == len(figures)
    chart = section(text, "estate")
    assert chart.count(f">{say('no_data', language)}</text>") >= 25
    assert ">0 vCPU" not in text
    assert say("before_unknown", language) in cards


def test_what_has_no_price_costs_not_0(document: Document) -> None:
    assert document.showback is not None
    text = section(html(document, "en"), "showback")
    told = cells(text)
    assert "unpriced" in told
    storage = next(
        it for it in document.departments if it.showback and not it.showback.granted_cost
    )
    assert storage.showback is not None
    assert not storage.showback.complete
    row = text[text.index(f">{storage.name}<") :]
    assert cells(row)[:2] == ["unpriced", "unpriced"]
    none = msgspec.structs.replace(
        document.showback, granted_cost=None, used_cost=None, reclaimable_cost=None, complete=False
    )
    text = section(html(msgspec.structs.replace(document, showback=none), "en"), "showback")
    assert "Could be saved a month: <b>unpriced</b>" in text


def test_departments_without_an_audit_have_no_verdicts(document: Document) -> None:
    assert document.baseline is not None
    one = document.baseline.departments[0]
    one = msgspec.structs.replace(
        one, audited=0, score=None, before=None, failed=0, unknown=0, manual=0, open_hits=3
    )
    part = msgspec.structs.replace(document.baseline, departments=(one,), oldest=(), waivers=())
    text = section(html(msgspec.structs.replace(document, baseline=part), "en"), "baseline")
    assert cells(text) == [str(one.hosts), "0", "—", "—", "—", "—", "—", "—", "3"]


def test_hostile_names_stay_text() -> None:
    for language in LANGUAGES:
        text = html(sample(departments=9, resources=60, hostile=True), language)
        page = Page(text)
        assert not {"script", "img", "b-", "object"} & {tag for tag, _ in page.tags}
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text
        )
        assert "&lt;script" in text
        allowed = {"id", "class", "href", "lang", "charset", "http-equiv", "content", "name", "dir"}
        for tag, attrs in page.tags:
            assert not [a for a in attrs if a.startswith("on")], (tag, attrs)
            if tag in ("a", "p", "td", "div", "h3"):
                assert set(attrs) <= allowed | {
                    *("tabindex", "role", "aria-label", "data-hint", "data-part")
                }


def test_a_hostile_city_stays_text(document: Document) -> None:
    bad = '"><img src=x onerror=alert(1)></title></style></svg>\u202e' + "x" * 300
    scope = msgspec.structs.replace(document.scope, city=bad, issuer=bad)
    page = Page(html(msgspec.structs.replace(document, scope=scope), "zh"))
    assert "img" not in {tag for tag, _ in page.tags}


def test_an_excerpt_has_nothing_of_others(document: Document) -> None:
    one = next(it for it in document.departments if it.name and it.systems)
    for language in LANGUAGES:
        scope = msgspec.structs.replace(document.scope, issuer="")
        mine = excerpt(msgspec.structs.replace(document, scope=scope), one.name)
        text = html(mine, language)
        page = Page(text)
        assert say("title_department", language) in page.words
        assert 'id="ranking"' not in text
        assert one.name in text
        own = {it.name for it in one.systems} | {it.name for it in one.resources}
        for other in document.departments:
            if other is one or not other.name:
                continue
            assert other.name not in text
            names = [it.name for it in other.systems] + [it.name for it in other.resources]
            assert not [it for it in names if it and it not in own and it in text]
            for judged in other.resources:
                assert judged.resource not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_month_under_way_says_so(language: str) -> None:
    text = html(sample(departments=3, resources=40, under_way=True), language)
    assert f'<span class="stamp">{say("under_way", language)}</span>' in text
    over = html(sample(departments=3, resources=40), language)
    assert 'class="stamp"' not in over


def many(document: Document, count: int) -> Department:
    """A department with so many idle servers."""
    one = document.departments[0]
    idle = next(it for it in one.resources if it.state == "idle")
    those = tuple(
        msgspec.structs.replace(idle, resource=f"r-{i:05}", name=f"idle-{i:05}")
        for i in range(count)
    )
    return msgspec.structs.replace(one, resources=those)


def test_long_lists_are_cut_and_counted(document: Document) -> None:
    one = many(document, MAX_LIST + 123)
    text = html(msgspec.structs.replace(document, departments=(one,)), "en")
    assert say("more_rows", "en").format(123) in text
    assert say("more_rows", "en").format(MAX_LIST + 123 - MAX_ALL) in text
    assert text.count('<td dir="auto">idle-') == MAX_LIST
    assert f'<td dir="auto">idle-{MAX_LIST:05}' not in text
    whole = html(msgspec.structs.replace(document, departments=(many(document, MAX_LIST),)), "en")
    assert say("more_rows", "en").partition("{0}")[2] not in whole


def test_two_of_one_name_are_told_apart(document: Document) -> None:
    one = many(document, 2)
    twice = tuple(msgspec.structs.replace(it, name="same") for it in one.resources)
    one = msgspec.structs.replace(one, resources=twice)
    text = html(msgspec.structs.replace(document, departments=(one,)), "zh")
    assert "r-00000" in text
    assert "r-00001" in text


def test_paper_leaves_out_what_is_on_screen_alone(both: tuple[str, str]) -> None:
    _, text = both
    printed = paper(text)
    assert len(printed) < len(text)
    assert "<details" in text
    assert "<details" not in printed
    for begin, end in pages.SCREEN:
        assert begin not in printed
        assert end not in printed
    assert Page(printed).ids == Page(text).ids
    assert paper("a") == "a"
    assert paper("a<!--screen-->b<!--/screen-->c<!--screen-->d<!--/screen-->e") == "ace"


def test_paper_has_a_bound_and_says_what_is_left_out() -> None:
    few = paper(html(sample(departments=23, resources=400), "zh"))
    many_more = paper(html(sample(departments=23, resources=4000), "zh"))
    assert len(many_more) < 3 * len(few)
    assert many_more.count('<p class="more paper">') > 20
    assert '<p class="more screen">' not in many_more
    Page(many_more)


def test_a_department_alone_is_printed_whole(document: Document) -> None:
    one = many(document, MAX_LIST)
    text = paper(html(msgspec.structs.replace(document, departments=(one,)), "en"))
    assert text.count('<td dir="auto">idle-') == MAX_LIST


def test_its_font_is_the_one_of_the_profile(document: Document) -> None:
    """In the page, in its margins, and in every picture."""
    asked = html(document, "zh", "Noto Serif CJK SC")
    assert "Noto Sans CJK SC" not in asked
    assert asked.count("Noto Serif CJK SC") == html(document, "zh").count("Noto Sans CJK SC") > 9
    with pytest.raises(ValueError, match="not the name of a font"):
        html(document, "zh", '"; } * { display: none')


def test_a_percent_sign_is_next_to_its_number_in_chinese(document: Document) -> None:
    """GB/T 15835."""
    assert not re.search(r"\d[ \u00a0]%", "".join(Page(html(document, "zh")).text))


def test_it_says_when_it_was_made(document: Document) -> None:
    made = document.scope.made
    named = {a.get("name"): a.get("content") for _, a in Page(html(document, "zh")).tags}
    assert datetime.fromisoformat(named["dcterms.created"] or "") == made.replace(microsecond=0)


# --- a real browser -------------------------------------------------------------------------------

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# where letters stand outside of what holds them
OUTSIDE = """() => {
  const found = [];
  const holders = 'td,th,dd,dt,p,li,h1,h2,h3,caption,figcaption,summary';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const holder = node.parentElement.closest(holders);
    if (!holder || !node.data.trim() || node.parentElement.closest('svg')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = holder.getBoundingClientRect();
    for (const r of range.getClientRects())
      if (r.width && (r.right > box.right + 1.5 || r.left < box.left - 1.5))
        found.push(holder.tagName + ' ' + node.data.slice(0, 60));
  }
  for (const svg of document.querySelectorAll('svg')) {
    const view = svg.viewBox.baseVal;
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBBox();
      if (box.width && (box.x < -1.5 || box.x + box.width > view.width + 1.5
          || box.y < -2 || box.y + box.height > view.height + 3))
        found.push('svg ' + text.textContent);
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    import shutil

    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.mark.parametrize(
    ("kind", "widths"),
    [
        ("usual", (1280, 900, 390)),
        ("hostile", (1280, 390)),
        ("excerpt", (390,)),
        ("english", (390,)),
    ],
)
def test_a_browser_shows_it_whole(
    browser: object, tmp_path: Path, document: Document, kind: str, widths: tuple[int, ...]
) -> None:
    """At the widths of a desk, a tablet and a phone: no console error, no request, nothing that sticks out."""
    if kind == "hostile":
        shown, language = sample(departments=8, resources=60, hostile=True), "zh"
    elif kind == "excerpt":
        shown, language = excerpt(document, document.departments[0].name), "zh"
    else:
        few = sample(departments=4, resources=80)
        shown, language = few, "en" if kind == "english" else "zh"
    path = tmp_path / "report.html"
    path.write_text(html(shown, language), encoding="utf-8")
    told: list[str] = []
    asked: list[str] = []
    for width in widths:
        view = browser.new_page(viewport={"width": width, "height": 900})  # type: ignore[attr-defined]
        view.on("console", lambda message: told.append(message.text))
        view.on("pageerror", lambda error: told.append(str(error)))
        view.on("request", lambda request: asked.append(request.url))
        view.goto(path.as_uri())
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        view.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        assert view.evaluate(OUTSIDE) == []
        view.close()
    assert told == []
    assert set(asked) == {path.as_uri()}


def test_the_policy_lets_in_our_style_alone(
    browser: object, tmp_path: Path, document: Document
) -> None:
    path = tmp_path / "report.html"
    text = html(sample(departments=2, resources=20), "zh")
    path.write_text(text.replace("<style>", "<style>p{}", 1), encoding="utf-8")
    told: list[str] = []
    view = browser.new_page()  # type: ignore[attr-defined]
    view.on("console", lambda message: told.append(message.text))
    view.goto(path.as_uri())
    view.close()
    assert "Content Security Policy" in "".join(told)
