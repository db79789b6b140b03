"""Where pages lead: every link of every page answers for whoever is shown it, and so does the way back from a refusal."""

from __future__ import annotations

import re
from collections import Counter, deque
from datetime import UTC, datetime
from html import unescape
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporters.console.hosts.linestatus import store
from exporters.console.routes import PAGES
from exporters.console.web.asker import ROLES, Role
from tests import consolesample
from tests.consolelab import Console

LINES: Final = """jianwei_line_info{line="城关-备",level="county",role="backup",peer="城关-主"} 1
jianwei_line_state{line="城关-备",state="down"} 1
"""
LINK: Final = re.compile(r'href="(/[^"#]*)')
EACH: Final = 1  # links of one kind that are followed
KINDS: Final = [
    (re.compile(re.sub(r"{\w+(:\w+)?}", "[^/]+", one.path)), one.path)
    for one in PAGES
    if one.method == "GET"
]


def kind(link: str) -> tuple[str, tuple[str, ...]]:
    """Links of the same page with the same parameters are alike."""
    parts = urlsplit(link)
    exact = [path for _, path in KINDS if path == parts.path]
    fit = exact or [path for pattern, path in KINDS if pattern.fullmatch(parts.path)]
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return (fit[0] if fit else link), tuple(names)


def followed(
    console: Console, role: Role
) -> tuple[Counter[tuple[str, tuple[str, ...]]], list[str]]:
    """How many links of each kind there were, and the problems."""
    client, seen, problems = console.client(role), Counter[tuple[str, tuple[str, ...]]](), []
    known, queue = {"/"}, deque(["/"])
    while queue:
        link = queue.popleft()
        answer = client.get(link)
        if answer.status_code >= 400:
            problems.append(f"{answer.status_code} {link}")
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        for one in map(unescape, LINK.findall(answer.text)):
            if one not in known:
                known.add(one)
                seen[kind(one)] += 1
                if seen[kind(one)] <= EACH:
                    queue.append(one)
    return seen, problems


@pytest.mark.parametrize("role", ROLES)
def test_every_link_of_every_page_answers(console: Console, role: Role) -> None:
    consolesample.fill(console, 1)
    with console.database.writing() as connection:
        store(connection, 1, LINES, datetime.now(UTC))
    seen, problems = followed(console, role)
    assert problems == []
    paths = {path for path, _ in seen}
    assert {"/hits/{id}", "/rules/{name}", "/hosts/{id}", "/waivers/{id}", "/clauses"} <= paths


BACK: Final = re.compile(r'role="alert">[^<]*</p>\s*<p><a class="button" href="([^"]*)"')


@pytest.mark.parametrize("role", ["approver", "administrator", "auditor"])
def test_every_refused_form_leads_to_a_page(console: Console, role: Role) -> None:
    client = console.client(role)
    tried = set()
    for page in PAGES:
        if page.method != "POST" or page.path in ("/logout", "/language", "/login", "/login/totp"):
            continue
        path = re.sub(r"{\w+(:\w+)?}", "999999", page.path)
        for came in ("", "/hits?rule=a&sort=age"):
            headers = {"Referer": f"http://localhost{came}"} if came else {}
            answer = client.post(path, data={"version": "1", "no such": "1"}, headers=headers)
            if not (found := BACK.search(answer.text)):
                continue  # the form itself, with what was wrong with it
            way = unescape(found[1])
            # what the form was about is not there, else its page would be
            wanted = (200, 404) if "999999" in way else (200,)
            assert client.get(way).status_code in wanted, (page.path, way)
            assert not came or way == came, page.path
            tried.add(page.path)
    assert len(tried) > 5


def test_a_way_back_is_never_to_another_site(console: Console) -> None:
    client = console.client("analyst")
    for came in ("https://evil.example/hits", "http://localhost//evil.example/", "nonsense\\"):
        answer = client.post("/hits/bulk", data={}, headers={"Referer": came})
        assert answer.status_code == 422
        assert BACK.findall(answer.text) == ["/hits"]


def test_the_page_of_a_form_is_not_what_a_refusal_leads_to(console: Console) -> None:
    client = console.client("analyst")
    came = {"Referer": "http://localhost/hits/bulk"}  # its second step is a POST's answer
    answer = client.post("/hits/bulk", data={}, headers=came)
    assert BACK.findall(answer.text) == ["/hits"]
    assert BACK.findall(client.get("/hits/999999").text) == ["/hits"]
    assert BACK.findall(client.get("/users").text) == ["/"]
    assert BACK.findall(client.get("/hits?sort=none").text) == ["/hits"]


def test_another_language_keeps_the_filter(console: Console) -> None:
    client = console.client("viewer")
    asked = "/hits?sort=age&text=%E5%8F%A3%E4%BB%A4+%22"
    page = client.get(asked).text
    found = re.search(r'name="next" value="([^"]*)"', page)
    assert found is not None
    assert unescape(found[1]) == asked
    answer = client.post("/language", data={"language": "en", "next": unescape(found[1])})
    assert answer.headers["location"] == asked
