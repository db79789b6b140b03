"""Chromium as tests drive it against a console: started, logged in, and listened to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.consolelab import PASSWORD

CHROMIUM: Final = "/usr/bin/chromium"
MISSING: Final = "" if os.access(CHROMIUM, os.X_OK) else "Chromium is not installed"
_ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_GRAVE: Final = ("serious", "critical")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def log_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    """By the form; the page is the first one afterwards."""
    page.goto(f"{url}/login")
    page.fill("#f-name", name)
    page.fill("#f-password", password)
    page.click("main button")
    page.wait_for_url(f"{url}/")


def grave(page: Page) -> list[str]:
    """What axe-core finds on a page that is serious or worse: the rule, and where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in _GRAVE
    ]


def too_wide(page: Page) -> list[str]:
    """What sticks out where the document scrolls sideways; empty where it does not."""
    found: list[str] = page.evaluate(
        """() => {
            const room = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= room) return [];
            const out = [...document.body.querySelectorAll("*")]
                .filter((one) => one.getBoundingClientRect().right > room + 1)
                .map((one) => one.outerHTML.slice(0, 120));
            return out.slice(0, 4).concat(`${document.documentElement.scrollWidth} > ${room}`);
        }"""
    )
    return found


class Watch:
    """What went wrong on the pages of a context: errors on the console (a refusal of the CSP is one), errors of scripts,
    answers of 400 and more, and whatever was asked of somebody else."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.problems: list[str] = []
        self._host = urlsplit(url).netloc
        context.on("console", self._said)
        context.on("weberror", lambda error: self._add("script", str(error.error)))
        context.on("request", self._asked)
        context.on("response", self._answered)

    def taken(self) -> list[str]:
        """Since this was asked last."""
        found, self.problems = self.problems, []
        return found

    def _add(self, kind: str, what: str) -> None:
        self.problems.append(f"{kind}: {what}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self._add("console", message.text)

    def _asked(self, request: Any) -> None:
        whole = urlsplit(request.url)
        if whole.scheme not in ("data", "blob", "about") and whole.netloc != self._host:
            self._add("elsewhere", request.url)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self._add(str(response.status), response.url)
