"""Pages as they come: tags, titles, links, what is loaded, character sets; and any bytes at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.web.charsets import decode
from collectors.ipv6.web.htmltags import Tag, Text, tokens, unescape
from collectors.ipv6.web.noise import read_lines
from collectors.ipv6.web.page import MAX_LINKS, read_page
from collectors.link.weburl import Url

HERE = Url("https", "www.a.cn", 0, "/x/y.html")
PAGE = 500_000


def links(page: str) -> list[str]:
    return [str(url) for url in read_page(page.encode(), "text/html; charset=utf-8", HERE).links]


def loads(page: str) -> list[str]:
    return [str(url) for url, _ in read_page(page.encode(), "", HERE).resources]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<a href='/b'>", ["https://www.a.cn/b"]),
        ("<A HREF=b?c=d&amp;e=f#g>", ["https://www.a.cn/x/b?c=d&e=f"]),
        ('<a\nclass="x" href = "z">', ["https://www.a.cn/x/z"]),
        ("<a href=//b.cn/>", ["https://b.cn/"]),
        ("<a href=1 href=2>", ["https://www.a.cn/x/1"]),
        ("<base href='https://b.cn/q/'><a href=r>", ["https://b.cn/q/r"]),
        ("<a href='/中文'>", ["https://www.a.cn/%E4%B8%AD%E6%96%87"]),
        ("<map><area href=/m></map>", ["https://www.a.cn/m"]),
        ("<meta http-equiv=Refresh content='0; URL=/index/'>", ["https://www.a.cn/index/"]),
        ("<a href=/1><a href=/1#x><a href=/1>", ["https://www.a.cn/1"]),
        ("<a title='>' href=/b>", ["https://www.a.cn/b"]),
        ("<a/href=/b/>", ["https://www.a.cn/b/"]),
        ("<!-- <a href=/no> --><a href=/b>", ["https://www.a.cn/b"]),
        ("<!--><a href=/b>", ["https://www.a.cn/b"]),
        ("<!doctype html><?pi <a href=/no>?><a href=/b>", ["https://www.a.cn/b"]),
        ("<script>'<a href=/no>'</script><a href=/b>", ["https://www.a.cn/b"]),
        ("<title><a href=/no></title ><a href=/b>", ["https://www.a.cn/b"]),
        ("<textarea></text><a href=/no></textarea><a href=/b>", ["https://www.a.cn/b"]),
        ("<noscript><a href=/b></noscript>", ["https://www.a.cn/b"]),
        ("a < b </> <3 <a href=/b>", ["https://www.a.cn/b"]),
        ("<a href=#top><a href=javascript:x()><a href=mailto:x@y><a href=ftp://x/><a href>", []),
        ("<a href='http://['><a href='http://a:b:c/'><a href='http://u:p@x/'>", []),
        ("<a href='/never", []),
        ("<!-- <a href=/never>", []),
        ("<script><a href=/never>", []),
    ],
)
def test_links(page: str, found: list[str]) -> None:
    assert links(page) == found


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<img src=//i.cn/a.png>", ["https://i.cn/a.png"]),
        ("<img srcset='http://a.cn/1.png 1x, http://b.cn/2.png 2x'>",
         ["http://a.cn/1.png", "http://b.cn/2.png"]),
        ("<link rel='shortcut icon' href=http://c.cn/i>", ["http://c.cn/i"]),
        ("<link rel=canonical href=http://c.cn/><link rel=dns-prefetch href=//d.cn>", []),
        ("<iframe src=http://203.0.113.9/>", ["http://203.0.113.9/"]),
        ("<script src='http://[2400:da00::1]/x.js'></script>", ["http://[2400:da00::1]/x.js"]),
        ("<form action=http://f.cn/s><source src=http://v.cn/v>", ["http://f.cn/s", "http://v.cn/v"]),
        ("<style>a{background:url( 'http://c.cn/b.png' )} @import \"//c.cn/c.css\";</style>",
         ["http://c.cn/b.png", "https://c.cn/c.css"]),
        ("<p style='background:url(http://c.cn/d.png)'>", ["http://c.cn/d.png"]),
        ("<img src=data:image/png;base64,xx><img src=about:blank>", []),
    ],
)  # fmt: skip
def test_what_a_page_loads(page: str, found: list[str]) -> None:
    assert loads(page) == found


def test_what_is_loaded_is_counted() -> None:
    page = read_page(b"<img src=//i.cn/1><img src=//i.cn/1><img src=//i.cn/2>", "", HERE)
    assert [(str(url), count) for url, count in page.resources] == [
        ("https://i.cn/1", 2),
        ("https://i.cn/2", 1),
    ]


TITLE = "深圳市人民政府"


@pytest.mark.parametrize(
    ("charset", "head", "content_type"),
    [
        ("utf-8", "", "text/html; charset=UTF-8"),
        ("utf-8", "", ""),
        ("gbk", "", "text/html; charset=gbk"),
        ("gb18030", "", 'text/html; charset="GB2312"'),
        ("gbk", "<meta charset=gb2312>", "text/html"),
        ("gbk", '<meta http-equiv="Content-Type" content="text/html; charset=GBK">', ""),
        ("gbk", "", ""),
        ("gbk", "<meta charset=nonsense>", "text/html; charset=zlib"),
        ("big5", "<meta charset=big5>", ""),
        ("utf-16", "", ""),
        ("utf-8-sig", "<meta charset=gbk>", "text/html; charset=gbk"),
        ("utf-8", "<meta charset=utf-16>", ""),
    ],
)
def test_titles_in_any_character_set(charset: str, head: str, content_type: str) -> None:
    title = "深圳市" if charset == "big5" else TITLE
    body = f"<html>{head}<title>\n {title} </title>".encode(charset)
    assert read_page(body, content_type, HERE).title == title


def test_a_character_cut_in_two_is_no_sign_of_another_set() -> None:
    assert decode("你好".encode()[:-1]).startswith("你")


def test_the_first_title_counts_and_entities_mean_something() -> None:
    page = "<title>a &amp; b</title><svg><title>c</title></svg>"
    assert read_page(page.encode(), "", HERE).title == "a & b"


def test_a_number_with_too_many_digits_is_left_alone() -> None:
    text = "&#" + "9" * 10_000 + ";"
    assert unescape(text) == text
    assert links(f"<a href='/{text}'>") == []  # and longer than any URL


# Half a megabyte each: what would take a tree, or a careless regular expression, very long.
HOSTILE = {
    "less-than": "<",
    "nested": "<div>",
    "nul": "\0",
    "nuls-in-tags": "<a\0 href\0=\0>",
    "comments": "<!--",
    "closed-comments": "<!---->",
    "open-attribute": "<a b='",
    "attributes": "<a b c d e f=",
    "many-attributes": "a=1 ",
    "slashes": "<a/////",
    "equals": "<a====",
    "spaces": "<a          ",
    "entities": "&#",
    "scripts": "<script></scrip",
    "styles": "<style>url(",
    "refresh": "<meta http-equiv=refresh content='0;url=",
    "meta": "<meta charset ",
    "tokens": "Aa1Aa1Aa1Aa1Aa1Aa1Aa1",
    "queries": "?" + "_" * 20,
    "times": "1:22",
    "srcset": "<img srcset='" + "a 1x," * 500 + "'>",
    "end-tags": "</",
    "blanks": " \r\n\u2028",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages(name: str) -> None:
    """In time that grows with the page: twice as long a page is no four times the work."""

    def work(size: int) -> float:
        body = (HOSTILE[name] * (size // len(HOSTILE[name]) + 1))[:size].encode()
        start = time.process_time()
        page, lines = read_page(body, "", HERE), read_lines(body, "")
        assert len(page.links) <= MAX_LINKS
        assert len(lines.lines) <= 20_001
        return time.process_time() - start

    assert work(PAGE) < 20  # a quadratic one takes minutes


def test_unclosed_formatting_makes_no_tree() -> None:
    page = "<p>" + "".join(f"<b a{i}>" for i in range(4000)) + "</p>" + "<p>x</p>" * 4000
    assert len(read_lines(page.encode(), "").lines) == 4000


def test_thousands_of_links_are_bounded() -> None:
    page = "".join(f"<a href=/{i}>" for i in range(30_000))
    assert len(read_page(page.encode(), "", HERE).links) == MAX_LINKS


@given(st.binary(max_size=2000), st.text(max_size=60))
def test_any_bytes_are_a_page(body: bytes, content_type: str) -> None:
    page, lines = read_page(body, content_type, HERE), read_lines(body, content_type)
    assert isinstance(page.title, str)
    assert all(isinstance(line, str) for line in lines.lines)


PIECES = st.sampled_from(
    [
        *("<", ">", "</", "<!--", "-->", "<a", "<b ", " href=", "'", '"', "=", "/", "x", "\0", "&"),
        *(
            "<script>",
            "</script>",
            "<title>",
            "</title",
            "<style>",
            "url(",
            "&#",
            "http://",
            "[",
            "\n",
        ),
        *("<base href=", "<meta charset=", "<meta http-equiv=refresh content=", "<img srcset="),
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_pieces_of_html_are_a_page(text: str) -> None:
    page = read_page(text.encode(), "", HERE)
    for url in (*page.links, *(url for url, _ in page.resources)):
        assert url.scheme in ("http", "https")
        assert url.host
    shown = [token for token in tokens(text) if isinstance(token, Text)]
    assert sum(len(token.text) for token in shown) <= len(text)


@given(st.text("abc <&", max_size=80), st.sampled_from(["p", "a", "B", "h1"]))
def test_tags_and_text_come_back(text: str, name: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    found = list(tokens(f"<{name} v='{escaped}'>{escaped}</{name}>"))
    assert found[0] == Tag(name.lower(), {"v": text})
    assert "".join(token.text for token in found if isinstance(token, Text)) == text
    assert found[-1] == Tag(f"/{name.lower()}", {})
