"""The life of a hit in a real browser, as the people see it who work on it: found, looked at, waived by two persons, open
again when the waiver ends, fixed, and come back.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
from sqlalchemy import update

from exporters.console.intake.housekeeping import Housekeeping
from exporters.console.intake.take import take
from exporters.console.schema import waiver
from rules.model import AuditResult, PackResult, Verdict
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import WAIVED

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, expect

from tests import browserlab

HOST: Final = 2  # its hit of WAIVED is open, and nobody has said anything about it yet
REQUESTER, SECOND = "liumin", "zhaoyun"  # both may approve


@pytest.mark.skipif(bool(browserlab.MISSING), reason=browserlab.MISSING)
def test_the_life_of_a_hit(console: Console, tmp_path: Path) -> None:
    consolesample.fill(console, 5)
    for name in (REQUESTER, SECOND):
        console.person(name, "approver")
    with console.served() as url, browserlab.chromium() as browser:
        page, other = entered(browser, url, REQUESTER), entered(browser, url, SECOND)

        filtered(page)
        hit = opened(page)
        acknowledged(page)
        assigned(page)
        commented(page)

        asked = waiver_requested(page)
        cannot_approve_alone(page)
        approved(other, asked)
        state_is(page, hit, "已豁免")

        expired(console, asked)
        state_is(page, hit, "新发现")  # to be looked at anew

        audited(console, 3, "pass")
        state_is(page, hit, "已整改")
        audited(console, 4, "fail")
        state_is(page, hit, "复发")
        expect(page.locator(".timeline")).to_contain_text("已整改 → 复发")

        exported(page, tmp_path)
        in_english(page)
        by_the_keyboard(page)
        logged_out(page, url)


# --- the parts of the story


def entered(browser: Browser, url: str, name: str) -> Page:
    """In a browser profile of their own."""
    page = browser.new_context(locale="zh-CN", base_url=url, accept_downloads=True).new_page()
    browserlab.log_in(page, url, name)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def filtered(page: Page) -> None:
    page.get_by_role("link", name="问题", exact=True).first.click()
    page.get_by_label("高", exact=True).check()
    page.get_by_label("文字", exact=True).fill(f"vm-{HOST:04}")
    page.get_by_role("button", name="查询").click()
    expect(page).to_have_url(re.compile(r"/hits\?.*severity=high"))
    expect(page).to_have_url(re.compile(rf"text=vm-{HOST:04}"))
    for row in page.locator("tbody tr").all():
        expect(row).to_contain_text("高")
        expect(row).to_contain_text(f"vm-{HOST:04}")


def opened(page: Page) -> str:
    """The hit of the rule, from the list: the path of its page."""
    page.goto(f"/hits?rule={WAIVED}&host=vm-{HOST:04}")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr a").first.click()
    expect(page).to_have_url(re.compile(r"/hits/\d+$"))
    expect(page.locator(".compare")).to_contain_text("yes")
    expect(page.locator("main")).to_contain_text("/etc/ssh/sshd_config:33")
    return page.url


def acknowledged(page: Page) -> None:
    page.locator("#f-ack").fill("已通知运维")
    page.get_by_role("button", name="确认", exact=True).click()
    done(page)
    state(page, "已确认")


def assigned(page: Page) -> None:
    page.locator("#f-to").fill(SECOND)
    page.get_by_role("button", name="指派", exact=True).click()
    done(page)
    expect(page.locator("aside dl")).to_contain_text(SECOND)


def commented(page: Page) -> None:
    page.locator("#f-comment").fill("等厂商补丁\n<b>不是标签</b>")
    page.get_by_role("button", name="添加备注").click()
    done(page)
    expect(page.locator(".timeline")).to_contain_text("<b>不是标签</b>")


def waiver_requested(page: Page) -> str:
    """From the hit: the path of the waiver's page."""
    page.get_by_role("link", name="申请豁免").click()
    page.get_by_label("理由").fill("业务系统改造完成前由堡垒机限制访问")
    page.get_by_label("责任人").fill("张伟")
    page.get_by_label("截止日期").fill((date.today() + timedelta(days=30)).isoformat())
    page.get_by_role("button", name="提交申请").click()
    expect(page).to_have_url(re.compile(r"/waivers/\d+$"))
    done(page)
    return page.url


def cannot_approve_alone(page: Page) -> None:
    decide = page.locator("section", has=page.get_by_role("heading", name="审批", exact=True))
    expect(decide.locator(".notice")).to_be_visible()
    expect(page.get_by_role("button", name="批准")).to_have_count(0)


def approved(page: Page, asked: str) -> None:
    page.goto(asked)
    page.locator("#f-note").fill("同意，到期复核")
    page.get_by_role("button", name="批准").click()
    done(page)
    expect(page.locator("main")).to_contain_text(SECOND)


def expired(console: Console, asked: str) -> None:
    """Its last day was yesterday, and the console looks around as it does every minute."""
    now = datetime.now(UTC)
    with console.database.writing() as connection:
        connection.execute(
            update(waiver)
            .where(waiver.c.id == int(asked.rpartition("/")[2]))
            .values(expires=now.date() - timedelta(days=2))
        )
    Housekeeping(console.database, console.services).run_once(now)


def audited(console: Console, day: int, outcome: str) -> None:
    """The host tells of a day on which the rule came out so."""
    result = consolesample.sample(console, HOST, day)
    packs = tuple(_with(pack, outcome) for pack in result.packs)
    result = msgspec.structs.replace(result, packs=packs)
    taken_in(console, result)


def taken_in(console: Console, result: AuditResult) -> None:
    arrived, now = consolesample.arrived(HOST), result.time + timedelta(minutes=2)
    take(console.database, console.services, arrived, result, now)


def _with(pack: PackResult, outcome: str) -> PackResult:
    def so(one: Verdict) -> Verdict:
        changed = (
            {"verdict": outcome} if outcome == "fail" else {"verdict": outcome, "actual": None}
        )
        return msgspec.structs.replace(one, **changed) if one.rule == WAIVED else one

    return msgspec.structs.replace(pack, verdicts=tuple(map(so, pack.verdicts)))


def exported(page: Page, folder: Path) -> None:
    page.goto(f"/hits?rule={WAIVED}&host=vm-{HOST:04}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="导出 CSV").click()
    assert re.fullmatch(r"hits-\d{8}-\d{4}\.csv", waiting.value.suggested_filename)
    path = folder / "hits.csv"
    waiting.value.save_as(path)
    (row,) = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    told = (row["规则"], row["主机"], row["状态"], row["责任人"])
    assert told == (WAIVED, f"vm-{HOST:04}", "复发", SECOND)


def in_english(page: Page) -> None:
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hits")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def by_the_keyboard(page: Page) -> None:
    """Past the navigation by the skip link, to the first hit of the list, and into it."""
    page.goto("/hits")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    first = page.locator("tbody td a[href^='/hits/']").first
    for _ in range(80):
        page.keyboard.press("Tab")
        if first.evaluate("one => one === document.activeElement"):
            break
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/hits/\d+$"))


def logged_out(page: Page, url: str) -> None:
    page.get_by_role("button", name="退出").click()
    expect(page).to_have_url(f"{url}/login")
    page.goto("/hits")
    expect(page).to_have_url(re.compile(r"/login\?next="))


# --- what is looked at more than once


def done(page: Page) -> None:
    expect(page.locator(".notice.done")).to_be_visible()


def state(page: Page, words: str) -> None:
    expect(page.locator("main > p .state")).to_have_text(words)


def state_is(page: Page, hit: str, words: str) -> None:
    page.goto(hit)
    state(page, words)
