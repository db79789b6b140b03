"""A report in a real browser: shown, without a script and without anything of the console's."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporters.console.people.policy import PeopleSettings
from exporters.console.settings import ConsoleSettings
from exporters.report import files
from exporters.report.rendering import Format, render
from tests.browserlab import MISSING, chromium
from tests.consolelab import PASSWORD, Console
from tests.reportsample import sample

CHEAP = PeopleSettings(rounds=4)
HTML: tuple[Format, ...] = ("html",)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_report_is_read_apart_from_the_console(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    files.write(str(folder), render(sample(departments=3, resources=20), HTML, "zh"))
    script = (
        "<!doctype html><title>x</title><p id=p>before</p><script>p.textContent='after'</script>"
    )
    (folder / "report-2026-10.en.html").write_text(
        script + "<form action='/logout' method=post><button>x</button></form>"
    )
    console = Console(
        f"sqlite:///{tmp_path}/console.db", ConsoleSettings(people=CHEAP, reports=str(folder))
    )
    console.person("viewer", "viewer")
    with console.served() as url, chromium() as browser:
        page = browser.new_page(locale="zh-CN")
        page.goto(f"{url}/login?next=/reports")
        page.fill("input[name=name]", "viewer")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button")
        page.wait_for_url(f"{url}/reports")
        page.click('a[href="/reports/report-2026-10.zh.html?show=1"]')
        page.wait_for_url("**/report-2026-10.zh.html?show=1")
        assert "月度资源使用通报" in page.title()
        # its own style is taken, and its own contents lead within it
        colour = "getComputedStyle(document.querySelector('.contents')).listStyleType"
        assert page.evaluate(colour) is not None
        assert page.evaluate("document.styleSheets.length") == 1
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
        assert page.evaluate("window.origin") == "null"
        page.click("#contents a >> nth=0")
        assert "#" in page.url
        page.goto(f"{url}/reports/report-2026-10.en.html?show=1")
        assert page.text_content("#p") == "before"
        page.click("button")
        assert "/reports/" in page.url
        page.goto(f"{url}/reports")
        assert page.locator("h1").text_content() == "月报存档"
    console.close()
