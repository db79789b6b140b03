"""Remakes docs/screenshots: `make screenshots`. The example city is made in a temporary folder and served by this process;
the pictures are of what its people see.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from agents.demo.making import Made, make
from agents.demo.people import ANALYST
from agents.demo.reporting import made_report
from exporters.console.app import application
from exporters.console.codes import STATE
from exporters.console.database import Database
from exporters.console.schema import hit, hit_event
from exporters.console.serving import services_of
from tests.browserlab import chromium, log_in
from tests.consolelab import served

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screenshots"
DESK, PHONE = (1280, 800), (390, 844)
BYTES: Final = 300_000  # at most
COLOURS: Final = 256


class Picture(NamedTuple):
    name: str
    path: str
    size: tuple[int, int] = DESK


def pictures(database: Database, made: Made) -> Iterator[Picture]:
    """What a stranger should see first."""
    report = next(Path(made.settings.reports).glob("*.zh.html"))
    yield Picture("overview", "/")
    yield Picture("overview-phone", "/", PHONE)
    yield Picture("hits", "/hits")
    yield Picture("hit", f"/hits/{_talked_about(database)}")
    yield Picture("waivers", "/waivers")
    yield Picture("manual", "/manual")
    yield Picture("lines", "/lines")
    yield Picture("fleet", "/fleet")
    yield Picture("report", f"/reports/{report.name}?show=1")


def take(database: Database, made: Made, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    app = application(database, services_of(made.settings))
    with served(app) as url, chromium() as browser:
        for picture in pictures(database, made):
            _take(browser, url, made.password, picture, folder)


def _take(browser: Browser, url: str, password: str, picture: Picture, folder: Path) -> None:
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", device_scale_factor=1
    )
    page = context.new_page()
    log_in(page, url, ANALYST, password)
    _open(page, url + picture.path)
    path = folder / f"{picture.name}.png"
    page.screenshot(path=path)
    context.close()
    _smaller(path)


def _open(page: Page, url: str) -> None:
    page.goto(url)
    page.evaluate("document.fonts.ready")
    assert "示例数据" in page.content(), url


def _talked_about(database: Database) -> int:
    """The hit that came back and that somebody has said something about."""
    statement = (
        select(hit.c.id)
        .join(hit_event, hit_event.c.hit_id == hit.c.id)
        .where(hit.c.state == STATE["regressed"], hit_event.c.kind == "comment")
        .order_by(hit.c.id)
        .limit(1)
    )
    with database.reading() as connection:
        return int(connection.execute(statement).scalar_one())


def _smaller(path: Path) -> None:
    """A palette is enough for what has few colours."""
    with Image.open(path) as whole:
        whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < BYTES, path


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="jianwei-") as temporary:
        made = make(Path(temporary) / "city", lambda what: print(what, file=sys.stderr))
        made_report(made)
        database = Database(made.settings.db)
        try:
            take(database, made, FOLDER)
        finally:
            database.close()
    print(FOLDER)


if __name__ == "__main__":
    main()
