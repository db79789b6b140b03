"""The frame and the first page in a browser: nothing is cut off, and a search's address has no empty parameters."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
import pytest
from sqlalchemy import update

from exporters.console.schema import outcome_tally
from tests import consolesample
from tests.consolelab import Console

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from tests import browserlab

CUT = """() => [...document.querySelectorAll(".cell > *")]
    .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth)
    .map((one) => one.textContent)"""
FEET = """() => [document.querySelector(".who form:last-child").getBoundingClientRect().bottom,
    document.documentElement.clientHeight]"""


@pytest.mark.skipif(bool(browserlab.MISSING), reason=browserlab.MISSING)
def test_nothing_is_cut_off(console: Console) -> None:
    consolesample.fill(console, 1)
    with console.database.writing() as connection:
        connection.execute(update(outcome_tally).values(hosts=5000))
    settings = msgspec.structs.replace(console.settings, example=True)
    shown = Console(settings.db, settings)
    shown.person("analyst", "analyst")
    with shown.served() as url, browserlab.chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="zh-CN")
        browserlab.log_in(page, url, "analyst")
        assert page.evaluate(CUT) == []
        bottom, height = page.evaluate(FEET)
        assert bottom <= height
        page.mouse.wheel(0, 500)
        page.goto(f"{url}/hits")
        page.fill("#f-text", "ssh")
        page.click("form.hitfilter button")
        page.wait_for_url("**/hits?**")
        assert sorted(urlsplit(page.url).query.split("&")) == [
            "group=none",
            "size=50",
            "sort=severity",
            "text=ssh",
        ]
    shown.close()
