"""The first page as it is drawn; it and the page of lines in a browser: axe-core finds nothing serious, a phone scrolls
nowhere."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporters.console.hosts.linestatus import store
from exporters.console.intake.days import count_day
from exporters.console.overview.trend import Day, picture
from rules.model import SEVERITIES
from tests import consolesample
from tests.consolelab import PASSWORD, Console

axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
LINES = """jianwei_line_info{line="城关-备",site="城关",level="county",carrier="移动",role="backup",peer="城关-主"} 1
jianwei_line_state{line="城关-备",state="down"} 1
jianwei_line_backup_dead{line="城关-备"} 1
"""


def test_a_day_of_zero_is_a_bar_of_nothing_and_a_gap_is_grey() -> None:
    today = date(2026, 3, 1)
    zero = dict.fromkeys(SEVERITIES, 0)
    drawn = picture((Day(today, None), Day(today, zero), Day(today, {**zero, "high": 7})))
    assert len(drawn.gaps) == 1
    assert [(bar.severity, bar.hits) for bar in drawn.bars] == [("high", 7)]
    assert drawn.scale[-1][1] == 8


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_pages_are_for_everybody(console: Console) -> None:
    consolesample.fill(console, 5)
    now = datetime.now(UTC)
    with console.database.writing() as connection:
        count_day(console.database, connection, now.astimezone(ZoneInfo("Asia/Shanghai")).date())
        store(connection, 1, LINES, now)
    console.person("viewer", "viewer")
    axe = axe_module.Axe()
    with console.served() as url, playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        try:
            for width, locale, paths in (
                (1280, "zh-CN", ("/", "/lines", "/hosts/1")),
                (360, "en", ("/", "/hosts")),
                (1280, "en", ("/",)),
                (360, "zh-CN", ("/", "/rules?clause=8.1.4.1")),
            ):
                context = browser.new_context(
                    viewport={"width": width, "height": 800}, locale=locale
                )
                page = context.new_page()
                page.goto(f"{url}/login")
                page.fill("#f-name", "viewer")
                page.fill("#f-password", PASSWORD)
                page.click("main button")
                for path in paths:
                    page.goto(url + path)
                    assert page.locator("h1").count() == 1
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= width, (path, width)
                    bad = [
                        (one["id"], one["nodes"][0]["html"])
                        for one in axe.run(page).response["violations"]
                        if one["impact"] in ("serious", "critical")
                    ]
                    assert bad == [], (path, width, locale)
                context.close()
        finally:
            browser.close()
