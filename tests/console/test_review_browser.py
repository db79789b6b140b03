"""The list of hits and the page of one in a real browser, as wide as a telephone, by the keyboard, without a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browserlab import MISSING, chromium, grave
from tests.console.test_review_changes import filled
from tests.consolelab import PASSWORD, Console


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_on_a_telephone_by_the_keyboard(console: Console, tmp_path: Path) -> None:
    filled(console)
    console.person("analyst", "analyst")
    with console.served() as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        problems: list[str] = []
        page.on("console", lambda one: problems.append(one.text) if one.type == "error" else None)
        page.on("response", lambda one: problems.append(one.url) if one.status > 399 else None)
        page.goto(f"{url}/login?next=/hits")
        page.fill("input[name=name]", "analyst")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{url}/hits")
        page.screenshot(path=str(tmp_path / "hits.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert grave(page) == []
        # all rows of the page at once, by the space bar, then what is to be done
        page.locator("fieldset [data-all=chosen]").focus()
        page.keyboard.press("Space")
        page.locator("button[value=acknowledge]").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".notice.done")
        page.click("a[href^='/hits/1']")
        page.wait_for_selector(".compare")
        page.screenshot(path=str(tmp_path / "hit.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert grave(page) == []
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{url}/hits?sort=age")
        assert grave(page) == []
        page.screenshot(path=str(tmp_path / "wide.png"), full_page=True)
        page.goto(f"{url}/assessment/sheet?level=3")
        assert grave(page) == []
        page.screenshot(path=str(tmp_path / "assessment.png"))
        assert problems == []
