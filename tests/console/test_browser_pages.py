"""Every page in a real browser, as a role that may see it, in Chinese and English, on a desk, at 125 % and on a telephone:
nothing goes wrong, nothing is asked of anybody else, a telephone scrolls nowhere sideways, and axe-core finds nothing
serious. The pictures are kept in build/screenshots/.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from exporters.console.hosts.linestatus import store
from exporters.console.intake.days import count_day
from exporters.console.routes import PAGES
from exporters.console.web.asker import ALLOWED, Role
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import DEPARTMENTS, WAIVED

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")
from playwright.sync_api import Browser, BrowserContext, Page

from tests import browserlab

PICTURES: Final = Path(__file__).parents[2] / "build" / "screenshots"
LINES: Final = """jianwei_line_info{line="城关-备",site="城关",level="county",carrier="移动",role="backup",peer="城关-主"} 1
jianwei_line_state{line="城关-备",state="down"} 1
jianwei_line_backup_dead{line="城关-备"} 1
"""
# the role that sees the page's most: who may do more is shown more
ROLES: Final[tuple[Role, ...]] = ("approver", "administrator", "auditor")
# files, parts of pages, and what leads elsewhere at once
NO_PAGES: Final = re.compile(r"\.(csv|yaml|ocsf|svg)$|/state$|^/login/oidc|attachments|/reports/{")
UNLINKED: Final = {"/fleet/enrol/{id}": "/fleet/enrol/1"}  # shown to whoever has just made it


class Look(NamedTuple):
    """At a page; `axe` where axe-core looks too."""

    language: str
    width: int
    axe: bool


# of each language from narrow to wide, on a page that is loaded once
LOOKS: Final = {
    "zh": (
        Look("zh", 360, axe=True),
        Look("zh", 1024, axe=False),  # 1280 at 125 %
        Look("zh", 1280, axe=True),
    ),
    "en": (Look("en", 360, axe=False), Look("en", 1280, axe=True)),
}


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(browserlab.MISSING), reason=browserlab.MISSING)
def test_every_page_is_for_everybody(console: Console) -> None:
    filled(console)
    shutil.rmtree(PICTURES, ignore_errors=True)
    problems: list[str] = []
    with console.served() as url, browserlab.chromium() as browser:
        anybody = browser.new_context(locale="zh-CN", base_url=url)
        problems += looked_at(anybody, url, ["/login"])
        ways = Ways()
        for role in ROLES:
            context = entered(browser, url, role)
            problems += looked_at(context, url, ways.of(role, context))
            context.close()
        assert ways.missing() == []
    print(f"pictures: {PICTURES}")
    assert problems == []


class Ways:
    """To one page of each kind: a path with parameters is taken from a link on a page that was seen."""

    def __init__(self) -> None:
        kinds = {one.path: one.permission for one in PAGES if one.method == "GET"}
        self._left = {path: of for path, of in kinds.items() if not NO_PAGES.search(path)}
        del self._left["/login"]
        self._plain = {path for path in kinds if "{" not in path}

    def of(self, role: Role, context: BrowserContext) -> list[str]:
        """Paths of the kinds that no role before could show."""
        may = {*ALLOWED[role], "entering"}
        mine = [path for path, of in self._left.items() if of in may]
        plain = [path for path in mine if "{" not in path]
        links = {*_links(context, plain), *UNLINKED.values()} - self._plain
        found = []
        for path in mine:
            kind = re.compile(re.sub(r"{\w+}", "[^/]+", re.sub(r"{\w+:int}", r"\\d+", path)))
            if fit := [path] if path in plain else sorted(filter(kind.fullmatch, links)):
                found.append(fit[0])
                del self._left[path]
        return found

    def missing(self) -> list[str]:
        return sorted(self._left)


def _links(context: BrowserContext, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        answer = context.request.get(path)
        yield from re.findall(r'href="(/[^"#?]*)', answer.text())


def looked_at(context: BrowserContext, url: str, paths: Sequence[str]) -> list[str]:
    page, watch, problems = context.new_page(), browserlab.Watch(context, url), []
    for language, looks in LOOKS.items():
        context.add_cookies([{"name": "jianwei_language", "value": language, "url": url}])
        for path in paths:
            page.set_viewport_size({"width": looks[0].width, "height": 800})
            page.goto(path)
            for look in looks:
                page.set_viewport_size({"width": look.width, "height": 800})
                found = [*watch.taken(), *seen(page, look)]
                problems += [f"{path} {language} {look.width}: {one}" for one in found]
                kept(page, path, look)
    page.close()
    return problems


def seen(page: Page, look: Look) -> Iterator[str]:
    if (count := page.locator("h1").count()) != 1:
        yield f"{count} headings of the first level"
    if page.locator("html").get_attribute("lang") != {"zh": "zh-CN", "en": "en"}[look.language]:
        yield "another language"
    if wide := browserlab.too_wide(page):
        yield f"scrolls sideways: {wide}"
    if look.axe:
        yield from browserlab.grave(page)


def kept(page: Page, path: str, look: Look) -> None:
    name = re.sub(r"\W+", "-", path).strip("-") or "overview"
    picture = PICTURES / f"{name}.{look.language}.{look.width}.png"
    page.screenshot(path=picture, full_page=look == LOOKS["zh"][-1])


def entered(browser: Browser, url: str, role: Role) -> BrowserContext:
    context = browser.new_context(locale="zh-CN", base_url=url)
    page = context.new_page()
    browserlab.log_in(page, url, role)
    page.close()
    return context


def filled(console: Console) -> None:
    """Something on every page: lines, an enrolment that waits, a waiver that is asked for, a window, an answer's item."""
    consolesample.fill(console, 6)
    now = datetime.now(UTC)
    # the day of the pages: in UTC it may still be yesterday
    today = now.astimezone(ZoneInfo("Asia/Shanghai")).date()
    with console.database.writing() as connection:
        count_day(console.database, connection, today)
        store(connection, 1, LINES, now)
    for role in ROLES:
        console.person(role, role)
    approver, administrator = console.client("approver"), console.client("administrator")
    for client, path, wanted in (
        (
            approver,
            "/waivers",
            {
                "rule": WAIVED,
                "hosts": ["vm-0002"],
                "reason": "业务系统改造完成前无法关闭",
                "owner": "张伟",
                "expires": (today + timedelta(days=20)).isoformat(),
            },
        ),
        (
            approver,
            "/windows",
            {
                "kind": "silence",
                "reason": "机房搬迁",
                "begins": f"{today}T01:00",
                "ends": f"{today + timedelta(days=2)}T03:00",
                "departments": [DEPARTMENTS[0]],
            },
        ),
        (administrator, "/enrolments", {"department": DEPARTMENTS[0]}),
    ):
        answer = client.post(f"/api/v1{path}", json=wanted)
        assert answer.status_code == 200, answer.text
